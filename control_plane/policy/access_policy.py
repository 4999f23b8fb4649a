"""What the network owes an account, now and at every moment that is already known: contract, plan, restrictions, relief, quota.

The only place that turns those into a level and a profile. The answer is a list of steps in order of time, so that a
relief ends at its minute with the database away: the hook picks the step in force.

A dated plan change is a step like any other. The hours of a plan (plan_hours.py) come back every day, so they are steps
for the next two days only; who renders must do it again before those are over.

Units: instants are aware UTC; dates are days of the billing zone; a step's end is in whole epoch seconds, rounded up.
Source: billing model section 3.2 (docs/decisions/0003).
Next: rendering.py
"""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time
from enum import Enum
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from control_plane.policy.plan_hours import PlanWindow, Span, spans_around
from radius_hooks.decision import NO_TIME_LIMIT, AcceptReason
from radius_hooks.policy_store import Level, PolicyStep

# A reason goes into logs and on screens, one line each; what staff wrote beyond this is in the restriction itself.
REASON_CHARACTERS: Final = 200


class ContractStatus(Enum):
    """The commercial status of a contract, as the database names it."""

    DRAFT = "draft"
    PROPOSAL = "proposal"
    PENDING = "pending"
    TRIAL = "trial"
    ACTIVE = "active"
    FREE = "free"
    ENDED = "ended"
    CANCELLED = "cancelled"


class Origin(Enum):
    """Who limits a service. Only `dunning` gives way to a relief."""

    DUNNING = "dunning"
    CUSTOMER_PAUSE = "customer_pause"
    ADMIN = "admin"
    ABUSE = "abuse"
    LEGAL = "legal"
    TECHNICAL = "technical"


class Severity(Enum):
    """How far a restriction limits, as the database names it."""

    THROTTLE = "throttle"
    WALLED = "walled"
    BLOCKED = "blocked"


class Restriction(msgspec.Struct, array_like=True, frozen=True):
    """One limit that is not lifted, in force within `[since, until)`; no `until` means until it is lifted."""

    origin: Origin
    severity: Severity
    reason: str
    since: datetime
    until: datetime | None = None


class Relief(msgspec.Struct, array_like=True, frozen=True):
    """A promise to pay or a grace: within `[start, end)` restrictions of origin dunning do not count."""

    start: datetime
    end: datetime


class PlanProfiles(msgspec.Struct, array_like=True, frozen=True):
    """The three profiles that a plan can mean, and the hours in which `full` is another one."""

    full: int
    throttle: int
    walled: int
    windows: tuple[PlanWindow, ...] = ()


class PlanChange(msgspec.Struct, array_like=True, frozen=True):
    """Another plan from the first moment of a day on."""

    effective_on: date
    plan: PlanProfiles


class AccessFacts(msgspec.Struct, frozen=True):
    """All that bears on one account's level. `ends_on` is the first day without service; `plan_changes` go by date."""

    status: ContractStatus
    plan: PlanProfiles
    starts_on: date | None = None
    ends_on: date | None = None
    restrictions: tuple[Restriction, ...] = ()
    reliefs: tuple[Relief, ...] = ()
    quota_exhausted_until: datetime | None = None
    plan_changes: tuple[PlanChange, ...] = ()


class _Plan(msgspec.Struct, frozen=True, gc=False):
    """The plan in force from `start` on, why it is another than before, and when its hours are."""

    start: datetime
    reason: str
    profiles: PlanProfiles
    spans: tuple[Span, ...]


_OUT_OF_SERVICE: Final = {
    ContractStatus.DRAFT: "contract is a draft",
    ContractStatus.PROPOSAL: "contract is a proposal",
    ContractStatus.PENDING: "contract waits for activation",
    ContractStatus.ENDED: "contract ended",
    ContractStatus.CANCELLED: "contract cancelled",
}
_LEVELS: Final = {Severity.THROTTLE: Level.THROTTLE, Severity.WALLED: Level.WALLED, Severity.BLOCKED: Level.BLOCKED}
# Refused steps have no profile.
NO_PROFILE: Final = 0
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)


def policy_steps(facts: AccessFacts, *, now: datetime, zone: ZoneInfo) -> tuple[PolicyStep, ...]:
    """The steps from `now` on, each with the second it ends; the last one has no end.

    Nothing is known beyond the last time-bound fact, so the state after it is the state for ever; beyond the days for
    which a plan's hours are worked out, that is the plan's profile of the day. A change that falls within a second counts
    from the next whole one.
    """
    if facts.restrictions or facts.reliefs or facts.quota_exhausted_until is not None or facts.plan_changes:
        return _worked_out(facts, now, zone)
    # Nearly everybody has nothing of their own but a day on which it began, which says nothing once it is past.
    begun = facts.starts_on is None or _first_instant(facts.starts_on, zone) <= now
    plain = AccessFacts(facts.status, facts.plan, None if begun else facts.starts_on, facts.ends_on)
    return _worked_out_once(plain, now, zone)


def _worked_out(facts: AccessFacts, now: datetime, zone: ZoneInfo) -> tuple[PolicyStep, ...]:
    plans = _plans(facts, now, zone)
    steps: list[PolicyStep] = []
    at = now
    for bound in (*_bounds_after(facts, plans, now, zone), NO_TIME_LIMIT):
        step = _step(facts, plans, at, zone, until=bound)
        if steps and _same(steps[-1], step):
            step = msgspec.structs.replace(steps.pop(), until=bound)
        steps.append(step)
        at = datetime.fromtimestamp(bound, UTC)
    return tuple(steps)


# Accounts are rendered some hundreds or thousands at one moment, and the plans are few.
_worked_out_once: Final = lru_cache(maxsize=1024)(_worked_out)


def _plans(facts: AccessFacts, now: datetime, zone: ZoneInfo) -> list[_Plan]:
    """The plan of the contract, then those that are to follow."""
    hours = spans_around(facts.plan.windows, now, zone) if facts.plan.windows else ()
    plans = [_Plan(_LONG_AGO, AcceptReason.FULL.value, facts.plan, hours)]
    for change in facts.plan_changes:
        hours = spans_around(change.plan.windows, now, zone) if change.plan.windows else ()
        start = _first_instant(change.effective_on, zone)
        plans.append(_Plan(start, f"plan from {change.effective_on.isoformat()}", change.plan, hours))
    return plans


def _bounds_after(facts: AccessFacts, plans: list[_Plan], now: datetime, zone: ZoneInfo) -> list[int]:
    """Every second after `now` at which the answer may change, in order, once each."""
    instants: list[datetime | None] = [facts.quota_exhausted_until]
    for restriction in facts.restrictions:
        instants += (restriction.since, restriction.until)
    for relief in facts.reliefs:
        instants += (relief.start, relief.end)
    for plan in plans:
        instants.append(plan.start)
        for span in plan.spans:
            instants += (span.start, span.end)
    instants += (_first_instant(day, zone) for day in (facts.starts_on, facts.ends_on) if day is not None)
    return sorted({math.ceil(instant.timestamp()) for instant in instants if instant is not None and instant > now})


@lru_cache(maxsize=4096)
def _first_instant(day: date, zone: ZoneInfo) -> datetime:
    """When a day begins in the zone. Where the clock skips midnight that is the moment of the skip."""
    return datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)


def _step(facts: AccessFacts, plans: list[_Plan], at: datetime, zone: ZoneInfo, *, until: int) -> PolicyStep:
    """What holds at one instant: out of service, else the heaviest restriction, else the quota, else all of it."""
    reason = _out_of_service(facts, at, zone)
    if reason is not None:
        return PolicyStep(until, Level.NONE, reason, NO_PROFILE)
    heaviest = _heaviest(facts, at)
    if heaviest is not None and heaviest.severity is Severity.BLOCKED:
        return PolicyStep(until, Level.BLOCKED, _blocked_reason(heaviest), NO_PROFILE)
    plan = _plan_at(plans, at)
    if heaviest is not None and heaviest.severity is Severity.WALLED:
        return PolicyStep(until, Level.WALLED, AcceptReason.WALLED_GARDEN.value, plan.profiles.walled)
    if heaviest is not None:
        return PolicyStep(until, Level.THROTTLE, AcceptReason.THROTTLED.value, plan.profiles.throttle)
    if facts.quota_exhausted_until is not None and at < facts.quota_exhausted_until:
        return PolicyStep(until, Level.THROTTLE, AcceptReason.QUOTA_USED_UP.value, plan.profiles.throttle)
    for span in plan.spans:
        if span.start <= at < span.end:
            return PolicyStep(until, Level.FULL, f"hours {span.window}", span.window.profile_id)
    return PolicyStep(until, Level.FULL, plan.reason, plan.profiles.full)


def _plan_at(plans: list[_Plan], at: datetime) -> _Plan:
    """The plan in force: of those that have begun, the last."""
    for plan in reversed(plans):
        if plan.start <= at:
            return plan
    return plans[0]


def _out_of_service(facts: AccessFacts, at: datetime, zone: ZoneInfo) -> str | None:
    if facts.status in _OUT_OF_SERVICE:
        return _OUT_OF_SERVICE[facts.status]
    if facts.ends_on is not None and at >= _first_instant(facts.ends_on, zone):
        return "contract ended"
    if facts.starts_on is not None and at < _first_instant(facts.starts_on, zone):
        return f"contract starts on {facts.starts_on.isoformat()}"
    return None


def _heaviest(facts: AccessFacts, at: datetime) -> Restriction | None:
    """The restriction that decides: the most severe in force; among equals the one placed first."""
    relieved = any(relief.start <= at < relief.end for relief in facts.reliefs)
    in_force = [
        restriction
        for restriction in facts.restrictions
        if restriction.since <= at
        and (restriction.until is None or at < restriction.until)
        and not (relieved and restriction.origin is Origin.DUNNING)
    ]
    if not in_force:
        return None
    return min(in_force, key=lambda r: (-_LEVELS[r.severity].value, r.since, r.origin.value, r.reason))


def _blocked_reason(restriction: Restriction) -> str:
    """One printable line of bounded length that says who blocked the line and why."""
    line = "".join(character if character.isprintable() else " " for character in restriction.reason)
    return f"blocked: {restriction.origin.value}: {line}"[:REASON_CHARACTERS]


def _same(left: PolicyStep, right: PolicyStep) -> bool:
    return (left.level, left.reason, left.profile_id) == (right.level, right.reason, right.profile_id)
