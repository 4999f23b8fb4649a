"""Which session a record is of, when the device echoes no Class: pure rules.

Acct-Session-Id alone names nothing: it comes back after a reboot, and for another user.

Units: instants in whole epoch seconds UTC.
Source: RFC 2866 section 5.5; docs/accounting.md.
Next: usage.py
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from control_plane.accounting.record import AccountingRecord, RecordKind
from control_plane.accounting.session_state import SessionEnd, SessionState

# The same session computes to slightly different starts: network delay, a resend without Acct-Delay-Time, clock drift.
START_TOLERANCE_S: Final = 300
# A record whose session began this long after another's Stop is of a new session.
_AFTER_STOP_S: Final = 10
# Delays in whole seconds, and records that waited before FreeRADIUS, put what came later before what came first.
_ROUNDING_S: Final = 10
# An interim interval is hardly longer.
_LONG_INTERVAL_S: Final = 3600


def is_sure(record: AccountingRecord, state: SessionState) -> bool:
    """Whether the session's start says that the record is of it, so that no other session could fit better."""
    if _says_no_time(record) and record.event_at < state.started_at:
        return False
    return abs(record.event_at - (record.session_time_s or 0) - state.started_at) <= START_TOLERANCE_S


def belonging(
    record: AccountingRecord, candidates: Iterable[SessionState], *, booted_at: int | None
) -> SessionState | None:
    """The session that a record is of, out of those with the same NAS and Acct-Session-Id.

    The user must be the same, and the start of the session, as the record computes it, the same within
    START_TOLERANCE_S. Session time and counters that only grew also make it the same one, so that a step of the server's
    clock does not begin all sessions anew, unless the record is of a time when that session was not on.
    """
    started_at = record.event_at - (record.session_time_s or 0)
    best: SessionState | None = None
    best_rank = (2, 0)
    for state in candidates:
        rank = _rank(state, record, started_at)
        if rank is None or (booted_at is not None and state.live and state.updated_at < booted_at <= started_at):
            continue
        if best is None or rank < best_rank:
            best, best_rank = state, rank
    return best


def _rank(state: SessionState, record: AccountingRecord, started_at: int) -> tuple[int, int] | None:
    """How well a session fits a record, lower is better; None when it is another session."""
    if record.username and state.username and record.username != state.username:
        return None
    if record.class_key is not None and state.class_key is not None and record.class_key != state.class_key:
        return None
    distance_s = abs(started_at - state.started_at)
    stopped = state.ended_by is SessionEnd.STOP
    if _says_no_time(record):
        # The one that is on, or the one that just ended, or only then one that seems to begin a moment later.
        if state.ended_at is not None and record.event_at - state.ended_at > _AFTER_STOP_S:
            return None
        if record.event_at < state.started_at:
            return (2, distance_s) if distance_s <= _ROUNDING_S else None
        return (0 if state.live else 1, distance_s)
    if _says_the_same(state, record):
        return (1, distance_s)
    if stopped and state.ended_at is not None and started_at > state.ended_at + _AFTER_STOP_S:
        return None
    if distance_s <= START_TOLERANCE_S:
        return (0, distance_s)
    if _grew(state, record) and (_overlaps(state, record, started_at) or _next_word(state, record)):
        return (1, distance_s)
    return None


def _says_no_time(record: AccountingRecord) -> bool:
    """Whether a record does not say for how long its session has been on."""
    return not record.session_time_s and record.kind is not RecordKind.START


def _overlaps(state: SessionState, record: AccountingRecord, started_at: int) -> bool:
    """Whether the time that the record speaks of and what is known of the session have a moment in common.

    Two sessions with one id on one device follow each other: what began after the last word of the one is of the other.
    """
    return started_at <= state.updated_at and record.event_at >= state.started_at


def _next_word(state: SessionState, record: AccountingRecord) -> bool:
    """Whether a record looks like the next interim of the session although the clock says another time.

    The server's clock was set: the device counted little more than an interval since, and kept the address. Intervals vary by
    seconds, and one interim may be lost.
    """
    passed_s = (record.session_time_s or 0) - state.session_time_s
    longest_s = max(2 * (state.interim_interval_s or 0), _LONG_INTERVAL_S)
    return passed_s <= longest_s and record.framed_ipv4 == state.framed_ipv4


def _grew(state: SessionState, record: AccountingRecord) -> bool:
    """Whether time and counters only went on, of a session that may still be on.

    Only of a record that comes at once: one that was held back and is of an older session has grown as well.
    """
    prompt = record.received_at - record.event_at <= START_TOLERANCE_S
    going_on = state.live or state.ended_by in {SessionEnd.STALE, SessionEnd.NOT_ON_DEVICE}
    time_grew = record.kind is not RecordKind.START and (record.session_time_s or 0) > state.session_time_s
    counters_grew = (record.counter_in or 0) >= state.counter_in and (record.counter_out or 0) >= state.counter_out
    return going_on and prompt and time_grew and counters_grew


def _says_the_same(state: SessionState, record: AccountingRecord) -> bool:
    """Whether time and octets are to the last one those that the session had: a resend, however late it comes."""
    counted = (record.session_time_s, record.counter_in, record.counter_out)
    known = (state.session_time_s, state.counter_in, state.counter_out)
    return counted == known and all(counted)
