"""The books: what was sold, balances, ageing, VAT, the journal, one account's card, one entry; each as a page and as a file."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from itertools import islice
from typing import Any, Final

from flask import Blueprint, abort, render_template, request
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response

from billing.reports import CardRow
from billing.store import books as book_store
from billing.store import reports, turnover
from billing.store.asked_checks import load_last_whole
from billing.store.named_reports import REPORTS, Stretch
from control_plane.access.permissions import Permission
from web.acting import transaction
from web.issuing import Books, books_of
from web.language import gettext, lazy, month_shown
from web.later import later_when_large
from web.ledger_words import COLUMNS, ROLES
from web.lists import file_of
from web.marks import allowed
from web.navigation import Entry

pages = Blueprint("ledger", __name__)
ENTRIES: Final = (
    Entry("books", lazy("Overview"), "ledger.show", Permission.LEDGER_SEE, order=10),
    Entry("books", lazy("Accounts"), "ledger.accounts", Permission.LEDGER_SEE, order=60),
)
# What a page shows of a report; its file has all.
_SHOWN: Final = 300
_MONTHS: Final = 12
_GREATEST_ID: Final = 2**63 - 1


_TITLES: Final[dict[str, Any]] = {
    "trial-balance": lazy("Trial balance"),
    "journal": lazy("Journal"),
    "vat": lazy("VAT"),
    "vat-register": lazy("VAT register"),
    "turnover": lazy("Turnover"),
    "ageing": lazy("Ageing"),
    "open": lazy("Open documents"),
    "deferred": lazy("Deferred revenue"),
}


@pages.get("/ledger")
@allowed(Permission.LEDGER_SEE)
@later_when_large("posting", lazy("Books"))
def show() -> str:
    """What was sold in the last months, what is open by age, and how the accounts stand."""
    with transaction() as connection:
        books = books_of(connection)
        since = _months_before(books.today, _MONTHS - 1)
        sold = list(turnover.stream_turnover(connection, books.issuer.id, since=since, until=books.today))
        booked = list(turnover.stream_ledger_turnover(connection, books.issuer.id, since=since, until=books.today))
        balance = list(
            reports.stream_trial_balance(
                connection, books.issuer.id, since=books.today.replace(month=1, day=1), until=books.today
            )
        )
        closed = book_store.load_closed(connection, books.issuer.id)
        checked = load_last_whole(connection)
    currency = books.issuer.currency
    months = [_months_before(books.today, ago) for ago in range(_MONTHS - 1, -1, -1)]
    by_month: dict[date, Decimal] = dict.fromkeys(months, Decimal(0))
    by_category: dict[str, Decimal] = {}
    for row in sold:
        if row.currency == currency and row.month in by_month:
            by_month[row.month] += row.net
            name = row.category or gettext("Entries by hand")
            by_category[name] = by_category.get(name, Decimal(0)) + row.net
    differs = sum(one.net for one in sold if one.currency == currency) != sum(
        one.net for one in booked if one.currency == currency
    )
    return render_template(
        "staff/ledger/show.html",
        books=books,
        bars=_bars([(month_shown(month), net) for month, net in by_month.items()]),
        categories=sorted(by_category.items(), key=lambda one: -one[1]),
        balance=[one for one in balance if one.opening or one.debit or one.credit or one.balance],
        roles=ROLES,
        last_closed=book_store.last_day(closed[-1]) if closed else None,
        differs=differs,
        checked=checked,
        reports=_links(books, ""),
    )


@pages.get("/ledger/<name>")
@allowed(Permission.LEDGER_SEE)
@later_when_large("posting", lazy("Books"))
def report(name: str) -> str | Response:
    """A report of a period, or as of today; `?file=` has all of its rows."""
    asked = REPORTS.get(name)
    if asked is None:
        abort(404)
    with transaction() as connection:
        books = books_of(connection)
        since, until = _period(books)
        stretch = Stretch(books.issuer.id, since, until, books.today)
        columns = tuple(field.name for field in dataclasses.fields(asked.row))
        file = file_of(
            name,
            tuple(str(COLUMNS.get(one, one)) for one in columns),
            (tuple(getattr(row, one) for one in columns) for row in asked.rows(connection, stretch)),
        )
        if file is not None:
            return file
        rows = list(islice(asked.rows(connection, stretch), _SHOWN + 1))
    shown = rows[:_SHOWN]
    used = [one for one in columns if any(getattr(row, one) is not None for row in shown)]
    return render_template(
        "staff/ledger/report.html",
        title=_TITLES[name],
        of_period=asked.of_period,
        columns=[(one, COLUMNS.get(one, one), _is_number(asked.row, one)) for one in used],
        rows=[{one: getattr(row, one) for one in used} for row in shown],
        more=len(rows) > _SHOWN,
        most=_SHOWN,
        books=books,
        since=since,
        until=until,
        roles=ROLES,
        reports=_links(books, name),
    )


@pages.get("/ledger/accounts")
@allowed(Permission.LEDGER_SEE)
def accounts() -> str:
    """The chart of accounts."""
    with transaction() as connection:
        books = books_of(connection)
        chart = book_store.load_chart(connection, books.issuer.id)
    return render_template(
        "staff/ledger/accounts.html", books=books, chart=chart, roles=ROLES, reports=_links(books, "accounts")
    )


@pages.get("/ledger/accounts/<code>")
@allowed(Permission.LEDGER_SEE)
@later_when_large("posting", lazy("Books"))
def card(code: str) -> str | Response:
    """One account's postings in a period, with what stands there after each."""
    with transaction() as connection:
        books = books_of(connection)
        account = next((one for one in book_store.load_chart(connection, books.issuer.id) if one.code == code), None)
        if account is None:
            abort(404)
        since, until = _period(books)

        def rows() -> Iterator[CardRow]:
            return reports.stream_card(connection, books.issuer.id, account.id, since=since, until=until)

        columns = tuple(field.name for field in dataclasses.fields(CardRow))
        file = file_of(
            f"account-{code}",
            tuple(str(COLUMNS[one]) for one in columns),
            (tuple(getattr(row, one) for one in columns) for row in rows()),
        )
        if file is not None:
            return file
        found = list(islice(rows(), _SHOWN + 1))
    return render_template(
        "staff/ledger/report.html",
        title=f"{account.code} {account.name}",
        of_period=True,
        columns=[(one, COLUMNS[one], _is_number(CardRow, one)) for one in columns],
        rows=[{one: getattr(row, one) for one in columns} for row in found[:_SHOWN]],
        more=len(found) > _SHOWN,
        most=_SHOWN,
        books=books,
        since=since,
        until=until,
        roles=ROLES,
        reports=_links(books, "accounts"),
    )


@pages.get("/ledger/entries/<int:number>")
@allowed(Permission.LEDGER_SEE)
def entry(number: int) -> str:
    """One entry with its postings, and what takes it back."""
    with transaction() as connection:
        found = book_store.load_entry(connection, number) if number <= _GREATEST_ID else None
        if found is None:
            abort(404)
        books = books_of(connection, found.issuer_id)
        chart = {one.id: one for one in book_store.load_chart(connection, found.issuer_id)}
        booked = book_store.load_booked(connection, found.issuer_id, number)
    assert booked is not None, "it was found"
    return render_template("staff/ledger/entry.html", entry=found, booked=booked, chart=chart, books=books)


def _links(books: Books, here: str) -> list[tuple[str, str, bool]]:
    question = f"?issuer={books.issuer.id}" if books.others else ""
    links = [(str(_TITLES[name]), f"/ledger/{name}{question}", name == here) for name in REPORTS]
    return [(gettext("Overview"), f"/ledger{question}", not here), *links]


def _is_number(row: type, name: str) -> bool:
    said = next(field.type for field in dataclasses.fields(row) if field.name == name)
    return "Decimal" in str(said) or name == "days_over"


def _period(books: Books) -> tuple[date, date]:
    """`?since=` and `?until=`; this year up to today without them."""
    found = []
    for name, usual in (("since", books.today.replace(month=1, day=1)), ("until", books.today)):
        try:
            found.append(date.fromisoformat(request.args[name]) if request.args.get(name) else usual)
        except ValueError as error:
            raise BadRequest(gettext("Write a day such as %(example)s.", example="2026-01-31")) from error
    since, until = found
    if until < since:
        raise BadRequest(gettext("The period ends before it begins."))
    return since, until


def _months_before(day: date, count: int) -> date:
    months = day.year * 12 + day.month - 1 - count
    return date(months // 12, months % 12 + 1, 1)


def _bars(values: list[tuple[str, Decimal]]) -> list[dict[str, Any]]:
    """Bars of a chart: each with its height of 100, 0 the most that is below zero."""
    most = max((net for _, net in values), default=Decimal(0)) or Decimal(1)
    return [
        {"label": label, "net": net, "height": int(max(net, Decimal(0)) * 100 / most) if most > 0 else 0}
        for label, net in values
    ]
