"""Reason codes of returns."""

from __future__ import annotations

import pytest

from billing.banking.return_codes import ReturnKind, charges_fee, code_in, return_code


@pytest.mark.parametrize(
    ("code", "kind"),
    [("AM04", ReturnKind.SOFT), ("AC04", ReturnKind.HARD), ("MD06", ReturnKind.DISPUTE), ("AM05", ReturnKind.TECHNICAL), ("ZZ99", ReturnKind.SOFT), ("", ReturnKind.SOFT)],
)  # fmt: skip
def test_a_code_says_whether_another_attempt_may_go_through(code, kind):
    assert return_code(code).kind is kind
    # A technical return is no fault of the payer's.
    assert charges_fee(code) is (kind is not ReturnKind.TECHNICAL)


@pytest.mark.parametrize(
    ("text", "code"),
    [("INSOLUTO (MD06)", "MD06"), ("md06", "MD06"), ("XMD06", "XMD06"), ("two words", ""), ("", ""), ("a" * 41, "")],
)
def test_a_code_is_found_in_a_text_and_one_word_is_a_code_of_its_own(text, code):
    assert code_in(text) == code
