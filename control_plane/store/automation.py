"""Runs of automation: what one restricts is marked as its, goes by the guard's share, and can be undone together.

Whatever restricts contracts without a person (dunning, …) begins a run, places its restrictions here and ends it. What goes
beyond the share is written down and does not count, at a login as on a live session, until a person lets it go.

Next: control_loop/guard.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import psycopg
from psycopg.rows import class_row

from control_plane.control_loop.guard import WINDOW, GuardLimits, Hour, verdict_on_placing
from control_plane.store.guard import count_live, hold_hour, load_hour, trip
from control_plane.store.network_figures import load_online

Connection = psycopg.Connection[Any]

# Who is online is counted once a minute: a reader has no need to count a million again.
_AS_GOOD_AS_NOW: Final = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Wanted:
    """One restriction that a run wants to place, from now on."""

    contract_id: int
    origin: str
    level: str
    reason: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """What became of them: `held` is why none of them counts yet (empty: all do), `exempt` the contracts left alone."""

    restrictions: int
    held: str
    exempt: list[int]


@dataclass(frozen=True, slots=True)
class Run:
    """One run and what of it is still in force; `online` are subscribers with a live session among them."""

    id: int
    name: str
    started_by: str
    started_at: datetime
    ended_at: datetime | None
    undone_at: datetime | None
    undone_by: str | None
    placed: int
    in_force: int
    waiting: int
    contracts: int
    online: int


_PLACE: Final = """
INSERT INTO restriction (contract_id, origin, level, reason, placed_by, since, until, run_id, held_since)
SELECT w.contract_id, w.origin::restriction_origin, w.level::restriction_level, w.reason, u.name || ' run ' || u.id, %(now)s,
    w.until, u.id, %(held_since)s
FROM unnest(%(contracts)s::bigint[], %(origins)s::text[], %(levels)s::text[], %(reasons)s::text[], %(untils)s::timestamptz[])
    AS w (contract_id, origin, level, reason, until), automation_run u
WHERE u.id = %(run)s
"""
_EXEMPT: Final = """
SELECT DISTINCT contract_id FROM guard_exemption
WHERE contract_id = ANY (%(contracts)s) AND ended_at IS NULL AND since <= %(now)s AND %(now)s < until
"""
# By runs of the last hour, whether or not a session was there to be cut.
_PLACED_IN_HOUR: Final = """
SELECT count(DISTINCT r.contract_id) FROM automation_run u JOIN restriction r ON r.run_id = u.id
WHERE coalesce(u.ended_at, %(now)s) > %(since)s AND r.held_since IS NULL AND r.release_id IS NULL AND NOT r.contract_id = ANY (%(contracts)s)
"""
_RUNS: Final = """
SELECT u.id, u.name, u.started_by, u.started_at, u.ended_at, u.undone_at, u.undone_by, count(r.id) AS placed,
    count(r.id) FILTER (WHERE r.lifted_at IS NULL AND r.held_since IS NULL AND (r.until IS NULL OR r.until > %(now)s)) AS in_force,
    count(r.id) FILTER (WHERE r.lifted_at IS NULL AND r.held_since IS NOT NULL) AS waiting,
    count(DISTINCT r.contract_id) FILTER (WHERE r.lifted_at IS NULL AND (r.until IS NULL OR r.until > %(now)s)) AS contracts,
    (SELECT count(DISTINCT a.id) FROM restriction x JOIN subscriber_account a ON a.contract_id = x.contract_id
        WHERE x.run_id = u.id AND x.lifted_at IS NULL AND (x.until IS NULL OR x.until > %(now)s)
            AND EXISTS (SELECT FROM session s WHERE s.account_id = a.id AND NOT s.stale)) AS online
FROM automation_run u LEFT JOIN restriction r ON r.run_id = u.id
WHERE %(id)s::bigint IS NULL OR u.id = %(id)s GROUP BY u.id ORDER BY u.id DESC LIMIT %(limit)s
"""


def start_run(connection: Connection, name: str, *, by: str, now: datetime) -> int:
    """Begin a run; returns its number."""
    row = connection.execute(
        "INSERT INTO automation_run (name, started_by, started_at) VALUES (%s, %s, %s) RETURNING id", (name, by, now)
    ).fetchone()
    assert row is not None
    return int(row[0])


def end_run(connection: Connection, run_id: int, *, now: datetime) -> None:
    """The run has placed all that it wants to."""
    connection.execute("UPDATE automation_run SET ended_at = greatest(started_at, %s) WHERE id = %s", (now, run_id))


def place_for_run(
    connection: Connection, run_id: int, wanted: Sequence[Wanted], *, now: datetime, limits: GuardLimits, still: int = 0
) -> Placed:
    """Place what a run wants: all of it, or all of it waiting for a person; exempt contracts are left alone.

    Give it all that the run wants at once, or say of how many contracts it `still` wants any, these included: what is asked in
    parts is judged in parts.
    """
    given = {"contracts": [one.contract_id for one in wanted], "now": now, "since": now - WINDOW}
    exempt = sorted(number for (number,) in connection.execute(_EXEMPT, given))
    placing = [one for one in wanted if one.contract_id not in set(exempt)]
    if not placing:
        return Placed(0, "", exempt)
    contracts = {one.contract_id for one in placing}
    tripped, hour = hold_hour(connection, now)
    row = connection.execute(_PLACED_IN_HOUR, {**given, "contracts": list(contracts)}).fetchone()
    assert row is not None
    held = verdict_on_placing(hour, limits, placed=row[0], placing=max(len(contracts), still), tripped=tripped)
    if held and not tripped:
        trip(connection, held, now)
    made = connection.execute(
        _PLACE,
        {
            "now": now,
            "run": run_id,
            "held_since": now if held else None,
            "contracts": [one.contract_id for one in placing],
            "origins": [one.origin for one in placing],
            "levels": [one.level for one in placing],
            "reasons": [one.reason for one in placing],
            "untils": [one.until for one in placing],
        },
    )
    return Placed(made.rowcount, held, exempt)


def load_runs(connection: Connection, *, now: datetime, limit: int) -> list[Run]:
    """The last runs, the newest first."""
    return _load_runs(connection, {"now": now, "id": None, "limit": limit})


def load_run(connection: Connection, run_id: int, *, now: datetime) -> Run | None:
    """One run."""
    return next(iter(_load_runs(connection, {"now": now, "id": run_id, "limit": 1})), None)


def _load_runs(connection: Connection, given: dict[str, object]) -> list[Run]:
    with connection.cursor(row_factory=class_row(Run)) as cursor:
        return cursor.execute(_RUNS, given).fetchall()


def undo_run(connection: Connection, run_id: int, *, by: str, reason: str, now: datetime) -> int:
    """Lift all that the run placed and that is not lifted, what waits included; returns how many."""
    lifted = connection.execute(
        "UPDATE restriction SET lifted_at = greatest(since, %s), lifted_by = %s WHERE run_id = %s AND lifted_at IS NULL",
        (now, by, run_id),
    )
    connection.execute(
        "UPDATE automation_run SET undone_at = greatest(started_at, %s), undone_by = %s, undo_reason = %s WHERE id = %s",
        (now, by, reason, run_id),
    )
    return lifted.rowcount


def load_hour_now(connection: Connection, now: datetime) -> Hour:
    """The hour's numbers for a reader, who holds nobody up."""
    return load_hour(connection, load_live(connection, now), now)


def load_live(connection: Connection, now: datetime) -> int:
    """Subscribers online, as a job counted them a moment ago, or now."""
    counted = load_online(connection)
    fresh = counted is not None and now - counted.at < _AS_GOOD_AS_NOW
    return counted.subscribers if counted is not None and fresh else count_live(connection)
