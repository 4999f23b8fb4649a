"""The life of one change on its way to a live session: after each answer, silence or proof, what comes next. Pure.

A change is tried by the methods of its vendor's ladder, best first, each with a bounded number of tries, and ends proven
(verified), taken on trust (unverifiable), given up with an alarm, or superseded. Nothing here makes a session stricter
than the change wants: only methods of the ladder are used, and a ladder without a disconnect never ends a session.

Units: *_s seconds; `chance` is in [0, 1).
Source: RFC 5176 sections 2.3 and 3.5; RFC 5080 section 2.2.1.
Next: enforcer.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final, assert_never

from control_plane.control_loop.error_cause import Action, CauseRule, rule_for
from nas_drivers.policy import Method

# Exchanges in all; what is still not done by then is for a person. With the last pause it is about eight hours.
ATTEMPTS_MAX: Final = 40
# Of a method that is answered with "not now", or that did not do what it acknowledged.
_TRIES_WHEN_BUSY: Final = 5
_TRIES_WHEN_IGNORED: Final = 2
_TRIES_WHEN_HALF_DONE: Final = 2
# One unanswered exchange is already five packets within half a minute.
_TRIES_WHEN_SILENT: Final = 30
_FIRST_PAUSE_S: Final = 2.0
_FIRST_PAUSE_WHEN_SILENT_S: Final = 30.0
_LAST_PAUSE_S: Final = 900.0
_JITTER: Final = 0.2
# How the session is named: what the vendor matches best, all that may help, as little as there is.
BEST, FULLER, FEWEST = 0, 1, 2
_BY_RADIUS: Final = frozenset({Method.COA, Method.DISCONNECT})


class State(Enum):
    """Where a change stands; the values are the database's enforcement_state."""

    QUEUED = "queued"
    SENT = "sent"
    ACKED = "acked"
    NACKED = "nacked"
    UNANSWERED = "unanswered"
    VERIFIED = "verified"
    UNVERIFIABLE = "unverifiable"
    GAVE_UP = "gave_up"
    SUPERSEDED = "superseded"

    @property
    def closed(self) -> bool:
        """Whether nothing more comes."""
        return self in _CLOSED


_CLOSED: Final = frozenset({State.VERIFIED, State.UNVERIFIABLE, State.GAVE_UP, State.SUPERSEDED})


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a change has come. `unsure`: an exchange of it was not answered, so it may have had its effect."""

    state: State
    method: Method
    identity_detail: int = BEST
    tries: int = 0
    attempt: int = 0
    unsure: bool = False


class Reply(Enum):
    """What came of one exchange. FAILED: what is no RADIUS in it could not be carried out."""

    ACK = "ack"
    NAK = "nak"
    NONE = "none"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One exchange's end. `error_cause` may stand in a NAK and in an ACK; `problem` is for a person.

    `sends` over 1: an answer to an earlier one may have been lost. 0: nothing has left.
    """

    reply: Reply
    error_cause: int | None = None
    problem: str = ""
    sends: int = 1


@dataclass(frozen=True, slots=True)
class Next:
    """What comes of an outcome: how far the change is now, in how long it is due again, and what a person must know.

    `gone`: the device has no such session, so ours is a ghost. `alarm`: a person must look. `pause_s` of an acknowledged
    change is left to verification, and 0 there.
    """

    progress: Progress
    pause_s: float = 0.0
    problem: str = ""
    gone: bool = False
    alarm: bool = False


def begun(progress: Progress) -> Progress:
    """The change as it is handed to the wire: one more try, one more attempt."""
    return replace(progress, state=State.SENT, tries=progress.tries + 1, attempt=progress.attempt + 1)


def after_outcome(
    progress: Progress, outcome: Outcome, ladder: Sequence[Method], *, chance: float, provable: bool = True
) -> Next:
    """What comes after an exchange of a change that was `begun`; `ladder` are the methods that this device offers.

    `provable`: a second source will tell whether the change came about.
    """
    match outcome.reply:
        case Reply.ACK:
            gone = outcome.error_cause == 201
            return Next(replace(progress, state=State.ACKED), gone=gone)
        case Reply.NONE:
            return _after_silence(
                replace(progress, unsure=progress.unsure or outcome.sends > 0), outcome, ladder, chance
            )
        case Reply.FAILED:
            problem = f"{progress.method.value}: {outcome.problem}"
            # What is left half done, a CoA without its address lists, is soon done by a new login.
            tries = _TRIES_WHEN_HALF_DONE if progress.method is Method.COA else _TRIES_WHEN_BUSY
            return _later(progress, ladder, chance, problem, tries=tries, state=State.UNANSWERED)
        case Reply.NAK:
            unsure = progress.unsure or outcome.sends > 1
            return _after_nak(replace(progress, unsure=unsure), outcome.error_cause, ladder, chance, provable=provable)
    assert_never(outcome.reply)


def after_lost_worker(progress: Progress) -> Next:
    """A worker took it and never said what came of it: perhaps nothing was sent, perhaps it has had its effect.

    Sent again at once: RFC 5176 section 2.3 makes a repeat harmless, and one that was carried out answers 503.
    """
    problem = "a worker ended before the answer"
    if progress.attempt >= ATTEMPTS_MAX:
        return _given_up(progress, problem)
    return Next(replace(progress, state=State.UNANSWERED, unsure=True), problem=problem)


class Sight(Enum):
    """What a second source says of an acknowledged change."""

    HOLDS = "holds"
    NOT_YET = "not yet"
    IGNORED = "ignored"
    # The session ended by itself: there is nothing left to change.
    OVER = "over"
    CANNOT = "cannot"


def after_look(progress: Progress, sight: Sight, ladder: Sequence[Method], *, problem: str, chance: float) -> Next:
    """What comes of an acknowledged change after a look at the second source; NOT_YET leaves it as it is.

    Acknowledged and not done is tried once more, then by the next method, and a person is told when none is left.
    """
    match sight:
        case Sight.HOLDS:
            return Next(replace(progress, state=State.VERIFIED))
        case Sight.NOT_YET:
            return Next(progress)
        case Sight.CANNOT:
            return Next(replace(progress, state=State.UNVERIFIABLE), problem=problem)
        case Sight.OVER:
            return Next(replace(progress, state=State.SUPERSEDED), problem=problem)
        case Sight.IGNORED:
            if _may_repeat(progress, _TRIES_WHEN_IGNORED):
                again = replace(progress, state=State.NACKED)
                return Next(again, _pause_s(progress.tries, _FIRST_PAUSE_S, chance), problem)
            return _by_next_method(progress, ladder, problem, alarm=False)
    assert_never(sight)


def _after_nak(
    progress: Progress, error_cause: int | None, ladder: Sequence[Method], chance: float, *, provable: bool
) -> Next:
    rule = rule_for(error_cause)
    nacked = replace(progress, state=State.NACKED)
    match rule.action:
        case Action.GONE:
            return _after_gone(nacked, rule)
        case Action.FEWER:
            return _renamed(nacked, FEWEST, ladder, rule)
        case Action.FULLER:
            return _renamed(nacked, FULLER, ladder, rule)
        case Action.LATER:
            found = _later(nacked, ladder, chance, rule.meaning, tries=_TRIES_WHEN_BUSY, state=State.NACKED)
            return replace(found, alarm=found.alarm or rule.alarm)
        case Action.NEXT:
            return _by_next_method(nacked, ladder, rule.meaning, alarm=rule.alarm)
        case Action.CONFIGURATION:
            return _without_radius(nacked, ladder, rule.meaning)
        case Action.STOP:
            return _given_up(nacked, rule.meaning)
        case Action.WAIT if not provable:
            # It was not acknowledged, and nobody would see that nothing came of it.
            return _by_next_method(nacked, ladder, rule.meaning, alarm=rule.alarm)
        case Action.WAIT:
            return Next(replace(progress, state=State.ACKED), problem=rule.meaning)
    assert_never(rule.action)


def _after_gone(progress: Progress, rule: CauseRule) -> Next:
    # A list that was looked through names nobody: what is not in it is not there.
    named = progress.method in _BY_RADIUS
    if not named or progress.unsure or progress.identity_detail == FEWEST or progress.attempt >= ATTEMPTS_MAX:
        # A cut is what was wanted; a change has nothing left to change.
        done = State.SUPERSEDED if progress.method is Method.COA else State.VERIFIED
        return Next(replace(progress, state=done), problem=rule.meaning, gone=True)
    # A device that compares one name too many says the same of a session that is there.
    return Next(replace(progress, identity_detail=FEWEST, tries=0), problem=rule.meaning)


def _renamed(progress: Progress, detail: int, ladder: Sequence[Method], rule: CauseRule) -> Next:
    """The same method once more under other names; each method gets one such change of names."""
    if progress.identity_detail == BEST and progress.attempt < ATTEMPTS_MAX:
        return Next(replace(progress, identity_detail=detail, tries=0), problem=rule.meaning)
    if rule.configuration:
        return _without_radius(progress, ladder, rule.meaning)
    return _by_next_method(progress, ladder, rule.meaning, alarm=rule.alarm)


def _after_silence(progress: Progress, outcome: Outcome, ladder: Sequence[Method], chance: float) -> Next:
    problem = outcome.problem or "no answer"
    silent = replace(progress, state=State.UNANSWERED)
    if _may_repeat(progress, _TRIES_WHEN_SILENT):
        return Next(silent, _pause_s(progress.tries, _FIRST_PAUSE_WHEN_SILENT_S, chance), problem)
    return _without_radius(silent, ladder, problem)


def _later(
    progress: Progress, ladder: Sequence[Method], chance: float, problem: str, *, tries: int, state: State
) -> Next:
    if _may_repeat(progress, tries):
        return Next(replace(progress, state=state), _pause_s(progress.tries, _FIRST_PAUSE_S, chance), problem)
    return _by_next_method(replace(progress, state=state), ladder, problem, alarm=False)


def _may_repeat(progress: Progress, tries: int) -> bool:
    return progress.tries < tries and progress.attempt < ATTEMPTS_MAX


def _by_next_method(progress: Progress, ladder: Sequence[Method], problem: str, *, alarm: bool) -> Next:
    return _by_one_of(progress, _behind(progress.method, ladder), problem, alarm=alarm)


def _without_radius(progress: Progress, ladder: Sequence[Method], problem: str) -> Next:
    """The device's change port is of no use: only what does not go through it is left, and a person is told."""
    left = tuple(method for method in _behind(progress.method, ladder) if method not in _BY_RADIUS)
    return _by_one_of(progress, left, problem, alarm=True)


def _by_one_of(progress: Progress, left: Sequence[Method], problem: str, *, alarm: bool) -> Next:
    if not left or progress.attempt >= ATTEMPTS_MAX:
        return _given_up(progress, problem)
    state = State.NACKED if progress.state is State.ACKED else progress.state
    onward = replace(progress, state=state, method=left[0], identity_detail=BEST, tries=0)
    return Next(onward, problem=problem, alarm=alarm)


def _behind(method: Method, ladder: Sequence[Method]) -> tuple[Method, ...]:
    """What stands behind a method; nothing behind one that the ladder no longer has."""
    return tuple(ladder[ladder.index(method) + 1 :]) if method in ladder else ()


def _given_up(progress: Progress, problem: str) -> Next:
    return Next(replace(progress, state=State.GAVE_UP), problem=problem, alarm=True)


def _pause_s(tries: int, first_s: float, chance: float) -> float:
    """Twice as long each time up to a limit, spread so that a thousand changes do not come back in the same second."""
    pause_s = min(first_s * 2.0 ** (max(tries, 1) - 1), _LAST_PAUSE_S)
    return pause_s * (1 + _JITTER * (2 * chance - 1))
