"""The figures of the network over time: counted once a minute by a job, read as often as anybody looks.

Attempts to log in come through a spool, so the last hour is counted anew each time; what comes later than that is not in the
figures. The caller owns the transaction.

Units: instants are aware UTC.
Next: control_plane/jobs/network_figures.py
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from control_plane.nas_standing import Standing, standing_of
from control_plane.store.drift import DriftFigure

Connection = psycopg.Connection[Any]

# One pass over the sessions for both: of each NAS how many and when it last spoke, and how many in all.
_COUNT: Final = """
CREATE TEMPORARY TABLE nas_counted ON COMMIT DROP AS
SELECT nas_id, count(*) FILTER (WHERE NOT stale)::integer AS sessions, count(*) FILTER (WHERE stale)::integer AS stale,
    max(received_at) AS heard_at FROM session GROUP BY nas_id
"""
_ONLINE: Final = """
INSERT INTO online_minute (at, subscribers, sessions, stale)
SELECT %(minute)s, (SELECT count(DISTINCT account_id) FILTER (WHERE account_id IS NOT NULL) + count(*) FILTER (WHERE account_id IS NULL)
    FROM session WHERE NOT stale), coalesce(sum(sessions), 0), coalesce(sum(stale), 0) FROM nas_counted
ON CONFLICT (at) DO UPDATE SET subscribers = EXCLUDED.subscribers, sessions = EXCLUDED.sessions, stale = EXCLUDED.stale
"""
_WORDS: Final = """
INSERT INTO nas_word AS w (nas_id, sessions, heard_at, counted_at)
SELECT n.id, coalesce(c.sessions, 0), c.heard_at, %(now)s FROM nas n LEFT JOIN nas_counted c ON c.nas_id = n.id
ON CONFLICT (nas_id) DO UPDATE SET sessions = EXCLUDED.sessions, heard_at = greatest(w.heard_at, EXCLUDED.heard_at),
    counted_at = EXCLUDED.counted_at
"""
_LOGINS: Final = """
INSERT INTO login_minute AS m (at, outcome, reason, attempts)
SELECT date_trunc('minute', at), outcome, reason, count(*) FROM login_attempt WHERE at >= %(since)s AND at < %(before)s GROUP BY 1, 2, 3
ON CONFLICT (at, outcome, reason) DO UPDATE SET attempts = EXCLUDED.attempts WHERE m.attempts <> EXCLUDED.attempts
"""
# Steps begin at whole ones, so that the same rows fall into one step at each look.
_OVER_TIME: Final = """
SELECT extract(epoch FROM date_bin(%(step)s, at, 'epoch'))::bigint, max(subscribers) FROM online_minute
WHERE at >= date_bin(%(step)s, %(since)s, 'epoch') GROUP BY 1 ORDER BY 1
"""
_REASONS: Final = """
SELECT outcome, reason, coalesce(sum(attempts) FILTER (WHERE at >= %(hour)s), 0)::bigint AS last_hour, sum(attempts)::bigint AS last_day
FROM login_minute WHERE at >= %(day)s GROUP BY 1, 2 ORDER BY outcome, last_hour DESC, last_day DESC, reason
"""
_STATES: Final = """
SELECT n.id AS nas_id, n.name, s.name AS site, n.enabled, coalesce(w.sessions, 0) AS sessions, w.heard_at, q.since AS silent_since,
    (SELECT m.since FROM nas_maintenance m WHERE m.nas_id = n.id AND m.ended_at IS NULL AND m.since <= %(now)s
        AND (m.until IS NULL OR %(now)s < m.until) LIMIT 1) AS maintained_since,
    coalesce(r.problem, '') AS problem
FROM nas n LEFT JOIN site s ON s.id = n.site_id LEFT JOIN nas_word w ON w.nas_id = n.id LEFT JOIN nas_silence q ON q.nas_id = n.id
LEFT JOIN device_reading r ON r.nas_id = n.id ORDER BY n.name
"""
_LATEST: Final = "SELECT at, subscribers, sessions, stale FROM online_minute ORDER BY at DESC LIMIT 1"
_OPEN: Final = """
SELECT count(*) FILTER (WHERE held_since IS NULL) AS going, count(*) FILTER (WHERE held_since IS NOT NULL) AS held,
    min(wanted_at) FILTER (WHERE held_since IS NULL) AS oldest FROM enforcement WHERE closed_at IS NULL
"""
_LAGS: Final = """
SELECT node, greatest(0, extract(epoch FROM now() - read_to))::float8 AS behind_s, greatest(0, extract(epoch FROM now() - updated_at))::float8 AS unheard_s
FROM spool_node ORDER BY behind_s DESC
"""
_ALARMS: Final = """
SELECT count(*) FROM enforcement e WHERE e.alarmed_at > %s AND e.state NOT IN ('verified', 'superseded')
    AND EXISTS (SELECT FROM session s WHERE s.session_key = e.session_key)
"""


_SWEEP: Final = """
INSERT INTO drift_sweep (at, sessions, by_reason) VALUES (now(), %(sessions)s, %(by_reason)s)
ON CONFLICT (only_row) DO UPDATE SET at = EXCLUDED.at, sessions = EXCLUDED.sessions, by_reason = EXCLUDED.by_reason
"""


@dataclass(frozen=True, slots=True)
class Online:
    """Who was online in one minute. A subscriber with two sessions is one; a session of nobody is one of its own."""

    at: datetime
    subscribers: int
    sessions: int
    stale: int


@dataclass(frozen=True, slots=True)
class Answers:
    """How often logins were answered so, for that reason."""

    outcome: str
    reason: str
    last_hour: int
    last_day: int


@dataclass(frozen=True, slots=True)
class Sweep:
    """What the last look at all sessions found in drift, in all and by reason."""

    at: datetime
    sessions: int
    by_reason: dict[str, int]


@dataclass(frozen=True, slots=True)
class NasState:
    """What is known of whether a NAS is up. `silent_since`: it answers no changes; `problem`: why its list was not read."""

    nas_id: int
    name: str
    site: str | None
    enabled: bool
    sessions: int
    heard_at: datetime | None
    silent_since: datetime | None
    maintained_since: datetime | None
    problem: str

    def standing(self, now: datetime) -> Standing:
        """How it stands at that moment."""
        return standing_of(
            enabled=self.enabled,
            sessions=self.sessions,
            heard_at=self.heard_at,
            silent_since=self.silent_since,
            maintained_since=self.maintained_since,
            now=now,
        )


@dataclass(frozen=True, slots=True)
class Queue:
    """The open changes: `going` are due or on their way, `held` wait for a person; `oldest` was wanted first of those going."""

    going: int
    held: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class Lag:
    """How old the accounting is that was read last of a RADIUS node, and for how long its edge has said nothing. Units: seconds."""

    node: str
    behind_s: float
    unheard_s: float


def count_online(connection: Connection, now: datetime) -> int:
    """Write the figures of this minute; returns how many subscribers are online."""
    minute = now.replace(second=0, microsecond=0)
    connection.execute(_COUNT)
    connection.execute(_ONLINE, {"minute": minute})
    connection.execute(_WORDS, {"now": now})
    row = connection.execute("SELECT subscribers FROM online_minute WHERE at = %s", (minute,)).fetchone()
    assert row is not None, "it was just written"
    return int(row[0])


def count_logins(connection: Connection, *, since: datetime, before: datetime) -> int:
    """Count the attempts of these whole minutes anew; returns how many counts changed."""
    return connection.execute(_LOGINS, {"since": since, "before": before}).rowcount


def clear_figures(connection: Connection, *, online_before: datetime, logins_before: datetime) -> int:
    """Delete what is older; returns how many rows."""
    online = connection.execute("DELETE FROM online_minute WHERE at < %s", (online_before,)).rowcount
    return online + connection.execute("DELETE FROM login_minute WHERE at < %s", (logins_before,)).rowcount


def load_online(connection: Connection) -> Online | None:
    """The newest figures; None before the first."""
    with connection.cursor(row_factory=class_row(Online)) as cursor:
        return cursor.execute(_LATEST).fetchone()


def load_online_over_time(connection: Connection, *, since: datetime, step: timedelta) -> list[tuple[int, int]]:
    """Subscribers online since then: the most in each step, by its beginning in epoch seconds."""
    return connection.execute(_OVER_TIME, {"since": since, "step": step}).fetchall()


def load_answers(connection: Connection, now: datetime) -> list[Answers]:
    """How logins were answered in the last hour and day, accepted ones first, then by how often."""
    asked = {"hour": now - timedelta(hours=1), "day": now - timedelta(days=1)}
    with connection.cursor(row_factory=class_row(Answers)) as cursor:
        return cursor.execute(_REASONS, asked).fetchall()


def save_sweep(connection: Connection, figures: Iterable[DriftFigure]) -> None:
    """Keep what a look at all sessions found, in the place of what the last one did."""
    found: Counter[str] = Counter()
    for figure in figures:
        found[figure.reason.value] += figure.sessions
    connection.execute(_SWEEP, {"sessions": found.total(), "by_reason": Jsonb(found)})


def load_sweep(connection: Connection) -> Sweep | None:
    """What the last look at all sessions found; None before the first."""
    with connection.cursor(row_factory=class_row(Sweep)) as cursor:
        return cursor.execute("SELECT at, sessions, by_reason FROM drift_sweep").fetchone()


def load_nas_states(connection: Connection, now: datetime) -> list[NasState]:
    """What is known of each NAS, by name."""
    with connection.cursor(row_factory=class_row(NasState)) as cursor:
        return cursor.execute(_STATES, {"now": now}).fetchall()


def load_queue(connection: Connection) -> Queue:
    """How many changes are open."""
    with connection.cursor(row_factory=class_row(Queue)) as cursor:
        found = cursor.execute(_OPEN).fetchone()
    assert found is not None, "an aggregate has one row"
    return found


def load_lags(connection: Connection) -> list[Lag]:
    """How far behind the accounting of each RADIUS node is, the furthest first."""
    with connection.cursor(row_factory=class_row(Lag)) as cursor:
        return cursor.execute(_LAGS).fetchall()


def count_alarms(connection: Connection, *, since: datetime) -> int:
    """Changes of sessions that live still that a person was asked to look at since then."""
    row: Sequence[int] | None = connection.execute(_ALARMS, (since,)).fetchone()
    assert row is not None, "an aggregate has one row"
    return row[0]
