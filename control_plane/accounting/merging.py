"""Accounting records become the state of sessions: pure rules, no table and no clock.

`fold()` takes a session's state and its next record and returns the new state, the octets that are new, and the
addresses whose holding ended. Applied again, in whatever order, a record changes nothing: what a session has reached is
its greatest session time and the counters at it, and only what goes beyond it counts.

Units: octets and seconds; instants in whole epoch seconds UTC.
Source: RFC 2866 section 5, RFC 2869 sections 2.1, 5.1, 5.2, RFC 5080 section 2.2.1; docs/accounting.md.
Next: session_identity.py
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec.structs import replace

from control_plane.accounting.record import AccountingRecord, RecordKind
from control_plane.accounting.session_state import (
    Holding,
    SessionEnd,
    SessionState,
    holdings_until,
    key_by_class,
    key_by_start,
)

# No port carries more (400 Gbit/s, the limit of schema.sql); counters that say so are not believed.
_MAX_OCTETS_PER_S: Final = 50_000_000_000
_RATE_SLACK_S: Final = 60
# Two weeks of that in one record: more is a lie about the time as well, and sums of it would outgrow a bigint for everybody.
_MAX_OCTETS_A_RECORD: Final = 1 << 56
# What a session used before we first heard of it is spread over this much time at most.
_SPREAD_MAX_S: Final = 31 * 86400
_INTERVAL_MIN_S: Final = 60
_INTERVAL_MAX_S: Final = 86400
_WORD: Final = 1 << 32
_OCTETS_MAX: Final = (1 << 63) - 1


class Folded(msgspec.Struct, frozen=True, gc=False):
    """What one record did. The `used_*` octets were used during [used_since, used_until]."""

    state: SessionState
    used_in: int = 0
    used_out: int = 0
    used_since: int = 0
    used_until: int = 0
    holdings: tuple[Holding, ...] = ()


class _Counted(msgspec.Struct, frozen=True, gc=False):
    used_in: int
    used_out: int
    counter_in: int
    counter_out: int
    believed: bool = True


def fold(state: SessionState, record: AccountingRecord) -> Folded:
    """The session after one more of its records."""
    time_s = _session_time(state, record)
    ahead = _counters_ahead(state, record)
    stop = record.kind is RecordKind.STOP
    # Where nothing was counted yet, nothing can be counted twice.
    first = not state.counter_in and not state.counter_out
    news = time_s > state.session_time_s or (ahead and (stop or first or time_s == state.session_time_s))
    if record.session_time_s == 0:
        # The clock tells only whether it is news. Kept as session time, it would make the next word look old.
        time_s, news = 0, news and not _is_of_the_first_second(state, record)
    if state.ended_at is not None:
        if state.ended_by is SessionEnd.STOP:
            return _after_stop(state, record, time_s) if news else Folded(state)
        if not news and not stop:
            return Folded(state)
        # It was taken for over and speaks again: it goes on from where it seemed to end, without gap or overlap.
        state = replace(state, ended_at=None, ended_by=None, terminate_cause=None)
    if not news:
        completed = _completed(state, record)
        return _close(Folded(completed), record) if stop else Folded(completed)
    advanced = _advance(state, record, time_s)
    return _close(advanced, record) if stop else advanced


def open_session(record: AccountingRecord, *, nas_id: int, account_id: int | None) -> Folded:
    """A session we have not heard of before, from its first record, whichever kind that is."""
    time_s = record.session_time_s or 0
    started_at = record.event_at - time_s
    if record.class_key is not None:
        key = key_by_class(nas_id, record.class_key, record.acct_session_id)
    else:
        key = key_by_start(nas_id, record.acct_session_id, record.username, started_at)
    empty = SessionState(
        session_key=key,
        nas_id=nas_id,
        acct_session_id=record.acct_session_id,
        username=record.username,
        account_id=account_id,
        class_key=record.class_key,
        policy_version=record.policy_version,
        started_at=started_at,
        updated_at=started_at,
        received_at=record.received_at,
        session_time_s=0,
        octets_in=0,
        octets_out=0,
        counter_in=0,
        counter_out=0,
        interim_interval_s=None,
        framed_ipv4=record.framed_ipv4,
        framed_ipv6_address=record.framed_ipv6_address,
        framed_ipv6_prefix=record.framed_ipv6_prefix,
        delegated_ipv6_prefix=record.delegated_ipv6_prefix,
        nat=record.nat,
        addresses_since=started_at,
        mac=record.mac,
        line=record.line,
        nas_port_id=record.nas_port_id,
    )
    advanced = _advance(empty, record, time_s)
    # The first interval would be the whole session so far, which says nothing of the device's interim interval.
    opened = replace(
        advanced,
        state=replace(advanced.state, interim_interval_s=None),
        used_since=max(advanced.used_since, record.event_at - _SPREAD_MAX_S),
    )
    return _close(opened, record) if record.kind is RecordKind.STOP else opened


def end_session(state: SessionState, *, ended_by: SessionEnd, terminate_cause: str) -> Folded:
    """A live session that is taken for over: it ends with its last word and its last counters."""
    return _ended(Folded(state), state.updated_at, ended_by, terminate_cause)


def _session_time(state: SessionState, record: AccountingRecord) -> int:
    if record.session_time_s:
        return record.session_time_s
    return 0 if record.kind is RecordKind.START else max(0, record.event_at - state.started_at)


def _counters_ahead(state: SessionState, record: AccountingRecord) -> bool:
    """Whether no counter is behind what is known and one is ahead of it."""
    known_in, known_out = state.counter_in, state.counter_out
    if not record.wide:
        known_in, known_out = known_in % _WORD, known_out % _WORD
    ahead_in = (record.counter_in or 0) - known_in
    ahead_out = (record.counter_out or 0) - known_out
    return ahead_in >= 0 and ahead_out >= 0 and ahead_in + ahead_out > 0


def _is_of_the_first_second(state: SessionState, record: AccountingRecord) -> bool:
    """Whether a record that says no time is an older one, resent later without saying so.

    It says zero seconds and less than is known. A device that says zero always has counters that go back too, but when
    they wrap: then what was known was near their end.
    """
    if record.session_time_s != 0:
        return False
    word = _OCTETS_MAX if record.wide else _WORD
    pairs = ((state.counter_in % word, record.counter_in), (state.counter_out % word, record.counter_out))
    return any(now is not None and now < known < word // 2 for known, now in pairs)


def _count(state: SessionState, record: AccountingRecord, elapsed_s: int) -> _Counted:
    """The octets that are new in a record, and the counters from which the next will count.

    Two zeros say nothing (a Stop without its counters). A counter that went back began anew: a new segment. Without
    Gigawords a counter of 32 bits that went back has wrapped, once as far as anybody can tell; when both went back and
    were not both near their end, the device began them anew.
    """
    known_in, known_out = state.counter_in, state.counter_out
    now_in = known_in if record.counter_in is None else record.counter_in
    now_out = known_out if record.counter_out is None else record.counter_out
    unchanged = _Counted(0, 0, known_in, known_out, believed=False)
    if not now_in and not now_out:
        return replace(unchanged, believed=not known_in and not known_out)
    if record.wide:
        used_in = now_in - known_in if now_in >= known_in else now_in
        used_out = now_out - known_out if now_out >= known_out else now_out
    else:
        low_in, low_out = known_in % _WORD, known_out % _WORD
        both_back = now_in % _WORD < low_in and now_out % _WORD < low_out
        if both_back and min(low_in, low_out) < _WORD // 2:
            used_in, used_out = now_in, now_out
        else:
            used_in, used_out = (now_in - known_in) % _WORD, (now_out - known_out) % _WORD
            now_in, now_out = known_in + used_in, known_out + used_out
    if max(used_in, used_out) > min(_MAX_OCTETS_PER_S * (elapsed_s + _RATE_SLACK_S), _MAX_OCTETS_A_RECORD):
        return unchanged
    return _Counted(used_in, used_out, now_in, now_out)


def _advance(state: SessionState, record: AccountingRecord, time_s: int) -> Folded:
    """A session that goes on, or reports more than was known."""
    since = state.updated_at
    until = max(record.event_at, since)
    gap_s = time_s - state.session_time_s
    # No more time has passed than since the start, whatever a device says.
    counted = _count(state, record, max(until - since, min(gap_s, record.event_at - state.started_at)))
    learned = record.kind is RecordKind.INTERIM and _INTERVAL_MIN_S <= gap_s <= _INTERVAL_MAX_S
    moved, holdings = _with_addresses(state, record, until)
    new = replace(
        moved,
        username=state.username or record.username,
        # The last word counts: a device that takes a new Class by CoA says so in its next record.
        policy_version=record.policy_version or state.policy_version,
        class_key=state.class_key or record.class_key,
        updated_at=until,
        received_at=max(state.received_at, record.received_at),
        # How far the counters are known: a record before a Stop that left them out may still come and counts then.
        session_time_s=_time_counted(state, counted, time_s),
        octets_in=min(state.octets_in + counted.used_in, _OCTETS_MAX),
        octets_out=min(state.octets_out + counted.used_out, _OCTETS_MAX),
        counter_in=counted.counter_in,
        counter_out=counted.counter_out,
        interim_interval_s=gap_s if learned else state.interim_interval_s,
        mac=record.mac or state.mac,
        line=record.line or state.line,
        nas_port_id=record.nas_port_id or state.nas_port_id,
        stale=False,
    )
    return Folded(new, counted.used_in, counted.used_out, since, until, holdings)


def _time_counted(state: SessionState, counted: _Counted, time_s: int) -> int:
    """The session time at which the counters were read, which says what is news.

    The first octets set it back if need be: a Stop without counters may have come before the interims that it ends.
    """
    if not counted.believed:
        return state.session_time_s
    first = not state.counter_in and not state.counter_out and (counted.used_in or counted.used_out)
    return time_s if first else max(time_s, state.session_time_s)


def _with_addresses(state: SessionState, record: AccountingRecord, at: int) -> tuple[SessionState, tuple[Holding, ...]]:
    """The session with the addresses a record shows; a record that shows none leaves them as they were.

    An address that replaces another begins when that is seen. One that comes first has been held since the record
    before: an access device tells its delegated prefix in the first interim, not at the start.
    """
    if (
        record.framed_ipv4 in (None, state.framed_ipv4)
        and record.framed_ipv6_address in (None, state.framed_ipv6_address)
        and record.framed_ipv6_prefix in (None, state.framed_ipv6_prefix)
        and record.delegated_ipv6_prefix in (None, state.delegated_ipv6_prefix)
        and record.nat in (None, state.nat)
    ):
        return state, ()
    pairs = (
        (state.framed_ipv4, record.framed_ipv4),
        (state.framed_ipv6_address, record.framed_ipv6_address),
        (state.framed_ipv6_prefix, record.framed_ipv6_prefix),
        (state.delegated_ipv6_prefix, record.delegated_ipv6_prefix),
        (state.nat, record.nat),
    )
    replaced = any(old is not None and new is not None and new != old for old, new in pairs)
    begin = at if replaced else state.updated_at
    holdings = holdings_until(state, begin) if begin > state.addresses_since else ()
    moved = replace(
        state,
        framed_ipv4=record.framed_ipv4 or state.framed_ipv4,
        framed_ipv6_address=record.framed_ipv6_address or state.framed_ipv6_address,
        framed_ipv6_prefix=record.framed_ipv6_prefix or state.framed_ipv6_prefix,
        delegated_ipv6_prefix=record.delegated_ipv6_prefix or state.delegated_ipv6_prefix,
        nat=record.nat or state.nat,
        addresses_since=max(begin, state.addresses_since),
    )
    return moved, holdings


def _completed(state: SessionState, record: AccountingRecord) -> SessionState:
    """A late record brings nothing new but may fill what was never said."""
    pairs = (
        (state.username, record.username),
        (state.mac, record.mac),
        (state.line, record.line),
        (state.nas_port_id, record.nas_port_id),
    )
    if all(known or not said for known, said in pairs):
        return state
    return replace(
        state,
        username=state.username or record.username,
        mac=state.mac or record.mac,
        line=state.line or record.line,
        nas_port_id=state.nas_port_id or record.nas_port_id,
    )


def _close(folded: Folded, record: AccountingRecord) -> Folded:
    at = max(folded.state.updated_at, record.event_at)
    return _ended(folded, at, SessionEnd.STOP, record.terminate_cause)


def _ended(folded: Folded, at: int, ended_by: SessionEnd, terminate_cause: str | None) -> Folded:
    state = folded.state
    ended = replace(
        state,
        updated_at=at,
        addresses_since=at,
        stale=False,
        ended_at=at,
        ended_by=ended_by,
        terminate_cause=terminate_cause,
    )
    # A holding of no length is kept where nothing else tells of it: of a session of no length, of a last-moment address.
    told = at > state.addresses_since or at == state.started_at or folded.holdings
    held = holdings_until(state, at) if told else ()
    return replace(folded, state=ended, holdings=folded.holdings + held)


def _after_stop(state: SessionState, record: AccountingRecord, time_s: int) -> Folded:
    """A record after the Stop that reports more: the totals and the end move, the session stays closed."""
    live = replace(state, ended_at=None, ended_by=None)
    late = _advance(live, record, time_s)
    cause = record.terminate_cause or state.terminate_cause
    if late.state.updated_at == state.ended_at:
        closed = replace(late.state, ended_at=state.ended_at, ended_by=SessionEnd.STOP, terminate_cause=cause)
        return replace(late, state=closed)
    return _ended(late, late.state.updated_at, SessionEnd.STOP, cause)
