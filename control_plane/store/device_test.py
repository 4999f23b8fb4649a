"""What the database has heard of one NAS, for `corrente nas test`. Reads only.

Units: instants are aware UTC.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

import psycopg

from control_plane.device_test.seen import Heard, Live

Connection = psycopg.Connection[Any]

_LOOK_BACK: Final = timedelta(days=1)
_REFUSALS_OF: Final = timedelta(hours=1)
# By the key of the month's partition, newest first: a NAS that nobody hears of has a day's attempts read.
_LAST_LOGIN: Final = """
SELECT at, host(source) FROM login_attempt WHERE nas_id = %(nas)s AND at > %(since)s AND at <= %(now)s ORDER BY at DESC LIMIT 1
"""
_LAST_ACCEPT: Final = """
SELECT at FROM login_attempt WHERE nas_id = %(nas)s AND outcome = 'accept' AND at > %(since)s AND at <= %(now)s ORDER BY at DESC LIMIT 1
"""
_OUTCOMES: Final = """
SELECT outcome, reason, count(*) FROM login_attempt WHERE nas_id = %(nas)s AND at > %(since)s AND at <= %(now)s GROUP BY 1, 2
"""
_LAST_RECORD: Final = """
SELECT greatest((SELECT max(received_at) FROM session WHERE nas_id = %(nas)s),
    (SELECT max(ended_at) FROM closed_session WHERE nas_id = %(nas)s AND ended_by = 'stop' AND ended_at > %(since)s AND ended_at <= %(now)s))
"""
_LIVE: Final = """
SELECT count(*) FILTER (WHERE NOT stale), count(*) FILTER (WHERE stale), min(interim_interval_s) FILTER (WHERE NOT stale)
FROM session WHERE nas_id = %s
"""


def load_heard(connection: Connection, nas_id: int, *, now: datetime) -> Heard:
    """Its logins of the last day, those of the last hour by outcome, and its last accounting record."""
    given = {"nas": nas_id, "now": now, "since": now - _LOOK_BACK}
    login = connection.execute(_LAST_LOGIN, given).fetchone()
    accept = connection.execute(_LAST_ACCEPT, given).fetchone()
    accepted, refused = load_logins(connection, nas_id, now=now)
    record = connection.execute(_LAST_RECORD, given).fetchone()
    return Heard(
        login_at=None if login is None else login[0],
        login_source="" if login is None else login[1] or "",
        accepted_at=None if accept is None else accept[0],
        accepted=accepted,
        refused=refused,
        record_at=None if record is None else record[0],
    )


def load_logins(connection: Connection, nas_id: int, *, now: datetime) -> tuple[int, dict[str, int]]:
    """How many logins of the last hour were let in there, and how many refused, by reason."""
    given = {"nas": nas_id, "now": now, "since": now - _REFUSALS_OF}
    outcomes = connection.execute(_OUTCOMES, given).fetchall()
    accepted = sum(count for outcome, _, count in outcomes if outcome == "accept")
    return accepted, {reason: count for outcome, reason, count in outcomes if outcome == "reject"}


def count_stale(connection: Connection, nas_id: int) -> int:
    """How many of its sessions have been silent for too long."""
    row = connection.execute("SELECT count(*) FROM session WHERE nas_id = %s AND stale", (nas_id,)).fetchone()
    return 0 if row is None else int(row[0])


def load_just_in(connection: Connection, nas_id: int, *, since_s: float) -> frozenset[str]:
    """The usernames that were let in there within so many seconds."""
    rows = connection.execute(
        "SELECT DISTINCT username FROM login_attempt WHERE nas_id = %s AND outcome = 'accept' "
        "AND at > now() - make_interval(secs => %s)",
        (nas_id, since_s),
    )
    return frozenset(username for (username,) in rows)


def load_live(connection: Connection, nas_id: int) -> Live:
    """Its live sessions."""
    row = connection.execute(_LIVE, (nas_id,)).fetchone()
    assert row is not None
    return Live(*row)
