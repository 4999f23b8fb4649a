"""The accounting spool as the shipper sees it: how its octets become records, and how those reach the database.

Next: reader.py, then sessions.py
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from control_plane.accounting.clocks import Clocks
from control_plane.accounting.overlap import Overlap
from control_plane.accounting.reader import Entries, RecordReader, read_records
from control_plane.accounting.record import AccountingRecord
from control_plane.accounting.sessions import SessionMerger
from control_plane.accounting.spool import Refused
from control_plane.settings import Settings
from control_plane.store import session_reads
from control_plane.store.session_reads import Connection, NasTable
from control_plane.telemetry import ACCOUNTING_RECORDS

# A NAS that was added a moment ago is looked for again at once; otherwise the list is read this often.
_NAS_LIST_AGE_S = 5.0
_NAS_LIST_MIN_AGE_S = 0.2


class AccountingSpool:
    """Records of FreeRADIUS's `detail` module into sessions, usage and history."""

    name = "accounting"

    def __init__(self, settings: Settings) -> None:
        self.live = settings.accounting_spool_dir / "detail"
        self.booted: set[int] = set()
        self.newest_received_at = 0
        self.merger = SessionMerger(settings)
        self._clocks = Clocks()
        self._reader = RecordReader()
        self._nases = NasTable({})
        self._nases_read_at = -_NAS_LIST_AGE_S

    def read(self, data: bytes, *, start: int) -> tuple[Entries, int]:
        """The records in `data` and the octet after the last of them."""
        return read_records(data, start=start)

    def read_part(self, path: Path, *, start: int, octets: int) -> tuple[Entries, int]:
        """The records in a part of a file and the octet after the last of them."""
        return self._reader.read(path, start=start, octets=octets)

    def close(self) -> None:
        """Let go of the process that reads."""
        self._reader.close()

    def merge(self, overlap: Overlap, entries: Sequence[AccountingRecord | Refused], *, now: datetime) -> list[Refused]:
        """Bring entries into the database within the caller's transaction; returns those that had no effect."""
        refused = [entry for entry in entries if isinstance(entry, Refused)]
        records = [entry for entry in entries if isinstance(entry, AccountingRecord)]
        if records:
            self._read_nases(overlap.connection, records)
            merged = self.merger.merge_records(overlap, records, self._nases, now=now)
            refused += [Refused(record.octet, record.end, problem) for record, problem in merged.unusable]
            self.booted |= merged.booted
            self.newest_received_at = max(record.received_at for record in records)
            self._clocks.see(records)
        return refused

    def take_clocks(self) -> dict[int, tuple[str, int]]:
        """(Source, how far its clock is ahead of this node's) by NAS, as seen since this was last asked."""
        return self._clocks.take(self._nases)

    def count(self, entries: Sequence[AccountingRecord | Refused]) -> None:
        """Count what was committed."""
        kinds = Counter(entry.kind.value for entry in entries if isinstance(entry, AccountingRecord))
        for kind, number in kinds.items():
            ACCOUNTING_RECORDS.labels(kind).inc(number)

    def forget(self) -> None:
        """A partition or a row that was taken for there was not: look again."""
        self.merger.forget_months()
        self._nases_read_at = -_NAS_LIST_AGE_S

    def _read_nases(self, connection: Connection, records: Sequence[AccountingRecord]) -> None:
        age_s = time.monotonic() - self._nases_read_at
        unknown = age_s > _NAS_LIST_MIN_AGE_S and any(
            self._nases.find(source) is None for source in {record.source for record in records}
        )
        if unknown or age_s > _NAS_LIST_AGE_S:
            self._nases = session_reads.load_nases(connection)
            self._nases_read_at = time.monotonic()
