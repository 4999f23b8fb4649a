"""Parked records tried again: each one whose cause is gone is merged and taken away in one transaction.

So a record has its effect exactly once, whatever is killed when; and a record that the shipper read a second time from a
spool file changes nothing either way. What still stands against the others is noted in their rows.

Next: store/parked.py
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from control_plane.accounting.accounting_spool import AccountingSpool
from control_plane.accounting.blame import Fault, fault_of
from control_plane.accounting.login_spool import LoginSpool
from control_plane.accounting.overlap import Overlap
from control_plane.accounting.sessions import close_outlived
from control_plane.accounting.spool import Parked, Refused
from control_plane.settings import Settings
from control_plane.store import session_writes
from control_plane.store.parked import (
    ParkedRecord,
    load_parked_ids,
    lock_parked,
    remove_parked,
    save_parked_again,
)
from control_plane.store.session_reads import Connection

# Records of one transaction: it holds their NASes, and shippers wait for those.
_AT_ONCE: Final = 500
_TORN: Final = Fault(Parked.UNREADABLE, "torn record: a part of it is missing")


@dataclass(slots=True)
class Retried:
    """What trying again did: how many records had their effect, and what stands against the others."""

    merged: int = 0
    left: Counter[tuple[Parked, str]] = field(default_factory=Counter)


Note = Callable[[int], None]


def retry_parked(
    connection: Connection, settings: Settings, *, kind: Parked | None, dry_run: bool, now: datetime, note: Note
) -> Retried:
    """Try the records of one kind, or all, in the order of their parking. With `dry_run` nothing is kept of it.

    `note` is called with the number of records merged, within the transaction that merged them. The connection is in
    autocommit. Raises: psycopg.Error, OSError.
    """
    assert connection.autocommit, "each part is a transaction of its own: temporary tables are emptied by its commit"
    retry = _Retry(connection, settings, dry_run=dry_run, now=now, note=note)
    last = 0
    while ids := load_parked_ids(connection, kind=kind, after=last, limit=_AT_ONCE):
        retry.some(ids)
        last = ids[-1]
    retry.close_outlived()
    return retry.retried


class _Retry:
    """One run over the parked records."""

    def __init__(self, connection: Connection, settings: Settings, *, dry_run: bool, now: datetime, note: Note) -> None:
        self.retried = Retried()
        self._connection = connection
        self._accounting = AccountingSpool(settings)
        self._logins = LoginSpool(settings)
        self._dry_run = dry_run
        self._now = now
        self._note = note
        session_writes.prepare(connection)

    def some(self, ids: Sequence[int]) -> None:
        """Try these; when one of them is to blame for a failure, halve them to find it."""
        try:
            self._once(ids)
        except Exception as error:
            fault = fault_of(error)
            if fault is None:
                raise
            self._forget()
            if len(ids) > 1:
                middle = len(ids) // 2
                self.some(ids[:middle])
                self.some(ids[middle:])
                return
            with self._connection.transaction(force_rollback=self._dry_run):
                for row in lock_parked(self._connection, ids):
                    self._leave(row, fault)
                    self._count_left(fault)

    def _once(self, ids: Sequence[int]) -> None:
        """Merge what can be merged, in one transaction; count it when that has gone well."""
        merged: list[int] = []
        against: list[tuple[ParkedRecord, Fault]] = []
        with self._connection.transaction(force_rollback=self._dry_run):
            rows = lock_parked(self._connection, ids)
            for spool in (self._accounting, self._logins):
                own = [row for row in rows if row.file.startswith(f"{spool.live.name}.")]
                done, left = self._merge(spool, own)
                merged += done
                against += left
            remove_parked(self._connection, merged)
            if merged:
                self._note(len(merged))
            for row, fault in against:
                self._leave(row, fault)
        self.retried.merged += len(merged)
        for _, fault in against:
            self._count_left(fault)
        if self._dry_run:
            self._forget()

    def _merge(
        self, spool: AccountingSpool | LoginSpool, rows: Sequence[ParkedRecord]
    ) -> tuple[list[int], list[tuple[ParkedRecord, Fault]]]:
        """The numbers of those that had their effect, and the others with what stands against them."""
        entries: list[Any] = []
        faults: dict[int, Fault] = {}
        for row in rows:
            # The place in a file only names the record here, and its number does that without doubles.
            read, _ = spool.read(row.record.encode(), start=row.id)
            if len(read) == 1 and read[0].octet == row.id:
                entries += read
            else:
                faults[row.id] = _TORN
        if entries:
            refused: list[Refused] = spool.merge(Overlap(self._connection), entries, now=self._now)
            faults |= {one.octet: Fault(one.kind, one.problem) for one in refused}
        return [row.id for row in rows if row.id not in faults], [
            (row, faults[row.id]) for row in rows if row.id in faults
        ]

    def _leave(self, row: ParkedRecord, fault: Fault) -> None:
        save_parked_again(self._connection, row.id, kind=fault.kind, problem=fault.problem, at=self._now)

    def _count_left(self, fault: Fault) -> None:
        """By the first line: those behind it quote the row, and no two rows are the same."""
        self.retried.left[fault.kind, fault.problem.partition("\n")[0]] += 1

    def _forget(self) -> None:
        """What was remembered of a transaction that was taken back."""
        for spool in (self._accounting, self._logins):
            spool.forget()

    def close_outlived(self) -> None:
        """End the sessions that a merged Accounting-On or -Off ended."""
        if self._dry_run:
            return
        for nas_id in sorted(self._accounting.booted):
            while close_outlived(self._connection, self._accounting.merger, nas_id, now=self._now):
                pass
