"""Documents as they were issued: invoices and credit notes, listed and shown."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

import msgspec

from billing.shown import ShownDocument
from billing.store.document_list import DocumentQuestion, load_page, sort_key
from billing.store.issued import ListedDocument, NoDocumentError, load_document
from control_plane.access.permissions import Permission
from web.acting import clock
from web.api._shapes import Amount, Number, amount_of, there_is_none
from web.calls import Noun, Paging, Slice, part_after, slice_of
from web.database import Connection
from web.surroundings import here

pages = Noun("documents")


class Question(Paging, frozen=True, kw_only=True):
    """Which documents: of a kind, of a customer, in a state, issued from and until a day."""

    kind: Literal["invoice", "credit_note"] | None = None
    customer_id: Number | None = None
    state: Literal["open", "overdue", "settled"] | None = None
    since: date | None = None
    until: date | None = None


class ListedPaper(msgspec.Struct, frozen=True):
    """A document in a list. `open` and `due_on` are an invoice's that has something to be paid."""

    id: int
    number: str
    kind: str
    state: str
    issued_on: date
    customer_id: int
    customer: str
    total: Amount
    to_pay: Amount
    open: Amount | None
    due_on: date | None


class Line(msgspec.Struct, frozen=True):
    """A line: quantity, price and rate as decimal texts; `net` after its discount, without tax."""

    number: int
    description: str
    quantity: str
    unit_price: str
    discount_percent: str
    net: Amount
    tax_rate: str
    contract_id: int | None
    product: str | None


class TaxGroup(msgspec.Struct, frozen=True):
    """What is taxed at one rate."""

    rate: str
    nature: str | None
    base: Amount
    tax: Amount


class DuePart(msgspec.Struct, frozen=True):
    """What is to be paid on a day."""

    due_on: date
    amount: Amount


class Paper(msgspec.Struct, frozen=True):
    """A document with its lines, taxes and due parts."""

    id: int
    number: str
    kind: str
    state: str
    issued_on: date
    issued_at: datetime | None
    issuer_id: int
    customer_id: int
    language: str
    corrects: str | None
    reason: str | None
    net: Amount
    tax: Amount
    total: Amount
    to_pay: Amount
    open: Amount | None
    lines: list[Line]
    taxes: list[TaxGroup]
    dues: list[DuePart]


@pages.call(
    "GET",
    "/documents",
    permission=Permission.DOCUMENT_SEE,
    asked=Question,
    answers=Slice[ListedPaper],
    refusals=(404,),
    does=("documents.list_",),
)
def find(connection: Connection, *, asked: Question) -> Slice[ListedPaper]:
    """Invoices and credit notes, the newest first."""
    question = DocumentQuestion(
        kind=asked.kind, customer_id=asked.customer_id, state=asked.state, since=asked.since, until=asked.until
    )
    key = part_after(asked, date, int)
    after = None if key is None else (key[0], key[1])
    rows = load_page(connection, question, today=_today(connection), limit=asked.limit + 1, after=after)
    return slice_of(rows, asked, shown=_listed, key=lambda row: sort_key(row, by_due=False))


@pages.call(
    "GET",
    "/documents/<int:number>",
    permission=Permission.DOCUMENT_SEE,
    answers=Paper,
    refusals=(404,),
    does=("documents.show",),
)
def show(connection: Connection, *, number: int) -> Paper:
    """One document as it was issued, and what is open of it."""
    if number >= 2**63:
        raise there_is_none()
    try:
        return _shown(load_document(connection, number, today=_today(connection)))
    except NoDocumentError as error:
        raise there_is_none() from error


def _today(connection: Connection) -> date:
    return clock(connection).astimezone(here().settings.zone).date()


def _listed(row: ListedDocument) -> ListedPaper:
    standing = row.standing
    return ListedPaper(
        id=row.id,
        number=row.label,
        kind=row.kind,
        state=row.state,
        issued_on=row.document_date,
        customer_id=row.customer_id,
        customer=row.customer,
        total=amount_of(row.gross),
        to_pay=amount_of(row.payable),
        open=None if standing is None else amount_of(standing.open),
        due_on=None if standing is None else standing.due_on,
    )


def _shown(found: ShownDocument) -> Paper:
    assert found.id is not None, "it was issued"
    assert found.label is not None, "it was issued"
    return Paper(
        id=found.id,
        number=found.label,
        kind=found.kind,
        state=found.state,
        issued_on=found.document_date,
        issued_at=found.issued_at,
        issuer_id=found.issuer_id,
        customer_id=found.customer_id,
        language=found.language,
        corrects=found.corrects,
        reason=found.reason,
        net=amount_of(found.net),
        tax=amount_of(found.tax),
        total=amount_of(found.gross),
        to_pay=amount_of(found.payable),
        open=None if found.standing is None else amount_of(found.standing.open),
        lines=[
            Line(
                number=one.number,
                description=one.description,
                quantity=f"{one.quantity:f}",
                unit_price=f"{one.unit_price:f}",
                discount_percent=f"{one.discount:f}",
                net=amount_of(one.net),
                tax_rate=f"{one.rate:f}",
                contract_id=one.contract_id,
                product=one.product,
            )
            for one in found.lines
        ],
        taxes=[TaxGroup(f"{one.rate:f}", one.nature, amount_of(one.base), amount_of(one.tax)) for one in found.groups],
        dues=[DuePart(one.due_on, amount_of(one.amount)) for one in found.dues],
    )
