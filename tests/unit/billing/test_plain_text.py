"""Words from outside, as the database takes them."""

import pytest

from billing.country_codes import COUNTRY_CODES, country_fault
from billing.plain_text import is_seen, plain_text


def test_what_no_column_keeps_is_left_out_and_all_else_stays():
    assert plain_text("a\0b\ud800c \u00e8 \U0001f600\n") == "abc \u00e8 \U0001f600\n".replace("bc", "b?c")


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("", False),
        (" \t\u00a0\u2003", False),
        ("\u200b\u200d\ufeff", False),
        ("\u202e\u2066\u2069", False),
        ("\u3164\u2800\ufe0f", False),
        ("-", True),
        ("\u0410\u043d\u043d\u0430", True),
        ("\U0001f600", True),
        ("\u200fA", True),
    ],
)
def test_a_name_of_what_nobody_sees_is_none(text, seen):
    assert is_seen(text) is seen


def test_a_country_is_one_that_there_is():
    assert len(COUNTRY_CODES) == 250
    assert [code for code in ("IT", "CL", "SM", "XK") if country_fault(code)] == []
    assert country_fault("ZZ") == "'ZZ' is no country: two capitals, such as IT"
    assert [code for code in ("it", "EU", "UK", "XX", "") if country_fault(code) is None] == []
