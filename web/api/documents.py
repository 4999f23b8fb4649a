"""Documents as they were issued: invoices and credit notes, listed, shown, printed and sent.

Next: invoices.py
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Literal

import msgspec
from flask import Response

from billing.operations.invoice_messages import send_invoices
from billing.operations.printing import load_document_paper
from billing.shown import ShownDocument
from billing.store.document_links import load_links
from billing.store.document_list import DocumentQuestion, load_page, sort_key
from billing.store.issued import ListedDocument, NoDocumentError, load_document
from control_plane.access.permissions import Permission
from web.acting import person
from web.api._changes import today as operators_today
from web.api._shapes import NO_CONTROL, Amount, Number, amount_of, shaped, there_is_none
from web.calls import File, Noun, Paging, Slice, part_after, slice_of
from web.database import Connection
from web.papers import pdf_of

pages = Noun("documents")


class Question(Paging, frozen=True, kw_only=True):
    """Which documents: of a kind, of a customer, issuer or billing run, by number, in a state, issued from and until a day."""

    kind: Literal["invoice", "credit_note"] | None = None
    customer_id: Number | None = None
    issuer_id: Number | None = None
    bill_run_id: Number | None = None
    number: Annotated[str, msgspec.Meta(min_length=1, max_length=40, pattern=NO_CONTROL)] | None = None
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


class SettledBy(msgspec.Struct, frozen=True):
    """A part of an invoice that is settled, by a payment, a credit note or a write-off."""

    kind: str
    id: int
    label: str
    on: date
    amount: Amount


class Related(msgspec.Struct, frozen=True):
    """Another document; `how` says what it is to this one: corrects, corrected_by, settles, from, made_into or less_on."""

    how: str
    id: int
    kind: str
    number: str | None
    day: date
    amount: Amount


class MessageOf(msgspec.Struct, frozen=True):
    """A message in which it was sent, or that speaks of it."""

    id: int
    at: datetime
    channel: str
    state: str
    address: str | None
    problem: str


class Links(msgspec.Struct, frozen=True):
    """What a document has to do with."""

    settled_by: list[SettledBy]
    related: list[Related]
    entry_id: int | None
    messages: list[MessageOf]


class Sent(msgspec.Struct, frozen=True):
    """`queued`: it is on its way; `waiting`: the tax authority has to accept it first; `sent_before`: nothing is sent twice."""

    outcome: Literal["queued", "waiting", "sent_before"]


class Language(msgspec.Struct, frozen=True):
    """In which language a paper is printed; its own without one."""

    language: Literal["en", "es", "it"] | None = None


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
        kind=asked.kind,
        issuer_id=asked.issuer_id,
        customer_id=asked.customer_id,
        run_id=asked.bill_run_id,
        number=asked.number,
        state=asked.state,
        since=asked.since,
        until=asked.until,
    )
    key = part_after(asked, date, int)
    after = None if key is None else (key[0], key[1])
    rows = load_page(connection, question, today=operators_today(connection), limit=asked.limit + 1, after=after)
    return slice_of(rows, asked, shown=paper_listed, key=lambda row: sort_key(row, by_due=False))


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
    return paper_shown(issued(connection, number))


@pages.call(
    "GET",
    "/documents/<int:number>/links",
    permission=Permission.DOCUMENT_SEE,
    answers=Links,
    refusals=(404,),
    does=("documents.show",),
)
def links(connection: Connection, *, number: int) -> Links:
    """What a document has to do with: what settles it, other documents, its entry in the ledger, its newest messages."""
    issued(connection, number)
    found = load_links(connection, number)
    return Links(
        settled_by=[shaped(SettledBy, one) for one in found.settled],
        related=[shaped(Related, one, number=one.label, day=one.document_date) for one in found.documents],
        entry_id=found.entry_id,
        messages=[shaped(MessageOf, one) for one in found.messages],
    )


@pages.call(
    "GET",
    "/documents/<int:number>.pdf",
    permission=Permission.DOCUMENT_SEE,
    asked=Language,
    answers=File("application/pdf"),
    refusals=(404,),
    does=("documents.pdf",),
)
def pdf(connection: Connection, *, number: int, asked: Language) -> Callable[[], Response]:
    """The document as it is handed out."""
    found = issued(connection, number)
    issuer_id, paper = load_document_paper(connection, number, language=asked.language)
    return lambda: pdf_of(issuer_id, paper, found.label or str(number))


@pages.call(
    "POST",
    "/documents/<int:number>/send",
    permission=Permission.DOCUMENT_SEE,
    also=(Permission.MESSAGE_SEND,),
    answers=Sent,
    refusals=(404,),
    does=("documents.send",),
)
def send(connection: Connection, *, number: int) -> Sent:
    """Send a document to its customer, once."""
    issued(connection, number)
    sent = send_invoices(connection, document_ids=[number], made_by=person().name)
    return Sent("queued" if sent.messages else "waiting" if sent.waiting else "sent_before")


def issued(connection: Connection, number: int) -> ShownDocument:
    """The issued document of that number. Raises: Problem."""
    try:
        return load_document(connection, number, today=operators_today(connection))
    except NoDocumentError as error:
        raise there_is_none() from error


def paper_listed(row: ListedDocument) -> ListedPaper:
    """As a list has it."""
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


def paper_shown(found: ShownDocument) -> Paper:
    """As it is answered."""
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
