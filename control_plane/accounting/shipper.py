"""The shipper: brings what FreeRADIUS has spooled into the database, each record once in effect.

A spool's live file is renamed to a name never used again, read from the remembered octet on, and merged in batches; the
position is committed in the transaction of the effect. A renamed file is read on until it has been quiet for the grace
time, because a FreeRADIUS thread may still hold it, and then deleted. What is killed when does not matter: a batch that
was not committed is read again, and one that was changes nothing when it is read again.

With the database away the spool grows and the shipper waits. A record that the database refuses is parked in
`unreadable_record`, as is one over which our own code fails (blame.py says which is which); the others of its batch are
merged without it, and `corrente unreadable retry` merges it when the cause is gone.

Next: spool.py
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

import psycopg

from control_plane import db
from control_plane.accounting.accounting_spool import AccountingSpool
from control_plane.accounting.blame import OUR_FAULT_ADVICE, Fault, fault_of
from control_plane.accounting.installation import NodeNameTakenError, claim_node_name, installation_file
from control_plane.accounting.login_spool import LoginSpool
from control_plane.accounting.overlap import Overlap, plan_by_index
from control_plane.accounting.sessions import close_outlived
from control_plane.accounting.spool import (
    Parked,
    Refused,
    SpoolError,
    delete_if_let_go,
    kept,
    nobody_writes,
    read_file,
    take_live_file,
    taken_files,
)
from control_plane.pulse import Pulse
from control_plane.settings import Settings
from control_plane.store import clocks, session_reads, session_writes
from control_plane.store import spool as spool_positions
from control_plane.store.session_reads import Connection
from control_plane.telemetry import ACCOUNTING_BATCHES, DATABASE_FAILURES, UNREADABLE_RECORDS, logger

# How much of a file is read at once for each record of a batch; a record is some 900 octets.
_OCTETS_A_RECORD: Final = 1_024
_READ_MIN_OCTETS: Final = 1 << 21
# Batches of one spool before the other one and the reboots get their turn.
_BATCHES_A_TURN: Final = 4
_BACKOFF_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
_HEARTBEAT_S: Final = 5.0
_CLOCKS_S: Final = 60.0


class StopEvent(Protocol):
    """What of threading.Event and its like the shipper uses."""

    def is_set(self) -> bool:
        """Whether to stop."""

    def wait(self, timeout: float) -> bool:
        """Wait until it is set, at most so long."""


class Entry(Protocol):
    """A record or line with its place in the file."""

    @property
    def octet(self) -> int:
        """Where it begins."""

    @property
    def end(self) -> int:
        """Where the next begins."""


class Spool(Protocol):
    """One kind of spool."""

    name: str
    live: Path

    def read_part(self, path: Path, *, start: int, octets: int) -> tuple[list[Any], int]:
        """The entries in up to so many octets of a file, and the octet after the last."""

    def merge(self, overlap: Overlap, entries: Sequence[Any], *, now: datetime) -> list[Refused]:
        """Bring entries into the database; returns those without effect."""

    def count(self, entries: Sequence[Any]) -> None:
        """Count what was committed."""

    def forget(self) -> None:
        """Forget what was remembered of the database."""


@dataclass(slots=True)
class _File:
    """How far a renamed file has had its effect, its size when last looked at, and since when that is so.

    `ahead` is the reading of what follows, when a turn ended before it was needed.
    """

    octets: int
    ahead: Future[tuple[list[Any], int]] | None = None
    size: int = -1
    quiet_since: float = 0.0


@dataclass(frozen=True, slots=True)
class _Part:
    """Entries of a file that are merged in one transaction, and the position after them."""

    path: Path
    entries: Sequence[Entry]
    end: int


def run_shipper(settings: Settings, stop_event: StopEvent, pulse: Pulse | None = None) -> None:
    """Ship both spools until told to stop. The database may come and go.

    Raises: NodeNameTakenError when another installation ships under this node's name.
    """
    log = logger()
    shipper = Shipper(settings)
    failures = 0
    while not stop_event.is_set():
        try:
            busy = shipper.turn()
        except (psycopg.Error, SpoolError, OSError) as error:
            shipper.disconnect()
            if pulse is not None:
                pulse.trouble(str(error))
            if failures == 0:
                DATABASE_FAILURES.labels("shipper").inc()
                level = log.warning if isinstance(error, psycopg.OperationalError) else log.error
                level("spool.waits", reason=str(error).strip(), doing="the spool grows and is read when this is over")
            stop_event.wait(_BACKOFF_S[min(failures, len(_BACKOFF_S) - 1)])
            failures += 1
            continue
        if pulse is not None:
            pulse.beat()
        if failures:
            log.info("spool.goes_on", after_failures=failures)
            failures = 0
        if not busy:
            stop_event.wait(settings.edge.spool_interval_s)
    shipper.disconnect()


class Shipper:
    """Both spools of one node. `turn()` does a bounded amount of work and says whether there is more."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._node = settings.edge.node
        self._accounting = AccountingSpool(settings)
        self._spools: tuple[Spool, ...] = (self._accounting, LoginSpool(settings))
        self._connection: Connection | None = None
        self._overlap: Overlap | None = None
        self._files: dict[Path, _File] = {}
        self._positions: dict[str, int] = {}
        self._beat_at = 0.0
        self._clocks_at = 0.0
        self._synced_at = 0.0
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spool-reader")

    def disconnect(self) -> None:
        """Let go of the database; what was not committed is read again."""
        connection, self._connection = self._connection, None
        overlap, self._overlap = self._overlap, None
        if overlap is not None:
            overlap.close()
        if connection is not None:
            connection.close()
        for spool in self._spools:
            spool.forget()
        # Behind what may still be read ahead.
        self._reader.submit(self._accounting.close).result()

    def turn(self) -> bool:
        """Rename, read, merge, delete. Raises: psycopg.Error, SpoolError, OSError."""
        connection = self._connected()
        self._sync()
        began_at = time.time()
        busy = False
        for spool in self._spools:
            take_live_file(spool.live, node=self._node, now_ns=time.time_ns())
            behind = self._ship(connection, spool)
            busy = busy or behind
            if spool is self._accounting:
                self._beat(connection, self._accounting.newest_received_at if behind else began_at)
        return self._close_outlived(connection) or busy

    def _connected(self) -> Connection:
        if self._connection is None:
            connection = db.connect(self._settings.conninfo("corrente_edge"), name="shipper", autocommit=True)
            try:
                # An effect and its position are one transaction, so losing the last ones in a crash loses nothing: they
                # are read again. Only before a file is deleted must all be on disk.
                connection.execute("SET synchronous_commit = off")
                plan_by_index(connection)
                session_writes.prepare(connection)
                claim_node_name(connection, self._settings)
                if not spool_positions.holds_name(connection, self._node):
                    # Our own connection of a moment ago, which the server has not missed yet; or a copy of this machine.
                    hint = f"if this machine is a copy of another: [edge] node, and delete {installation_file(self._settings)}"
                    logger().warning("spool.name_in_use", node=self._node, doing=hint)
                self._positions = spool_positions.load_positions(connection, self._node)
                self._accounting.booted |= session_reads.load_rebooted_nases(connection)
            except (psycopg.Error, SpoolError, NodeNameTakenError):
                connection.close()
                raise
            self._files.clear()
            self._connection = connection
            self._overlap = Overlap(connection, self._settings.conninfo("corrente_edge"))
        return self._connection

    # ------------------------------------------------------------------------------------------------------------
    # Files
    # ------------------------------------------------------------------------------------------------------------
    def _ship(self, connection: Connection, spool: Spool) -> bool:
        """Work through the renamed files in order; says whether some of them was left unread."""
        budget = _BATCHES_A_TURN
        for path in taken_files(spool.live):
            file = self._files.setdefault(path, _File(self._positions.get(path.name, 0)))
            budget = self._ship_file(connection, spool, path, file, budget)
            if budget <= 0:
                return True
            self._finish_if_quiet(connection, spool, path, file)
        return False

    def _ship_file(self, connection: Connection, spool: Spool, path: Path, file: _File, budget: int) -> int:
        """Merge what a file holds beyond its position, reading ahead in a second thread meanwhile."""
        size = path.stat().st_size
        if size != file.size:
            file.size, file.quiet_since = size, time.monotonic()
        if file.octets >= size:
            return budget
        full = max(self._settings.edge.batch_records * _OCTETS_A_RECORD, _READ_MIN_OCTETS)
        ahead, file.ahead = file.ahead, None
        # The first part is small: nothing is merged while it is read.
        entries, end = ahead.result() if ahead else self._read(spool, path, file.octets, octets=_READ_MIN_OCTETS)
        while end > file.octets:
            ahead = self._reader.submit(self._read, spool, path, end, octets=full)
            # In batches of about one size: what a reading brings beyond the limit is no small batch of its own.
            number = max(1, round(len(entries) / self._settings.edge.batch_records))
            limit = max(1, -(-len(entries) // number))
            for first in range(0, len(entries), limit):
                some = entries[first : first + limit]
                until = end if first + limit >= len(entries) else some[-1].end
                self._merge(connection, spool, _Part(path, some, until))
                budget -= 1
            file.octets = end
            if budget <= 0:
                file.ahead = ahead
                break
            entries, end = ahead.result()
        return budget

    def _read(self, spool: Spool, path: Path, start: int, *, octets: int) -> tuple[list[Any], int]:
        return spool.read_part(path, start=start, octets=octets)

    def _finish_if_quiet(self, connection: Connection, spool: Spool, path: Path, file: _File) -> None:
        """Delete a file that nobody writes to any more, when the database has all of it on disk."""
        quiet_s = time.monotonic() - file.quiet_since
        if quiet_s < self._settings.edge.spool_grace_s or path.stat().st_size != file.size:
            return
        if not nobody_writes(path):
            return
        with connection.transaction():
            connection.execute("SET LOCAL synchronous_commit = on")
            if file.octets < file.size:
                torn = Refused(file.octets, file.size, "half-written last record")
                self._park(connection, path, [torn])
            spool_positions.save_position(connection, self._node, path.name, file.size)
        file.octets = file.size
        if not delete_if_let_go(path, size=file.size):
            return
        spool_positions.remove_position(connection, self._node, path.name)
        del self._files[path]
        logger().debug("spool.finished", spool=spool.name, file=path.name, octets=file.size)

    def _sync(self) -> None:
        """Force the live accounting file to disk, where the settings ask for it."""
        interval_s = self._settings.edge.spool_sync_interval_s
        if interval_s <= 0 or time.monotonic() - self._synced_at < interval_s:
            return
        self._synced_at = time.monotonic()
        try:
            descriptor = os.open(self._accounting.live, os.O_RDONLY)
        except FileNotFoundError:
            return
        try:
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)

    # ------------------------------------------------------------------------------------------------------------
    # Batches
    # ------------------------------------------------------------------------------------------------------------
    def _merge(self, connection: Connection, spool: Spool, part: _Part) -> None:
        """One batch in one transaction; when some record is to blame for a failure, the batch is halved to find it."""
        try:
            self._merge_once(connection, spool, part)
        except psycopg.errors.DeadlockDetected:
            # Usage is locked in the order of accounts within a step, not across the steps of a transaction.
            if len(part.entries) <= self._accounting.merger.step_records:
                raise
            self._merge_halves(connection, spool, part)
        except Exception as first:
            if fault_of(first) is None:
                raise
            spool.forget()
            try:
                self._merge_once(connection, spool, part)
            except Exception as error:
                fault = fault_of(error)
                if fault is None:
                    raise
                self._merge_without_culprit(connection, spool, part, fault)

    def _merge_without_culprit(self, connection: Connection, spool: Spool, part: _Part, fault: Fault) -> None:
        entries = part.entries
        if len(entries) > 1:
            self._merge_halves(connection, spool, part)
            return
        with connection.transaction():
            self._park(connection, part.path, [fault.of(entry.octet, entry.end) for entry in entries])
            spool_positions.save_position(connection, self._node, part.path.name, part.end)

    def _merge_halves(self, connection: Connection, spool: Spool, part: _Part) -> None:
        middle = len(part.entries) // 2
        self._merge(connection, spool, _Part(part.path, part.entries[:middle], part.entries[middle - 1].end))
        self._merge(connection, spool, _Part(part.path, part.entries[middle:], part.end))

    def _merge_once(self, connection: Connection, spool: Spool, part: _Part) -> None:
        began = time.monotonic()
        with connection.transaction():
            assert self._overlap is not None, "made with the connection"
            refused = spool.merge(self._overlap, part.entries, now=datetime.now(UTC))
            self._park(connection, part.path, refused)
            spool_positions.save_position(connection, self._node, part.path.name, part.end)
        spool.count(part.entries)
        if spool is self._accounting and part.entries:
            ACCOUNTING_BATCHES.observe(time.monotonic() - began)

    def _park(self, connection: Connection, path: Path, refused: Sequence[Refused]) -> None:
        """Keep records without effect for a person."""
        for entry in refused:
            text = kept(read_file(path, start=entry.octet, octets=entry.end - entry.octet))
            spool_positions.park(connection, self._node, path.name, entry, text)
            UNREADABLE_RECORDS.labels(entry.kind.value).inc()
            # A bug of ours is for us to mend, so it is an error; the record waits, the others go on.
            ours = entry.kind is Parked.OUR_FAULT
            say, doing = (logger().error, OUR_FAULT_ADVICE) if ours else (logger().warning, "kept aside")
            event = "spool.our_fault" if ours else "spool.unreadable"
            say(event, file=path.name, octet=entry.octet, problem=entry.problem, doing=doing)

    def _beat(self, connection: Connection, read_to: float) -> None:
        """Say up to which time of receipt this node's accounting has been read, now and then how clocks are off."""
        if read_to <= 0 or time.monotonic() - self._beat_at < _HEARTBEAT_S:
            return
        spool_positions.save_read_to(connection, self._node, read_to, now=time.time())
        self._beat_at = time.monotonic()
        if self._beat_at - self._clocks_at >= _CLOCKS_S:
            clocks.save_nas_clocks(connection, self._node, self._accounting.take_clocks())
            self._clocks_at = self._beat_at

    def _close_outlived(self, connection: Connection) -> bool:
        """Close a bounded number of sessions of NASes that have booted; says whether there are more."""
        for nas_id in sorted(self._accounting.booted):
            if close_outlived(connection, self._accounting.merger, nas_id, now=datetime.now(UTC)):
                return True
            self._accounting.booted.discard(nas_id)
        return False
