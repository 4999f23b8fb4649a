"""Contracts as people look at them: lists, one whole contract, its history.

Units: days of the issuer's zone; amounts in the contract's prices, with or without tax.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import psycopg
from psycopg.rows import class_row, dict_row

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class ContractRow:
    """One line of a list."""

    id: int
    customer_id: int
    customer: str
    plan: str
    status: str
    starts_on: date | None
    ends_on: date | None
    issuer: str | None
    accounts: list[str]
    limited: list[str]
    valid_until: date | None = None


@dataclass(frozen=True, slots=True)
class ItemRow:
    """An item; `billed_through` is the first day not billed, `due_on` when a run finds more of it."""

    id: int
    product: str
    kind: str
    quantity: Decimal
    price: Decimal
    months: int | None
    starts_on: date
    ends_on: date | None
    billed_through: date | None
    due_on: date | None


@dataclass(frozen=True, slots=True)
class ChargeRow:
    """An amount that waits for a document."""

    id: int
    product: str
    kind: str
    start: date
    end: date
    net: Decimal
    currency: str
    due_on: date


@dataclass(frozen=True, slots=True)
class ContractPage:
    """All of one contract. `terms` is empty when it has none."""

    contract: ContractRow
    terms: dict[str, Any]
    items: list[ItemRow]
    instalments: list[dict[str, Any]]
    discounts: list[dict[str, Any]]
    stops: list[dict[str, Any]]
    plan_changes: list[dict[str, Any]]
    notices: list[dict[str, Any]]
    waiting: list[ChargeRow]


@dataclass(frozen=True, slots=True)
class EventRow:
    """What happened to a contract."""

    at: datetime
    actor: str
    event: str
    effective_on: date | None
    status_before: str
    status_after: str
    detail: dict[str, Any]


_ROWS: Final = """
SELECT c.id, c.customer_id, k.name AS customer, p.name AS plan, c.status::text, c.starts_on, c.ends_on, s.name AS issuer,
    ARRAY(SELECT a.username FROM subscriber_account AS a WHERE a.contract_id = c.id AND (a.expires_at IS NULL OR a.expires_at > now()) ORDER BY 1) AS accounts,
    ARRAY(SELECT r.level || ' by ' || r.origin FROM restriction AS r WHERE r.contract_id = c.id AND r.lifted_at IS NULL AND r.held_since IS NULL
        AND r.since <= now() AND (r.until IS NULL OR r.until > now()) ORDER BY r.id) AS limited,
    CASE WHEN c.status = 'proposal' THEN t.valid_until END AS valid_until
FROM contract AS c JOIN customer AS k ON k.id = c.customer_id JOIN plan AS p ON p.id = c.plan_id
    LEFT JOIN contract_terms AS t ON t.contract_id = c.id LEFT JOIN issuer AS s ON s.id = t.issuer_id
"""
_ITEMS: Final = """
SELECT i.id, p.name AS product, i.kind::text, i.quantity, i.period_price AS price, i.months, i.starts_on, i.ends_on, b.billed_through, b.due_on
FROM contract_item AS i JOIN product AS p ON p.id = i.product_id LEFT JOIN billing_position AS b ON b.item_id = i.id
WHERE i.contract_id = %s AND i.ends_on IS DISTINCT FROM i.starts_on ORDER BY i.starts_on, i.id
"""
_WAITING: Final = """
SELECT h.id, p.name AS product, h.kind::text, lower(h.during) AS start, upper(h.during) AS end, h.net, h.currency, h.due_on
FROM charge AS h JOIN contract_item AS i ON i.id = h.item_id JOIN product AS p ON p.id = i.product_id
WHERE i.contract_id = %s AND h.document_id IS NULL AND NOT h.covered ORDER BY h.id
"""
_PARTS: Final = {
    "instalments": "SELECT n.item_id, n.number, n.due_on, n.amount FROM instalment AS n JOIN contract_item AS i ON i.id = n.item_id WHERE i.contract_id = %s ORDER BY 1, 2",
    "discounts": "SELECT id, kind::text, value, item_id, family, lower(during) AS start, upper(during) AS end, reason, promotion_id FROM discount WHERE contract_id = %s ORDER BY priority, id",
    "stops": "SELECT id, lower(during) AS start, upper(during) AS end, rule, reason FROM billing_stop WHERE contract_id = %s ORDER BY 2",
    "plan_changes": "SELECT p.name AS plan, x.effective_on, x.placed_by FROM plan_change AS x JOIN plan AS p ON p.id = x.plan_id WHERE x.contract_id = %s AND x.applied_at IS NULL ORDER BY 2",
    "notices": "SELECT kind, due_on, sent_at FROM contract_notice WHERE contract_id = %s ORDER BY due_on, kind",
}
_EVENTS: Final = """
SELECT at, actor, event, effective_on, status_before::text, status_after::text, detail FROM contract_event WHERE contract_id = %s ORDER BY id
"""


def load_rows(
    connection: Connection,
    *,
    customer_id: int | None = None,
    status: str | None = None,
    ends_before: date | None = None,
    after: int = 0,
    limit: int,
) -> list[ContractRow]:
    """Contracts in order of their numbers, from the one behind `after` on."""
    given = {"customer": customer_id, "status": status, "before": ends_before, "after": after, "limit": limit}
    where = (
        "WHERE c.id > %(after)s AND (%(customer)s::bigint IS NULL OR c.customer_id = %(customer)s) AND (%(status)s::contract_status IS NULL OR c.status = %(status)s)"
        " AND (%(before)s::date IS NULL OR c.ends_on < %(before)s) ORDER BY c.id LIMIT %(limit)s"
    )
    with connection.cursor(row_factory=class_row(ContractRow)) as cursor:
        return cursor.execute(_ROWS + where, given).fetchall()


def load_newest(
    connection: Connection,
    *,
    customer_id: int | None = None,
    status: str | None = None,
    ends_before: date | None = None,
    before: int | None = None,
    limit: int,
) -> list[ContractRow]:
    """Contracts, the newest number first, from the one below `before` on."""
    given = {"customer": customer_id, "status": status, "ends": ends_before, "before": before, "limit": limit}
    where = (
        "WHERE (%(before)s::bigint IS NULL OR c.id < %(before)s) AND (%(customer)s::bigint IS NULL OR c.customer_id = %(customer)s)"
        " AND (%(status)s::contract_status IS NULL OR c.status = %(status)s) AND (%(ends)s::date IS NULL OR c.ends_on < %(ends)s)"
        " ORDER BY c.id DESC LIMIT %(limit)s"
    )
    with connection.cursor(row_factory=class_row(ContractRow)) as cursor:
        return cursor.execute(_ROWS + where, given).fetchall()


def load_page(connection: Connection, contract_id: int) -> ContractPage | None:
    """All of one contract; None when there is none of that number."""
    with connection.cursor(row_factory=class_row(ContractRow)) as cursor:
        row = cursor.execute(_ROWS + "WHERE c.id = %s", (contract_id,)).fetchone()
    if row is None:
        return None
    with connection.cursor(row_factory=class_row(ItemRow)) as cursor:
        items = cursor.execute(_ITEMS, (contract_id,)).fetchall()
    with connection.cursor(row_factory=class_row(ChargeRow)) as cursor:
        waiting = cursor.execute(_WAITING, (contract_id,)).fetchall()
    with connection.cursor(row_factory=dict_row) as cursor:
        terms = cursor.execute("SELECT * FROM contract_terms WHERE contract_id = %s", (contract_id,)).fetchone() or {}
        parts = {name: cursor.execute(statement, (contract_id,)).fetchall() for name, statement in _PARTS.items()}
    return ContractPage(contract=row, terms=terms, items=items, waiting=waiting, **parts)


def load_events(connection: Connection, contract_id: int) -> list[EventRow]:
    """What happened to a contract, in order."""
    with connection.cursor(row_factory=class_row(EventRow)) as cursor:
        return cursor.execute(_EVENTS, (contract_id,)).fetchall()


def load_usernames(connection: Connection, contract_id: int) -> list[str]:
    """The usernames of a contract's accounts, in order."""
    rows = connection.execute(
        "SELECT username FROM subscriber_account WHERE contract_id = %s ORDER BY 1", (contract_id,)
    ).fetchall()
    return [str(username) for (username,) in rows]


def load_zone(connection: Connection, contract_id: int) -> tuple[str | None] | None:
    """The zone of the issuer that bills a contract, None inside without one; None when there is no such contract."""
    return connection.execute(
        "SELECT i.zone FROM contract AS c LEFT JOIN contract_terms AS t ON t.contract_id = c.id LEFT JOIN issuer AS i ON i.id = t.issuer_id WHERE c.id = %s",
        (contract_id,),
    ).fetchone()


def load_products(connection: Connection) -> dict[str, tuple[int, str, int | None]]:
    """Number, kind and plan of every product, by name."""
    rows = connection.execute("SELECT name, id, kind::text, plan_id FROM product ORDER BY name").fetchall()
    return {row[0]: (row[1], row[2], row[3]) for row in rows}


def has_terms(connection: Connection, contract_id: int) -> bool:
    """Whether anybody bills a contract."""
    return connection.execute("SELECT FROM contract_terms WHERE contract_id = %s", (contract_id,)).rowcount == 1


def load_not_paid(connection: Connection, restriction_ids: list[int]) -> list[int]:
    """Those restrictions whose days are not paid."""
    rows = connection.execute(
        "SELECT DISTINCT restriction_id FROM billing_stop WHERE restriction_id = ANY (%s) ORDER BY 1",
        (restriction_ids,),
    )
    return [number for (number,) in rows]
