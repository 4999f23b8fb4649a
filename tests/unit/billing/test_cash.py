"""Cash: counting, what should be there, and the entry of a hand-over, whatever was counted."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest

from billing.cash import (
    DENOMINATIONS,
    Destination,
    HandOver,
    Takings,
    count_cash,
    hand_over_legs,
    refuse_more_cash,
    withdrawal_legs,
)
from billing.money import Money, currency_places
from billing.payments import NotDone
from billing.postings import Accounts, Leg

CASH, COLLECTOR, SHORTAGE, SURPLUS, BANK = 1, 2, 3, 4, 5
ROLES = {("cash", None): CASH, ("cash_with_collector", None): COLLECTOR, ("cash_shortage", None): SHORTAGE}
ACCOUNTS = Accounts(1, {**ROLES, ("cash_shortage", "surplus"): SURPLUS, ("bank", None): BANK}, {})


def eur(cents):
    return Money(cents, "EUR")


def takings(opening, received, withdrawn=0, taken_back=0):
    return Takings(*map(eur, (opening, received, withdrawn, taken_back)))


def test_what_was_counted_is_added_up_note_by_note():
    counted = count_cash({Decimal("50"): 3, Decimal("0.20"): 4, Decimal("0.01"): 7}, "EUR")
    assert counted == eur(15087)
    assert count_cash({}, "EUR") == count_cash({Decimal(5): 0}, "EUR") == eur(0)
    assert count_cash({Decimal("0.01"): 1_000_000}, "EUR") == eur(1_000_000)
    assert count_cash({Decimal(1000): 12, Decimal(10): 3}, "CLP") == Money(12030, "CLP")
    # Nobody has listed Thailand's: any value that its currency can write is taken.
    assert count_cash({Decimal("0.25"): 2}, "THB") == Money(50, "THB")


@pytest.mark.parametrize(
    ("value", "currency"),
    [
        ("30", "EUR"),
        ("0.005", "EUR"),
        ("0", "EUR"),
        ("-5", "EUR"),
        ("0.50", "CLP"),
        ("0.005", "THB"),
        ("0.5", "JPY"),
        ("0", "THB"),
    ],
)
def test_what_no_note_or_coin_is_worth_is_refused_by_name(value, currency):
    refused = count_cash({Decimal(value): 1}, currency)
    assert isinstance(refused, NotDone)
    assert refused.message.startswith(f"there is no note or coin of {value} {currency}")


@pytest.mark.parametrize("pieces", [-1, 1_000_001])
def test_a_number_of_pieces_that_nobody_carries_is_refused(pieces):
    assert isinstance(count_cash({Decimal(5): pieces}, "EUR"), NotDone)


def test_denominations_fit_their_currencies():
    for currency, values in DENOMINATIONS.items():
        assert all(value == round(value, currency_places(currency)) for value in values), currency


def test_what_should_be_there_and_what_the_books_say_of_it():
    # 100.00 to begin with, 250.00 came in, 80.00 went to the bank, 30.00 were taken back: 240.00.
    day = takings(10000, 25000, 8000, 3000)
    assert (day.expected, day.with_collector) == (eur(24000), eur(14000))
    assert HandOver(day, eur(23950)).difference == eur(-50)


@pytest.mark.parametrize(
    ("counted", "legs"),
    [
        (24000, {CASH: 14000, COLLECTOR: -14000}),
        (23950, {CASH: 13950, SHORTAGE: 50, COLLECTOR: -14000}),
        (24100, {CASH: 14100, SURPLUS: -100, COLLECTOR: -14000}),
        # All of it is gone, the change as well.
        (0, {CASH: -10000, SHORTAGE: 24000, COLLECTOR: -14000}),
        (10000, {SHORTAGE: 14000, COLLECTOR: -14000}),
    ],
)
def test_a_hand_over_in_the_books(counted, legs):
    made = hand_over_legs(HandOver(takings(10000, 25000, 8000, 3000), eur(counted)), ACCOUNTS)
    assert {leg.account_id: leg.amount.minor for leg in made} == legs


def test_a_day_of_nothing_says_nothing_and_without_an_account_of_its_own_a_surplus_goes_to_shortages():
    assert hand_over_legs(HandOver(takings(5000, 0), eur(5000)), ACCOUNTS) == ()
    (cash, surplus) = hand_over_legs(HandOver(takings(0, 0), eur(5)), Accounts(1, ROLES, {}))
    assert (cash, surplus) == (Leg(CASH, eur(5)), Leg(SHORTAGE, eur(-5)))


def test_any_chain_of_sessions_loses_no_cent():
    """What came in is in the main cash, at the bank or missing; the collector has what is not handed over. Payments are taken back any time."""
    chance = random.Random(30)
    for _ in range(300):
        stands = dict.fromkeys((CASH, COLLECTOR, SHORTAGE, SURPLUS, BANK), 0)
        received = back = handed = out = lost = 0
        for _ in range(chance.randrange(1, 6)):
            came, opening = chance.randrange(0, 50000), chance.choice((0, 0, 5000))
            gone = chance.randrange(0, came + 1)
            taken_back = chance.randrange(0, received + came - back + 1) if chance.random() < 0.5 else 0
            received, back, out = received + came, back + taken_back, out + gone
            # As the payments' own entries do it.
            stands[COLLECTOR] += came - taken_back
            to = chance.choice(list(Destination))
            for leg in withdrawal_legs(eur(gone), to, ACCOUNTS) if gone else ():
                stands[leg.account_id] += leg.amount.minor
            day = takings(opening, came, gone, taken_back)
            counted = chance.choice((day.expected.minor, chance.randrange(0, 60000)))
            counted = max(counted, 0)
            legs = hand_over_legs(HandOver(day, eur(counted)), ACCOUNTS)
            assert sum(leg.amount.minor for leg in legs) == 0
            for leg in legs:
                stands[leg.account_id] += leg.amount.minor
            handed += counted - opening
            lost += opening + came - gone - taken_back - counted
        assert stands[COLLECTOR] == 0
        assert stands[SHORTAGE] + stands[SURPLUS] == lost
        assert stands[CASH] + stands[BANK] == handed + out == received - back - lost


def test_who_carries_the_most_that_may_be_takes_no_more():
    day = takings(0, 45000)
    assert refuse_more_cash(eur(5000), day, eur(50000)) is None
    assert refuse_more_cash(eur(5001), day, None) is None
    refused = refuse_more_cash(eur(5001), day, eur(50000))
    assert refused is not None
    assert refused.message == "450.00 EUR are in hand and at most 500.00 EUR may be: hand over before taking 50.01 EUR more in cash"  # fmt: skip
