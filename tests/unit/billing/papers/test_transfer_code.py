"""The text of a bank transfer's QR code."""

from __future__ import annotations

import pytest

from billing.money import Money
from billing.papers.transfer_code import transfer_code

IBAN = "IT60X0542811101000000123456"


def test_the_example_of_the_guideline_comes_out_as_it_stands_there():
    # EPC069-12, annex 2, example with the remittance text, without the BIC that version 002 may leave out.
    code = transfer_code("BE72 0000 0000 1616", "Red Cross of Belgium", Money(100, "EUR"), "Urgency fund")

    assert code == "BCD\n002\n1\nSCT\n\nRed Cross of Belgium\nBE72000000001616\nEUR1.00\n\n\nUrgency fund"


@pytest.mark.parametrize(
    ("account", "amount"),
    [
        (IBAN, Money(100, "USD")),  # euros alone
        ("IT61X0542811101000000123456", Money(100, "EUR")),  # its check digits are wrong
        ("BR1500000000000010932840814P2", Money(100, "EUR")),  # no country of SEPA
        (IBAN, Money(0, "EUR")),
        (IBAN, Money(100_000_000_000, "EUR")),
    ],
)
def test_what_no_app_could_pay_has_no_code(account, amount):
    assert transfer_code(account, "Example Net", amount, "1/FT/2026") is None


def test_nothing_that_is_written_adds_a_line_and_what_is_too_long_is_cut():
    code = transfer_code(IBAN, "Ex\nample\r\n" + "ò" * 200, Money(1, "EUR"), "a\nb" + "€" * 500)

    assert code is not None
    lines = code.split("\n")
    assert len(lines) == 11
    assert lines[5] == "Ex ample " + "ò" * 61
    assert lines[7] == "EUR0.01"
    assert lines[10].startswith("a b€")
    assert len(code.encode()) <= 331
