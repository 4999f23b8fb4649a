"""A subscriber's own pages: what is owed and how to pay it, documents, the statement, the lines and what they used."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from flask import Blueprint, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from billing.operations.printing import load_document_paper, load_statement_paper
from billing.papers.paper import StatementPaper
from billing.papers.wording import load_wording
from billing.store.document_list import DocumentQuestion, load_page, sort_key
from billing.store.portal_page import Owed, is_own_document, load_owed, load_own_issuers, sums_by_currency
from control_plane.access.portal import actor_of
from control_plane.gateways.paying import account_for_pages, ask_for_page
from control_plane.portal_reasons import Limited, limited_by
from control_plane.store.portal_lines import Line, UsedDay, load_lines, load_used_days
from web.acting import clock, subscriber, transaction
from web.database import Connection
from web.forms import PageForm, do_once, read_form
from web.language import chosen_language, gettext, lazy, zone
from web.lists import after, page_of
from web.marks import of_subscriber
from web.papers import pdf_of

pages = Blueprint("portal", __name__)
_ROWS: Final = 25
_USED_DAYS: Final = 31
_STATEMENT_DAYS: Final = 365
WORDS_OF_LIMITS: Final = {
    Limited.OVERDUE: lazy("Limited: an invoice is overdue"),
    Limited.PAUSED: lazy("Paused, as you asked"),
    Limited.OFFICE: lazy("Limited by our office"),
    Limited.ABUSE: lazy("Limited: something harmful came from this line"),
    Limited.TECHNICAL: lazy("Limited for technical reasons"),
    Limited.QUOTA: lazy("Slower: the volume of the plan is used up"),
    Limited.ENDED: lazy("The contract has ended"),
    Limited.NOT_YET: lazy("Not in service yet"),
}


@pages.get("/portal")
@of_subscriber()
def show() -> str:
    """What is owed, and how the lines are."""
    with transaction() as connection:
        now = clock(connection)
        today = now.astimezone(zone()).date()
        owed = load_owed(connection, subscriber().customer_id)
        lines = [(one, limit_of(one, now=now)) for one in load_lines(connection, subscriber().customer_id, now=now)]
        online = bool({one.issuer_id for one in owed if account_for_pages(connection, one.issuer_id)})
    due = [one for one in owed if one.due_on <= today]
    return render_template(
        "portal/home.html",
        owed=owed,
        sums=sums_by_currency(owed),
        due=sums_by_currency(due),
        lines=lines,
        limits=WORDS_OF_LIMITS,
        today=today,
        online=online,
        form=read_form(PageForm),
    )


@pages.get("/portal/documents")
@of_subscriber()
def documents() -> str:
    """All invoices and credit notes, the newest first."""
    key = after()
    question = DocumentQuestion(customer_id=subscriber().customer_id)
    with transaction() as connection:
        today = clock(connection).astimezone(zone()).date()
        rows = load_page(
            connection,
            question,
            today=today,
            limit=_ROWS + 1,
            after=None if key is None else (key[0], int(key[1])),
        )
    page = page_of(rows, lambda one: sort_key(one, by_due=False), rows_a_page=_ROWS)
    return render_template("portal/documents.html", page=page)


@pages.get("/portal/documents/<int:document_id>.pdf")
@of_subscriber()
def paper(document_id: int) -> Response:
    """One of them as it was issued."""
    with transaction() as connection:
        _own(connection, document_id)
        issuer_id, printed = load_document_paper(connection, document_id)
    return pdf_of(issuer_id, printed, f"document-{document_id}")


@pages.post("/portal/documents/<int:document_id>/pay")
@of_subscriber()
def pay(document_id: int) -> Response:
    """Have the page made on which it is paid, and lead to where that is waited for."""

    def ask(connection: Connection) -> str:
        owed = _owed(connection, document_id)
        if owed.page is None:
            ask_for_page(connection, owed.issuer_id, document_id, actor=actor_of(subscriber().customer_id))
        return url_for("portal.paying", document_id=document_id)

    return do_once(ask)


@pages.get("/portal/documents/<int:document_id>/paying")
@of_subscriber()
def paying(document_id: int) -> str:
    """The way to the page on which it is paid as soon as it is there; until then this page asks again by itself."""
    with transaction() as connection:
        owed = _owed(connection, document_id)
        able = account_for_pages(connection, owed.issuer_id) is not None
    return render_template("portal/paying.html", owed=owed, able=able)


@pages.get("/portal/statement")
@of_subscriber()
def statement() -> str:
    """Everything that was billed and paid, with a running balance, as the printed one says it."""
    with transaction() as connection:
        papers = [paper for _, paper in _statements(connection)]
    words = load_wording(chosen_language())
    return render_template("portal/statement.html", papers=papers, movements=words["movements"], methods=words["words"])


@pages.get("/portal/statement.pdf")
@of_subscriber()
def statement_paper() -> Response:
    """The same as PDF, of the issuer with the newest document."""
    with transaction() as connection:
        found = _statements(connection)
    if not found:
        raise NotFound
    issuer_id, printed = found[0]
    return pdf_of(issuer_id, printed, f"statement-{printed.frame.dated}")


@pages.get("/portal/usage")
@of_subscriber()
def usage() -> str:
    """What was used in the last month, day by day."""
    customer_id = subscriber().customer_id
    with transaction() as connection:
        now = clock(connection)
        today = now.astimezone(zone()).date()
        lines = [one for one in load_lines(connection, customer_id, now=now) if one.account_id is not None]
        account = request.args.get("line", type=int)
        since = today - timedelta(days=_USED_DAYS - 1)
        days = load_used_days(connection, customer_id, since=since, until=today, account_id=account)
    return render_template(
        "portal/usage.html",
        days=days,
        lines=lines,
        account=account,
        chart_data=chart_of(days, since=since, until=today),
    )


def chart_of(days: list[UsedDay], *, since: date, until: date) -> dict[str, object]:
    """The days as the chart draws them, a day without usage as zero."""
    known = {one.day: one for one in days}
    all_days = [since + timedelta(days=number) for number in range((until - since).days + 1)]
    return {
        "x": [int(datetime.combine(day, time(12), zone()).timestamp()) for day in all_days],
        "series": [
            {"label": gettext("Downloaded"), "kind": "octets", "values": [_of(known, day, "down") for day in all_days]},
            {"label": gettext("Uploaded"), "kind": "octets", "values": [_of(known, day, "up") for day in all_days]},
        ],
    }


def limit_of(line: Line, *, now: datetime) -> Limited | None:
    """Why a line has less than its plan."""
    return limited_by(
        status=line.status,
        ends_on=line.ends_on,
        origin=line.origin,
        quota_exhausted_until=line.quota_exhausted_until,
        now=now.astimezone(UTC),
        today=now.astimezone(zone()).date(),
    )


def _of(known: dict[date, UsedDay], day: date, what: str) -> int:
    return int(getattr(known[day], what)) if day in known else 0


def _statements(connection: Connection) -> list[tuple[int, StatementPaper]]:
    """A statement of the last year with each issuer."""
    customer_id = subscriber().customer_id
    until = clock(connection).astimezone(zone()).date()
    return [
        (
            issuer,
            load_statement_paper(
                connection,
                issuer_id=issuer,
                customer_id=customer_id,
                since=until - timedelta(days=_STATEMENT_DAYS),
                until=until,
                language=chosen_language(),
            ),
        )
        for issuer in load_own_issuers(connection, customer_id)
    ]


def _own(connection: Connection, document_id: int) -> None:
    """Raises: NotFound for another's document, whether there is one of that number or not."""
    if document_id >= 2**63 or not is_own_document(connection, subscriber().customer_id, document_id):
        raise NotFound


def _owed(connection: Connection, document_id: int) -> Owed:
    """Raises: NotFound for what is not the subscriber's or has nothing open."""
    found = next(
        (one for one in load_owed(connection, subscriber().customer_id) if one.document_id == document_id), None
    )
    if found is None:
        raise NotFound(gettext("Nothing is open of this document."))
    return found
