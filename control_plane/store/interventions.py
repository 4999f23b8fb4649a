"""What a person does to the machine: stops it, takes a NAS out of it, exempts a contract, lets go what the guard holds.

Next: control_loop/guard.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from control_plane.control_loop.guard import WINDOW
from control_plane.store.guard import UNCOUNTED, WANTED

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class StopRow:
    """Something that is in force until a person ends it, or until its own end."""

    id: int
    since: datetime
    until: datetime | None
    placed_by: str
    reason: str


@dataclass(frozen=True, slots=True)
class MaintenanceRow:
    """One NAS to which nothing is sent; `waiting` counts the changes that wait for it."""

    nas: str
    since: datetime
    until: datetime | None
    placed_by: str
    reason: str
    waiting: int


@dataclass(frozen=True, slots=True)
class ExemptionRow:
    """One contract that automation never cuts."""

    contract_id: int
    customer: str
    usernames: list[str]
    since: datetime
    until: datetime
    placed_by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Open:
    """Changes that have not ended: how many restore or change, how many take away, and of how many NASes."""

    milder: int
    disruptive: int
    nases: int


@dataclass(frozen=True, slots=True)
class HeldRow:
    """What waits for a person, by level and reason: so many changes of so many subscribers."""

    level: str
    reason: str
    changes: int
    subscribers: int


@dataclass(frozen=True, slots=True)
class HeldLine:
    """One change that waits, or is about to be judged when `held_since` is None; a session of nobody has no customer."""

    id: int
    username: str
    nas: str
    level: str
    reason: str
    wanted_at: datetime
    held_since: datetime | None
    customer_id: int | None
    customer: str | None


@dataclass(frozen=True, slots=True)
class HeldRun:
    """Restrictions of one run that do not count until a person lets them go."""

    run_id: int
    name: str
    restrictions: int


_OPEN: Final = """
SELECT count(*) FILTER (WHERE NOT disruptive) AS milder, count(*) FILTER (WHERE disruptive) AS disruptive,
    count(DISTINCT nas_id) AS nases
FROM enforcement WHERE closed_at IS NULL AND (%(nas)s::bigint IS NULL OR nas_id = %(nas)s)
"""
_MAINTENANCE: Final = """
SELECT n.name AS nas, m.since, m.until, m.placed_by, m.reason,
    (SELECT count(*) FROM enforcement e WHERE e.nas_id = n.id AND e.closed_at IS NULL) AS waiting
FROM nas_maintenance m JOIN nas n ON n.id = m.nas_id
WHERE m.ended_at IS NULL AND m.since <= %(now)s AND (m.until IS NULL OR %(now)s < m.until) ORDER BY n.name
"""
_EXEMPTIONS: Final = """
SELECT x.contract_id, k.name AS customer, ARRAY(SELECT a.username::text FROM subscriber_account a WHERE a.contract_id = c.id ORDER BY 1)
    AS usernames, x.since, x.until, x.placed_by, x.reason
FROM guard_exemption x JOIN contract c ON c.id = x.contract_id JOIN customer k ON k.id = c.customer_id
WHERE x.ended_at IS NULL AND %(now)s < x.until ORDER BY x.until, x.id
"""
# Read once for both, 20,000 of them are a tenth of a second: by level and reason, and in the last row all that the hour counts.
_HELD: Final = f"""
WITH wanted AS MATERIALIZED (
    SELECT e.level::text AS level, e.reason, coalesce(e.account_id, -e.id) AS subscriber, {UNCOUNTED} AS counts FROM {WANTED})
SELECT * FROM (SELECT level, reason, count(*) AS changes, count(DISTINCT subscriber) AS subscribers FROM wanted GROUP BY 1, 2 ORDER BY 4 DESC, 1, 2) AS held
UNION ALL SELECT NULL, NULL, count(*), count(DISTINCT subscriber) FILTER (WHERE counts) FROM wanted
"""  # noqa: S608 - made of the constant
_HELD_RUNS: Final = """
SELECT u.id AS run_id, u.name, count(*) AS restrictions FROM restriction r JOIN automation_run u ON u.id = r.run_id
WHERE r.held_since IS NOT NULL AND r.lifted_at IS NULL GROUP BY u.id ORDER BY u.id
"""
_WANTED_IDS: Final = f"""
SELECT e.id, e.account_id FROM {WANTED} AND (%(usernames)s::text[] IS NULL OR a.username = ANY (%(usernames)s))
ORDER BY e.id FOR UPDATE OF e
"""  # noqa: S608
_WANTED_LINES: Final = f"""
SELECT e.id, e.username, n.name AS nas, e.level::text AS level, e.reason, e.wanted_at, e.held_since, c.customer_id, k.name AS customer
FROM (SELECT e.* FROM {WANTED} AND e.id > %(after)s ORDER BY e.id LIMIT %(limit)s) AS e JOIN nas n ON n.id = e.nas_id
LEFT JOIN subscriber_account b ON b.id = e.account_id LEFT JOIN contract c ON c.id = b.contract_id LEFT JOIN customer k ON k.id = c.customer_id
ORDER BY e.id
"""  # noqa: S608
_LET_GO: Final = """
INSERT INTO guard_pass (enforcement_id, account_id, at, release_id)
SELECT id, account_id, %(now)s, %(release)s FROM enforcement WHERE id = ANY (%(ids)s) ON CONFLICT DO NOTHING
"""
# The workers look again at what is held every few seconds; what was let go need not wait for that.
_DUE: Final = """
UPDATE enforcement SET held_since = NULL, held_reason = '', next_at = %(now)s
WHERE closed_at IS NULL AND held_since IS NOT NULL AND (%(ids)s::bigint[] IS NULL OR id = ANY (%(ids)s))
    AND (%(nas)s::bigint IS NULL OR nas_id = %(nas)s)
"""


def load_stop(connection: Connection) -> StopRow | None:
    """The stop in force, None when the machine runs."""
    with connection.cursor(row_factory=class_row(StopRow)) as cursor:
        return cursor.execute(
            "SELECT id, since, NULL::timestamptz AS until, placed_by, reason FROM network_stop WHERE ended_at IS NULL"
        ).fetchone()


def save_stop(connection: Connection, *, reason: str, by: str, now: datetime) -> None:
    """From the caller's commit on nothing is sent."""
    connection.execute("INSERT INTO network_stop (reason, placed_by, since) VALUES (%s, %s, %s)", (reason, by, now))


def end_stop(connection: Connection, *, by: str, now: datetime) -> bool:
    """Send again; False when nothing was stopped. What waited is due at once."""
    ended = connection.execute(
        "UPDATE network_stop SET ended_at = greatest(since, %s), ended_by = %s WHERE ended_at IS NULL", (now, by)
    )
    _make_due(connection, {"now": now, "ids": None, "nas": None})
    return ended.rowcount > 0


def load_maintenance(connection: Connection, now: datetime) -> list[MaintenanceRow]:
    """The NASes in maintenance, by name."""
    with connection.cursor(row_factory=class_row(MaintenanceRow)) as cursor:
        return cursor.execute(_MAINTENANCE, {"now": now}).fetchall()


def save_maintenance(
    connection: Connection, nas_id: int, *, reason: str, by: str, now: datetime, until: datetime | None
) -> bool:
    """Send nothing to that NAS until it is ended, or until then; False when it is in maintenance already."""
    _end_what_is_over(connection, "nas_maintenance", "nas_id", nas_id, now)
    made = connection.execute(
        "INSERT INTO nas_maintenance (nas_id, reason, placed_by, since, until) VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT (nas_id) WHERE ended_at IS NULL DO NOTHING",
        (nas_id, reason, by, now, until),
    )
    return made.rowcount > 0


def end_maintenance(connection: Connection, nas_id: int, *, by: str, now: datetime) -> bool:
    """Send to that NAS again; False when it was not in maintenance. What waited is due at once."""
    _end_what_is_over(connection, "nas_maintenance", "nas_id", nas_id, now)
    ended = connection.execute(
        "UPDATE nas_maintenance SET ended_at = greatest(since, %s), ended_by = %s WHERE nas_id = %s AND ended_at IS NULL",
        (now, by, nas_id),
    )
    _make_due(connection, {"now": now, "ids": None, "nas": nas_id})
    return ended.rowcount > 0


def load_exemptions(connection: Connection, now: datetime) -> list[ExemptionRow]:
    """Those in force, the first to end first."""
    with connection.cursor(row_factory=class_row(ExemptionRow)) as cursor:
        return cursor.execute(_EXEMPTIONS, {"now": now}).fetchall()


def save_exemption(
    connection: Connection, contract_id: int, *, reason: str, by: str, now: datetime, until: datetime
) -> bool:
    """Automation never cuts that contract until then; False when it is exempt already."""
    _end_what_is_over(connection, "guard_exemption", "contract_id", contract_id, now)
    made = connection.execute(
        "INSERT INTO guard_exemption (contract_id, reason, placed_by, since, until) VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT (contract_id) WHERE ended_at IS NULL DO NOTHING",
        (contract_id, reason, by, now, until),
    )
    return made.rowcount > 0


def end_exemption(connection: Connection, contract_id: int, *, by: str, now: datetime) -> bool:
    """Automation may cut it again; False when it was not exempt."""
    _end_what_is_over(connection, "guard_exemption", "contract_id", contract_id, now)
    ended = connection.execute(
        "UPDATE guard_exemption SET ended_at = greatest(since, %s), ended_by = %s"
        " WHERE contract_id = %s AND ended_at IS NULL",
        (now, by, contract_id),
    )
    return ended.rowcount > 0


def _end_what_is_over(connection: Connection, table: str, column: str, key: int, now: datetime) -> None:
    """Sign the end of what ended by itself, so that a new one can begin."""
    connection.execute(
        sql.SQL(
            "UPDATE {table} SET ended_at = until, ended_by = 'its end' WHERE {column} = %s AND ended_at IS NULL AND until <= %s"
        ).format(table=sql.Identifier(table), column=sql.Identifier(column)),
        (key, now),
    )


def load_open(connection: Connection, nas_id: int | None = None) -> Open:
    """Changes that have not ended, of one NAS or of all."""
    with connection.cursor(row_factory=class_row(Open)) as cursor:
        found = cursor.execute(_OPEN, {"nas": nas_id}).fetchone()
    assert found is not None
    return found


def load_held(connection: Connection, now: datetime) -> tuple[list[HeldRow], int]:
    """What automation wants to take away and nobody let go yet, the most first; and of how many subscribers the hour counts that."""
    *held, counted = connection.execute(_HELD, {"now": now, "since": now - WINDOW}).fetchall()
    return [HeldRow(*row) for row in held], int(counted[-1])


def load_held_lines(connection: Connection, now: datetime, *, after: int, limit: int) -> list[HeldLine]:
    """The same, a line a change, in the order they were wanted, from behind that number on."""
    with connection.cursor(row_factory=class_row(HeldLine)) as cursor:
        return cursor.execute(_WANTED_LINES, {"now": now, "after": after, "limit": limit}).fetchall()


def load_held_runs(connection: Connection) -> list[HeldRun]:
    """Runs with restrictions that wait."""
    with connection.cursor(row_factory=class_row(HeldRun)) as cursor:
        return cursor.execute(_HELD_RUNS).fetchall()


def load_wanted(
    connection: Connection, now: datetime, usernames: Sequence[str] | None
) -> tuple[list[int], list[int | None]]:
    """The changes that wait (of these subscribers, of all when None) and their accounts; locked until the caller commits."""
    rows = connection.execute(
        _WANTED_IDS, {"now": now, "usernames": None if usernames is None else list(usernames)}
    ).fetchall()
    return [number for number, _ in rows], [account for _, account in rows]


def save_release(
    connection: Connection, enforcement_ids: Sequence[int], *, runs: Sequence[int], reason: str, by: str, now: datetime
) -> tuple[int, int]:
    """Let these changes go, and what these runs restricted: they are that person's from now on.

    Returns the release's number and how many restrictions it let go.
    """
    row = connection.execute(
        "INSERT INTO guard_release (at, released_by, reason, changes) VALUES (%s, %s, %s, %s) RETURNING id",
        (now, by, reason, len(enforcement_ids)),
    ).fetchone()
    assert row is not None
    given = {"now": now, "release": row[0], "ids": list(enforcement_ids), "nas": None}
    connection.execute(_LET_GO, given)
    _make_due(connection, given)
    restrictions = connection.execute(
        "UPDATE restriction SET held_since = NULL, release_id = %s"
        " WHERE run_id = ANY (%s) AND held_since IS NOT NULL AND lifted_at IS NULL",
        (row[0], list(runs)),
    )
    return int(row[0]), restrictions.rowcount


def _make_due(connection: Connection, given: dict[str, object]) -> None:
    """What was held is asked about at once, and the workers are told."""
    connection.execute(_DUE, given)
    connection.execute("NOTIFY corrente_enforcement")


def close_guard(connection: Connection) -> bool:
    """The guard judges anew from here; False when it had not tripped."""
    done = connection.execute(
        "UPDATE guard_state SET tripped_at = NULL, tripped_reason = NULL WHERE tripped_at IS NOT NULL"
    )
    return done.rowcount > 0


def load_trip(connection: Connection) -> tuple[datetime, str] | None:
    """Since when everything disruptive waits, and why; None when it does not."""
    row = connection.execute(
        "SELECT tripped_at, tripped_reason FROM guard_state WHERE tripped_at IS NOT NULL"
    ).fetchone()
    return None if row is None else (row[0], str(row[1]))
