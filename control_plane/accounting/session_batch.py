"""The sessions that a transaction's records name, as they are read and as the records change them: no table, no clock.

A transaction takes its records in steps. What a step changes is handed out by `take_changes()` to be written while the
next step is folded; a session that an earlier step has changed is never read again from the database, where it is
still as it was.

Units: octets and seconds; instants in whole epoch seconds UTC.
Next: usage.py
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

import msgspec
from msgspec.structs import replace

from control_plane.accounting.merging import Folded, end_session, fold, open_session
from control_plane.accounting.record import AccountingRecord, RecordKind
from control_plane.accounting.session_identity import belonging, is_sure
from control_plane.accounting.session_state import Holding, SessionEnd, SessionState, key_by_class
from control_plane.accounting.usage import CivilHours
from control_plane.store.session_reads import NasRow

# A tuple: looking for an Enum in a set calls Python for its hash, a record at a time.
REBOOT: Final = (RecordKind.ON, RecordKind.OFF)
# How much further back than its computed end a closed session is looked for: the server's clock may have been set.
_CLOCK_STEP_S: Final = 86400
Id = tuple[int, str]


class Named(msgspec.Struct, frozen=True, gc=False):
    """A record of a NAS that is known; `class_name` is the key of its session when it echoes our Class."""

    nas: NasRow
    record: AccountingRecord
    id: Id
    class_name: bytes | None


def closed_since(record: AccountingRecord) -> int:
    """From which end on a closed session may be the one that a record is of."""
    return record.event_at - (record.session_time_s or 0) - _CLOCK_STEP_S


def named(nas: NasRow, record: AccountingRecord) -> Named:
    """A record with what its session is looked for by."""
    class_name = None
    if record.class_key is not None:
        class_name = key_by_class(nas.nas_id, record.class_key, record.acct_session_id)
    seen = _as_seen_from_us(record) if nas.swap_octets else record
    return Named(nas, seen, (nas.nas_id, record.acct_session_id), class_name)


@dataclass(frozen=True, slots=True)
class Found:
    """What the database knew of a step's sessions and accounts. Of closed sessions, those of `closed_since`'s ids that
    ended at or after the instant beside the id; their accounts exist."""

    live: Sequence[SessionState] = ()
    closed: Sequence[SessionState] = ()
    closed_since: Mapping[Id, int] = field(default_factory=dict)
    usernames: frozenset[str] = frozenset()
    accounts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Changes:
    """What a step changed. `were_live` and `were_closed` (by their end) say which of its states are in which table."""

    states: Sequence[SessionState]
    were_live: Mapping[bytes, SessionState] = field(default_factory=dict)
    were_closed: Mapping[bytes, int] = field(default_factory=dict)
    usage: Mapping[tuple[int, int, date], tuple[int, int]] = field(default_factory=dict)
    holdings: Sequence[Holding] = ()
    touched_accounts: frozenset[int] = frozenset()


class Batch:
    """The sessions that a transaction's records name."""

    def __init__(self, hours: CivilHours, boots: Mapping[int, int | None]) -> None:
        self.states: dict[bytes, SessionState] = {}
        self.booted: dict[int, int] = {}
        self.outlived: set[int] = set()
        self._changed: set[bytes] = set()
        self._were_live: dict[bytes, SessionState] = {}
        self._were_closed: dict[bytes, int] = {}
        self._usage: dict[tuple[int, int, date], tuple[int, int]] = {}
        self._holdings: list[Holding] = []
        self._by_id: dict[Id, dict[bytes, None]] = {}
        self._accounts: dict[str, int] = {}
        self._usernames: set[str] = set()
        self._closed_since: dict[Id, int] = {}
        self._boots = boots
        self._hours = hours

    def know(self, found: Found) -> None:
        """Take over what was read, but for what earlier steps have changed since."""
        for state in found.live:
            if state.session_key not in self.states:
                self.know_live(state)
        # Of two rows of one key the later end counts; a live row is the later truth.
        known = self.states.keys() & {state.session_key for state in found.closed}
        for state in found.closed:
            if state.session_key not in known and state.ended_at is not None:
                self._know(state)
                self._were_closed[state.session_key] = state.ended_at
        self._closed_since.update(found.closed_since)
        self._accounts.update(found.accounts)
        self._usernames |= found.usernames

    def know_live(self, state: SessionState) -> None:
        """A session read from the live table."""
        self._know(state)
        self._were_live[state.session_key] = state

    def _know(self, state: SessionState) -> None:
        self.states[state.session_key] = state
        self._by_id.setdefault((state.nas_id, state.acct_session_id), {})[state.session_key] = None

    def unread(self, step: Iterable[Named]) -> tuple[dict[Id, int], set[str]]:
        """What is still to be read before a step: ids of closed sessions with the earliest end, and usernames.

        A closed session may fit better than a live one that is only a guess.
        """
        ids: dict[Id, int] = {}
        names: set[str] = set()
        for one in step:
            record = one.record
            if record.kind in REBOOT:
                continue
            since = closed_since(record)
            closed_read = since >= self._closed_since.get(one.id, since + 1)
            name_read = not record.username_plain or record.username in self._usernames
            if closed_read and name_read:
                continue
            state = self.find(one)
            if not closed_read and (state is None or not (one.class_name or is_sure(record, state))):
                ids[one.id] = min(since, ids.get(one.id, since))
            if not name_read and (state is None or state.account_id is None):
                names.add(record.username)
        return ids, names

    def find(self, one: Named) -> SessionState | None:
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

    def take(self, one: Named) -> None:
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
            self._changed.add(key)
            if before is None:
                self._know(state)
        if folded.holdings:
            self._holdings.extend(folded.holdings)
        if state.account_id is not None and (folded.used_in or folded.used_out):
            self._use(state.account_id, folded)

    def _use(self, account_id: int, folded: Folded) -> None:
        since, until = folded.used_since, folded.used_until
        hour, day = self._hours.at(until)
        if since >= hour:
            used_in, used_out = self._usage.get((account_id, hour, day), (0, 0))
            self._usage[account_id, hour, day] = (used_in + folded.used_in, used_out + folded.used_out)
            return
        for hour, day, octets in self._hours.shares(folded.used_in, since=since, until=until):
            used_in, used_out = self._usage.get((account_id, hour, day), (0, 0))
            self._usage[account_id, hour, day] = (used_in + octets, used_out)
        for hour, day, octets in self._hours.shares(folded.used_out, since=since, until=until):
            used_in, used_out = self._usage.get((account_id, hour, day), (0, 0))
            self._usage[account_id, hour, day] = (used_in, used_out + octets)

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

    def take_changes(self) -> Changes:
        """What has changed since this was last asked, for the tables; from then on they are taken to hold it."""
        keys, self._changed = self._changed, set()
        usage, self._usage = self._usage, {}
        holdings, self._holdings = self._holdings, []
        changes = Changes(
            states=[self.states[key] for key in keys],
            were_live={key: self._were_live[key] for key in keys if key in self._were_live},
            were_closed={key: self._were_closed[key] for key in keys if key in self._were_closed},
            usage=usage,
            holdings=holdings,
            touched_accounts=frozenset(self._touched_accounts(keys)),
        )
        for state in changes.states:
            key = state.session_key
            if state.ended_at is None:
                self._were_live[key] = state
                self._were_closed.pop(key, None)
                if max(state.started_at, state.updated_at) < (self._boots.get(state.nas_id) or 0):
                    # Live after a late record though it ended with a boot that is known.
                    self.outlived.add(state.nas_id)
            else:
                self._were_closed[key] = state.ended_at
                self._were_live.pop(key, None)
        return changes

    def _touched_accounts(self, keys: Iterable[bytes]) -> Iterator[int]:
        """The accounts whose live sessions are others than before, or look otherwise to a login."""
        for key in keys:
            state, before = self.states[key], self._were_live.get(key)
            if state.account_id is None or (before is None and not state.live):
                continue
            if before is None or not state.live or _as_login_sees(before) != _as_login_sees(state):
                yield state.account_id


def _as_login_sees(state: SessionState) -> tuple[object, ...]:
    return state.account_id, state.mac, state.line, state.stale


def _as_seen_from_us(record: AccountingRecord) -> AccountingRecord:
    """A record of a model that reports upload and download exchanged."""
    return replace(record, counter_in=record.counter_out, counter_out=record.counter_in)
