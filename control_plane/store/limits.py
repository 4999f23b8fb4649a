"""Restrictions and reliefs of a contract."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class RestrictionRow:
    """A limit on a contract that is not lifted: who placed it, why, and within which time it counts."""

    id: int
    origin: str
    level: str
    reason: str
    placed_by: str
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class ReliefRow:
    """A promise to pay or a grace: within `[start, end)` restrictions of origin dunning do not count."""

    id: int
    start: datetime
    end: datetime
    reason: str
    granted_by: str


def load_restrictions(connection: Connection, contract_id: int, *, now: datetime) -> list[RestrictionRow]:
    """Those that count now or will, in order of their beginning."""
    with connection.cursor(row_factory=class_row(RestrictionRow)) as cursor:
        return cursor.execute(
            "SELECT id, origin::text, level::text, reason, placed_by, since, until FROM restriction"
            " WHERE contract_id = %s AND lifted_at IS NULL AND held_since IS NULL AND (until IS NULL OR until > %s) ORDER BY since, id",
            (contract_id, now),
        ).fetchall()


def load_reliefs(connection: Connection, contract_id: int, *, now: datetime) -> list[ReliefRow]:
    """Those that count now or will, in order."""
    with connection.cursor(row_factory=class_row(ReliefRow)) as cursor:
        return cursor.execute(
            "SELECT id, lower(during) AS start, upper(during) AS end, reason, granted_by FROM relief"
            " WHERE contract_id = %s AND upper(during) > %s ORDER BY 2",
            (contract_id, now),
        ).fetchall()


def save_new_restriction(connection: Connection, contract_id: int, row: RestrictionRow) -> int:
    """Place one; returns its number, which the database gives."""
    made = connection.execute(
        "INSERT INTO restriction (contract_id, origin, level, reason, placed_by, since, until)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id",
        (contract_id, row.origin, row.level, row.reason, row.placed_by, row.since, row.until),
    ).fetchone()
    assert made is not None
    return int(made[0])


def save_lift(connection: Connection, restriction_ids: list[int], *, lifted_by: str, at: datetime) -> int:
    """Lift those of these that nobody lifted meanwhile; returns how many. One that has not begun ends as it begins."""
    done = connection.execute(
        "UPDATE restriction SET lifted_at = greatest(since, %s), lifted_by = %s WHERE id = ANY (%s) AND lifted_at IS NULL",
        (at, lifted_by, restriction_ids),
    )
    return done.rowcount


def save_new_relief(connection: Connection, contract_id: int, row: ReliefRow) -> None:
    """Grant one."""
    connection.execute(
        "INSERT INTO relief (contract_id, during, reason, granted_by) VALUES (%s, tstzrange(%s, %s), %s, %s)",
        (contract_id, row.start, row.end, row.reason, row.granted_by),
    )


@dataclass(frozen=True, slots=True)
class GuardedRow:
    """What the guard has to do with a contract: a restriction that waits for a person, or an exemption."""

    since: datetime
    until: datetime | None
    placed_by: str
    reason: str
    waits: str | None


def load_guarded(connection: Connection, contract_id: int, *, now: datetime) -> list[GuardedRow]:
    """Restrictions of the contract that wait (`waits` is their level), and the exemption in force."""
    with connection.cursor(row_factory=class_row(GuardedRow)) as cursor:
        return cursor.execute(
            "SELECT held_since AS since, until, placed_by, reason, level::text AS waits FROM restriction"
            " WHERE contract_id = %(contract)s AND lifted_at IS NULL AND held_since IS NOT NULL"
            " UNION ALL SELECT since, until, placed_by, reason, NULL FROM guard_exemption"
            " WHERE contract_id = %(contract)s AND ended_at IS NULL AND since <= %(now)s AND %(now)s < until ORDER BY 1",
            {"contract": contract_id, "now": now},
        ).fetchall()
