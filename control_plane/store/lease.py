"""The lease of the leading worker: taken, renewed, given back and read. One statement each, so any pooler may stand between.

Only the clock of the database counts: a worker whose own is an hour off neither takes a lease too early nor keeps it.

Units: *_s seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import psycopg
from psycopg.rows import TupleRow

Connection = psycopg.Connection[TupleRow]

# The row of the lease is renewed every second; that of the fence changes with the leader alone.
_TAKE: Final = """
WITH taken AS (
    UPDATE scheduler_lease SET token = token + CASE WHEN holder = %(holder)s THEN 0 ELSE 1 END, holder = %(holder)s,
        since = CASE WHEN holder = %(holder)s THEN since ELSE clock_timestamp() END,
        until = clock_timestamp() + make_interval(secs => %(lease_s)s)
    WHERE holder = %(holder)s OR until < clock_timestamp() RETURNING token
), fenced AS (
    UPDATE scheduler_fence f SET token = taken.token FROM taken WHERE f.token <> taken.token
)
SELECT token FROM taken
"""
_GIVE_BACK: Final = (
    "UPDATE scheduler_lease SET until = clock_timestamp() WHERE holder = %s AND until > clock_timestamp()"
)
# Who is stopped between this and its commit holds the row, and with it up its successor, no longer than this.
_COMMIT_WAIT: Final = "2s"
_LOCK_FENCE: Final = """
SELECT set_config('idle_in_transaction_session_timeout', %s, true) FROM scheduler_fence WHERE token = %s FOR SHARE
"""


@dataclass(frozen=True, slots=True)
class Lease:
    """Who leads, and for how much longer if nothing is heard; negative when nobody does. `since` is when it began to."""

    holder: str
    token: int
    since: datetime
    left_s: float


def take_lease(connection: Connection, *, holder: str, lease_s: float) -> int | None:
    """The token of the lease, taken or renewed for `lease_s` from now; None while another has it."""
    row = connection.execute(_TAKE, {"holder": holder, "lease_s": lease_s}).fetchone()
    return None if row is None else int(row[0])


def give_back_lease(connection: Connection, *, holder: str) -> bool:
    """End the lease now, so that the next worker need not wait for its end; says whether it was ours."""
    return connection.execute(_GIVE_BACK, (holder,)).rowcount == 1


def lock_fence(connection: Connection, *, token: int) -> bool:
    """Whether that token still leads; if so no other can take the lease before this transaction has ended."""
    return connection.execute(_LOCK_FENCE, (_COMMIT_WAIT, token)).fetchone() is not None


def has_written(connection: Connection) -> bool:
    """Whether this transaction has written anything so far."""
    row = connection.execute("SELECT pg_current_xact_id_if_assigned() IS NOT NULL").fetchone()
    assert row is not None
    return bool(row[0])


def load_lease(connection: psycopg.Connection[tuple[object, ...]]) -> Lease:
    """The lease as it is now."""
    row = connection.execute(
        "SELECT holder, token, since, extract(epoch FROM until - clock_timestamp())::float8 FROM scheduler_lease"
    ).fetchone()
    assert row is not None, "schema.sql writes the row"
    holder, token, since, left_s = row
    assert isinstance(token, int)
    assert isinstance(since, datetime)
    assert isinstance(left_s, float)
    return Lease(str(holder), token, since, left_s)
