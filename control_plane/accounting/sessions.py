"""Sessions in the database: batches of accounting records merged into them, silent ones closed.

`merge_records` holds the NASes of a batch and takes it in steps: it loads the sessions a step names, folds the records
one after the other in Python and writes the result back in sets. The caller commits it together with the position in
the spool. Reading the same records again, from the same file or another, changes nothing.

Next: shipper.py
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final

from msgspec.structs import replace

from control_plane.accounting.merging import end_session
from control_plane.accounting.overlap import Overlap
from control_plane.accounting.record import AccountingRecord
from control_plane.accounting.session_batch import REBOOT, Batch, Changes, Found, Id, Named, closed_since, named
from control_plane.accounting.session_identity import is_sure
from control_plane.accounting.session_state import SessionEnd, SessionState
from control_plane.accounting.usage import CivilHours
from control_plane.settings import Settings
from control_plane.store import session_reads, session_writes, silence
from control_plane.store.session_reads import Connection, NasTable

# Sessions closed in one transaction when they are taken for over.
CLOSED_AT_ONCE = 2000
# Steps of a full batch: while one is folded, the next is read and the one before is written.
_STEPS_A_BATCH: Final = 5


@dataclass(frozen=True, slots=True)
class Horizons:
    """How far back each kind of data is kept: what lies before has no partition. Instants in epoch seconds."""

    history_since: int
    closed_since: int
    hours_since: int
    days_since: date


def horizons_at(settings: Settings, now: datetime) -> Horizons:
    """The oldest data that may be written at `now`."""
    kept = settings.retention
    return Horizons(
        history_since=int((now - timedelta(days=kept.address_history_days)).timestamp()),
        closed_since=int((now - timedelta(days=kept.closed_session_days)).timestamp()),
        hours_since=int((now - timedelta(days=kept.usage_hour_days)).timestamp()),
        days_since=(now - timedelta(days=kept.usage_day_days)).date(),
    )


@dataclass(slots=True)
class Merged:
    """What a merge did: records that named no NAS with the reason, and NASes whose older sessions may have ended."""

    unusable: list[tuple[AccountingRecord, str]] = field(default_factory=list)
    booted: set[int] = field(default_factory=set)


class SessionMerger:
    """Merges batches for one node. Remembers only what a mistake would not falsify: zone tables and known months."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._hours = CivilHours(settings.zone)
        self._months: set[tuple[int, int]] = set()
        self.step_records = max(1, settings.edge.batch_records // _STEPS_A_BATCH)

    def forget_months(self) -> None:
        """A partition was gone: ask for all of them again."""
        self._months.clear()

    def merge_records(
        self, overlap: Overlap, records: Sequence[AccountingRecord], nases: NasTable, *, now: datetime
    ) -> Merged:
        """Bring records into sessions, usage and history within the open transaction of `overlap.connection`."""
        merged = Merged()
        known: list[Named] = []
        for record in records:
            nas = nases.find(record.source)
            if nas is None:
                merged.unusable.append((record, f"no NAS is registered at {record.source}"))
            else:
                known.append(named(nas, record))
        batch = Batch(self._hours, session_reads.lock_nases(overlap.connection, {one.nas.nas_id for one in known}))
        steps = [known[first : first + self.step_records] for first in range(0, len(known), self.step_records)]
        with overlap.at_work(alone=len(steps) < 2):
            self._take_steps(overlap, batch, steps, horizons_at(self._settings, now))
        for nas_id, booted_at in batch.booted.items():
            session_writes.raise_boot(overlap.connection, nas_id, booted_at)
        merged.booted = batch.outlived | batch.booted.keys()
        return merged

    def _take_steps(self, overlap: Overlap, batch: Batch, steps: Sequence[Sequence[Named]], horizons: Horizons) -> None:
        """Fold step by step; meanwhile the sessions of the step after are read and those of the step before written."""
        reading = overlap.read(_find, steps[0]) if steps else None
        for number, step in enumerate(steps):
            assert reading is not None, "asked for with the step before"
            batch.know(reading.result())
            ids, names = batch.unread(step)
            if ids or names:
                batch.know(overlap.read(_find_more, ids, names).result())
            if number + 1 < len(steps):
                reading = overlap.read(_find, steps[number + 1])
            for one in step:
                if one.record.kind in REBOOT:
                    batch.take_boot(one.nas, one.record)
                else:
                    batch.take(one)
            overlap.write(self._save, batch.take_changes(), horizons)

    def close(
        self, connection: Connection, states: Iterable[SessionState], *, ended_by: SessionEnd, cause: str, now: datetime
    ) -> None:
        """End live sessions with what is known of them. The caller holds their NASes and has read them since."""
        batch = Batch(self._hours, {})
        for state in states:
            batch.know_live(state)
            batch.apply(end_session(state, ended_by=ended_by, terminate_cause=cause))
        self._save(connection, batch.take_changes(), horizons_at(self._settings, now))

    def _save(self, connection: Connection, changes: Changes, horizons: Horizons) -> None:
        self._make_months(connection, changes, horizons)
        session_writes.empty(connection)
        session_writes.save_sessions(connection, changes, closed_since=horizons.closed_since)
        session_writes.add_usage(
            connection, changes.usage, hours_since=horizons.hours_since, days_since=horizons.days_since
        )
        session_writes.add_holdings(connection, changes.holdings, since=horizons.history_since)
        session_writes.note_sessions_changed(connection, changes.touched_accounts)

    def _make_months(self, connection: Connection, changes: Changes, horizons: Horizons) -> None:
        days = {day for _, _, day in changes.usage if day >= horizons.days_since}
        instants = {hour for _, hour, _ in changes.usage if hour >= horizons.hours_since}
        instants.update(
            state.ended_at for state in changes.states if state.ended_at and state.ended_at >= horizons.closed_since
        )
        for holding in changes.holdings:
            if holding.until >= horizons.history_since:
                begin = max(holding.since, horizons.history_since)
                instants.update(range(begin, holding.until, 28 * 86400))
                instants.add(holding.until)
        months = {(day.year, day.month) for day in days}
        months.update((at.year, at.month) for at in (datetime.fromtimestamp(i, UTC) for i in instants))
        new = months - self._months
        if new:
            session_writes.make_months(connection, (date(year, month, 1) for year, month in sorted(new)))
            self._months |= new


def _find(connection: Connection, step: Sequence[Named]) -> Found:
    """The sessions that the records of a step may be of: live ones, and closed ones where no live one fits surely."""
    sessions = [one for one in step if one.record.kind not in REBOOT]
    live = session_reads.load_live_by_id(connection, {one.id for one in sessions})
    by_id: dict[Id, list[SessionState]] = {}
    for state in live:
        by_id.setdefault((state.nas_id, state.acct_session_id), []).append(state)
    ids: dict[Id, int] = {}
    names: set[str] = set()
    for one in sessions:
        record, states = one.record, by_id.get(one.id, ())
        if not any(state.session_key == one.class_name or is_sure(record, state) for state in states):
            since = closed_since(record)
            ids[one.id] = min(since, ids.get(one.id, since))
        if record.username_plain and all(state.account_id is None for state in states):
            names.add(record.username)
    more = _find_more(connection, ids, names)
    return dataclasses.replace(more, live=live)


def _find_more(connection: Connection, ids: Mapping[Id, int], names: Collection[str]) -> Found:
    """Closed sessions of these ids that ended at or after the instants, and the accounts of these usernames.

    Closed sessions outlive accounts: one whose account is gone has none.
    """
    closed: list[SessionState] = []
    if ids:
        since = min(ids.values())
        ids = dict.fromkeys(ids, since)
        found = session_reads.load_closed_by_id(connection, ids.keys(), ended_since=since)
        wanted = {state.account_id for state in found if state.account_id is not None}
        exist = session_reads.load_existing_accounts(connection, wanted)
        closed = [state if state.account_id in exist else replace(state, account_id=None) for state in found]
    accounts = session_reads.load_account_ids(connection, names)
    return Found(closed=closed, closed_since=ids, usernames=frozenset(names), accounts=accounts)


def close_outlived(connection: Connection, merger: SessionMerger, nas_id: int, *, now: datetime) -> bool:
    """Close a bounded number of a NAS's sessions that ended with its boot; says whether there may be more.

    In batches of their own, so that fifty thousand sessions of a rebooted access concentrator hold nobody up. A session
    that has spoken since the boot is left alone, as is one that began after it.
    """
    with connection.transaction():
        session_reads.lock_nases(connection, [nas_id])
        states = session_reads.load_outlived(connection, nas_id, limit=CLOSED_AT_ONCE)
        merger.close(connection, states, ended_by=SessionEnd.NAS_REBOOT, cause="NAS-Reboot", now=now)
    return len(states) == CLOSED_AT_ONCE


def close_stale_sessions(connection: Connection, settings: Settings, now: datetime) -> int:
    """Close the sessions that have been silent for too long, with their last counters; returns how many.

    Silence counts up to where the nodes' spools have been read, not up to the clock: after an outage the words of a
    session may still be waiting there. An interval before a session is closed it is marked stale, so that a new login
    of its account may take over. Commits as it goes; the connection is in autocommit.
    """
    horizon = silence.load_read_horizon(connection, now)
    if horizon is None:
        return 0
    rules = settings.accounting
    limits = silence.SilenceLimits(
        intervals=rules.stale_after_intervals,
        grace_s=rules.stale_grace_s,
        default_interval_s=rules.default_interim_interval_s,
    )
    _mark_stale_sessions(connection, horizon, limits)
    merger = SessionMerger(settings)
    session_writes.prepare(connection)
    closed = 0
    while True:
        silent = silence.load_silent(connection, horizon, limits, at_once=CLOSED_AT_ONCE)
        for nas_id, keys in silent.items():
            with connection.transaction():
                session_reads.lock_nases(connection, [nas_id])
                states = session_reads.load_live_of_nas(connection, nas_id, keys)
                merger.close(connection, states, ended_by=SessionEnd.STALE, cause="Lost-Carrier", now=now)
                closed += len(states)
        if sum(map(len, silent.values())) < CLOSED_AT_ONCE:
            return closed


def _mark_stale_sessions(connection: Connection, horizon: datetime, limits: silence.SilenceLimits) -> None:
    while True:
        falling = silence.load_falling_silent(connection, horizon, limits, at_once=CLOSED_AT_ONCE)
        for nas_id, heard_at in falling.items():
            with connection.transaction():
                session_reads.lock_nases(connection, [nas_id])
                marked = silence.mark_stale(connection, nas_id, heard_at)
                session_writes.note_sessions_changed(connection, marked)
        if sum(map(len, falling.values())) < CLOSED_AT_ONCE:
            return
