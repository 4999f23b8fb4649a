"""Which payment a return took back."""

from __future__ import annotations

from datetime import date

import pytest

from billing.banking.bank_line import BankLine
from billing.banking.returns import PaymentTold, Trace, amount_returned, clear_return, suggest_returned
from billing.money import Money

DAY = date(2026, 3, 10)
UNTIL = date(2026, 5, 5)


def back(cents=2990, **given):
    return BankLine(1, Money(-cents, "EUR"), given.pop("day", DAY), DAY, returned="AM04", **given)


def payment(number, cents=2990, **given):
    return PaymentTold(
        number, Money(cents, "EUR"), given.pop("value_on", date(2026, 3, 1)), **{"returns_until": UNTIL, **given}
    )


@pytest.mark.parametrize(
    ("line", "told", "score", "reasons"),
    [
        (back(end_to_end="C1"), {"end_to_end": "C1"}, 97, (Trace.END_TO_END,)),
        (back(end_to_end="C1"), {"reference": "C1"}, 97, (Trace.END_TO_END,)),
        (back(mandate="M1", party_iban="X"), {"mandate": "M1", "party_iban": "X"}, 91, (Trace.MANDATE, Trace.IBAN)),
        (back(party="ROSSI MARIO"), {"party": "Mario Rossi"}, 55, (Trace.NAME,)),
        (back(text="insoluto 12/FT/2026"), {"labels": ("12/FT/2026",)}, 80, (Trace.NUMBER,)),
        (back(), {}, 40, (Trace.ONLY,)),
    ],
)
def test_what_speaks_for_a_payment_and_how_much(line, told, score, reasons):
    (found,) = suggest_returned(line, [payment(7, **told)])

    assert (found.payment_id, found.score, found.reasons) == (7, score, reasons)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (back(end_to_end="C1"), {"end_to_end": "C1", "cents": 2991}),
        (back(end_to_end="C1"), {"end_to_end": "C1", "value_on": date(2026, 3, 11)}),
        (back(end_to_end="C1", day=date(2026, 6, 1)), {"end_to_end": "C2"}),
        (back(), {"returns_until": None}),
    ],
)
def test_a_payment_of_another_amount_or_later_is_none_and_nothing_alone_speaks_for_one_that_cannot_come_back(
    line, told
):
    assert suggest_returned(line, [payment(7, **told)]) == ()


def test_the_banks_charge_is_not_the_payments():
    line = back(3240, whole=Money(2990, "EUR"), end_to_end="C1")

    assert amount_returned(line) == Money(2990, "EUR")
    assert suggest_returned(line, [payment(7, end_to_end="C1")])[0].payment_id == 7


def test_one_of_two_like_it_is_for_a_person():
    found = suggest_returned(
        back(party="ROSSI MARIO"), [payment(7, party="MARIO ROSSI"), payment(8, party="MARIO ROSSI")]
    )

    assert [one.payment_id for one in found] == [8, 7]
    assert clear_return(found, automatic_from=50) is None
    assert clear_return(found[:1], automatic_from=50) == found[0]
    assert clear_return(found[:1], automatic_from=60) is None
