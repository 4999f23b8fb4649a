"""What is typed, to the patterns that a customer's words must match."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.customer_search import MOST_PARTS, search_patterns


@pytest.mark.parametrize(
    ("typed", "patterns"),
    [
        ("", ()),
        ("  \t ", ()),
        ("rossi", ("%rossi%",)),
        ("Rossi  Torino", ("%Rossi%", "%Torino%")),
        ("po 17", ("% po%", "% 17%")),
        ("rossi rossi", ("%rossi%",)),
        ("+39 339 5551234", ("% 39%", "%339%", "%5551234%")),
        ("0039339-555.1234", ("%393395551234%",)),
        ("011/5551234", ("%0115551234%",)),
        ("20-12345678-6", ("%20123456786%",)),
        ("17/B", ("%17/B%",)),
        ("anna_b@example.net", (r"%anna\_b@example.net%",)),
        ("50%", (r"%50\%%",)),
        (r"a\b", (r"%a\\b%",)),
    ],
)
def test_each_part_must_be_found_and_a_short_one_begins_a_word(typed, patterns):
    assert search_patterns(typed) == patterns


@given(st.text())
def test_whatever_is_typed_is_few_patterns_that_mean_what_they_say(text):
    patterns = search_patterns(text)
    assert len(patterns) <= MOST_PARTS
    for pattern in patterns:
        inside = pattern[1:-1].replace(r"\\", "").replace(r"\%", "").replace(r"\_", "")
        assert not set("%_\\") & set(inside)
