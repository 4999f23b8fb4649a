"""A collector's round: whom to go to, what each owes, and what a collector has counted before it is handed over.

All of it is read from the views that show what the collector whom the transaction names may collect.

Next: billing/store/cash.py
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from billing.money import Money, read_money
from billing.store.collectors import see_as

Connection = psycopg.Connection[Any]

# By which a round is ordered: the column, and the value that no key is before.
ORDERS: Final[Mapping[str, tuple[str, object]]] = {
    "due": ("due_on", date.min),
    "way": ("way", ""),
    "name": ("customer", ""),
}
_STOPS: Final = """
SELECT f.customer_id, f.customer, f.address, f.phone, f.currency, f.documents, f.open, f.due, f.due_on, f.way FROM (
    SELECT d.customer_id, d.customer, d.address, d.phone, d.currency::text AS currency, count(*)::int AS documents, sum(d.open) AS open,
        coalesce(sum(d.open) FILTER (WHERE d.due_on <= %(today)s), 0) AS due, min(d.due_on) AS due_on, coalesce(d.way, '') AS way,
        plain_text(concat_ws(' ', d.customer, d.address, d.phone, d.customer_id, string_agg(d.label, ' '))) AS words
    FROM collectable_document AS d GROUP BY d.customer_id, d.customer, d.address, d.phone, d.currency, d.way) AS f
WHERE (NOT %(overdue)s OR f.due > 0) AND NOT EXISTS (SELECT FROM unnest(%(words)s::text[]) AS w WHERE position(plain_text(w) IN f.words) = 0)
    AND ({key}, f.customer_id, f.currency) > (%(after)s, %(customer)s, %(currency)s)
ORDER BY {key}, f.customer_id, f.currency LIMIT %(limit)s
"""
# Without words, and not by the way: where they live is looked up for those on the page alone.
_BARE_STOPS: Final = """
SELECT f.customer_id, f.customer, a.address, a.phone, f.currency, f.documents, f.open, f.due, f.due_on, coalesce(a.way, '') FROM (
    SELECT g.* FROM (SELECT d.customer_id, d.customer, d.currency::text AS currency, count(*)::int AS documents, sum(d.open) AS open,
            coalesce(sum(d.open) FILTER (WHERE d.due_on <= %(today)s), 0) AS due, min(d.due_on) AS due_on
        FROM collectable_open AS d GROUP BY d.customer_id, d.customer, d.currency) AS g
    WHERE (NOT %(overdue)s OR g.due > 0) AND (g.{key}, g.customer_id, g.currency) > (%(after)s, %(customer)s, %(currency)s)
    ORDER BY g.{key}, g.customer_id, g.currency LIMIT %(limit)s) AS f
    LEFT JOIN LATERAL (SELECT d.address, d.phone, d.way FROM collectable_document AS d WHERE d.customer_id = f.customer_id LIMIT 1) AS a ON true
ORDER BY f.{key}, f.customer_id, f.currency
"""
_PEOPLE: Final = """
SELECT c.customer_id, c.customer FROM collectable_customer AS c
WHERE NOT EXISTS (SELECT FROM unnest(%(words)s::text[]) AS w WHERE position(plain_text(w) IN plain_text(concat_ws(' ', c.customer, c.customer_id))) = 0)
ORDER BY c.customer, c.customer_id LIMIT %(limit)s
"""
_SUMS: Final = """
SELECT currency::text, count(DISTINCT customer_id), sum(open), coalesce(sum(open) FILTER (WHERE due_on <= %s), 0) FROM collectable_open
GROUP BY currency ORDER BY currency
"""
_TAKEN_FROM: Final = """
SELECT r.payment_id, r.label, p.amount, p.currency::text, r.made_at FROM receipt AS r JOIN payment AS p ON p.id = r.payment_id JOIN cash_session AS s ON s.id = r.session_id
WHERE s.collector_id = %s AND p.customer_id = %s AND r.issued_on = %s AND NOT EXISTS (SELECT FROM payment_reversal AS v WHERE v.payment_id = p.id)
ORDER BY r.payment_id DESC
"""
_OFFER: Final = """
INSERT INTO cash_offer (session_id, pieces, note, offered_by) VALUES (%s, %s, %s, %s)
ON CONFLICT (session_id) DO UPDATE SET pieces = EXCLUDED.pieces, note = EXCLUDED.note, offered_by = EXCLUDED.offered_by, offered_at = now()
"""


@dataclass(frozen=True, slots=True)
class Stop:
    """A customer to go to: what is open, what of it is due, and where. `way` orders by town, street and number."""

    customer_id: int
    customer: str
    address: str | None
    phone: str | None
    documents: int
    open: Money
    due: Money
    due_on: date
    way: str


@dataclass(frozen=True, slots=True)
class RoundSum:
    """How many customers of a round owe in a currency, and how much."""

    customers: int
    open: Money
    due: Money


@dataclass(frozen=True, slots=True)
class TakenToday:
    """A payment that a collector has taken from a customer today."""

    payment_id: int
    label: str
    amount: Money
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Offer:
    """What a collector has counted and wants to hand over."""

    session_id: int
    pieces: dict[Decimal, int]
    note: str | None
    offered_by: str
    offered_at: datetime


def load_stops(
    connection: Connection,
    collector_id: int,
    *,
    today: date,
    words: Sequence[str] = (),
    only_overdue: bool = False,
    order: str = "due",
    after: tuple[object, int, str] | None = None,
    limit: int,
) -> list[Stop]:
    """Customers who owe something and whose name, place, telephone, number or invoices have all of these words, by `ORDERS`."""
    see_as(connection, collector_id)
    column, least = ORDERS[order]
    key, customer, currency = after or (least, 0, "")
    asked = {"today": today, "words": list(words), "overdue": only_overdue, "after": key, "customer": customer}
    if words or order == "way":
        statement = sql.SQL(_STOPS).format(key=sql.Identifier("f", column))
    else:
        statement = sql.SQL(_BARE_STOPS).format(key=sql.Identifier(column))
    rows = connection.execute(statement, {**asked, "currency": currency, "limit": limit})
    return [
        Stop(id, name, address, phone, many, read_money(open_, code), read_money(due, code), on, way)
        for id, name, address, phone, code, many, open_, due, on, way in rows
    ]


def load_round_sums(connection: Connection, collector_id: int, *, today: date) -> list[RoundSum]:
    """What the whole round owes, by currency."""
    see_as(connection, collector_id)
    rows = connection.execute(_SUMS, (today,))
    return [RoundSum(many, read_money(open_, code), read_money(due, code)) for code, many, open_, due in rows]


def find_collectable_people(
    connection: Connection, collector_id: int, words: Sequence[str], *, limit: int
) -> list[tuple[int, str]]:
    """Customers of that collector by name or number, whether they owe or not: who wants to pay in advance is one."""
    see_as(connection, collector_id)
    return [(id, name) for id, name in connection.execute(_PEOPLE, {"words": list(words), "limit": limit})]


def load_collectable_name(connection: Connection, collector_id: int, customer_id: int) -> str | None:
    """The customer's name; None for who is not that collector's, whether there is such a customer or not."""
    see_as(connection, collector_id)
    row = connection.execute(
        "SELECT customer FROM collectable_customer WHERE customer_id = %s", (customer_id,)
    ).fetchone()
    return None if row is None else str(row[0])


def load_taken_today(connection: Connection, collector_id: int, customer_id: int, *, today: date) -> list[TakenToday]:
    """What that collector has taken from that customer today, the newest first."""
    rows = connection.execute(_TAKEN_FROM, (collector_id, customer_id, today))
    return [TakenToday(id, label, read_money(amount, code), at) for id, label, amount, code, at in rows]


def find_taken_today(
    connection: Connection, collector_id: int, customer_id: int, *, amount: Money, today: date
) -> TakenToday | None:
    """What that collector took of the same amount from the customer today: told again, it is perhaps the same payment."""
    taken = load_taken_today(connection, collector_id, customer_id, today=today)
    return next((one for one in taken if one.amount == amount), None)


def save_offer(
    connection: Connection, session_id: int, pieces: Mapping[Decimal, int], *, note: str | None, by: str
) -> None:
    """Keep what a collector has counted, until the office has counted it too; a later count replaces it."""
    written = Jsonb({str(value): count for value, count in sorted(pieces.items()) if count})
    connection.execute(_OFFER, (session_id, written, note, by))


def load_offer(connection: Connection, session_id: int) -> Offer | None:
    """What was counted of a session that is open."""
    row = connection.execute(
        "SELECT o.session_id, o.pieces, o.note, o.offered_by, o.offered_at FROM cash_offer AS o JOIN cash_session AS s ON s.id = o.session_id"
        " WHERE o.session_id = %s AND s.closed_at IS NULL",
        (session_id,),
    ).fetchone()
    if row is None:
        return None
    number, pieces, note, by, at = row
    return Offer(number, {Decimal(value): count for value, count in pieces.items()}, note, by, at)
