"""Entries that a person writes, what corrects them, and the closing of days: what comes to stand in the books, or why not.

A debit is above zero, a credit below. What was written stays: it is corrected by an entry that takes it back and names it.
A document's own entry is corrected by a credit note, so that books and documents never part.

Units: days are civil dates of the issuer's zone; `today` is passed in.
Source: billing model section 13.

Next: billing/store/books.py
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from billing.chart import Account, LedgerReason, NotTaken, Role
from billing.errors import BillingError
from billing.money import Money, read_money, total
from billing.periods import Period
from billing.plain_text import is_seen
from billing.postings import Leg

BY_HAND: Final = "manual"
CORRECTION: Final = "correction"
SMALLEST_ENTRY: Final = 2


@dataclass(frozen=True, slots=True)
class Wish:
    """One leg as a person gives it: the account by its code, a debit above zero."""

    code: str
    amount: Decimal
    customer_id: int | None = None


@dataclass(frozen=True, slots=True)
class HandEntry:
    """An entry that a person writes, with what it says and what proves it."""

    dated: date
    currency: str
    note: str
    evidence: str | None
    legs: tuple[Leg, ...]
    corrects_id: int | None = None


@dataclass(frozen=True, slots=True)
class Booked:
    """An entry as it stands in the books."""

    id: int
    source: str
    dated: date
    currency: str
    legs: tuple[Leg, ...]
    corrected_by: int | None = None


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Something of the days to be closed that still waits: how many, for example which, and what finishes it."""

    what: str
    count: int
    example: str
    remedy: str


def decide_entry(
    wishes: Sequence[Wish],
    chart: Mapping[str, Account],
    *,
    dated: date,
    currency: str,
    note: str,
    closed: Sequence[Period],
    today: date,
    evidence: str | None = None,
) -> HandEntry | NotTaken:
    """The entry that a person asks for, or the first reason why it is not taken."""
    if not is_seen(note):
        return NotTaken(LedgerReason.NO_TEXT, "an entry by hand says what it is: give its text")
    if refused := _day_refused(dated, closed, today):
        return refused
    if len(wishes) < SMALLEST_ENTRY:
        return NotTaken(LedgerReason.TOO_FEW, "an entry has at least a debit and a credit")
    legs = []
    for wish in wishes:
        leg = _leg(wish, chart, currency)
        if isinstance(leg, NotTaken):
            return leg
        legs.append(leg)
    over = total((leg.amount for leg in legs), currency)
    if over:
        more, less = ("debits", "credits") if over.minor > 0 else ("credits", "debits")
        off = abs(over.minor)
        return NotTaken(
            LedgerReason.UNBALANCED, f"its {more} are {Money(off, currency)} more than its {less}; make them equal"
        )
    return HandEntry(dated, currency, note.strip(), (evidence or "").strip() or None, tuple(legs))


def decide_correction(
    booked: Booked, *, dated: date, note: str, closed: Sequence[Period], today: date
) -> HandEntry | NotTaken:
    """The entry that takes another one back, leg by leg; dated anew, since the old day may be closed."""
    if not is_seen(note):
        return NotTaken(LedgerReason.NO_TEXT, "a correction says why: give its text")
    if booked.source == "document":
        return NotTaken(
            LedgerReason.DOCUMENT, f"entry {booked.id} is a document's own: correct the document by a credit note"
        )
    if booked.corrected_by is not None:
        return NotTaken(
            LedgerReason.CORRECTED, f"entry {booked.id} is taken back by entry {booked.corrected_by} already"
        )
    if booked.source == CORRECTION:
        return NotTaken(
            LedgerReason.CORRECTED, f"entry {booked.id} is itself a correction: write what should stand as a new entry"
        )
    if refused := _day_refused(dated, closed, today):
        return refused
    if dated < booked.dated:
        return NotTaken(
            LedgerReason.ORDER, f"entry {booked.id} is of {booked.dated}: its correction is not dated before it"
        )
    legs = tuple(Leg(leg.account_id, -leg.amount, leg.customer_id) for leg in booked.legs)
    return HandEntry(dated, booked.currency, note.strip(), None, legs, corrects_id=booked.id)


def decide_closing(
    through: date,
    *,
    closed: Sequence[Period],
    first_day: date | None,
    unfinished: Sequence[Unfinished],
    today: date,
    despite_unfinished: bool = False,
) -> Period | NotTaken:
    """The days that closing up to and with one closes: all from the last closed one on, so that none stays open between.

    `first_day` is that of the first entry; None when there is none.
    """
    end = through + timedelta(days=1)
    start = max((period.end for period in closed), default=first_day)
    if start is None:
        return NotTaken(LedgerReason.NOTHING, "there is no entry yet, so there are no days to close")
    if through >= today:
        return NotTaken(LedgerReason.AHEAD, f"{through} is not over: close days up to {today - timedelta(days=1)}")
    if end <= start:
        said = "is closed already" if closed else "lies before the first entry"
        return NotTaken(LedgerReason.CLOSED, f"{through} {said}; the first open day is {start}")
    if unfinished and not despite_unfinished:
        things = "; ".join(f"{one.count} {one.what}" for one in unfinished)
        return NotTaken(
            LedgerReason.UNFINISHED,
            f"up to {through} there is still: {things}. Finish it first: what is closed takes no more entries",
        )
    return Period(start, end)


def first_open_day(closed: Sequence[Period], wanted: date) -> date:
    """The wanted day, or the first after the closed days that hold it."""
    day = wanted
    for period in sorted(closed, key=lambda one: one.start):
        if period.start <= day < period.end:
            day = period.end
    return day


def _day_refused(dated: date, closed: Sequence[Period], today: date) -> NotTaken | None:
    if dated > today:
        return NotTaken(LedgerReason.AHEAD, f"{dated} is after today {today}: date it when it is so far")
    free = first_open_day(closed, dated)
    if free != dated:
        return NotTaken(LedgerReason.CLOSED, f"{dated} is closed; date it on {free} or later")
    return None


def _leg(wish: Wish, chart: Mapping[str, Account], currency: str) -> Leg | NotTaken:
    account = chart.get(wish.code)
    if account is None:
        return NotTaken(LedgerReason.NO_ACCOUNT, f"there is no account {wish.code} in the chart")
    if not wish.amount:
        return NotTaken(LedgerReason.NO_AMOUNT, f"account {wish.code}: an amount of nothing")
    if (account.role is Role.CUSTOMERS) != (wish.customer_id is not None):
        said = "name the customer" if account.role is Role.CUSTOMERS else "it takes no customer"
        return NotTaken(LedgerReason.CUSTOMER, f"account {wish.code} {account.name}: {said}")
    try:
        amount = read_money(wish.amount, currency)
    except BillingError as error:
        return NotTaken(LedgerReason.PLACES, f"account {wish.code}: {error}")
    return Leg(account.id, amount, wish.customer_id)
