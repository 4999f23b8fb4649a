"""What the books take from a person, and what they refuse with a word on what to do."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from billing.chart import Account, LedgerReason, NotTaken, Role
from billing.ledger import (
    Booked,
    HandEntry,
    Unfinished,
    Wish,
    decide_closing,
    decide_correction,
    decide_entry,
    first_open_day,
)
from billing.money import Money
from billing.periods import Period
from billing.postings import Leg
from billing.sentence import Sentence

CUSTOMERS = Account(1, "1500", "Customers", Role.CUSTOMERS)
BANK = Account(2, "1010", "Bank", Role.BANK)
FEES = Account(3, "6800", "Bank fees", Role.FEES)
CHART = {account.code: account for account in (CUSTOMERS, BANK, FEES)}
TODAY = date(2026, 4, 10)
JANUARY = Period(date(2026, 1, 1), date(2026, 2, 1))
FEBRUARY = Period(date(2026, 2, 1), date(2026, 3, 1))
FEE = (Wish("6800", Decimal("12.50")), Wish("1010", Decimal("-12.50")))


def entry(*wishes, **changes):
    facts = {
        "dated": date(2026, 3, 31),
        "currency": "EUR",
        "note": "Fees of March",
        "closed": [JANUARY],
        "today": TODAY,
    }
    return decide_entry(wishes or FEE, CHART, **{**facts, **changes})


def test_an_entry_over_several_accounts_is_taken():
    taken = entry(
        Wish("6800", Decimal("12.50")),
        Wish("1500", Decimal("7.5"), customer_id=17),
        Wish("1010", Decimal("-20")),
        evidence=" statement 3, page 2 ",
    )

    assert taken == HandEntry(
        date(2026, 3, 31),
        "EUR",
        "Fees of March",
        "statement 3, page 2",
        (
            Leg(3, Money(1250, "EUR")),
            Leg(1, Money(750, "EUR"), 17),
            Leg(2, Money(-2000, "EUR")),
        ),
    )


@pytest.mark.parametrize(
    ("wishes", "changes", "reason", "said"),
    [
        ((), {"note": " "}, LedgerReason.NO_TEXT, "give its text"),
        ((), {"dated": date(2026, 4, 11)}, LedgerReason.AHEAD, "2026-04-11 is after today 2026-04-10"),
        ((), {"dated": date(2026, 1, 31)}, LedgerReason.CLOSED, "2026-01-31 is closed; date it on 2026-02-01 or later"),
        (FEE[:1], {}, LedgerReason.TOO_FEW, "a debit and a credit"),
        ((FEE[0], Wish("1011", Decimal(-1))), {}, LedgerReason.NO_ACCOUNT, "no account 1011"),
        ((*FEE, Wish("1010", Decimal(0))), {}, LedgerReason.NO_AMOUNT, "account 1010"),
        ((*FEE, Wish("1500", Decimal(1))), {}, LedgerReason.CUSTOMER, "name the customer"),
        ((*FEE, Wish("1010", Decimal(1), 17)), {}, LedgerReason.CUSTOMER, "it takes no customer"),
        ((FEE[0], Wish("1010", Decimal("-12.505"))), {}, LedgerReason.PLACES, "more than 2 decimals"),
        (
            (FEE[0], Wish("1010", Decimal("-12.49"))),
            {},
            LedgerReason.UNBALANCED,
            "debits are 0.01 EUR more than its credits",
        ),
        (
            (FEE[0], Wish("1010", Decimal("-12.51"))),
            {},
            LedgerReason.UNBALANCED,
            "credits are 0.01 EUR more than its debits",
        ),
    ],
)
def test_an_entry_is_refused_with_what_to_do(wishes, changes, reason, said):
    refused = entry(*wishes, **changes)

    assert isinstance(refused, NotTaken)
    assert refused.reason is reason
    assert said in refused.message


BOOKED = Booked(
    40,
    "manual",
    date(2026, 3, 31),
    "EUR",
    (Leg(3, Money(1250, "EUR")), Leg(2, Money(-1250, "EUR"))),
)


def correction(booked=BOOKED, **changes):
    facts = {"dated": date(2026, 4, 1), "note": "twice", "closed": [JANUARY], "today": TODAY}
    return decide_correction(booked, **{**facts, **changes})


def test_a_correction_takes_each_leg_back_and_names_the_entry():
    taken = correction()

    assert isinstance(taken, HandEntry)
    assert taken.corrects_id == 40
    assert [(leg.account_id, leg.amount.minor) for leg in taken.legs] == [(3, -1250), (2, 1250)]


@pytest.mark.parametrize(
    ("booked", "changes", "reason"),
    [
        (BOOKED, {"note": ""}, LedgerReason.NO_TEXT),
        (replace(BOOKED, source="document"), {}, LedgerReason.DOCUMENT),
        (replace(BOOKED, source="correction"), {}, LedgerReason.CORRECTED),
        (replace(BOOKED, corrected_by=41), {}, LedgerReason.CORRECTED),
        (BOOKED, {"dated": date(2026, 3, 30)}, LedgerReason.ORDER),
        (BOOKED, {"dated": date(2026, 1, 5)}, LedgerReason.CLOSED),
    ],
)
def test_a_correction_is_refused(booked, changes, reason):
    refused = correction(booked, **changes)

    assert isinstance(refused, NotTaken)
    assert refused.reason is reason


def closing(through, **changes):
    facts = {"closed": [JANUARY], "first_day": date(2026, 1, 12), "unfinished": (), "today": TODAY}
    return decide_closing(through, **{**facts, **changes})


def test_closing_takes_all_days_since_the_last_closed_one():
    assert closing(date(2026, 3, 31)) == Period(date(2026, 2, 1), date(2026, 4, 1))


def test_the_first_closing_begins_with_the_first_entry():
    assert closing(date(2026, 1, 31), closed=()) == Period(date(2026, 1, 12), date(2026, 2, 1))


@pytest.mark.parametrize(
    ("through", "changes", "reason", "said"),
    [
        (date(2026, 1, 31), {"closed": (), "first_day": None}, LedgerReason.NOTHING, "no entry yet"),
        (date(2026, 1, 11), {"closed": ()}, LedgerReason.CLOSED, "before the first entry"),
        (date(2026, 1, 31), {}, LedgerReason.CLOSED, "the first open day is 2026-02-01"),
        (TODAY, {}, LedgerReason.AHEAD, "up to 2026-04-09"),
        (
            date(2026, 3, 31),
            {"unfinished": [Unfinished(Sentence("drafts"), 3, "17", "issue them")]},
            LedgerReason.UNFINISHED,
            "3 drafts",
        ),
    ],
)
def test_closing_is_refused_with_what_to_do(through, changes, reason, said):
    refused = closing(through, **changes)

    assert isinstance(refused, NotTaken)
    assert refused.reason is reason
    assert said in refused.message


def test_a_person_may_close_despite_what_is_unfinished():
    unfinished = [Unfinished(Sentence("drafts"), 3, "17", "issue them")]
    taken = closing(date(2026, 2, 28), unfinished=unfinished, despite_unfinished=True)
    assert taken == Period(date(2026, 2, 1), date(2026, 3, 1))


def test_what_lies_just_inside_the_days_is_taken():
    for dated in (TODAY, JANUARY.end):
        assert isinstance(entry(dated=dated), HandEntry)
    assert entry(evidence=None).evidence is None
    assert entry(evidence=" ").evidence is None
    same_day = correction(dated=BOOKED.dated)
    assert (same_day.dated, same_day.note, same_day.evidence) == (BOOKED.dated, "twice", None)
    assert closing(date(2026, 4, 9)) == Period(date(2026, 2, 1), TODAY)
    # One day is a period; and it goes on behind the latest that is closed, in whatever order they come.
    assert closing(date(2026, 3, 1), closed=[FEBRUARY, JANUARY]) == Period(date(2026, 3, 1), date(2026, 3, 2))
    assert "is closed already" in closing(date(2026, 1, 31)).message


def test_the_first_open_day_goes_past_all_closed_ones():
    assert first_open_day([FEBRUARY, JANUARY], date(2026, 1, 5)) == date(2026, 3, 1)
    assert first_open_day([JANUARY], date(2026, 2, 1)) == date(2026, 2, 1)
    assert first_open_day([JANUARY], date(2025, 12, 31)) == date(2025, 12, 31)
