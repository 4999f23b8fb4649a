"""Worked cases of a customer's account: the statement of a real database, line by line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final

import psycopg
from support.books_isp import BooksIsp, desk
from support.case_books import any_day, fresh_books
from support.case_fields import AnyOf, Fields, NotCoveredError, Values, as_day, as_number, named

from billing.ledger import HandEntry, Role, Wish, decide_entry
from billing.money import Money, settle
from billing.store.books import load_chart, write_entry
from billing.store.documents import issue
from billing.store.reports import stream_statement
from control_plane import db

OWES: Final = (
    "invoice",
    "charge",
    "debit",
    "fee",
    "chargeback",
    "refund",
    "reversal",
    "payment_reversed",
    "returned",
    "debit_note",
)
GIVES: Final = ("payment", "credit_note", "credit", "receipt", "write_off", "writeoff", "advance", "discount", "bonus")


SIGNED: Final = ("adjustment", "correction", "entry", "rounding", "transfer")


def account(given: Values) -> dict[str, Any]:
    """A customer's account from its documents, payments and credits: by the statement that stands on the ledger.

    Invoices are issued; payments, refunds and what else moves a balance are entries by hand, as long as there are no payments.
    """
    fields = Fields(given)
    before = fields.number("opening_balance", "opening", "balance_before", default=Decimal(0))
    events = [
        _movement(one, number)
        for number, one in enumerate(fields.objects("events", "movements", "entries", "rows"), start=1)
    ]
    asked = [as_day(one) for one in fields.objects("check", "checks", "dates", "balance_at", "at", default=[])]
    until = fields.day("as_of", "until", "on", "to", default=None)
    since = fields.day("since", "from", default=None)
    fields.done()
    events = sorted(events, key=lambda one: one[0])
    if before:
        events.insert(0, (events[0][0] if since is None else min(since, events[0][0]), "opening", before))
    with fresh_books() as conninfo, db.connect(conninfo, name="test") as connection:
        isp = any_day(connection)
        table = desk(connection, isp)
        for day, what, amount in events:
            if what == "invoice" and amount > 0:
                draft = table.invoice(table.line(str(amount), day=day), day=day, includes_tax=True)
                issue(connection, [draft], made_by="maria")
            else:
                _by_hand(connection, isp, day, what, settle(amount, "EUR"))
        last = until or events[-1][0]
        rows = list(stream_statement(connection, isp.issuer, isp.customers[0], since=since or events[0][0], until=last))
        then = [_balance_on(connection, isp, day) for day in asked]
    moved = [row for row in rows if row.entry is not None]
    balances = [str(row.balance) for row in moved][1 if before and since is None else 0 :]
    end = str(moved[-1].balance if moved else rows[-1].balance)
    by_day = {row.dated.isoformat(): str(row.balance) for row in moved}
    pairs = [[row.dated.isoformat(), str(row.balance)] for row in moved]
    got = named(AnyOf((then, balances, by_day, pairs) if asked else (balances, by_day, pairs)), "running", "running_balance", "balances",
                "balance_after", "running_balances")  # fmt: skip
    told = [
        {
            "date": row.dated.isoformat(),
            "kind": row.what,
            **named(None if row.debit is None else str(row.debit), "debit"),
            **named(None if row.credit is None else str(row.credit), "credit"),
            **named(str(row.balance), "balance"),
        }
        for row in moved
    ]
    got |= named(told, "rows", "lines", "statement", "movements")
    got |= named(
        AnyOf((then, end)) if asked else end,
        "balance",
        "closing_balance",
        "closing",
        "total_due",
        "amount_due",
        "final_balance",
        "end",
        "owed",
    )
    got |= named(str(rows[0].balance), "opening", "opening_balance", "balance_before")
    got |= named(
        str(sum((row.debit or 0 for row in moved), Decimal(0))), "debits", "debit_total", "invoiced", "charged"
    )
    got |= named(
        str(sum((row.credit or 0 for row in moved), Decimal(0))), "credits", "credit_total", "paid", "received"
    )
    credit = max(Decimal(0), -Decimal(end))
    return got | named(str(credit), "credit_left", "credit", "in_credit", "credit_balance")


def _balance_on(connection: psycopg.Connection[Any], isp: BooksIsp, day: date) -> str:
    """What the customer owes at the end of a day."""
    rows = list(stream_statement(connection, isp.issuer, isp.customers[0], since=day, until=day))
    return str(rows[-1].balance) if rows else "0"


def _movement(event: Any, number: int) -> tuple[date, str, Decimal]:
    """The day, what it is, and by how much the customer owes more."""
    if isinstance(event, list) and len(event) >= 3:
        day, what, amount = event[0], str(event[1]), event[-1]
    else:
        fields = Fields(event, f"event {number}")
        day, what = fields.take("date", "on", "day"), str(fields.take("kind", "event", "type", "what"))
        amount = fields.take("amount", "gross", "total")
        fields.take("document", "reference", "of", "number", default=None)
        fields.done()
    what = what.lower().replace(" ", "_")
    if what not in (*OWES, *GIVES, *SIGNED):
        raise NotCoveredError(f"event {number} is {what!r}; known are {', '.join((*OWES, *GIVES, *SIGNED))}")
    size = as_number(amount)
    if what in SIGNED:
        return as_day(day), what, size
    # A credit may stand with a minus of its own.
    return as_day(day), what, size if what in OWES else -abs(size)


def _by_hand(connection: psycopg.Connection[Any], isp: BooksIsp, day: date, what: str, amount: Money) -> None:
    """An entry as a person writes it, against an account of the bank."""
    chart = {one.code: one for one in load_chart(connection, isp.issuer)}
    code_of = {one.role: one.code for one in chart.values()}
    wishes = [
        Wish(code_of[Role.CUSTOMERS], amount.amount, isp.customers[0]),
        Wish(code_of.get(Role.BANK) or code_of[Role.CLEARING], -amount.amount),
    ]
    entry = decide_entry(wishes, chart, dated=day, currency="EUR", note=what.replace("_", " "), closed=(), today=day)
    assert isinstance(entry, HandEntry), entry
    write_entry(connection, isp.issuer, entry, made_by="maria")


ADAPTERS: Final[Mapping[str, Callable[[Values], dict[str, Any]]]] = {
    "account": account,
}
