"""What is asked for by itself: each due day once, of what is open of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from billing.documents import Due
from billing.gateways.due import Candidate, LeftOut, ToAsk, Why, decide
from billing.money import Money

MARCH, APRIL, MAY = date(2026, 3, 15), date(2026, 4, 15), date(2026, 5, 15)


def eur(cents: int) -> Money:
    return Money(cents, "EUR")


PARTS = (Due(MARCH, eur(5000)), Due(APRIL, eur(5000)), Due(MAY, eur(2200)))
DEBIT = Candidate(7, "12/FT/2026", 3, "Rossi", 1, "debits", 9, eur(12200), PARTS, MARCH)


@pytest.mark.parametrize(
    ("open_", "until", "asked_to", "cents", "due_on"),
    [
        (12200, MARCH, None, 5000, MARCH),
        # Paid in part elsewhere: what is left of the part.
        (9200, MARCH, None, 2000, MARCH),
        # Nobody asked in March: both.
        (12200, APRIL, None, 10000, APRIL),
        # March was asked for and failed: April alone, March is not tried again with it.
        (12200, APRIL, MARCH, 5000, APRIL),
        # March was asked for and paid.
        (7200, APRIL, MARCH, 5000, APRIL),
        (2200, MAY, APRIL, 2200, MAY),
        (12200, MAY, None, 12200, MAY),
    ],
)
def test_what_fell_due_since_the_last_debit_is_asked_for_as_far_as_it_is_open(open_, until, asked_to, cents, due_on):
    one = replace(DEBIT, open=eur(open_), until=until, asked_to=asked_to)
    assert decide(one) == ToAsk(one, eur(cents), due_on)


@pytest.mark.parametrize(("open_", "until", "asked_to"), [(12200, MARCH, MARCH), (12200, date(2026, 4, 14), MARCH)])
def test_a_due_day_is_asked_for_once(open_, until, asked_to):
    assert decide(replace(DEBIT, open=eur(open_), until=until, asked_to=asked_to)) is None


def test_a_part_that_is_paid_is_not_asked_for():
    # Of 122.00 the first 50.00 are paid by hand, and April is days away.
    assert decide(replace(DEBIT, open=eur(7200), until=MARCH)) is None


def test_what_is_left_out_says_why_unless_there_was_nothing_to_do():
    disputed = replace(DEBIT, left_out=Why.DISPUTED)
    assert decide(disputed) == LeftOut(disputed, Why.DISPUTED)
    assert decide(replace(disputed, asked_to=MARCH)) is None


def test_a_page_is_of_all_that_is_open():
    page = replace(DEBIT, mandate_id=None, open=eur(9200))
    assert decide(page) == ToAsk(page, eur(9200), None)
    disputed = replace(page, left_out=Why.IN_PLAN)
    assert decide(disputed) == LeftOut(disputed, Why.IN_PLAN)
