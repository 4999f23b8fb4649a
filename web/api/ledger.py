"""The books: accounts, entries, reports as files; entries by hand, corrections, the closing of days."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Final, Literal

import msgspec
from flask import Response

from billing.chart import Account, NotTaken
from billing.ledger import Booked, HandEntry, Wish, decide_correction, decide_entry
from billing.reports import CardRow
from billing.store import books as book_store
from billing.store import reports
from billing.store.customers import load_customer
from billing.store.named_reports import REPORTS, Stretch
from control_plane.access.permissions import Permission
from web.acting import person
from web.api._shapes import (
    Amount,
    Books,
    Digits,
    Number,
    Words,
    amount_of,
    books_of,
    shaped,
    there_is_none,
    wrong_value,
)
from web.calls import File, Noun
from web.database import Connection
from web.lists import sheet_file
from web.problems import Problem

pages = Noun("ledger")
_MOST_LEGS: Final = 200
CSV: Final = File("text/csv")
Name = Literal["trial-balance", "journal", "vat", "vat-register", "turnover", "ageing", "open", "deferred"]
Code = Annotated[str, msgspec.Meta(min_length=1, max_length=40)]


class LedgerAccount(msgspec.Struct, frozen=True):
    """An account of the chart. `stands_for` its role and family: what names no account goes to it."""

    code: str
    name: str
    role: str
    family: str | None
    stands_for: bool
    posted: bool


class Leg(msgspec.Struct, frozen=True):
    """A leg of an entry: a debit is above zero."""

    account: str
    account_name: str
    customer_id: int | None
    amount: Amount


class OneEntry(msgspec.Struct, frozen=True):
    """An entry of the books, of what it is, and what takes it back."""

    id: int
    issuer_id: int
    day: date
    source: str
    source_id: int
    corrects_id: int | None
    corrected_by: int | None
    note: str | None
    evidence: str | None
    made_by: str
    made_at: datetime
    legs: list[Leg]


class Closed(msgspec.Struct, frozen=True):
    """Days that are closed: nothing is posted on them any more."""

    since: date
    until: date


class StillOpen(msgspec.Struct, frozen=True):
    """Something of the days to be closed that waits, and what finishes it."""

    what: str
    count: int
    example: str
    remedy: str


class JustClosed(msgspec.Struct, frozen=True):
    """The days that are closed now, and what was unfinished."""

    closed: Closed
    unfinished: list[StillOpen]


class Whose(msgspec.Struct, frozen=True):
    """Whose books: the only issuer's without a number."""

    issuer_id: Number | None = None


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """Whose books, from and until which day: this year up to today without them. Some reports are as of today."""

    issuer_id: Number | None = None
    since: date | None = None
    until: date | None = None


class ReportOf(Span, frozen=True, kw_only=True):
    """Which report, of which days."""

    name: Name


class NewLeg(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A leg: the account by its code, a debit above zero, a credit below."""

    account: Code
    amount: Digits
    customer_id: Number | None = None


class NewEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry by hand, of today without a day, in the issuer's currency; its legs come to zero."""

    note: Words
    legs: Annotated[list[NewLeg], msgspec.Meta(min_length=2, max_length=_MOST_LEGS)]
    day: date | None = None
    evidence: Words | None = None
    issuer_id: Number | None = None


class Correction(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why an entry is taken back, and on which day: today without one."""

    note: Words
    day: date | None = None


class Closing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Up to and with which day; `despite_unfinished`: although something still waits."""

    through: date
    despite_unfinished: bool = False
    issuer_id: Number | None = None


@pages.call(
    "GET",
    "/ledger/accounts",
    permission=Permission.LEDGER_SEE,
    asked=Whose,
    answers=list[LedgerAccount],
    refusals=(404,),
    does=("ledger.accounts",),
)
def accounts(connection: Connection, *, asked: Whose) -> list[LedgerAccount]:
    """The chart of accounts."""
    issuer = books_of(connection, asked.issuer_id, asked=True).issuer
    return [shaped(LedgerAccount, one) for one in book_store.load_chart(connection, issuer.id)]


@pages.call(
    "GET",
    "/ledger/accounts/<code>.csv",
    permission=Permission.LEDGER_SEE,
    asked=Span,
    answers=CSV,
    refusals=(404,),
    does=("ledger.card",),
)
def card(connection: Connection, *, code: str, asked: Span) -> Callable[[], Response]:
    """One account's postings in a period, with what stands there after each, as CSV."""
    books = books_of(connection, asked.issuer_id, asked=True)
    account = next((one for one in book_store.load_chart(connection, books.issuer.id) if one.code == code), None)
    if account is None:
        raise there_is_none()
    span = _stretch(books, asked)
    rows = reports.stream_card(connection, books.issuer.id, account.id, since=span.since, until=span.until)
    return _csv("account", CardRow, rows)


@pages.call(
    "GET",
    "/ledger/report.csv",
    permission=Permission.LEDGER_SEE,
    asked=ReportOf,
    answers=CSV,
    refusals=(404,),
    does=("ledger.report", "ledger.show"),
)
def report(connection: Connection, *, asked: ReportOf) -> Callable[[], Response]:
    """A report with all of its rows, as CSV: balances, journal, VAT and its register, turnover, ageing, open documents, deferred revenue."""
    found = REPORTS[asked.name]
    books = books_of(connection, asked.issuer_id, asked=True)
    return _csv(asked.name, found.row, found.rows(connection, _stretch(books, asked)))


@pages.call(
    "GET",
    "/ledger/entries/<int:number>",
    permission=Permission.LEDGER_SEE,
    answers=OneEntry,
    refusals=(404,),
    does=("ledger.entry",),
)
def entry(connection: Connection, *, number: int) -> OneEntry:
    """One entry with its postings, and what takes it back."""
    return _entry_shown(connection, number)


@pages.call(
    "POST",
    "/ledger/entries",
    permission=Permission.LEDGER_POST,
    also=(Permission.LEDGER_SEE,),
    body=NewEntry,
    answers=OneEntry,
    status=201,
    refusals=(409,),
    does=("ledger_deeds.new",),
)
def new(connection: Connection, *, body: NewEntry) -> OneEntry:
    """Write an entry by hand: debits and credits are equal."""
    books = books_of(connection, body.issuer_id)
    wishes = []
    for place, one in enumerate(body.legs):
        if one.customer_id is not None and load_customer(connection, one.customer_id) is None:
            raise wrong_value("there is no such customer", pointer=f"/legs/{place}/customer_id")
        if not Decimal(one.amount):
            raise wrong_value("not zero", pointer=f"/legs/{place}/amount")
        wishes.append(Wish(one.account, Decimal(one.amount), one.customer_id))
    wanted = decide_entry(
        wishes,
        {one.code: one for one in book_store.load_chart(connection, books.issuer.id)},
        dated=body.day or books.today,
        currency=books.issuer.currency,
        note=body.note,
        closed=book_store.load_closed(connection, books.issuer.id),
        today=books.today,
        evidence=body.evidence,
    )
    return _written(connection, books, wanted)


@pages.call(
    "POST",
    "/ledger/entries/<int:number>/correction",
    permission=Permission.LEDGER_POST,
    also=(Permission.LEDGER_SEE,),
    body=Correction,
    answers=OneEntry,
    status=201,
    refusals=(404, 409),
    does=("ledger_deeds.correct",),
)
def correct(connection: Connection, *, number: int, body: Correction) -> OneEntry:
    """Take an entry back, whole, by another one."""
    found, booked = _known(connection, number)
    books = books_of(connection, found.issuer_id)
    closed = book_store.load_closed(connection, found.issuer_id)
    wanted = decide_correction(booked, dated=body.day or books.today, note=body.note, closed=closed, today=books.today)
    return _written(connection, books, wanted)


@pages.call(
    "GET",
    "/ledger/periods",
    permission=Permission.LEDGER_SEE,
    asked=Whose,
    answers=list[Closed],
    refusals=(404,),
    does=("ledger_deeds.periods",),
)
def periods(connection: Connection, *, asked: Whose) -> list[Closed]:
    """The days that are closed."""
    issuer = books_of(connection, asked.issuer_id, asked=True).issuer
    return [Closed(one.start, book_store.last_day(one)) for one in book_store.load_closed(connection, issuer.id)]


@pages.call(
    "POST",
    "/ledger/periods",
    permission=Permission.LEDGER_POST,
    also=(Permission.LEDGER_SEE,),
    body=Closing,
    answers=JustClosed,
    status=201,
    refusals=(409,),
    does=("ledger_deeds.periods",),
)
def close(connection: Connection, *, body: Closing) -> JustClosed:
    """Close the books up to a day: nothing is posted on those days any more, and that can't be undone."""
    books = books_of(connection, body.issuer_id)
    unfinished = book_store.load_unfinished(connection, books.issuer.id, body.through)
    done = book_store.close_through(
        connection,
        books.issuer.id,
        body.through,
        today=books.today,
        closed_by=person().name,
        despite_unfinished=body.despite_unfinished,
    )
    if isinstance(done, NotTaken):
        raise Problem(409, done.message)
    return JustClosed(Closed(done.start, body.through), [shaped(StillOpen, one) for one in unfinished])


def _written(connection: Connection, books: Books, wanted: HandEntry | NotTaken) -> OneEntry:
    if isinstance(wanted, NotTaken):
        raise Problem(409, wanted.message)
    made = book_store.write_entry(connection, books.issuer.id, wanted, made_by=person().name)
    return _entry_shown(connection, made)


def _known(connection: Connection, number: int) -> tuple[book_store.WrittenEntry, Booked]:
    found = book_store.load_entry(connection, number)
    if found is None:
        raise there_is_none()
    booked = book_store.load_booked(connection, found.issuer_id, number)
    assert booked is not None, "it was found"
    return found, booked


def _entry_shown(connection: Connection, number: int) -> OneEntry:
    found, booked = _known(connection, number)
    chart: dict[int, Account] = {one.id: one for one in book_store.load_chart(connection, found.issuer_id)}
    legs = [
        Leg(chart[one.account_id].code, chart[one.account_id].name, one.customer_id, amount_of(one.amount))
        for one in booked.legs
    ]
    return shaped(OneEntry, found, day=found.dated, corrected_by=booked.corrected_by, legs=legs)


def _stretch(books: Books, asked: Span) -> Stretch:
    since, until = asked.since or books.today.replace(month=1, day=1), asked.until or books.today
    if until < since:
        raise wrong_value("the period ends before it begins", parameter="until")
    return Stretch(books.issuer.id, since, until, books.today)


def _csv(name: str, row: type, rows: Iterable[object]) -> Callable[[], Response]:
    columns = tuple(field.name for field in dataclasses.fields(row))
    made = sheet_file("csv", name, columns, (tuple(getattr(one, column) for column in columns) for one in rows))
    return lambda: made
