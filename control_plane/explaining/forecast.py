"""What the loop would do in time to come if nobody touches anything: the steps of the policy, and what the guard makes of them.

Pure. The same steps that the hook follows (access_policy.py), seen from the live sessions: each says when, what, why, and
whether it would go or wait. What depends on what nobody knows yet (usage, payments, the next run) is not in it.

Units: aware UTC.
Next: control_loop/guard.py
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

from control_plane.control_loop.guard import WINDOW, GuardLimits, Hour, Situation, trip_words
from control_plane.policy.access_policy import NO_PROFILE, AccessFacts
from radius_hooks.decision import NO_TIME_LIMIT
from radius_hooks.policy_records import Level, PolicyStep

EXPIRED: Final = "the account expires"


@dataclass(frozen=True, slots=True)
class Coming:
    """One step of one subscriber who is online: from `before` to `after` at that moment, and why."""

    at: datetime
    account_id: int
    username: str
    nas_id: int
    before: PolicyStep
    after: PolicyStep
    why: str
    by_person: bool = False
    exempt: str = ""

    @property
    def disruptive(self) -> bool:
        """It takes something away."""
        return self.after.level.value > self.before.level.value


@dataclass(frozen=True, slots=True)
class Judged:
    """A step with what the guard would say; `waits` is empty when it goes."""

    coming: Coming
    waits: str


@dataclass(slots=True)
class Tally:
    """What the guard knows as it goes along in time: who was cut in the hour, and whether it has tripped."""

    live: int
    gone: deque[tuple[datetime, int]] = field(default_factory=deque)
    tripped: str = ""


def coming_steps(
    steps: Sequence[PolicyStep], *, expires_at: datetime | None, now: datetime, until: datetime
) -> list[tuple[datetime, PolicyStep, PolicyStep]]:
    """The changes within `(now, until]`: when, what holds before it, and what from it on. An expired account has nothing."""
    if expires_at is not None and expires_at <= now:
        return []
    found = []
    for before, after in pairwise(steps):
        at = datetime.fromtimestamp(before.until, UTC)
        if at > until or (expires_at is not None and at >= expires_at):
            break
        found.append((at, before, after))
    if expires_at is not None and expires_at <= until:
        last = found[-1][2] if found else steps[0]
        found.append((expires_at, last, PolicyStep(NO_TIME_LIMIT, Level.NONE, EXPIRED, NO_PROFILE)))
    return found


def why_at(facts: AccessFacts, at: datetime, *, expires_at: datetime | None, zone: ZoneInfo) -> str:
    """Which fact begins or ends at that moment: a step changes at whole seconds, a fact within the second before."""
    second = math.ceil(at.timestamp())
    said = [EXPIRED] if _is_at(expires_at, second) else []
    for relief in facts.reliefs:
        said += ["a relief begins"] if _is_at(relief.start, second) else []
        said += ["the relief ends"] if _is_at(relief.end, second) else []
    for one in facts.restrictions:
        words = f"restriction ({one.origin.value}, {one.severity.value}: {one.reason})"
        said += [f"{words} begins"] if _is_at(one.since, second) else []
        said += [f"{words} ends"] if _is_at(one.until, second) else []
    said += ["the quota month turns"] if _is_at(facts.quota_exhausted_until, second) else []
    said += ["the contract begins"] if _is_at(_midnight(facts.starts_on, zone), second) else []
    said += ["the contract ends"] if _is_at(_midnight(facts.ends_on, zone), second) else []
    return ", ".join(said) or "the plan or its hours change"


def _is_at(instant: datetime | None, second: int) -> bool:
    return instant is not None and math.ceil(instant.timestamp()) == second


def _midnight(day: date | None, zone: ZoneInfo) -> datetime | None:
    return None if day is None else datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)


def judge(
    coming: Iterable[Coming], tally: Tally, limits: GuardLimits, situation: Situation, over: Mapping[int, datetime]
) -> list[Judged]:
    """What would go and what would wait, in order of time. `over` says when a NAS's maintenance ends by itself.

    All that falls on one moment is wanted together. A stop has no end that is known.
    """
    judged: list[Judged] = []
    together: list[Coming] = []
    for one in sorted(coming, key=lambda change: (change.at, change.username)):
        if together and together[0].at != one.at:
            judged += _judge_moment(together, tally, limits, situation, over)
            together = []
        together.append(one)
    if together:
        judged += _judge_moment(together, tally, limits, situation, over)
    return judged


def _judge_moment(
    changes: list[Coming], tally: Tally, limits: GuardLimits, situation: Situation, over: Mapping[int, datetime]
) -> list[Judged]:
    at = changes[0].at
    while tally.gone and tally.gone[0][0] <= at - WINDOW:
        tally.gone.popleft()
    alone = {id(one): _waits_alone(one, situation, over) for one in changes}
    asked = [one for one in changes if alone[id(one)] is None]
    if asked and not tally.tripped:
        cut = {account for _, account in tally.gone}
        wanting = {one.account_id for one in asked} - cut
        hour = Hour(live=tally.live, cut=len(cut), wanting=len(wanting))
        if hour.cut + hour.wanting > limits.allowed(hour.live):
            tally.tripped = trip_words(hour, limits)
        else:
            tally.gone.extend((at, one.account_id) for one in asked)
    return [Judged(one, tally.tripped if (waits := alone[id(one)]) is None else waits) for one in changes]


def _waits_alone(one: Coming, situation: Situation, over: Mapping[int, datetime]) -> str | None:
    """Why it waits by itself, empty when it goes by itself, None when the share decides."""
    if situation.stop:
        return situation.stop
    if one.nas_id in situation.maintenance and (one.nas_id not in over or one.at < over[one.nas_id]):
        return situation.maintenance[one.nas_id]
    if not one.disruptive or one.by_person:
        return ""
    return one.exempt or None
