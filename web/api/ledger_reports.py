"""Journal, VAT register and turnover as values, a part at a time; whole they are files (ledger.py)."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec

from billing.store.report_parts import load_journal_part, load_vat_part
from billing.store.turnover import stream_turnover
from control_plane.access.permissions import Permission
from web.api._shapes import Currency, Digits, Number, Words, books_of, shaped, wrong_value
from web.calls import Noun, Paging, Slice, part_after, slice_of
from web.database import Connection

pages = Noun("ledger", "reports")


class JournalLine(msgspec.Struct, frozen=True):
    """A posting with its entry: a debit or a credit. `document` is the printed number of the one that the entry is of."""

    entry: int
    posting: int
    dated: date
    source: str
    document: str | None
    text: str
    evidence: str | None
    corrects: int | None
    account: str
    account_name: str
    customer: int | None
    currency: Currency
    debit: Digits | None
    credit: Digits | None
    made_by: str


class VatLine(msgspec.Struct, frozen=True):
    """A tax group of a document in its register; a credit note is below zero. `protocol` is its number there."""

    register: str
    year: int
    protocol: int
    document: str
    kind: str
    document_date: date
    customer: str
    tax_number: str
    currency: Currency
    rate: Digits
    nature: str | None
    liability: str
    base: Digits
    tax: Digits
    legal_reference: str | None


class TurnoverLine(msgspec.Struct, frozen=True):
    """What was sold in a month of a product, by account; entries by hand have no product."""

    month: date
    category: str | None
    product: str | None
    account: str
    account_name: str
    currency: Currency
    net: Digits


class ReportPart(Paging, frozen=True, kw_only=True):
    """Whose books, from and until which day: this year up to today without them."""

    issuer_id: Number | None = None
    since: date | None = None
    until: date | None = None


class RegisterPart(ReportPart, frozen=True, kw_only=True):
    """The same, of one register alone."""

    register: Words | None = None


@pages.call(
    "GET",
    "/ledger/journal",
    permission=Permission.LEDGER_SEE,
    asked=ReportPart,
    answers=Slice[JournalLine],
    refusals=(404,),
    does=("ledger.report",),
)
def journal(connection: Connection, *, asked: ReportPart) -> Slice[JournalLine]:
    """Every posting in order of its day, entry and place in it."""
    issuer_id, since, until = _meant(connection, asked)
    begin: Any = part_after(asked, date, int, int)
    rows = load_journal_part(connection, issuer_id, since=since, until=until, after=begin, limit=asked.limit + 1)
    return slice_of(
        rows,
        asked,
        shown=lambda one: shaped(JournalLine, one),
        key=lambda one: (one.dated, one.entry, one.posting),
    )


@pages.call(
    "GET",
    "/ledger/vat-register",
    permission=Permission.LEDGER_SEE,
    asked=RegisterPart,
    answers=Slice[VatLine],
    refusals=(404,),
    does=("ledger.report",),
)
def vat_register(connection: Connection, *, asked: RegisterPart) -> Slice[VatLine]:
    """A row a document and tax group, in order of register and number."""
    issuer_id, since, until = _meant(connection, asked)
    begin: Any = part_after(asked, str, int, int, int)
    rows = load_vat_part(
        connection,
        issuer_id,
        since=since,
        until=until,
        register=asked.register,
        after=begin,
        limit=asked.limit + 1,
    )
    return slice_of(
        rows,
        asked,
        shown=lambda one: shaped(VatLine, one),
        key=lambda one: (one.register, one.year, one.protocol, one.row),
    )


@pages.call(
    "GET",
    "/ledger/turnover",
    permission=Permission.LEDGER_SEE,
    asked=ReportPart,
    answers=Slice[TurnoverLine],
    refusals=(404,),
    does=("ledger.report", "ledger.show"),
)
def turnover(connection: Connection, *, asked: ReportPart) -> Slice[TurnoverLine]:
    """What was sold by month, category, product and account: sums that issuing wrote, so they are few."""
    issuer_id, since, until = _meant(connection, asked)
    begin = part_after(asked, str, str, str, str, str)
    rows = sorted(stream_turnover(connection, issuer_id, since=since, until=until), key=_key)
    behind = [one for one in rows if begin is None or _key(one) > begin]
    return slice_of(behind[: asked.limit + 1], asked, shown=lambda one: shaped(TurnoverLine, one), key=_key)


def _key(one: Any) -> tuple[str, ...]:
    return (one.month.isoformat(), one.category or "", one.product or "", one.account, one.currency)


def _meant(connection: Connection, asked: ReportPart) -> tuple[int, date, date]:
    books = books_of(connection, asked.issuer_id, asked=True)
    since, until = asked.since or books.today.replace(month=1, day=1), asked.until or books.today
    if until < since:
        raise wrong_value("the period ends before it begins", parameter="until")
    return books.issuer.id, since, until
