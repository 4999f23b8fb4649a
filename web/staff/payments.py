"""Payments: the list of what came in, one payment with what it settles and what became of it, and its receipt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from flask import Blueprint, abort, render_template, request
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response

from billing.store import cash
from billing.store.customers import load_customer
from billing.store.issuers import load_issuers
from billing.store.payment_list import (
    STATES,
    Asked,
    load_entries_of,
    load_happened,
    load_listed,
    load_settles,
)
from billing.store.payments import PaymentRow, load_let_go, load_methods, load_payment
from control_plane.access.permissions import Permission
from web.acting import transaction
from web.database import Connection
from web.forms import new_key
from web.language import gettext, lazy
from web.lists import PAGE_ROWS, after, asked_day, chosen, file_of, page_of, sorted_by
from web.marks import allowed
from web.money_words import SOURCES
from web.navigation import Entry

pages = Blueprint("payments", __name__)
ENTRIES: Final = (Entry("money", lazy("Payments"), "payments.show_list", Permission.PAYMENT_SEE, order=10),)
# Rows that a file is read by: one statement each.
_FILE_PAGE: Final = 5_000
_HEADS: Final = (
    *(lazy("Number"), lazy("Value day"), lazy("Customer"), lazy("Customer number"), lazy("Method"), lazy("Currency")),
    *(lazy("Amount"), lazy("Left"), lazy("Source"), lazy("Reference"), lazy("Payer"), lazy("By"), lazy("Came back")),
)
STATE_WORDS: Final[dict[str, Any]] = {
    "unmatched": lazy("Nobody's yet"),
    "credit": lazy("With credit left"),
    "came_back": lazy("Came back"),
}


@pages.get("/payments")
@allowed(Permission.PAYMENT_SEE)
def show_list() -> str | Response:
    """What came in, the newest first."""
    column, down = sorted_by({"number": "id", "day": "value_on"}, "-number")
    with transaction() as connection:
        issuers = load_issuers(connection)
        methods = [one for issuer in issuers for one in load_methods(connection, issuer.id)]
        asked = _asked([one.id for one in methods], [one.id for one in issuers])
        by_day = column == "value_on" or ("sort" not in request.args and bool(asked.since or asked.until))
        file = file_of("payments", _heads(), _file_rows(connection, asked, by_day=by_day, down=down))
        if file is not None:
            return file
        rows = load_listed(connection, asked, limit=PAGE_ROWS + 1, by_day=by_day, down=down, after=_after(by_day))
        whose = None if asked.customer_id is None else load_customer(connection, asked.customer_id)
    return render_template(
        "staff/payments/list.html",
        page=page_of(rows, lambda row: (row.value_on, row.id) if by_day else (row.id,), rows_a_page=PAGE_ROWS),
        methods=[
            (one.id, one.name if len(issuers) == 1 else f"{one.name} · {_name(issuers, one.issuer_id)}")
            for one in methods
        ],
        issuers=[(one.id, one.name) for one in issuers],
        states=[(one, STATE_WORDS[one]) for one in STATES],
        sources=SOURCES,
        whose=whose,
    )


@pages.get("/payments/<int:number>")
@allowed(Permission.PAYMENT_SEE)
def show(number: int) -> str:
    """One payment: what it settles, whose it was said to be, what became of it."""
    with transaction() as connection:
        known = load_payment(connection, number)
        if known is None:
            abort(404)
        happened = load_happened(connection, number)
        people = {one.customer_id for one in happened} | {known.customer_id}
        names = {one: load_customer(connection, one) for one in people if one is not None}
        return render_template(
            "staff/payments/payment.html",
            payment=known,
            method=next(one for one in load_methods(connection, known.issuer_id) if one.id == known.method_id),
            settles=load_settles(connection, number),
            happened=happened,
            names={one: found.name for one, found in names.items() if found is not None},
            entries=load_entries_of(connection, number),
            let_go=load_let_go(connection, number),
            receipt=cash.load_receipt(connection, number),
            source=SOURCES[known.source],
            send_key=new_key(),
        )


def _asked(methods: list[int], issuers: list[int]) -> Asked:
    customer = request.args.get("customer", "")
    if customer and not (customer.isascii() and customer.isdigit() and len(customer) < 19):
        raise BadRequest(gettext("%(value)s is no choice here.", value=customer[:40]))
    method = chosen("method", map(str, methods))
    issuer = chosen("issuer", map(str, issuers))
    return Asked(
        text=request.args.get("q", "").strip(),
        customer_id=int(customer) if customer else None,
        issuer_id=int(issuer) if issuer else None,
        method_id=int(method) if method else None,
        state=chosen("state", STATES),
        since=asked_day("since"),
        until=asked_day("until"),
    )


def _after(by_day: bool) -> tuple[Any, ...] | None:
    key = after()
    if key is not None and len(key) != (2 if by_day else 1):
        raise BadRequest(gettext("This address of a list's page is damaged. Begin with the list's first page."))
    return key


def _name(issuers: Any, issuer_id: int) -> str:
    return next(str(one.name) for one in issuers if one.id == issuer_id)


def _heads() -> tuple[str, ...]:
    return tuple(str(one) for one in _HEADS)


def _file_rows(connection: Connection, asked: Asked, *, by_day: bool, down: bool) -> Iterator[tuple[Any, ...]]:
    key: tuple[Any, ...] | None = None
    while True:
        rows: list[PaymentRow] = load_listed(connection, asked, limit=_FILE_PAGE, by_day=by_day, down=down, after=key)
        for row in rows:
            yield (
                *(row.id, row.value_on, row.customer, row.customer_id, row.method, row.money.currency),
                *(row.money.amount, row.open.amount, str(SOURCES[row.source]), row.reference, row.payer, row.made_by),
                row.reversed_on,
            )
        if len(rows) < _FILE_PAGE:
            return
        key = (rows[-1].value_on, rows[-1].id) if by_day else (rows[-1].id,)
