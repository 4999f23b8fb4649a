"""Telephone numbers as people write them, to E.164."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.telephone import WrongTelephone, read_telephone


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("+39 339 555 1234", "+393395551234"),
        ("0039-339/555.1234", "+393395551234"),
        ("+593 (2) 255 0000", "+59322550000"),
        ("+123456", "+123456"),
        ("+123456789012345", "+123456789012345"),
    ],
)
def test_separators_go_and_the_country_stays(written, kept):
    assert read_telephone(written) == kept


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("339 5551234", "its country"),
        ("011/5551234", "its country"),
        ("+12345", "6 to 15"),
        ("+1234567890123456", "6 to 15"),
        ("+0393395551234", "6 to 15"),
        ("call Anna", "6 to 15"),
        ("", "6 to 15"),
    ],
)
def test_a_number_that_is_none_is_refused_with_what_to_write(written, says):
    read = read_telephone(written)
    assert isinstance(read, WrongTelephone)
    assert says in read.reason


@given(st.from_regex(r"[1-9][0-9]{5,14}", fullmatch=True), st.lists(st.integers(0, 15)), st.sampled_from(" -./()"))
def test_separators_anywhere_never_change_which_number_it_is(digits, places, separator):
    written = "+" + "".join(c + (separator if n in places else "") for n, c in enumerate(digits))
    assert read_telephone(written) == "+" + digits


@given(st.text(max_size=40))
def test_whatever_is_typed_is_a_number_or_a_reason(text):
    read = read_telephone(text)
    assert isinstance(read, WrongTelephone) or (read[0] == "+" and read[1:].isdigit() and 7 <= len(read) <= 16)
