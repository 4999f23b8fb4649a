"""Payments as a list of any length is paged through, and what a page of one payment shows beside it.

A page begins after the last row of the one before, by number or by value day; each is an index, so the thousandth page costs what the
first one does.

Next: billing/store/payments.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import psycopg

from billing.customer_search import search_patterns
from billing.money import Money, read_money
from billing.store.customer_search import load_found
from billing.store.payments import PaymentRow

Connection = psycopg.Connection[Any]

# Whoever types a name that more customers have narrows it down.
_MOST_CUSTOMERS: Final = 200
_GREATEST_ID: Final = 2**63 - 1
# How far back somebody's own last payments are looked for: a day's of a large office.
_OWN_AMONG: Final = 2000
# Invoices and customers who are found by an amount.
_MOST_FOUND: Final = 12

_COLUMNS: Final = """
SELECT p.id, p.value_on, owner_of_payment(p.id) AS customer_id, c.name AS customer, m.name AS method, p.currency, p.amount, coalesce(o.open, 0) AS open,
    p.source::text, p.reference, p.payer, p.made_by, r.dated AS reversed_on
FROM payment AS p JOIN payment_method AS m ON m.id = p.method_id LEFT JOIN open_payment AS o ON o.payment_id = p.id
    LEFT JOIN payment_reversal AS r ON r.payment_id = p.id LEFT JOIN customer AS c ON c.id = owner_of_payment(p.id)
"""
# Whoever it is of now, it was said to be of once: those are found by their indexes.
_THEIRS: Final = (
    "SELECT id FROM (SELECT id FROM payment WHERE customer_id = ANY (%(customers)s)"
    " UNION SELECT payment_id FROM payment_match WHERE customer_id = ANY (%(customers)s)) AS said"
    " WHERE owner_of_payment(id) = ANY (%(customers)s)"
)
_OF_CUSTOMERS: Final = f"p.id IN ({_THEIRS})"
_OF_TEXT: Final = """p.id IN (SELECT %(number)s::bigint
    UNION SELECT id FROM payment WHERE source = ANY (enum_range(NULL::payment_source)) AND reference = %(text)s UNION /* theirs */)
""".replace("/* theirs */", _THEIRS)
_UNMATCHED: Final = "p.id IN (SELECT payment_id FROM open_payment WHERE customer_id IS NULL)"
_WITH_CREDIT: Final = "o.open > 0 AND o.customer_id IS NOT NULL AND p.id IN (SELECT payment_id FROM open_payment)"
_CAME_BACK: Final = "p.id IN (SELECT payment_id FROM payment_reversal)"
_STATES: Final = {"unmatched": _UNMATCHED, "credit": _WITH_CREDIT, "came_back": _CAME_BACK}
STATES: Final = tuple(_STATES)
_OWN: Final = f"""
{_COLUMNS} WHERE p.made_by = %(by)s AND p.id > (SELECT coalesce(max(id), 0) - {_OWN_AMONG} FROM payment) AND p.made_at >= %(since)s
ORDER BY p.id DESC LIMIT %(limit)s
"""  # noqa: S608  # statements of this module
_SETTLED: Final = """
SELECT d.id, d.label, d.document_date, sum(a.amount), d.currency FROM allocation AS a JOIN document AS d ON d.id = a.invoice_id WHERE a.payment_id = %s
GROUP BY d.id HAVING sum(a.amount) <> 0 ORDER BY d.id
"""
_EVENTS: Final = """
SELECT made_at, 'match', customer_id, NULL::numeric, reason, made_by FROM payment_match WHERE payment_id = %(id)s
UNION ALL SELECT made_at, 'reversal', NULL, NULL, reason, made_by FROM payment_reversal WHERE payment_id = %(id)s
UNION ALL SELECT made_at, 'refund', NULL, amount, reason, made_by FROM refund WHERE payment_id = %(id)s
ORDER BY 1
"""
_ENTRIES: Final = """
SELECT id FROM entry WHERE (source = 'payment' AND source_id = %(id)s) OR (source = 'payment_reversal' AND source_id = %(id)s)
    OR (source = 'payment_match' AND source_id IN (SELECT id FROM payment_match WHERE payment_id = %(id)s))
    OR (source = 'refund' AND source_id IN (SELECT id FROM refund WHERE payment_id = %(id)s)) ORDER BY id
"""
_OWED: Final = """
SELECT c.id, c.name, o.document_id, d.label, o.open, o.currency, o.due_on FROM open_document AS o JOIN document AS d ON d.id = o.document_id
    JOIN customer AS c ON c.id = o.customer_id
WHERE o.open = %(amount)s AND o.issuer_id = %(issuer)s ORDER BY o.due_on, o.document_id LIMIT %(limit)s
"""
_LABELLED: Final = """
SELECT c.id, c.name, d.id, d.label, coalesce(o.open, 0), d.currency, o.due_on FROM document AS d JOIN customer AS c ON c.id = d.customer_id
    LEFT JOIN open_document AS o ON o.document_id = d.id
WHERE d.label = %(label)s AND d.issuer_id = %(issuer)s AND d.kind = 'invoice' AND d.state <> 'draft' ORDER BY d.id DESC LIMIT %(limit)s
"""
_OPEN_OF: Final = """
SELECT customer_id, sum(open) FILTER (WHERE open > 0), sum(open) FILTER (WHERE open > 0 AND due_on <= %(today)s) FROM open_document
WHERE customer_id = ANY (%(ids)s) AND issuer_id = %(issuer)s AND currency = %(currency)s GROUP BY customer_id
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a list of payments is asked for; all of it holds at once."""

    text: str = ""
    customer_id: int | None = None
    issuer_id: int | None = None
    method_id: int | None = None
    state: str | None = None
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Settles:
    """An invoice that a payment settles, and how much of it."""

    document_id: int
    label: str
    document_date: date
    amount: Money


@dataclass(frozen=True, slots=True)
class Happened:
    """What became of a payment: a `match`, a `reversal` or a `refund`."""

    at: datetime
    what: str
    customer_id: int | None
    amount: Decimal | None
    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class Owing:
    """A customer who may have paid, found by an invoice of theirs: its printed number or what it has open."""

    customer_id: int
    customer: str
    document_id: int
    label: str
    open: Money
    due_on: date | None


@dataclass(frozen=True, slots=True)
class Owed:
    """What somebody has open at an issuer, and how much of it is due."""

    open: Money
    due: Money


def list_statement(
    connection: Connection, asked: Asked, *, by_day: bool, down: bool, after: tuple[Any, ...] | None
) -> tuple[str, dict[str, Any]]:
    """The statement of `load_listed` and its values, without its limit."""
    values: dict[str, Any] = {
        "issuer": asked.issuer_id,
        "method": asked.method_id,
        "since": asked.since,
        "until": asked.until,
    }
    told = {
        "p.issuer_id = %(issuer)s": asked.issuer_id,
        "p.method_id = %(method)s": asked.method_id,
        "p.value_on >= %(since)s": asked.since,
        "p.value_on <= %(until)s": asked.until,
    }
    where = [one for one, value in told.items() if value is not None]
    if asked.state is not None:
        where.append(_STATES[asked.state])
    if asked.customer_id is not None:
        where.append(_OF_CUSTOMERS)
        values["customers"] = [asked.customer_id]
    elif asked.text:
        where.append(_OF_TEXT)
        values |= _meant(connection, asked.text)
    key = ("p.value_on", "p.id") if by_day else ("p.id",)
    if after is not None:
        values |= {f"after{place}": part for place, part in enumerate(after)}
        places = ", ".join(f"%(after{place})s" for place in range(len(key)))
        where.append(f"({', '.join(key)}) {'<' if down else '>'} ({places})")
    order = ", ".join(f"{one} {'DESC' if down else 'ASC'}" for one in key)
    return f"{_COLUMNS} WHERE {' AND '.join(where) or 'true'} ORDER BY {order}", values


def load_listed(
    connection: Connection,
    asked: Asked,
    *,
    limit: int,
    by_day: bool = False,
    down: bool = True,
    after: tuple[Any, ...] | None = None,
) -> list[PaymentRow]:
    """Payments that fit, by number or by value day, from the one behind `after` on."""
    statement, values = list_statement(connection, asked, by_day=by_day, down=down, after=after)
    return _rows(connection, f"{statement} LIMIT %(limit)s", {**values, "limit": limit})


def load_own(connection: Connection, by: str, *, since: datetime, limit: int) -> list[PaymentRow]:
    """The last payments that somebody recorded, the newest first."""
    return _rows(connection, _OWN, {"by": by, "since": since, "limit": limit})


def load_settles(connection: Connection, payment_id: int) -> list[Settles]:
    """What a payment settles now."""
    return [
        Settles(document, label, dated, read_money(amount, currency))
        for document, label, dated, amount, currency in connection.execute(_SETTLED, (payment_id,))
    ]


def load_happened(connection: Connection, payment_id: int) -> list[Happened]:
    """What became of a payment after it was recorded, in its order."""
    return [Happened(*row) for row in connection.execute(_EVENTS, {"id": payment_id})]


def load_entries_of(connection: Connection, payment_id: int) -> list[int]:
    """The entries of the ledger that tell of a payment."""
    return [number for (number,) in connection.execute(_ENTRIES, {"id": payment_id})]


def find_owing(connection: Connection, issuer_id: int, *, amount: Decimal | None, label: str) -> list[Owing]:
    """Who may have paid that amount: invoices that have exactly it open, and the invoice of that printed number."""
    found = {}
    for statement, fits in ((_LABELLED, bool(label)), (_OWED, amount is not None)):
        if fits:
            asked = {"amount": amount, "label": label, "issuer": issuer_id, "limit": _MOST_FOUND}
            for customer, name, document, printed, open_, currency, due_on in connection.execute(statement, asked):
                found[document] = Owing(customer, name, document, printed, read_money(open_, currency), due_on)
    return list(found.values())[:_MOST_FOUND]


def load_owed(
    connection: Connection, issuer_id: int, customer_ids: Sequence[int], *, currency: str, today: date
) -> dict[int, Owed]:
    """What these customers have open in a currency; who has nothing open is left out."""
    asked = {"ids": list(customer_ids), "issuer": issuer_id, "currency": currency, "today": today}
    return {
        customer: Owed(read_money(open_, currency), read_money(due or Decimal(0), currency))
        for customer, open_, due in connection.execute(_OPEN_OF, asked)
        if open_ is not None
    }


def _meant(connection: Connection, text: str) -> dict[str, Any]:
    """A payment's number or reference, or customers by what is known of them."""
    is_number = text.isascii() and text.isdigit() and int(text) <= _GREATEST_ID
    patterns = search_patterns(text)
    found = load_found(connection, patterns, limit=_MOST_CUSTOMERS) if patterns else []
    return {"number": int(text) if is_number else -1, "text": text, "customers": [one.id for one in found]}


def _rows(connection: Connection, statement: str, values: dict[str, Any]) -> list[PaymentRow]:
    return [
        PaymentRow(
            *(number, value_on, customer_id, customer, method),
            read_money(amount, currency),
            read_money(open_, currency),
            *rest,
        )
        for number, value_on, customer_id, customer, method, currency, amount, open_, *rest in connection.execute(
            statement, values
        )
    ]
