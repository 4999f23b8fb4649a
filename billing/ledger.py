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
from billing.sentence import Sentence

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

    what: Sentence
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
        return NotTaken(LedgerReason.NO_TEXT, Sentence("an entry by hand says what it is: give its text"))
    if refused := _day_refused(dated, closed, today):
        return refused
    if len(wishes) < SMALLEST_ENTRY:
        return NotTaken(LedgerReason.TOO_FEW, Sentence("an entry has at least a debit and a credit"))
    legs = []
    for wish in wishes:
        leg = _leg(wish, chart, currency)
        if isinstance(leg, NotTaken):
            return leg
        legs.append(leg)
    over = total((leg.amount for leg in legs), currency)
    if over:
        off = Money(abs(over.minor), currency)
        return NotTaken(
            LedgerReason.UNBALANCED,
            Sentence("its debits are %(off)s more than its credits; make them equal", off=off)
            if over.minor > 0
            else Sentence("its credits are %(off)s more than its debits; make them equal", off=off),
        )
    return HandEntry(dated, currency, note.strip(), (evidence or "").strip() or None, tuple(legs))


def decide_correction(
    booked: Booked, *, dated: date, note: str, closed: Sequence[Period], today: date
) -> HandEntry | NotTaken:
    """The entry that takes another one back, leg by leg; dated anew, since the old day may be closed."""
    if not is_seen(note):
        return NotTaken(LedgerReason.NO_TEXT, Sentence("a correction says why: give its text"))
    if booked.source == "document":
        return NotTaken(
            LedgerReason.DOCUMENT,
            Sentence("entry %(entry)s is a document's own: correct the document by a credit note", entry=booked.id),
        )
    if booked.corrected_by is not None:
        return NotTaken(
            LedgerReason.CORRECTED,
            Sentence(
                "entry %(entry)s is taken back by entry %(other)s already", entry=booked.id, other=booked.corrected_by
            ),
        )
    if booked.source == CORRECTION:
        return NotTaken(
            LedgerReason.CORRECTED,
            Sentence("entry %(entry)s is itself a correction: write what should stand as a new entry", entry=booked.id),
        )
    if refused := _day_refused(dated, closed, today):
        return refused
    if dated < booked.dated:
        return NotTaken(
            LedgerReason.ORDER,
            Sentence(
                "entry %(entry)s is of %(day)s: its correction is not dated before it",
                entry=booked.id,
                day=booked.dated,
            ),
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
        return NotTaken(LedgerReason.NOTHING, Sentence("there is no entry yet, so there are no days to close"))
    if through >= today:
        last = today - timedelta(days=1)
        return NotTaken(
            LedgerReason.AHEAD, Sentence("%(day)s is not over: close days up to %(last)s", day=through, last=last)
        )
    if end <= start:
        return NotTaken(
            LedgerReason.CLOSED,
            Sentence("%(day)s is closed already; the first open day is %(start)s", day=through, start=start)
            if closed
            else Sentence(
                "%(day)s lies before the first entry; the first open day is %(start)s", day=through, start=start
            ),
        )
    if unfinished and not despite_unfinished:
        return NotTaken(LedgerReason.UNFINISHED, _still_there(through, unfinished))
    return Period(start, end)


def _still_there(through: date, unfinished: Sequence[Unfinished]) -> Sentence:
    things = Sentence("%(count)s %(what)s", count=unfinished[0].count, what=unfinished[0].what)
    for one in unfinished[1:]:
        things = Sentence("%(things)s; %(count)s %(what)s", things=things, count=one.count, what=one.what)
    return Sentence(
        "up to %(day)s there is still: %(things)s. Finish it first: what is closed takes no more entries",
        day=through,
        things=things,
    )


def first_open_day(closed: Sequence[Period], wanted: date) -> date:
    """The wanted day, or the first after the closed days that hold it."""
    day = wanted
    for period in sorted(closed, key=lambda one: one.start):
        if period.start <= day < period.end:
            day = period.end
    return day


def _day_refused(dated: date, closed: Sequence[Period], today: date) -> NotTaken | None:
    if dated > today:
        return NotTaken(
            LedgerReason.AHEAD,
            Sentence("%(day)s is after today %(today)s: date it when it is so far", day=dated, today=today),
        )
    free = first_open_day(closed, dated)
    if free != dated:
        return NotTaken(
            LedgerReason.CLOSED, Sentence("%(day)s is closed; date it on %(free)s or later", day=dated, free=free)
        )
    return None


def _leg(wish: Wish, chart: Mapping[str, Account], currency: str) -> Leg | NotTaken:
    account = chart.get(wish.code)
    if account is None:
        return NotTaken(
            LedgerReason.NO_ACCOUNT, Sentence("there is no account %(account)s in the chart", account=wish.code)
        )
    if not wish.amount:
        return NotTaken(
            LedgerReason.NO_AMOUNT, Sentence("account %(account)s: an amount of nothing", account=wish.code)
        )
    if (account.role is Role.CUSTOMERS) != (wish.customer_id is not None):
        named = f"{wish.code} {account.name}"
        return NotTaken(
            LedgerReason.CUSTOMER,
            Sentence("account %(account)s: name the customer", account=named)
            if account.role is Role.CUSTOMERS
            else Sentence("account %(account)s: it takes no customer", account=named),
        )
    try:
        amount = read_money(wish.amount, currency)
    except BillingError as error:
        return NotTaken(LedgerReason.PLACES, Sentence("account %(account)s: %(why)s", account=wish.code, why=error))
    return Leg(account.id, amount, wish.customer_id)
