"""Sessions in the database: batches of accounting records merged into them, silent ones closed.

`merge_records` holds the NASes of a batch, loads the sessions it names, folds the records one after the other in Python
and writes the result back in sets. The caller commits it together with the position in the spool. Reading the same
records again, from the same file or another, changes nothing.

Next: shipper.py
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import msgspec
from msgspec.structs import replace

from control_plane.accounting import Folded, end_session, fold, open_session
from control_plane.accounting_record import AccountingRecord, RecordKind
from control_plane.session_identity import belonging, is_sure
from control_plane.session_state import Holding, SessionEnd, SessionState, key_by_class
from control_plane.settings import Settings
from control_plane.store import session_reads, session_writes, silence
from control_plane.store.session_reads import Connection, NasRow, NasTable
from control_plane.usage import CivilHours

# How much further back than its computed end a closed session is looked for: the server's clock may have been set.
_CLOCK_STEP_S = 86400
# Sessions closed in one transaction when they are taken for over.
CLOSED_AT_ONCE = 2000
_REBOOT = frozenset({RecordKind.ON, RecordKind.OFF})
_Id = tuple[int, str]


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

    def forget_months(self) -> None:
        """A partition was gone: ask for all of them again."""
        self._months.clear()

    def merge_records(
        self, connection: Connection, records: Sequence[AccountingRecord], nases: NasTable, *, now: datetime
    ) -> Merged:
        """Bring records into sessions, usage and history within the caller's transaction."""
        merged = Merged()
        named: list[_Named] = []
        for record in records:
            nas = nases.find(record.source)
            if nas is None:
                merged.unusable.append((record, f"no NAS is registered at {record.source}"))
            else:
                named.append(_named(nas, record))
        batch = _Batch(self._hours, session_reads.lock_nases(connection, {one.nas.nas_id for one in named}))
        batch.load(connection, named)
        for one in named:
            if one.record.kind in _REBOOT:
                batch.take_boot(one.nas, one.record)
            else:
                batch.take(one)
        self._save(connection, batch, horizons_at(self._settings, now))
        merged.booted = batch.outlived() | batch.booted.keys()
        return merged

    def close(
        self, connection: Connection, states: Iterable[SessionState], *, ended_by: SessionEnd, cause: str, now: datetime
    ) -> None:
        """End live sessions with what is known of them. The caller holds their NASes and has read them since."""
        batch = _Batch(self._hours, {})
        for state in states:
            batch.know_live(state)
            batch.apply(end_session(state, ended_by=ended_by, terminate_cause=cause))
        self._save(connection, batch, horizons_at(self._settings, now))

    def _save(self, connection: Connection, batch: _Batch, horizons: Horizons) -> None:
        changed = [batch.states[key] for key in batch.changed]
        self._make_months(connection, batch, changed, horizons)
        session_writes.save_sessions(
            connection,
            changed,
            were_live=batch.were_live,
            were_closed=batch.were_closed,
            closed_since=horizons.closed_since,
        )
        session_writes.add_usage(
            connection, batch.usage, hours_since=horizons.hours_since, days_since=horizons.days_since
        )
        session_writes.add_holdings(connection, batch.holdings, since=horizons.history_since)
        for nas_id, booted_at in batch.booted.items():
            session_writes.raise_boot(connection, nas_id, booted_at)
        session_writes.note_sessions_changed(connection, batch.touched_accounts())

    def _make_months(
        self, connection: Connection, batch: _Batch, changed: Iterable[SessionState], horizons: Horizons
    ) -> None:
        days = {day for _, _, day in batch.usage if day >= horizons.days_since}
        instants = {hour for _, hour, _ in batch.usage if hour >= horizons.hours_since}
        instants.update(
            state.ended_at for state in changed if state.ended_at and state.ended_at >= horizons.closed_since
        )
        for holding in batch.holdings:
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


class _Named(msgspec.Struct, frozen=True, gc=False):
    """A record of a NAS that is known; `class_name` is the key of its session when it echoes our Class."""

    nas: NasRow
    record: AccountingRecord
    id: _Id
    class_name: bytes | None


def _named(nas: NasRow, record: AccountingRecord) -> _Named:
    class_name = None
    if record.class_key is not None:
        class_name = key_by_class(nas.nas_id, record.class_key, record.acct_session_id)
    seen = _as_seen_from_us(record) if nas.swap_octets else record
    return _Named(nas, seen, (nas.nas_id, record.acct_session_id), class_name)


class _Batch:
    """The sessions that a batch names, as they are read and as the records change them."""

    def __init__(self, hours: CivilHours, boots: dict[int, int | None]) -> None:
        self.states: dict[bytes, SessionState] = {}
        self.changed: set[bytes] = set()
        self.were_live: dict[bytes, SessionState] = {}
        self.were_closed: dict[bytes, int] = {}
        self.usage: dict[tuple[int, int, date], tuple[int, int]] = {}
        self.holdings: list[Holding] = []
        self.booted: dict[int, int] = {}
        self._by_id: dict[_Id, dict[bytes, None]] = {}
        self._accounts: dict[str, int] = {}
        self._boots = boots
        self._hours = hours

    def load(self, connection: Connection, named: Sequence[_Named]) -> None:
        """Read the sessions that the records may be of: live ones, and closed ones where no live one fits."""
        sessions = [one for one in named if one.record.kind not in _REBOOT]
        for state in session_reads.load_live_by_id(connection, {one.id for one in sessions}):
            self.know_live(state)
        found = [(one, self.find(one)) for one in sessions]
        # A closed session may fit better than a live one that is only a guess.
        unknown = [one for one, state in found if state is None or not (one.class_name or is_sure(one.record, state))]
        if unknown:
            since = min(one.record.event_at - (one.record.session_time_s or 0) for one in unknown) - _CLOCK_STEP_S
            closed = session_reads.load_closed_by_id(connection, {one.id for one in unknown}, ended_since=since)
            self._know_closed(connection, closed)
        names = {
            one.record.username
            for one, state in found
            if (state is None or state.account_id is None) and one.record.username_plain
        }
        self._accounts = session_reads.load_account_ids(connection, names)

    def know_live(self, state: SessionState) -> None:
        """A session read from the live table."""
        self.states[state.session_key] = self.were_live[state.session_key] = state
        self._by_id.setdefault((state.nas_id, state.acct_session_id), {})[state.session_key] = None

    def _know_closed(self, connection: Connection, states: Collection[SessionState]) -> None:
        """Sessions read from the closed table, which outlives accounts; a live row of the same key is the later truth."""
        exist = session_reads.load_existing_accounts(
            connection, {s.account_id for s in states if s.account_id is not None}
        )
        for closed in states:
            if closed.session_key in self.were_live or closed.ended_at is None:
                continue
            state = closed if closed.account_id in exist else replace(closed, account_id=None)
            self.states[state.session_key] = state
            self.were_closed[state.session_key] = closed.ended_at
            self._by_id.setdefault((state.nas_id, state.acct_session_id), {})[state.session_key] = None

    def find(self, one: _Named) -> SessionState | None:
        """The known session that a record is of."""
        if one.class_name is not None:
            state = self.states.get(one.class_name)
            if state is not None:
                return state
        same_id = self._by_id.get(one.id)
        if not same_id:
            return None
        nas_id = one.nas.nas_id
        booted_at = max(self._boots.get(nas_id) or 0, self.booted.get(nas_id, 0))
        return belonging(one.record, (self.states[key] for key in same_id), booted_at=booted_at or None)

    def take_boot(self, nas: NasRow, record: AccountingRecord) -> None:
        """Accounting-On or -Off. From a group of devices it could be any of them, so it ends nobody's session."""
        known = max(self._boots.get(nas.nas_id) or 0, self.booted.get(nas.nas_id, 0))
        if nas.single and record.event_at > known:
            self.booted[nas.nas_id] = record.event_at

    def take(self, one: _Named) -> None:
        """One record of a session."""
        record = one.record
        state = self.find(one)
        if state is not None and state.account_id is not None:
            self._go_on(state, record)
            return
        account_id = self._accounts.get(record.username) if record.username_plain else None
        if state is not None:
            self._go_on(state if account_id is None else replace(state, account_id=account_id), record)
            return
        folded = open_session(record, nas_id=one.nas.nas_id, account_id=account_id)
        self._replace_others(folded)
        self.apply(self._unless_past(folded, spoke_at=folded.state.started_at + 1))

    def _go_on(self, state: SessionState, record: AccountingRecord) -> None:
        folded = fold(state, record)
        if folded.state.live and not state.live:
            # A late word from before its id was given away again brings octets, not the session.
            folded = self._unless_past(folded, spoke_at=folded.state.updated_at)
        self.apply(folded)

    def apply(self, folded: Folded) -> None:
        """Take over what a record did."""
        state = folded.state
        key = state.session_key
        before = self.states.get(key)
        if before is not state:
            self.states[key] = state
            self.changed.add(key)
            if before is None:
                self._by_id.setdefault((state.nas_id, state.acct_session_id), {})[key] = None
        if folded.holdings:
            self.holdings.extend(folded.holdings)
        if state.account_id is not None and (folded.used_in or folded.used_out):
            self._use(state.account_id, folded)

    def _use(self, account_id: int, folded: Folded) -> None:
        since, until = folded.used_since, folded.used_until
        hour, day = self._hours.at(until)
        if since >= hour:
            used_in, used_out = self.usage.get((account_id, hour, day), (0, 0))
            self.usage[account_id, hour, day] = (used_in + folded.used_in, used_out + folded.used_out)
            return
        for hour, day, octets in self._hours.shares(folded.used_in, since=since, until=until):
            used_in, used_out = self.usage.get((account_id, hour, day), (0, 0))
            self.usage[account_id, hour, day] = (used_in + octets, used_out)
        for hour, day, octets in self._hours.shares(folded.used_out, since=since, until=until):
            used_in, used_out = self.usage.get((account_id, hour, day), (0, 0))
            self.usage[account_id, hour, day] = (used_in, used_out + octets)

    def _others(self, state: SessionState) -> list[SessionState]:
        same_id = self._by_id.get((state.nas_id, state.acct_session_id), {})
        others = (self.states[key] for key in same_id if key != state.session_key)
        return [other for other in others if other.username == state.username]

    def _replace_others(self, opened: Folded) -> None:
        """An id comes back for the same user on the same NAS: the session that had it before is over."""
        for other in self._others(opened.state):
            if other.live and other.started_at <= opened.state.started_at:
                self.apply(end_session(other, ended_by=SessionEnd.REPLACED, terminate_cause="Lost-Carrier"))

    def _unless_past(self, folded: Folded, *, spoke_at: int) -> Folded:
        """A session that comes up by a late record, when its id has already been given away again, is over."""
        state = folded.state
        if not state.live or not any(other.started_at >= spoke_at for other in self._others(state)):
            return folded
        ended = end_session(state, ended_by=SessionEnd.REPLACED, terminate_cause="Lost-Carrier")
        return replace(folded, state=ended.state, holdings=folded.holdings + ended.holdings)

    def outlived(self) -> set[int]:
        """NASes of sessions that are live after a late record though they ended with a boot that is known."""
        states = (self.states[key] for key in self.changed)
        return {
            state.nas_id
            for state in states
            if state.live and max(state.started_at, state.updated_at) < (self._boots.get(state.nas_id) or 0)
        }

    def touched_accounts(self) -> set[int]:
        """The accounts whose live sessions are others than before, or look otherwise to a login."""
        touched: set[int] = set()
        for key in self.changed:
            state, before = self.states[key], self.were_live.get(key)
            if state.account_id is None or (before is None and not state.live):
                continue
            if before is None or not state.live or _as_login_sees(before) != _as_login_sees(state):
                touched.add(state.account_id)
        return touched


def _as_login_sees(state: SessionState) -> tuple[object, ...]:
    return state.account_id, state.mac, state.line, state.stale


def _as_seen_from_us(record: AccountingRecord) -> AccountingRecord:
    """A record of a model that reports upload and download exchanged."""
    return replace(record, counter_in=record.counter_out, counter_out=record.counter_in)
