"""Collectors, what they may collect, and the documents that they see.

Whatever is read for a collector is read from the views collectable_customer and collectable_document, or of customers in them, which show
what the collector whom the transaction names may collect; a question that forgets to ask for whom finds nothing.

Next: billing/store/cash.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import psycopg

from billing.collectors import Collector, Scope, ScopeKind
from billing.money import Money, read_money
from billing.store.rows import insert_row

Connection = psycopg.Connection[Any]

_COLLECTORS: Final = """
SELECT k.id, k.issuer_id, k.name, k.login, k.series_id, s.code, k.most_cash, i.currency, k.active
FROM collector AS k JOIN number_series AS s ON s.id = k.series_id JOIN issuer AS i ON i.id = k.issuer_id
WHERE (%(id)s::bigint IS NULL OR k.id = %(id)s) AND (%(issuer)s::bigint IS NULL OR k.issuer_id = %(issuer)s) ORDER BY k.name, k.id
"""
_SCOPES: Final = "SELECT kind::text, coalesce(value, customer_id::text), through FROM collector_scope WHERE collector_id = %s ORDER BY kind, 2"
_DOCUMENTS: Final = """
SELECT document_id, label, document_date, due_on, open, payable, currency, customer_id, customer, address, phone FROM collectable_document
WHERE (%(due)s::date IS NULL OR due_on <= %(due)s) AND (%(customer)s::bigint IS NULL OR customer_id = %(customer)s) ORDER BY due_on, document_id LIMIT %(limit)s
"""


_ASSIGNED: Final = """
SELECT s.id, s.kind::text, coalesce(s.value, s.customer_id::text), s.through, s.customer_id, c.name FROM collector_scope AS s LEFT JOIN customer AS c ON c.id = s.customer_id
WHERE s.collector_id = %s AND s.id > %s ORDER BY s.id LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Assigned:
    """One part of what a collector may collect, as it is kept; of one customer, with the name."""

    id: int
    scope: Scope
    customer_id: int | None
    customer: str | None


@dataclass(frozen=True, slots=True)
class Reach:
    """From how many customers a collector may collect now, how many of them owe, and how much."""

    customers: int
    owing: int
    open: tuple[Money, ...]


@dataclass(frozen=True, slots=True)
class Collectable:
    """An open invoice that a collector may collect, and where the customer is found."""

    document_id: int
    label: str
    dated: date
    due_on: date
    open: Money
    payable: Money
    customer_id: int
    customer: str
    address: str | None
    phone: str | None


def load_collectors(
    connection: Connection, *, issuer_id: int | None = None, collector_id: int | None = None
) -> list[Collector]:
    """Collectors by name."""
    return [
        Collector(
            id, issuer, name, login, series_id, series, None if most is None else read_money(most, currency), active
        )
        for id, issuer, name, login, series_id, series, most, currency, active in connection.execute(
            _COLLECTORS, {"id": collector_id, "issuer": issuer_id}
        )
    ]


def load_collector(connection: Connection, collector_id: int) -> Collector | None:
    """The collector of that number."""
    return next(iter(load_collectors(connection, collector_id=collector_id)), None)


def load_scopes(connection: Connection, collector_id: int) -> list[Scope]:
    """What a collector may collect, part by part."""
    return [
        Scope(ScopeKind(kind), value, through) for kind, value, through in connection.execute(_SCOPES, (collector_id,))
    ]


def load_assigned(connection: Connection, collector_id: int, *, after: int = 0, limit: int) -> list[Assigned]:
    """The same part by part in the order in which they were given."""
    return [
        Assigned(number, Scope(ScopeKind(kind), value, through), customer_id, customer)
        for number, kind, value, through, customer_id, customer in connection.execute(
            _ASSIGNED, (collector_id, after, limit)
        )
    ]


def load_scopes_of_all(connection: Connection, *, each: int) -> dict[int, list[Scope]]:
    """The first parts of every collector, `each` at most, by collector."""
    rows = connection.execute(
        "SELECT k.id, s.kind::text, s.value, s.through FROM collector AS k CROSS JOIN LATERAL (SELECT n.kind, coalesce(n.value, n.customer_id::text) AS value,"
        " n.through FROM collector_scope AS n WHERE n.collector_id = k.id ORDER BY n.kind, 2 LIMIT %s) AS s",
        (each,),
    )
    found: dict[int, list[Scope]] = {}
    for collector, kind, value, through in rows:
        found.setdefault(collector, []).append(Scope(ScopeKind(kind), value, through))
    return found


def hold_collectors(connection: Connection, collector_ids: Sequence[int]) -> None:
    """Nobody else changes from whom these collect until the transaction ends."""
    connection.execute(
        "SELECT FROM collector WHERE id = ANY (%s) ORDER BY id FOR NO KEY UPDATE", (list(collector_ids),)
    )


def load_reach(connection: Connection, collector_id: int) -> Reach:
    """What a collector has before them now."""
    customers = count_collectable(connection, collector_id)
    rows = connection.execute(
        "SELECT currency, sum(open), count(DISTINCT customer_id), (SELECT count(DISTINCT customer_id) FROM collectable_open) FROM collectable_open GROUP BY currency ORDER BY currency"
    ).fetchall()
    return Reach(customers, rows[0][3] if rows else 0, tuple(read_money(row[1], row[0]) for row in rows))


def load_series(connection: Connection, issuer_id: int, kind: str) -> list[tuple[int, str]]:
    """An issuer's series of numbers of a kind: id and code, the oldest first."""
    rows = connection.execute(
        "SELECT id, code FROM number_series WHERE issuer_id = %s AND kind = %s ORDER BY id", (issuer_id, kind)
    )
    return [(number, code) for number, code in rows]


def add_series(connection: Connection, issuer_id: int, kind: str, code: str, name: str) -> int:
    """A series of numbers of its own; returns its id."""
    return insert_row(connection, "number_series", {"issuer_id": issuer_id, "kind": kind, "code": code, "name": name})


def add_scopes(connection: Connection, collector_id: int, scopes: Sequence[Scope]) -> None:
    """Let a collector collect this too; what is there already counts as long as it is said now."""
    for one in scopes:
        is_customer = one.kind is ScopeKind.CUSTOMER
        connection.execute(
            "INSERT INTO collector_scope (collector_id, kind, customer_id, value, through) VALUES (%s, %s, %s, %s, %s)"
            " ON CONFLICT ON CONSTRAINT collector_scope_once DO UPDATE SET through = EXCLUDED.through",
            (
                collector_id,
                one.kind,
                int(one.value) if is_customer and one.value else None,
                None if is_customer else one.value,
                one.through,
            ),
        )


def take_scopes(connection: Connection, collector_id: int, scopes: Sequence[Scope]) -> int:
    """Let a collector collect this no more; how many parts there were."""
    return sum(
        connection.execute(
            "DELETE FROM collector_scope WHERE collector_id = %s AND kind = %s AND coalesce(value, customer_id::text) IS NOT DISTINCT FROM %s",
            (collector_id, one.kind, one.value),
        ).rowcount
        for one in scopes
    )


def see_as(connection: Connection, collector_id: int) -> None:
    """Until this transaction ends, the views show what that collector may collect."""
    # Whom the views leave out can't be estimated: PostgreSQL would compile for a second what takes a tenth.
    connection.execute(
        "SELECT set_config('corrente.collector', %s, true), set_config('jit', 'off', true)", (str(collector_id),)
    )


def may_collect(connection: Connection, collector_id: int, customer_id: int) -> bool:
    """Whether that customer is one of the collector's."""
    see_as(connection, collector_id)
    row = connection.execute("SELECT FROM collectable_customer WHERE customer_id = %s", (customer_id,)).fetchone()
    return row is not None


def count_collectable(connection: Connection, collector_id: int) -> int:
    """From how many customers a collector may collect now."""
    see_as(connection, collector_id)
    row = connection.execute("SELECT count(*) FROM collectable_customer").fetchone()
    assert row is not None, "a count has a row"
    return int(row[0])


def load_collectable(
    connection: Connection,
    collector_id: int,
    *,
    due_by: date | None = None,
    customer_id: int | None = None,
    limit: int = 1000,
) -> list[Collectable]:
    """The open invoices that a collector may collect, all or one customer's, what is due first in front."""
    see_as(connection, collector_id)
    rows = connection.execute(_DOCUMENTS, {"due": due_by, "customer": customer_id, "limit": limit})
    return [
        Collectable(
            *(document, label, dated, due),
            read_money(open_, currency),
            read_money(payable, currency),
            *(customer, name, address, phone),
        )
        for document, label, dated, due, open_, payable, currency, customer, name, address, phone in rows
    ]
