"""The change feed: which keys an edge must look at again, from one snapshot of the database to the next.

The position is the text of a snapshot. What is new is what a later snapshot sees and that one did not: the transactions
that were running then, and the ones that began since. So a transaction that stays open while others commit is neither
skipped nor waited for, and it costs nothing while it is open: both sets are found through the feed's key.

A row says only "look at this key again", so neither order nor repetition matters.

Source: PostgreSQL 15 documentation, section 9.27 "Transaction ID and Snapshot Information".
Next: publisher.py
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import psycopg
from psycopg import IsolationLevel
from psycopg.rows import TupleRow

from control_plane.db import connect

CHANNEL: Final = "corrente_change"
# Rows of the feed held at once while a large change passes through.
_STREAM_ROWS: Final = 5000
_SNAPSHOT: Final = re.compile(r"[0-9]+:[0-9]+:(?:[0-9]+(?:,[0-9]+)*)?")

# The system is a database as it is now: a restored or promoted one has another identifier or timeline, one loaded into
# a new database has another number. A dump loaded into this one makes the triggers of the feed anew, after all the rows.
_STATE: Final = """
SELECT pg_current_snapshot()::text,
    (SELECT system_identifier::text FROM pg_control_system()) || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8)
        || '/' || (SELECT oid::text FROM pg_database WHERE datname = current_database())
        || '/' || (SELECT max(oid)::text FROM pg_trigger WHERE tgfoid = 'note_change'::regproc)
"""
# A loaded dump brings numbers of the server it was made on. Those above any of this one say nothing here.
_STANDING: Final = """
SELECT pg_snapshot_xmin(%(last)s::pg_snapshot) < h.xid AND h.xid <= pg_snapshot_xmax(pg_current_snapshot()), pg_snapshot_xmax(pg_current_snapshot()) < pg_snapshot_xmax(%(last)s::pg_snapshot)
FROM change_horizon h
"""
_NEW_ROWS: Final = """
WITH fresh AS (
    SELECT kind, key, old_name, at FROM change_feed WHERE xid >= %(ended)s::xid8 AND xid < pg_snapshot_xmax(pg_current_snapshot())
    UNION ALL
    SELECT kind, key, old_name, at FROM change_feed WHERE xid = ANY (%(running)s::xid8[])
)
SELECT kind::text, key, old_name, at FROM fresh
"""
# A plan stands for its contracts, and those for their accounts: one that joins them later has a row of its own. Asked for
# apart from the rows, with the keys in hand, so that the planner knows how few they are.
_OF_CONTRACTS: Final = """
SELECT a.id FROM subscriber_account a JOIN unnest(%s::bigint[]) AS wanted ON wanted = a.contract_id
"""
_OF_PLANS: Final = """
SELECT a.id FROM subscriber_account a JOIN contract c ON c.id = a.contract_id WHERE c.plan_id = ANY (%(plans)s)
UNION ALL SELECT a.id FROM subscriber_account a JOIN plan_change x ON x.contract_id = a.contract_id
    WHERE x.applied_at IS NULL AND x.plan_id = ANY (%(plans)s)
"""
# Neighbours in the store share a page: in order of their names a bulk change writes a page once, not a hundred times.
_IN_ORDER: Final = """
SELECT wanted FROM unnest(%s::bigint[]) AS wanted LEFT JOIN subscriber_account a ON a.id = wanted ORDER BY a.username
"""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a reader of the feed stands: a snapshot of one database system."""

    system: str
    snapshot: str


@dataclass(slots=True)
class Changes:
    """Keys to look at again; eight octets a key, so that a bulk change of a million rows fits easily.

    `usernames` are those that an account no longer had at some moment; it or another may have them again. `devices`: a NAS or a profile changed. `since` is the start of the oldest
    transaction among them.
    """

    accounts: array[int] = field(default_factory=lambda: array("q"))
    sessions: array[int] = field(default_factory=lambda: array("q"))
    usernames: list[str] = field(default_factory=list)
    devices: bool = False
    since: datetime | None = None

    def __len__(self) -> int:
        """How many keys there are to look at."""
        return len(self.accounts) + len(self.sessions) + len(self.usernames) + self.devices

    def add(self, other: Changes) -> None:
        """Take over the keys of another read."""
        self.accounts.extend(other.accounts)
        self.sessions.extend(other.sessions)
        self.usernames.extend(other.usernames)
        self.devices |= other.devices
        self.since = min(filter(None, (self.since, other.since)), default=None)

    def take(self, count: int) -> Changes:
        """Up to `count` of each kind, which are then no longer here. Devices go first."""
        taken = Changes(
            accounts=self.accounts[-count:],
            sessions=self.sessions[-count:],
            usernames=self.usernames[-count:],
            devices=self.devices,
            since=self.since,
        )
        del self.accounts[-count:], self.sessions[-count:], self.usernames[-count:]
        self.devices = False
        return taken


@dataclass(frozen=True, slots=True)
class Behind:
    """The reader can't follow from where it stands: everything must be read anew. `reason` is for the log."""

    reason: str


@dataclass(frozen=True, slots=True)
class Read:
    """What changed since the last read, and where the reader stands now."""

    changes: Changes
    position: Position


def open_feed(conninfo: str, *, name: str = "edge publisher") -> psycopg.Connection[TupleRow]:
    """A connection to follow the feed with: each transaction is one snapshot, and NOTIFY wakes it.

    Nothing is prepared: a plan made for any position would not know that only the feed's end is wanted. Nor is
    anything shared out to more server processes: an edge leaves the database's cores to others.
    """
    connection = connect(conninfo, name=name, autocommit=True)
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    connection.prepare_threshold = None
    connection.execute("SET max_parallel_workers_per_gather = 0")
    connection.execute(f"LISTEN {CHANNEL}")
    return connection


def wait_for_change(connection: psycopg.Connection[TupleRow], timeout_s: float) -> None:
    """Until something is said to have changed, or the time is over. Only a hint: the feed tells what."""
    if list(connection.notifies(timeout=timeout_s, stop_after=1)):
        # What else has been said by now will be seen by the same read.
        list(connection.notifies(timeout=0))


def load_position(connection: psycopg.Connection[TupleRow]) -> Position:
    """Where the connection's snapshot stands; the caller's transaction is REPEATABLE READ and reads all else in it."""
    row = connection.execute(_STATE).fetchone()
    assert row is not None
    if row[1] is None:
        raise _being_loaded()
    return Position(system=row[1], snapshot=row[0])


def check_tables(connection: psycopg.Connection[TupleRow]) -> None:
    """Raises psycopg.Error when the tables were replaced since the transaction's snapshot: to it they look empty."""
    if connection.execute("SELECT FROM change_horizon").fetchone() is None:
        raise _being_loaded()


def _being_loaded() -> psycopg.Error:
    return psycopg.errors.ObjectNotInPrerequisiteState("the tables are being replaced: a dump is loaded")


def load_changes(connection: psycopg.Connection[TupleRow], last: Position) -> Read | Behind:
    """What became visible since `last`, in one transaction of its own; Behind when the feed can't tell.

    The connection is one of open_feed().
    """
    if _SNAPSHOT.fullmatch(last.snapshot) is None:
        return Behind(f"the store's position {last.snapshot!r} is none of this program's")
    with connection.transaction():
        position = load_position(connection)
        if position.system != last.system:
            return Behind(f"the store was made from database {last.system}, this is {position.system}")
        row = connection.execute(_STANDING, {"last": last.snapshot}).fetchone()
        if row is None:
            raise _being_loaded()
        pruned, restored = row
        if restored:
            return Behind("the database stands at an earlier transaction than the store: it was restored")
        if pruned:
            return Behind("the change feed has been cleared beyond where the store stands")
        return Read(_load_new_rows(connection, last), position)


def _missed_by(last: Position) -> dict[str, object]:
    """The transactions that a snapshot did not see, as constants that the planner can estimate: those that began after it
    ended, and those that were running."""
    _, ended, running = last.snapshot.split(":")
    return {"ended": ended, "running": running.split(",") if running else []}


def _load_new_rows(connection: psycopg.Connection[TupleRow], last: Position) -> Changes:
    changes, contracts, plans = Changes(), array("q"), array("q")
    keys = {"account": changes.accounts, "session": changes.sessions, "contract": contracts, "plan": plans}
    for kind, key, old_name, at in _stream(connection, _NEW_ROWS, _missed_by(last)):
        if kind in keys:
            keys[kind].append(key)
        else:
            changes.devices = True
        if old_name is not None and kind == "account":
            changes.usernames.append(old_name)
        changes.since = at if changes.since is None or at < changes.since else changes.since
    if contracts:
        changes.accounts.extend(row[0] for row in _stream(connection, _OF_CONTRACTS, [list(contracts)]))
    if plans:
        changes.accounts.extend(row[0] for row in _stream(connection, _OF_PLANS, {"plans": list(plans)}))
    return changes


def load_in_order(conninfo: str, accounts: array[int]) -> array[int]:
    """The same accounts, each once, in order of their usernames; over a connection of its own, for another thread."""
    with open_feed(conninfo) as connection:
        return array("q", (row[0] for row in _stream(connection, _IN_ORDER, [list(set(accounts))])))


def _stream(
    connection: psycopg.Connection[TupleRow], statement: str, given: dict[str, object] | list[list[int]]
) -> Iterator[TupleRow]:
    size = _STREAM_ROWS if psycopg.capabilities.has_stream_chunked() else 1
    with connection.cursor(binary=True) as cursor:
        yield from cursor.stream(statement, given, binary=True, size=size)
