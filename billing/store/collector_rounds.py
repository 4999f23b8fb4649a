"""A collector's round: whom to go to, what each owes, and what a collector has counted before it is handed over.

All of it is of customers whom the view collectable_customer shows: those of whom the collector whom the transaction names may collect.

Next: billing/store/cash.py
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from billing.customer_search import LIKE, search_patterns
from billing.money import Money, read_money
from billing.store.collectors import see_as

Connection = psycopg.Connection[Any]

_NUMBER: Final = re.compile("[0-9]{1,18}")
# By which a round is ordered: the column, and the value that no key is before.
ORDERS: Final[Mapping[str, tuple[str, object]]] = {
    "due": ("due_on", date.min),
    "way": ("way", ""),
    "name": ("customer", ""),
}
# What each customer of the round owes: added up before it is asked whose they are, and read once for the sums and for the page.
_OWED: Final = """
WITH owed AS MATERIALIZED (
    SELECT o.customer_id, k.customer, o.currency, o.documents, o.open, o.due, o.due_on FROM (
        SELECT customer_id, issuer_id, currency::text AS currency, count(*)::int AS documents, sum(open) AS open,
            coalesce(sum(open) FILTER (WHERE due_on <= %(today)s), 0) AS due, min(due_on) AS due_on
        FROM open_document WHERE open > 0 GROUP BY customer_id, issuer_id, open_document.currency) AS o
    JOIN collectable_customer AS k ON k.customer_id = o.customer_id AND k.issuer_id = o.issuer_id)
"""
_SUMS: Final = (
    "SELECT currency, count(*)::int AS customers, sum(open) AS open, sum(due) AS due FROM owed GROUP BY currency"
)
# Where they live is looked up for those on the page, and for all only where that is the order: the same place that collectable_document shows.
_PLACED: Final = """,
placed AS (SELECT o.*, coalesce(a.way, '') AS way FROM {owed} AS o LEFT JOIN LATERAL (
    SELECT lower(concat_ws('|', w.city, w.street, lpad(substring(w.house_number FROM '^[0-9]{{1,8}}'), 8, '0'), w.house_number)) AS way FROM address AS w
    WHERE w.customer_id = o.customer_id ORDER BY w.kind = 'service' DESC, w.kind = 'billing' DESC, w.id LIMIT 1) AS a ON true)"""
_LABELLED: Final = """,
labelled AS MATERIALIZED (SELECT o.customer_id, lower(d.label) AS label FROM open_document AS o JOIN document AS d ON d.id = o.document_id
    WHERE o.open > 0 AND lower(d.label) LIKE ANY (%(labels)s::text[]))"""
_FOUND: Final = """,
found AS (SELECT o.* FROM owed AS o JOIN (SELECT customer_id, words || ' ' || customer_id AS words FROM customer_words OFFSET 0) AS w ON w.customer_id = o.customer_id
    WHERE {each})"""
_WORD: Final = "w.words LIKE plain_text({pattern})"
_LABEL_OR_WORD: Final = "(w.words LIKE plain_text({pattern}) OR o.customer_id IN (SELECT customer_id FROM labelled WHERE label LIKE {label}))"
_PAGE: Final = """,
page AS (SELECT * FROM {source} WHERE (NOT %(overdue)s OR due > 0) AND ({key}, customer_id, currency) > (%(after)s, %(customer)s, %(currency)s)
    ORDER BY {key}, customer_id, currency LIMIT %(limit)s)
SELECT NULL::bigint, s.currency, s.customers, s.open, s.due, NULL::date, NULL::text, NULL::text, NULL::text, NULL::text FROM ({sums} ORDER BY currency) AS s
UNION ALL SELECT * FROM (SELECT p.customer_id, p.currency, p.documents, p.open, p.due, p.due_on, p.customer, a.address, a.phone, coalesce(a.way, '') FROM page AS p
    LEFT JOIN LATERAL (SELECT d.address, d.phone, d.way FROM collectable_document AS d WHERE d.customer_id = p.customer_id LIMIT 1) AS a ON true
    ORDER BY p.{key}, p.customer_id, p.currency) AS stops
"""
_PEOPLE: Final = """
SELECT k.customer_id, k.customer FROM (SELECT customer_id FROM customer_words WHERE {words} UNION SELECT %s::bigint) AS f
JOIN collectable_customer AS k ON k.customer_id = f.customer_id ORDER BY k.customer, k.customer_id LIMIT %s
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
class Round:
    """A page of a round, and what all of it owes."""

    stops: list[Stop]
    sums: list[RoundSum]


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


def load_round(
    connection: Connection,
    collector_id: int,
    *,
    today: date,
    words: Sequence[str] = (),
    only_overdue: bool = False,
    order: str = "due",
    after: tuple[object, int, str] | None = None,
    limit: int,
) -> Round:
    """A page of who owes something and of whom all these words are known, by `ORDERS`; and what the whole round owes.

    A word is part of what customers are searched by, of their number, or of that of an open invoice.
    """
    see_as(connection, collector_id)
    column, least = ORDERS[order]
    key, customer, currency = after or (least, 0, "")
    asked = {"today": today, "overdue": only_overdue, "after": key, "customer": customer, "currency": currency}
    patterns = {f"word_{place}": search_patterns(word)[0] for place, word in enumerate(words)}
    labels = {f"label_{place}": label for place, word in enumerate(words) if (label := _label_pattern(word))}
    statement = _round_statement(column, list(patterns), set(labels))
    told = {**asked, **patterns, **labels, "labels": list(labels.values()), "limit": limit}
    rows = connection.execute(statement, told).fetchall()
    sums = [
        RoundSum(many, read_money(open_, code), read_money(due, code))
        for id, code, many, open_, due, *_ in rows
        if id is None
    ]
    stops = [
        Stop(id, name, address, phone, many, read_money(open_, code), read_money(due, code), on, way)
        for id, code, many, open_, due, on, name, address, phone, way in rows
        if id is not None
    ]
    return Round(stops, sums)


def _label_pattern(word: str) -> str | None:
    """That an invoice's number has to match; None for a word without a digit, which no number is told by."""
    return f"%{word.lower().translate(LIKE)}%" if any(map(str.isdigit, word)) else None


def _round_statement(column: str, patterns: Sequence[str], labels: Collection[str]) -> sql.Composed:
    """The parts that this question needs; it names the parameters that customers' words and invoices' numbers have to match."""
    parts: list[sql.Composable] = [sql.SQL(_OWED)]
    source = "owed"
    if patterns:
        parts += [sql.SQL(_LABELLED)] if labels else []
        parts += [sql.SQL(_FOUND).format(each=sql.SQL(" AND ").join([_matching(one, labels) for one in patterns]))]
        source = "found"
    if column == "way":
        parts += [sql.SQL(_PLACED).format(owed=sql.Identifier(source))]
        source = "placed"
    page = sql.SQL(_PAGE).format(source=sql.Identifier(source), key=sql.Identifier(column), sums=sql.SQL(_SUMS))
    return sql.SQL("").join([*parts, page])


def _matching(pattern: str, labels: Collection[str]) -> sql.Composed:
    """That the customer is known by a word, or an open invoice of theirs is."""
    label = pattern.replace("word", "label")
    return sql.SQL(_LABEL_OR_WORD if label in labels else _WORD).format(
        pattern=sql.Placeholder(pattern), label=sql.Placeholder(label)
    )


def load_round_sums(connection: Connection, collector_id: int, *, today: date) -> list[RoundSum]:
    """What the whole round owes, by currency."""
    see_as(connection, collector_id)
    rows = connection.execute(f"{_OWED}{_SUMS} ORDER BY currency", {"today": today})
    return [RoundSum(many, read_money(open_, code), read_money(due, code)) for code, many, open_, due in rows]


def find_collectable_people(
    connection: Connection, collector_id: int, words: Sequence[str], *, limit: int
) -> list[tuple[int, str]]:
    """Customers of that collector by these words or their number, whether they owe or not: who wants to pay in advance is one."""
    see_as(connection, collector_id)
    patterns = [search_patterns(word)[0] for word in words]
    number = int(words[0]) if len(words) == 1 and _NUMBER.fullmatch(words[0]) else None
    matching = sql.SQL(" AND ").join([sql.SQL("words LIKE plain_text(%s)") for _ in patterns])
    rows = connection.execute(sql.SQL(_PEOPLE).format(words=matching), (*patterns, number, limit))
    return [(id, name) for id, name in rows]


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
