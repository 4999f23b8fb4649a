"""What every account should have now, kept in the database: desired_policy and profile_revision.

The same functions as the edge's say it (rendering.py, access_policy.py), so desired and published can't differ. Two things
make an account be looked at again: a row of the change feed, and its own `valid_until`, when the answer changes without
anybody touching a row (a relief ends, a month turns, a dated plan begins, a plan's hours come and go).

One thread does it, on the worker that leads: its connection for writing commits only while it does. What is written is read
at a newer snapshot than the change that told of it, so a row only ever gets newer; the position in the feed moves when
everything up to it is written, so a kill at any line costs repeated work and nothing else.

Units: epochs in seconds UTC, 0 for never.
Next: reconcile.py
"""

from __future__ import annotations

import threading
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Final
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import TupleRow

from control_plane import db, telemetry
from control_plane.policy.policy_source import AccountRow, load_accounts, load_profiles, stream_accounts
from control_plane.policy.quota import lift_quotas
from control_plane.policy.rendering import RenderError, Rendering, build_account_record, profile_revision
from control_plane.publishing.change_feed import (
    Behind,
    Changes,
    Position,
    check_tables,
    load_changes,
    load_position,
    open_feed,
    wait_for_change,
)
from control_plane.publishing.faults import Faults
from control_plane.settings import Settings
from control_plane.store import desired as store
from control_plane.store.desired import DesiredRow
from nas_drivers.dictionaries.reader import load_dictionary
from radius_hooks.decision import NO_TIME_LIMIT, step_at
from radius_hooks.policy_records import AccountRecord, Level

Connection = psycopg.Connection[TupleRow]

READER: Final = "desired"
# Accounts worked out at once: some tens of milliseconds, which is what a small change waits for behind a bulk one.
PART_ACCOUNTS: Final = 500
# In a rebuild nobody waits behind a part; larger ones make fewer transactions.
_REBUILD_ACCOUNTS: Final = 10_000
# How far behind the position of a reader that finds nothing may get.
_POSITION_EVERY_S: Final = 60.0
_FIRST_RETRY_S: Final = 0.5
_LAST_RETRY_S: Final = 5.0
_REFUSED: Final = (Level.BLOCKED, Level.NONE)


@dataclass(slots=True)
class Changed:
    """What one turn found for who reconciles: accounts whose desired policy changed, accounts whose sessions did, profiles
    whose revision did. After `everything` was worked out anew, each may have."""

    accounts: list[int] = field(default_factory=list)
    sessions: list[int] = field(default_factory=list)
    profiles: list[int] = field(default_factory=list)
    everything: bool = False

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self.accounts or self.sessions or self.profiles or self.everything)


def desired_of(record: AccountRecord, *, now: float) -> DesiredRow:
    """What the hook would grant at `now`, the password and the line being right: the step in force, or an expired account."""
    step = step_at(record.steps, now)
    ends = [step.until, record.expires_at]
    valid_until = min((end for end in ends if end != NO_TIME_LIMIT and end > now), default=NO_TIME_LIMIT)
    if NO_TIME_LIMIT < record.expires_at <= now:
        return DesiredRow(record.account_id, Level.NONE, "account expired", None, record.revision, valid_until)
    profile_id = None if step.level in _REFUSED else step.profile_id
    return DesiredRow(record.account_id, step.level, step.reason, profile_id, record.revision, valid_until)


def run_desired(
    settings: Settings,
    open_writer: Callable[[], AbstractContextManager[Connection]],
    stop: threading.Event,
    *,
    on_changed: Callable[[Changed], None] = lambda _: None,
    on_turn: Callable[[], None] = lambda: None,
) -> None:
    """Keep the two tables until `stop` is set. PostgreSQL away is waited out.

    `open_writer` gives a connection in autocommit that writes only while this worker leads. `on_changed` is called in this
    thread after each commit that changed something, `on_turn` after each look.

    Raises: what `open_writer` raises beyond psycopg.Error, such as LeadershipLostError; DictionaryError.
    """
    keeper = _Keeper(settings, stop, on_changed)
    log, retry_s, away = telemetry.logger(), _FIRST_RETRY_S, False
    while not stop.is_set():
        try:
            with open_feed(settings.conninfo("corrente_worker"), name="worker feed") as feed, open_writer() as writer:
                db.expect_few_rows(writer)
                for _ in keeper.turns(feed, writer):
                    retry_s, away = _FIRST_RETRY_S, False
                    on_turn()
        except psycopg.Error as error:
            if not away:
                telemetry.DATABASE_FAILURES.labels("worker").inc()
                log.warning("desired.database_away", problem=str(error).strip())
            away = True
            stop.wait(retry_s)
            retry_s = min(2 * retry_s, _LAST_RETRY_S)


class _Keeper:
    """Reads by one connection, writes by another; what it remembers between turns is the backlog of a bulk change."""

    def __init__(self, settings: Settings, stop: threading.Event, on_changed: Callable[[Changed], None]) -> None:
        self._dictionary = load_dictionary(settings.radius.freeradius_dictionary)
        self._zone: ZoneInfo = settings.zone
        self._poll_s = settings.edge.poll_interval_s
        self._stop = stop
        self._on_changed = on_changed
        self._faults = Faults()
        self._log = telemetry.logger()
        self._backlog: array[int] = array("q")

    def turns(self, feed: Connection, writer: Connection) -> Iterator[None]:
        """Follow the feed; yields after each turn that went well, until asked to stop."""
        self._backlog = array("q")
        last = store.load_position(writer, READER)
        saved_at = time.monotonic()
        if last is not None:
            self._write_profiles(feed, writer)
        while not self._stop.is_set():
            read = Behind("nothing was worked out yet") if last is None else load_changes(feed, last)
            if isinstance(read, Behind):
                last = self._rebuild(feed, writer, read.reason)
                yield
                continue
            last, now = read.position, datetime.now(UTC)
            due = store.load_due(writer, now, limit=PART_ACCOUNTS)
            quiet = not (len(read.changes) or due or self._backlog)
            self._work_off(feed, writer, read.changes, due)
            if not self._backlog and (not quiet or time.monotonic() - saved_at > _POSITION_EVERY_S):
                store.save_position(writer, READER, last)
                saved_at = time.monotonic()
            yield
            if not self._backlog and len(due) < PART_ACCOUNTS:
                wait_for_change(feed, self._wait_s(writer))

    def _wait_s(self, writer: Connection) -> float:
        """Until the next account's answer changes by itself, and never longer than the poll."""
        due = store.load_next_due(writer)
        return self._poll_s if due is None else min(self._poll_s, max(0.0, (due - datetime.now(UTC)).total_seconds()))

    def _work_off(self, feed: Connection, writer: Connection, changes: Changes, due: Sequence[int]) -> None:
        """What changed; then what is due and a part of what waits. A bulk change joins what waits."""
        changed = Changed(sessions=sorted(set(changes.sessions)))
        if changes.devices:
            changed.profiles = self._write_profiles(feed, writer)
        fresh = set(changes.accounts)
        if len(fresh) > PART_ACCOUNTS:
            self._backlog.extend(sorted(fresh))
            fresh = set()
        changed.accounts = self._work_out(feed, writer, fresh)
        if changed:
            self._on_changed(changed)
        bulk = self._work_out(feed, writer, {*due, *self._backlog[-PART_ACCOUNTS:]})
        del self._backlog[-PART_ACCOUNTS:]
        if bulk:
            self._on_changed(Changed(accounts=bulk))

    def _work_out(self, feed: Connection, writer: Connection, accounts: set[int]) -> list[int]:
        """Read these accounts as they are now, and write what they should have; returns those that changed."""
        if not accounts:
            return []
        # A top-up, a bigger plan: who was throttled for a quota that now reaches is let go at once, in a bulk change too.
        lift_quotas(writer, sorted(accounts), now=datetime.now(UTC), zone=self._zone)
        with feed.transaction():
            db.expect_few_rows(feed, only_here=True)
            rows = load_accounts(feed, ids=sorted(accounts))
        return self._write(writer, rows)

    def _write(self, writer: Connection, rows: Sequence[AccountRow]) -> list[int]:
        """Work out these accounts and write them; returns those that changed."""
        rendering = Rendering(self._dictionary, self._zone, datetime.now(UTC))
        desired, withheld = [], []
        for row in rows:
            try:
                record = build_account_record(row, rendering)
            except RenderError as error:
                self._faults.note("account", row.username, str(error))
                withheld.append(row.account_id)
            else:
                self._faults.mended("account", row.username)
                desired.append(desired_of(record, now=rendering.now.timestamp()))
        with writer.transaction():
            if withheld:
                store.stop_waiting(writer, withheld)
            return store.save_desired(writer, desired) if desired else []

    def _write_profiles(self, feed: Connection, writer: Connection) -> list[int]:
        with writer.transaction():
            return store.save_revisions(writer, {row.id: (profile_revision(row), row) for row in load_profiles(feed)})

    def _rebuild(self, feed: Connection, writer: Connection, reason: str) -> Position | None:
        """Everything anew, from one snapshot, in parts; None when asked to stop in the middle."""
        self._log.info("desired.rebuild", reason=reason)
        self._backlog = array("q")
        began, count = time.monotonic(), 0
        with feed.transaction():
            position = load_position(feed)
            self._write_profiles(feed, writer)
            accounts = stream_accounts(feed)
            while rows := list(islice(accounts, _REBUILD_ACCOUNTS)):
                if self._stop.is_set():
                    return None
                self._write(writer, rows)
                count += len(rows)
            check_tables(feed)
        store.save_position(writer, READER, position)
        self._log.info("desired.rebuilt", accounts=count, seconds=round(time.monotonic() - began, 2))
        self._on_changed(Changed(everything=True))
        return position
