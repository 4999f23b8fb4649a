"""Invoices and credit notes: the list, one of them with all that it has to do with, its PDF, and sending it.

Next: _document_words.py
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from io import BytesIO
from typing import Any, Final
from zoneinfo import ZoneInfo

from flask import Blueprint, flash, redirect, render_template, request, send_file, url_for
from werkzeug.exceptions import BadRequest, NotFound
from werkzeug.wrappers import Response

from billing.operations.invoice_messages import send_invoices
from billing.operations.printing import PrintShop
from billing.papers.wording import LANGUAGES
from billing.shown import ShownDocument
from billing.store.document_links import load_links
from billing.store.document_list import DocumentQuestion, load_page, sort_key, stream_documents
from billing.store.einvoice_desk import load_one
from billing.store.einvoices import find_of_document
from billing.store.issued import ListedDocument, NoDocumentError, load_document, load_parties_of
from billing.store.issuers import Issuer, load_issuer_registers, load_issuers
from control_plane.access.permissions import Permission
from web.acting import clock, may, person, transaction
from web.database import Connection
from web.forms import PageForm, do_once, read_form
from web.language import gettext, lazy
from web.lists import PAGE_ROWS, after, asked_day, chosen, file_of, page_of, sorted_by
from web.marks import allowed
from web.navigation import Entry
from web.staff import _document_words as words
from web.staff._customer_meant import Meant, customer_meant
from web.surroundings import here

pages = Blueprint("documents", __name__)
ENTRIES: Final = (Entry("billing", lazy("Documents"), "documents.list_", Permission.DOCUMENT_SEE, order=10),)
KINDS: Final = ("invoice", "credit_note")
STATES: Final = {"open": lazy("Open"), "overdue": lazy("Overdue"), "settled": lazy("Settled")}


@pages.get("/documents")
@allowed(Permission.DOCUMENT_SEE)
def list_() -> str | Response:
    """The newest documents; open ones by the day on which they fall due."""
    by, down = sorted_by({"date": "date", "due": "due"}, "due" if _asks_open() else "-date")
    with transaction() as connection:
        issuers = load_issuers(connection)
        registers = {one.id: load_issuer_registers(connection, one.id) for one in issuers}
        meant = customer_meant(connection, request.args["customer"]) if request.args.get("customer") else None
        question = _question(meant, by_due=by == "due", down=down)
        today = today_of(connection, issuers)
        if meant is not None and meant.id is None:
            rows: list[ListedDocument] = []
        elif request.args.get("file"):
            made = file_of("documents", _HEADS, _file_rows(connection, question, today))
            assert made is not None, "one was asked for"
            return made
        else:
            rows = load_page(connection, question, today=today, limit=PAGE_ROWS + 1, after=page_mark(after()))
    page = page_of(rows, lambda row: sort_key(row, by_due=question.by_due))
    return render_template(
        "staff/documents/list.html",
        page=page,
        meant=meant,
        issuers=issuers,
        registers=[(one, register) for one in issuers for register in registers[one.id] if register.kind in KINDS],
        words=words,
        kinds=[(kind, words.KINDS[kind]) for kind in KINDS],
        states=list(STATES.items()),
        today=today,
    )


@pages.get("/documents/<int:document_id>")
@allowed(Permission.DOCUMENT_SEE)
def show(document_id: int) -> str | Response:
    """One document: what stands on it, how it stands, and what it has to do with."""
    with transaction() as connection:
        found = document_of(connection, document_id)
        links = load_links(connection, document_id)
        einvoice = None
        if may(Permission.EINVOICE_SEE):
            queued = find_of_document(connection, document_id)
            einvoice = None if queued is None else load_one(connection, queued)
    if found.kind in ("quote", "order"):
        return redirect(f"/{found.kind}s/{document_id}", 303)
    return render_template(
        "staff/documents/show.html",
        document=found,
        links=links,
        einvoice=einvoice,
        form=read_form(PageForm),
        words=words,
    )


@pages.get("/documents/<int:document_id>.pdf")
@allowed(Permission.DOCUMENT_SEE)
def pdf(document_id: int) -> Response:
    """The document as it is handed out."""
    language = chosen("language", LANGUAGES)
    with transaction() as connection, PrintShop(here().settings.papers_dir) as shop:
        found = document_of(connection, document_id)
        printed = shop.document(connection, document_id, language=language)
    name = (found.label or str(document_id)).replace("/", "-")
    return send_file(BytesIO(printed), mimetype="application/pdf", download_name=f"{name}.pdf")


@pages.post("/documents/<int:document_id>/send")
@allowed(Permission.DOCUMENT_SEE, Permission.MESSAGE_SEND)
def send(document_id: int) -> Response:
    """Send it to its customer, once."""

    def queue(connection: Connection) -> str:
        document_of(connection, document_id)
        sent = send_invoices(connection, document_ids=[document_id], made_by=person().name)
        if sent.messages:
            flash(gettext("It is on its way: the message stands below."))
        elif sent.waiting:
            flash(gettext("The tax authority has to accept it first. It is sent when it has."))
        else:
            flash(gettext("It was sent before: nothing is sent twice."))
        return url_for("documents.show", document_id=document_id)

    return do_once(queue)


def document_of(connection: Connection, document_id: int) -> ShownDocument:
    """The issued document of that number. Raises: NotFound."""
    try:
        issuer_id, _ = load_parties_of(connection, document_id)
        (issuer,) = (one for one in load_issuers(connection) if one.id == issuer_id)
        return load_document(connection, document_id, today=today_of(connection, [issuer]))
    except NoDocumentError as error:
        raise NotFound from error


def today_of(connection: Connection, issuers: list[Issuer]) -> date:
    """What day it is: the only issuer's, or the operator's where there are several."""
    zone = ZoneInfo(issuers[0].zone) if len(issuers) == 1 else here().settings.zone
    return clock(connection).astimezone(zone).date()


def _asks_open() -> bool:
    return request.args.get("state") in ("open", "overdue")


def _question(meant: Meant | None, *, by_due: bool, down: bool) -> DocumentQuestion:
    return DocumentQuestion(
        kind=chosen("kind", KINDS),
        issuer_id=_number("issuer"),
        register_id=_number("register"),
        customer_id=None if meant is None else meant.id,
        run_id=_number("run"),
        state=chosen("state", STATES),
        number=(request.args.get("number") or "").strip() or None,
        since=asked_day("from"),
        until=asked_day("until"),
        due_until=asked_day("due"),
        by_due=by_due,
        down=down,
    )


def _number(name: str) -> int | None:
    text = request.args.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise BadRequest(gettext("%(value)s is no choice here.", value=text[:40]))
    return int(text)


def page_mark(mark: tuple[Any, ...] | None) -> tuple[date, int] | None:
    """Behind which document a page begins. Raises: BadRequest."""
    match mark:
        case None:
            return None
        case (date() as day, int() as number):
            return day, number
        case _:
            raise BadRequest(gettext("This address of a list's page is damaged. Begin with the list's first page."))


_HEADS: Final = (
    "number",
    "kind",
    "date",
    "customer",
    "customer_name",
    "currency",
    "gross",
    "payable",
    "open",
    "due",
    "state",
)


def _file_rows(connection: Connection, question: DocumentQuestion, today: date) -> Iterator[tuple[Any, ...]]:
    for row in stream_documents(connection, question, today=today):
        standing = row.standing
        yield (
            row.label,
            row.kind,
            row.document_date,
            row.customer_id,
            row.customer,
            row.currency,
            row.gross.amount,
            row.payable.amount,
            None if standing is None else standing.open.amount,
            None if standing is None else standing.due_on,
            row.state if standing is None else str(standing.state),
        )
