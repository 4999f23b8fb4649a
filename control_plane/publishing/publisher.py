"""The edge's publisher: keeps one policy store equal to the database, by the change feed or by building it anew.

What changed is read again at a newer snapshot than the one that told of it, by one thread, so a record in the store only
ever gets newer. A bulk change is worked off in parts between which small changes pass; the position that survives a crash
moves only when nothing is left. So a kill at any line costs repeated work and nothing else.

Units: *_s seconds; epochs in seconds UTC.
Next: store_content.py
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import lmdb
import psycopg
from msgspec.structs import replace
from psycopg.rows import TupleRow

from control_plane import telemetry
from control_plane.policy.policy_source import load_accounts_with_hours
from control_plane.publishing.backlog import Backlog
from control_plane.publishing.change_feed import (
    Behind,
    Changes,
    Position,
    check_tables,
    load_changes,
    load_in_order,
    load_position,
    open_feed,
    wait_for_change,
)
from control_plane.publishing.faults import Faults
from control_plane.publishing.store_content import ContentSource, Part, StoppedError
from control_plane.pulse import Pulse
from control_plane.settings import Settings
from control_plane.store.silence import load_read_to
from nas_drivers.dictionaries.reader import load_dictionary
from nas_drivers.driver import Drivers
from radius_hooks.policy_store import FORMAT, PolicyWriter, StoreMeta

# Keys worked off at once: some tens of milliseconds, which is what a small change waits for behind a bulk one.
PART_KEYS: Final = 1000
# Changes that come one by one are gathered this long, so that hundreds a second cost tens of commits.
GATHER_S: Final = 0.03
# How stale `checked_at` may get while nothing happens.
CHECKED_EVERY_S: Final = 1.0
READERS_EVERY_S: Final = 60.0
# The hours of a plan are rendered for at least 48 hours ahead (plan_hours.py), so at least 36 are known with the database
# away.
HOURS_EVERY_S: Final = 12 * 3600.0
_FIRST_RETRY_S: Final = 0.5
_LAST_RETRY_S: Final = 5.0
# What one account may take in a store, and what must stay free beside it for the spools.
_OCTETS_AN_ACCOUNT: Final = 300
_OCTETS_LEFT: Final = 16 << 20


class EdgeError(Exception):
    """The edge can't work as things are; the message names what and what to do."""


class NoRoomError(EdgeError):
    """A store can't be built because the disk has too little room."""


def run_publisher(settings: Settings, stop: threading.Event, pulse: Pulse | None = None) -> None:
    """Publish until `stop` is set. PostgreSQL away or a full disk is waited out; the store answers meanwhile.

    Raises: EdgeError when another edge has the store or it can't be written; DictionaryError.
    """
    dictionary = load_dictionary(settings.radius.freeradius_dictionary)
    try:
        writer = PolicyWriter(settings.policy_dir)
        with _alone(settings.policy_dir):
            try:
                source = ContentSource(dictionary, settings.zone, Faults(), Drivers(settings.drivers))
                _Publisher(settings, writer, source, stop, pulse).run()
            finally:
                writer.close()
    except PermissionError as error:
        raise EdgeError(f"{error.filename}: {error.strerror}; who runs the edge must own the policy store") from error


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Hold the store's lock: it has one writer. The lock goes with the process, however that ends."""
    with (directory / "edge.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise EdgeError(
                f"another edge (process {holder}) publishes to {directory}; stop it first, or give this one a state "
                "directory of its own"
            ) from error
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


class _Publisher:
    """The loop, and what it remembers: the store's own account of itself and the trouble it is in."""

    def __init__(
        self,
        settings: Settings,
        writer: PolicyWriter,
        source: ContentSource,
        stop: threading.Event,
        pulse: Pulse | None,
    ) -> None:
        self._pulse = pulse
        self._settings = settings
        self._writer = writer
        self._source = source
        self._stop = stop
        self._log = telemetry.logger()
        self._meta = writer.open_current()
        self._trouble = ""
        self._readers_at = 0.0
        # How old the hours in a store are is not known when the edge starts.
        self._hours_at = 0.0

    def run(self) -> None:
        retry_s = _FIRST_RETRY_S
        while not self._stop.is_set():
            try:
                with open_feed(self._settings.conninfo("corrente_edge")) as connection:
                    self._follow(connection)
            except StoppedError:
                return
            except psycopg.Error as error:
                self._in_trouble("policy.database_away", str(error).strip())
            except (lmdb.DiskError, lmdb.MapFullError, NoRoomError) as error:
                self._in_trouble("policy.disk_full", str(error))
            except OSError as error:
                if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
                    raise
                self._in_trouble("policy.disk_full", str(error))
            except lmdb.Error as error:
                # Damage: a store can always be made again from nothing.
                self._in_trouble("policy.store_damaged", str(error))
                self._meta = None
            retry_s = _FIRST_RETRY_S if not self._trouble else min(2 * retry_s, _LAST_RETRY_S)
            self._stop.wait(retry_s)

    def _in_trouble(self, event: str, problem: str) -> None:
        if self._pulse is not None:
            self._pulse.trouble(problem)
        if event == self._trouble:
            return
        self._trouble = event
        if event == "policy.database_away":
            telemetry.DATABASE_FAILURES.labels("edge").inc()
        free = shutil.disk_usage(self._settings.policy_dir).free
        self._log.warning(event, problem=problem, store=str(self._settings.policy_dir), free_octets=free)

    def _out_of_trouble(self) -> None:
        if self._trouble:
            self._log.info("policy.well_again", after=self._trouble)
            self._trouble = ""

    def _follow(self, connection: psycopg.Connection[TupleRow]) -> None:
        """Follow the feed until asked to stop."""
        conninfo = self._settings.conninfo("corrente_edge")
        # What a lost connection left of them undone is not known.
        self._hours_at = 0.0
        meta = self._meta or self._rebuild(connection, "there is no store of this format")
        last = Position(meta.system, meta.position)
        with closing(Backlog(partial(load_in_order, conninfo))) as backlog:
            # The store may be of another release, or of other options of a vendor: no change in the feed tells of that.
            backlog.add(Changes(devices=True))
            while not self._stop.is_set():
                read = self._turn(connection, last, backlog)
                if isinstance(read, Behind):
                    self._rebuild(connection, read.reason)
                    # With a new store there is no backlog either: begin again from it.
                    return
                last = read

    def _turn(self, connection: psycopg.Connection[TupleRow], last: Position, backlog: Backlog) -> Position | Behind:
        """One look at the feed, what it tells published, a part of the backlog with it; then wait, if there is time."""
        checked_at, gather_until = time.time(), time.monotonic() + GATHER_S
        read = load_changes(connection, last)
        if isinstance(read, Behind):
            return read
        work = read.changes
        if abs(checked_at - self._hours_at) > HOURS_EVERY_S:
            backlog.add(Changes(accounts=load_accounts_with_hours(connection)))
            self._hours_at = checked_at
        if len(work) > PART_KEYS:
            backlog.add(work)
            work = Changes()
        work.add(backlog.take(PART_KEYS))
        self._publish(connection, work, position=None if backlog else read.position, checked_at=checked_at)
        self._out_of_trouble()
        if self._pulse is not None:
            self._pulse.beat()
        if not backlog.ready:
            wait_for_change(connection, self._settings.edge.poll_interval_s)
            self._stop.wait(max(0.0, gather_until - time.monotonic()))
        return read.position

    def _publish(
        self, connection: psycopg.Connection[TupleRow], work: Changes, *, position: Position | None, checked_at: float
    ) -> None:
        """One transaction of the store: what changed, and where the store stands now. Nothing when there is nothing."""
        assert self._meta is not None, "_follow() makes a store first"
        # The clock may jump back; after trouble only a write shows that it is over.
        recent = abs(checked_at - self._meta.checked_at) < CHECKED_EVERY_S and not self._trouble
        if recent and not len(work):
            return
        part = self._source.load_part(connection, work) if len(work) else Part((), (), None)
        meta = replace(self._meta, checked_at=checked_at, accounting_read_to=load_read_to(connection))
        if position is not None:
            meta = replace(meta, position=position.snapshot)
        if part.devices is not None:
            meta = replace(meta, nas_prefix_lengths=part.devices.prefix_lengths)
        with self._writer.batch() as batch:
            part.put(batch)
            meta = replace(meta, accounts=batch.accounts())
            batch.put_meta(meta)
        self._meta = meta
        self._count(part, work)
        if abs(checked_at - self._readers_at) > READERS_EVERY_S:
            self._writer.release_dead_readers()
            self._readers_at = checked_at

    def _count(self, part: Part, work: Changes) -> None:
        telemetry.POLICY_CHANGES.labels("account").inc(len(part.accounts))
        telemetry.POLICY_CHANGES.labels("session").inc(len(part.sessions))
        telemetry.POLICY_CHANGES.labels("device").inc(0 if part.devices is None else 1)
        if work.since is not None:
            telemetry.POLICY_DELAY.observe(max(0.0, (datetime.now(UTC) - work.since).total_seconds()))

    def _rebuild(self, connection: psycopg.Connection[TupleRow], reason: str) -> StoreMeta:
        """Everything from nothing, beside the store in use, from one snapshot."""
        self._log.info("policy.rebuild", reason=reason)
        began = time.time()
        with connection.transaction():
            position = load_position(connection)
            self._need_room(connection)
            with self._writer.rebuild() as rebuild:
                devices = self._source.fill(connection, rebuild, self._stop)
                check_tables(connection)
                with rebuild.batch() as batch:
                    meta = StoreMeta(
                        format=FORMAT,
                        built_at=began,
                        checked_at=began,
                        position=position.snapshot,
                        system=position.system,
                        nas_prefix_lengths=devices.prefix_lengths,
                        accounts=batch.accounts(),
                        accounting_read_to=load_read_to(connection),
                    )
                    batch.put_meta(meta)
        self._meta, self._hours_at = meta, began
        telemetry.POLICY_REBUILDS.inc()
        self._log.info("policy.rebuilt", accounts=meta.accounts, seconds=round(time.time() - began, 2))
        return meta

    def _need_room(self, connection: psycopg.Connection[TupleRow]) -> None:
        """Raises NoRoomError before a store is built that would fill the disk under the accounting spool."""
        row = connection.execute(
            "SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = 'subscriber_account'::regclass"
        ).fetchone()
        assert row is not None
        need = row[0] * _OCTETS_AN_ACCOUNT + _OCTETS_LEFT
        free = shutil.disk_usage(self._settings.policy_dir).free
        if free < need:
            raise NoRoomError(
                f"a new policy store for {row[0]} accounts needs {need >> 20} MiB and {free >> 20} are free"
            )
