"""What an answer makes of an e-invoice: the state machine, for every authority the same.

Three rules are above all others. Nothing is sent again while it may have been taken: it is asked first, and only two answers
"there is none", some time apart, let it be sent again. An acceptance is never taken back by a later answer, and wins over an
earlier refusal: what the authority has is issued, and the contradiction is for a person. What is settled is asked no more.

Units: *_s seconds; instants are UTC.
Source: the e-invoice provider interface, "States" and "Worker rules".
Next: remedies.py
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from billing.einvoice.outcome import Answer, Handover, Manner, Outcome, Retry, State

PAUSE_LEAST_S: Final = 60.0
PAUSE_MOST_S: Final = 6 * 3600.0
_SPREAD: Final = 0.2
TAKEN: Final = frozenset({State.ACCEPTED, State.ACCEPTED_NOTED})
CANCELLING: Final = frozenset({State.CANCEL_REQUESTED, State.CANCELLED, State.CANCEL_REFUSED})
REJECTED: Final = frozenset({State.REJECTED_FIXABLE, State.REJECTED_FINAL})
# Here octets may be with the authority: they stay as they are, and so does the number.
OUT: Final = frozenset({State.SENDING, State.UNKNOWN, State.PENDING})
# In these something is still done by itself.
MOVING: Final = OUT | {State.PREPARED, State.CANCEL_REQUESTED}
# How far a receiver's word goes: a later one that says less is late, not new.
_REACHED: Final = {
    Handover.NONE: 0,
    Handover.SENT: 1,
    Handover.UNDELIVERABLE: 2,
    Handover.DELIVERED: 3,
    Handover.REFUSED: 4,
}


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of an e-invoice. `tries` counts questions since the state began; `absent_at` is the first "there is none"."""

    state: State
    handover: Handover = Handover.NONE
    digest: bytes | None = None
    authority_key: str | None = None
    tries: int = 0
    since: datetime | None = None
    absent_at: datetime | None = None
    contradiction: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """The new standing, when it is looked at next (None: when somebody says so), and whether the account is to stop."""

    standing: Standing
    next_at: datetime | None
    blocks: str = ""


def pause_s(tries: int, *, spread: float = 0.0) -> float:
    """How long to wait after so many tries: a minute, doubled each time up to six hours, shortened by `spread` (0 to 1)."""
    return min(PAUSE_LEAST_S * 2.0 ** min(max(tries - 1, 0), 20), PAUSE_MOST_S) * (1 - _SPREAD * spread)


def begin_sending(standing: Standing, *, now: datetime, lease_s: float) -> Change:
    """The first octet is about to leave. Who dies now leaves it in doubt after `lease_s`."""
    assert standing.state is State.PREPARED, f"{standing.state}: only what is prepared is sent"
    begun = replace(standing, state=State.SENDING, since=now, absent_at=None)
    return Change(begun, now + timedelta(seconds=lease_s))


def left_alone(standing: Standing, *, now: datetime) -> Change:
    """Nobody noted how sending ended: it is in doubt, and asked about at once."""
    assert standing.state is State.SENDING, f"{standing.state}: nothing was being sent"
    return Change(replace(standing, state=State.UNKNOWN, since=now, tries=0), now)


def answered(
    standing: Standing, outcome: Outcome, manner: Manner, *, now: datetime, asked: bool = False, spread: float = 0.0
) -> Change:
    """What an answer makes of it, whenever it comes; `asked`: to the question what there is."""
    standing = replace(standing, handover=_further(standing.handover, outcome.handover))
    is_of_others = outcome.about is not None and standing.digest is not None and outcome.about != standing.digest
    if outcome.answer in (Answer.ACCEPTED, Answer.ACCEPTED_NOTED):
        return _taken(standing, outcome, now=now, other_octets=is_of_others)
    if standing.state in TAKEN | CANCELLING or outcome.answer in _CANCELS:
        return _after_taking(standing, outcome, now=now, spread=spread)
    if is_of_others and asked and standing.state is State.UNKNOWN:
        # What it has is what it refused before: of the octets that are in doubt there is nothing.
        return _absent(replace(standing, tries=standing.tries + 1), outcome, manner, now=now)
    if is_of_others or standing.state in REJECTED:
        # Of what was sent before a fix, or said a second time.
        return Change(standing, None if standing.state not in MOVING else _next(standing, outcome, now, spread))
    return _open(standing, outcome, manner, now=now, spread=spread)


_CANCELS: Final = frozenset({Answer.CANCEL_REQUESTED, Answer.CANCELLED, Answer.CANCEL_REFUSED})


def _further(was: Handover, said: Handover | None) -> Handover:
    return was if said is None or _REACHED[said] < _REACHED[was] else said


def _next(standing: Standing, outcome: Outcome, now: datetime, spread: float) -> datetime:
    at = now + timedelta(seconds=pause_s(standing.tries, spread=spread))
    return at if outcome.not_before is None else max(at, outcome.not_before)


def _taken(standing: Standing, outcome: Outcome, *, now: datetime, other_octets: bool) -> Change:
    """It was accepted; what was said before against it, or another key than before, is a contradiction."""
    said = []
    if other_octets:
        said.append("it accepted octets that were sent before a fix")
    if standing.state in REJECTED:
        said.append(f"it was {standing.state} before")
    known, key = standing.authority_key, outcome.authority_key
    if standing.state in TAKEN | CANCELLING:
        if key is not None and known is not None and key != known:
            said.append(f"it was accepted as {known} before, and now as {key}")
        kept = _contradicted(standing, said)
        return Change(kept, _next(kept, outcome, now, 0.0) if kept.state is State.CANCEL_REQUESTED else None)
    state = State(outcome.answer.value)
    taken = replace(standing, state=state, since=now, authority_key=key or known, tries=0, absent_at=None)
    return Change(_contradicted(taken, said), None)


def _after_taking(standing: Standing, outcome: Outcome, *, now: datetime, spread: float) -> Change:
    """What is said of a document that was accepted: about cancelling it, or against what was said."""
    if outcome.answer in _CANCELS:
        if standing.state not in TAKEN | CANCELLING:
            odd = _contradicted(standing, [f"{outcome.answer} of what was not accepted"])
            return Change(odd, _next(odd, outcome, now, spread) if odd.state in MOVING else None)
        if standing.state is State.CANCELLED:
            return Change(standing, None)
        moved = replace(standing, state=State(outcome.answer.value), since=now, tries=standing.tries + 1)
        waits = moved.state is State.CANCEL_REQUESTED
        return Change(moved, _next(moved, outcome, now, spread) if waits else None)
    waits = standing.state is State.CANCEL_REQUESTED
    tried = replace(standing, tries=standing.tries + 1) if waits else standing
    at = _next(tried, outcome, now, spread) if waits else None
    against = outcome.answer in (Answer.REJECTED_FIXABLE, Answer.REJECTED_FINAL, Answer.ABSENT)
    return Change(_contradicted(tried, [f"it says {outcome.answer} after it was accepted"] if against else []), at)


def _contradicted(standing: Standing, said: list[str]) -> Standing:
    new = [one for one in said if one not in standing.contradiction]
    return replace(standing, contradiction="; ".join(filter(None, [standing.contradiction, *new])))


def _open(standing: Standing, outcome: Outcome, manner: Manner, *, now: datetime, spread: float) -> Change:
    """An answer to what nobody has settled yet."""
    tried = replace(standing, tries=standing.tries + 1)
    match outcome.answer:
        case Answer.REJECTED_FIXABLE | Answer.REJECTED_FINAL:
            return Change(replace(tried, state=State(outcome.answer.value), since=now, tries=0), None)
        case Answer.BLOCKED:
            why = "; ".join(one.text for one in outcome.messages) or "the authority takes nothing of this issuer"
            return Change(replace(tried, state=State.BLOCKED, since=now), None, blocks=why)
        case Answer.PENDING:
            begins = standing.state is not State.PENDING
            waits = replace(tried, state=State.PENDING, since=now if begins else standing.since, absent_at=None)
            waits = replace(waits, tries=1) if begins else waits
            return Change(waits, _next(waits, outcome, now, spread))
        case Answer.ABSENT:
            return _absent(tried, outcome, manner, now=now)
        case _:
            return _unknown(tried, outcome, now=now, spread=spread)


def _absent(standing: Standing, outcome: Outcome, manner: Manner, *, now: datetime) -> Change:
    """There is none, says the authority: the first time it is asked again, the second time the same octets are sent."""
    apart = timedelta(seconds=manner.absent_apart_s)
    if standing.absent_at is not None and now - standing.absent_at >= apart:
        return Change(replace(standing, state=State.PREPARED, since=now, tries=0, absent_at=None), now)
    first = standing.absent_at or now
    since = standing.since if standing.state is State.UNKNOWN else now
    doubt = replace(standing, state=State.UNKNOWN, since=since, absent_at=first)
    return Change(doubt, max(first + apart, outcome.not_before or first))


def _unknown(standing: Standing, outcome: Outcome, *, now: datetime, spread: float) -> Change:
    if outcome.retry is Retry.SAME_BYTES and standing.state in (State.SENDING, State.PREPARED):
        # It says itself that it did not take it: busy, closed at night.
        again = replace(standing, state=State.PREPARED, since=now)
        return Change(again, _next(again, outcome, now, spread))
    if standing.state in (State.PREPARED, State.PENDING, State.BLOCKED):
        return Change(standing, _next(standing, outcome, now, spread) if standing.state in MOVING else None)
    begins = standing.state is not State.UNKNOWN
    # A question that was not answered says nothing about "there is none": the time apart goes on.
    doubt = replace(standing, state=State.UNKNOWN, since=now if begins else standing.since)
    return Change(doubt, _next(doubt, outcome, now, spread))
