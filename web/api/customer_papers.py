"""What is kept of a customer: notes, files, consents, what happened, its account and its lines."""

from __future__ import annotations

import mimetypes
from collections.abc import Callable
from datetime import date, datetime, timedelta
from io import BytesIO
from typing import Annotated, Final, Literal

import msgspec
from flask import Response, send_file

from billing.money import read_money
from billing.reports import StatementRow
from billing.store.customer_page import load_customer_page
from billing.store.customer_papers import (
    load_attachments,
    load_consents,
    load_content,
    load_history,
    load_notes,
    save_attachment,
    save_consent,
    save_note,
)
from billing.store.reports import stream_statement
from control_plane.access.permissions import Permission
from control_plane.customers import drop_attachment
from control_plane.store.customer_lines import load_lines_of_customer
from web.acting import person
from web.api._changes import LongText
from web.api._shapes import (
    Amount,
    Number,
    Words,
    amount_of,
    books_of,
    shaped,
    there_is_none,
    wrong_value,
)
from web.api.customers import known
from web.calls import File, Noun, Slice
from web.database import Connection

pages = Noun("customers", "papers")

# As the database has it; in a body it is a third longer, and has a name beside it.
MOST_OCTETS: Final = 20_000_000
_BODY_OCTETS: Final = MOST_OCTETS * 4 // 3 + 10_000
_HAPPENINGS: Final = 100
_YEAR: Final = timedelta(days=365)


class CustomerNote(msgspec.Struct, frozen=True):
    """What staff wrote, about the customer or one of its contracts."""

    id: int
    contract_id: int | None
    text: str
    author: str
    written_at: datetime


class NoteToWrite(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A note; it stays as it is."""

    text: LongText
    contract_id: Number | None = None


class KeptFile(msgspec.Struct, frozen=True):
    """A file of a customer or one of its contracts, without its content. Units: octets; `sha256` in hex."""

    id: int
    contract_id: int | None
    name: str
    media_type: str
    octets: int
    sha256: str
    author: str
    added_at: datetime


class FileToKeep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of at most 20 MB; `content` in base64."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f/\\]+$")]
    content: bytes
    contract_id: Number | None = None


class CustomerConsent(msgspec.Struct, frozen=True):
    """What was allowed or forbidden; `in_force` for the newest of its purpose and channel."""

    id: int
    purpose: str
    channel: str
    given: bool
    wording: str
    evidence: str | None
    taken_by: str
    taken_at: datetime
    in_force: bool


class ConsentToKeep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a customer allowed or forbade; `wording` is the text that was agreed to, `evidence` where the proof is."""

    purpose: Literal["marketing"] = "marketing"
    channel: Literal["email", "sms", "phone", "post"]
    given: bool
    wording: LongText
    evidence: Words | None = None


class CustomerHappening(msgspec.Struct, frozen=True):
    """One line of a customer's history."""

    at: datetime
    who: str
    what: str
    detail: str | None


class CustomerLine(msgspec.Struct, frozen=True):
    """An account of a customer; `since` and what follows are of its newest live session. `levels` limit it now. Units: octets."""

    username: str
    contract_id: int
    plan: str
    status: str
    expires_at: datetime | None
    levels: list[str]
    since: datetime | None
    nas: str | None
    address: str | None
    octets_in: int | None
    octets_out: int | None
    sessions: int


class StatementQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Which days, the last year's without; and whose books, where there are several issuers."""

    since: date | None = None
    until: date | None = None
    issuer_id: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)] | None = None


class StatementLine(msgspec.Struct, frozen=True):
    """A document or an entry, with the balance after it: above zero is owed. The first of a currency is what stood there before."""

    dated: date
    what: str
    reference: str
    due_on: date | None
    debit: Amount | None
    credit: Amount | None
    balance: Amount


class Statement(msgspec.Struct, frozen=True):
    """A customer's account with an issuer."""

    issuer_id: int
    since: date
    until: date
    lines: list[StatementLine]


@pages.call("GET", "/customers/<int:number>/notes", permission=Permission.CUSTOMER_SEE, answers=Slice[CustomerNote])
def notes(connection: Connection, *, number: int) -> Slice[CustomerNote]:
    """What staff wrote, the newest first."""
    known(connection, number)
    return Slice([shaped(CustomerNote, one) for one in load_notes(connection, number)], None)


@pages.call(
    "POST",
    "/customers/<int:number>/notes",
    permission=Permission.CUSTOMER_CHANGE,
    body=NoteToWrite,
    answers=CustomerNote,
    status=201,
    does=("customer_papers.note",),
)
def add_note(connection: Connection, *, number: int, body: NoteToWrite) -> CustomerNote:
    """Write a note, in the name of who the token acts for and for good."""
    _check_contract(connection, number, body.contract_id)
    made = save_note(connection, number, body.text, author=person().name, contract_id=body.contract_id)
    return shaped(CustomerNote, next(one for one in load_notes(connection, number) if one.id == made))


@pages.call("GET", "/customers/<int:number>/files", permission=Permission.CUSTOMER_SEE, answers=Slice[KeptFile])
def files(connection: Connection, *, number: int) -> Slice[KeptFile]:
    """Files of a customer and its contracts, the newest first."""
    known(connection, number)
    return Slice([shaped(KeptFile, one) for one in load_attachments(connection, number)], None)


@pages.call(
    "POST",
    "/customers/<int:number>/files",
    permission=Permission.CUSTOMER_CHANGE,
    body=FileToKeep,
    answers=KeptFile,
    status=201,
    octets=_BODY_OCTETS,
    does=("customer_papers.file",),
)
def add_file(connection: Connection, *, number: int, body: FileToKeep) -> KeptFile:
    """Keep a file with the customer or one of its contracts; it never changes."""
    _check_contract(connection, number, body.contract_id)
    if not 0 < len(body.content) <= MOST_OCTETS:
        raise wrong_value("a file has something in it, and 20 MB at most", pointer="/content")
    made = save_attachment(
        connection,
        number,
        name=body.name,
        media_type=mimetypes.guess_type(body.name, strict=False)[0] or "application/octet-stream",
        content=body.content,
        author=person().name,
        contract_id=body.contract_id,
    )
    return shaped(KeptFile, next(one for one in load_attachments(connection, number) if one.id == made))


@pages.call(
    "GET",
    "/customers/<int:number>/files/<int:file>/content",
    permission=Permission.CUSTOMER_SEE,
    answers=File("application/octet-stream"),
    does=("customer_papers.download",),
)
def file_content(connection: Connection, *, number: int, file: int) -> Callable[[], Response]:
    """A file as it was given."""
    content = load_content(connection, number, file)
    if content is None:
        raise there_is_none()
    name = next(one.name for one in load_attachments(connection, number) if one.id == file)
    kept = BytesIO(content)
    return lambda: send_file(kept, mimetype="application/octet-stream", as_attachment=True, download_name=name)


@pages.call(
    "DELETE",
    "/customers/<int:number>/files/<int:file>",
    permission=Permission.CUSTOMER_CHANGE,
    answers=None,
    does=("customer_papers.remove_file",),
)
def remove_file(connection: Connection, *, number: int, file: int) -> None:
    """Take a file away for good; the audit log keeps that it was there."""
    if drop_attachment(connection, known(connection, number), file, actor=person().name) is None:
        raise there_is_none()


@pages.call(
    "GET", "/customers/<int:number>/consents", permission=Permission.CUSTOMER_SEE, answers=Slice[CustomerConsent]
)
def consents(connection: Connection, *, number: int) -> Slice[CustomerConsent]:
    """All that a customer ever allowed or forbade, the newest of each purpose and channel first."""
    known(connection, number)
    return Slice([shaped(CustomerConsent, one) for one in load_consents(connection, number)], None)


@pages.call(
    "POST",
    "/customers/<int:number>/consents",
    permission=Permission.CUSTOMER_CHANGE,
    body=ConsentToKeep,
    answers=CustomerConsent,
    status=201,
    does=("customer_papers.consent",),
)
def add_consent(connection: Connection, *, number: int, body: ConsentToKeep) -> CustomerConsent:
    """Write what a customer allowed or forbade; the newest counts."""
    known(connection, number)
    made = save_consent(
        connection,
        number,
        purpose=body.purpose,
        channel=body.channel,
        given=body.given,
        wording=body.wording,
        evidence=body.evidence,
        taken_by=person().name,
    )
    return shaped(CustomerConsent, next(one for one in load_consents(connection, number) if one.id == made))


@pages.call(
    "GET",
    "/customers/<int:number>/history",
    permission=Permission.CUSTOMER_SEE,
    also=(Permission.AUDIT_SEE,),
    answers=Slice[CustomerHappening],
    does=("customers.history",),
)
def history(connection: Connection, *, number: int) -> Slice[CustomerHappening]:
    """The last 100 things that happened to a customer and its contracts, the newest first."""
    known(connection, number)
    rows = load_history(connection, number, limit=_HAPPENINGS)
    return Slice([shaped(CustomerHappening, one) for one in rows], None)


@pages.call(
    "GET",
    "/customers/<int:number>/lines",
    permission=Permission.CUSTOMER_SEE,
    also=(Permission.ACCOUNT_SEE,),
    answers=Slice[CustomerLine],
    does=("customers.lines",),
)
def lines(connection: Connection, *, number: int) -> Slice[CustomerLine]:
    """A customer's accounts with what is on their lines now."""
    known(connection, number)
    return Slice([shaped(CustomerLine, one) for one in load_lines_of_customer(connection, number)], None)


@pages.call(
    "GET",
    "/customers/<int:number>/statement",
    permission=Permission.CUSTOMER_SEE,
    also=(Permission.DOCUMENT_SEE,),
    asked=StatementQuestion,
    answers=Statement,
    does=("customers.statement",),
)
def statement(connection: Connection, *, number: int, asked: StatementQuestion) -> Statement:
    """A customer's account: documents and entries with the balance after each."""
    known(connection, number)
    books = books_of(connection, asked.issuer_id, asked=True)
    until = asked.until or books.today
    try:
        since = asked.since or until - _YEAR
    except OverflowError:
        since = date.min
    rows = stream_statement(connection, books.issuer.id, number, since=since, until=until)
    return Statement(books.issuer.id, since, until, [_line(one) for one in rows])


def _line(row: StatementRow) -> StatementLine:
    debit, credit, balance = (
        None if one is None else amount_of(read_money(one, row.currency))
        for one in (row.debit, row.credit, row.balance)
    )
    return shaped(StatementLine, row, debit=debit, credit=credit, balance=balance)


def _check_contract(connection: Connection, number: int, contract: int | None) -> None:
    """Raises: Problem for a contract of somebody else."""
    page = load_customer_page(connection, known(connection, number))
    if contract is not None and contract not in {one["id"] for one in page.contracts}:
        raise wrong_value("this is none of the customer's contracts", pointer="/contract_id")
