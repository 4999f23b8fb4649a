"""Why an account gets what it gets: the chain from contract, restrictions, relief and quota to the policy, in words.

Pure: `corrente account show`, `corrente explain` and the console say the same sentences.

Next: policy/access_policy.py
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from control_plane.policy.access_policy import (
    AccessFacts,
    ContractStatus,
    Origin,
    PlanChange,
    PlanProfiles,
    Relief,
    Restriction,
    Severity,
    policy_steps,
)
from control_plane.policy.plan_hours import PlanWindow
from control_plane.quantities import instant_text, octets_text, rates_text
from control_plane.store.account import Account
from control_plane.store.limits import GuardedRow, ReliefRow, RestrictionRow
from control_plane.store.plan import Profile
from radius_hooks.decision import AcceptReason
from radius_hooks.policy_records import Level, PolicyStep

_LEVEL_WORDS: Final = {
    Level.FULL: "full service",
    Level.THROTTLE: "throttled",
    Level.WALLED: "walled garden",
    Level.BLOCKED: "blocked",
    Level.NONE: "no service",
}
_REFUSED: Final = (Level.BLOCKED, Level.NONE)


class Plan(msgspec.Struct, array_like=True, frozen=True):
    """A plan that the contract changes to."""

    effective_on: date
    name: str
    placed_by: str
    profiles: PlanProfiles


class Topup(msgspec.Struct, array_like=True, frozen=True):
    """Octets beyond the quota within `[since, until)`."""

    octets: int
    since: datetime
    until: datetime
    reason: str
    placed_by: str


def plans_to_come(account: Account) -> tuple[Plan, ...]:
    """The dated changes of its plan that wait, the next one first."""
    return msgspec.convert(account.plan_changes, tuple[Plan, ...])


def topups_of(account: Account) -> tuple[Topup, ...]:
    """Its top-ups that are not over."""
    return msgspec.convert(account.topups, tuple[Topup, ...])


def access_facts(account: Account, restrictions: Sequence[RestrictionRow], reliefs: Sequence[ReliefRow]) -> AccessFacts:
    """What bears on the account's level, as access_policy takes it."""
    return AccessFacts(
        status=ContractStatus(account.status),
        plan=PlanProfiles(
            account.profile_id,
            account.throttle_profile_id,
            account.walled_profile_id,
            msgspec.convert(account.plan_windows, tuple[PlanWindow, ...]),
        ),
        plan_changes=tuple(PlanChange(one.effective_on, one.profiles) for one in plans_to_come(account)),
        starts_on=account.starts_on,
        ends_on=account.ends_on,
        restrictions=tuple(
            Restriction(Origin(row.origin), Severity(row.level), row.reason, row.since, row.until)
            for row in restrictions
        ),
        reliefs=tuple(Relief(row.start, row.end) for row in reliefs),
        quota_exhausted_until=account.quota_exhausted_until,
    )


def steps_of(
    account: Account,
    restrictions: Sequence[RestrictionRow],
    reliefs: Sequence[ReliefRow],
    *,
    at: datetime,
    zone: ZoneInfo,
) -> tuple[PolicyStep, ...]:
    """What holds from `at` on, step by step."""
    return policy_steps(access_facts(account, restrictions, reliefs), now=at, zone=zone)


def step_words(step: PolicyStep, profiles: dict[int, Profile]) -> str:
    """`full service, profile Home 300 (down 300 Mbit/s, up 30 Mbit/s)`, or why there is none."""
    words = _LEVEL_WORDS[step.level]
    if step.level in _REFUSED:
        return step.reason if step.reason.startswith(words) else f"{words}: {step.reason}"
    if step.reason == AcceptReason.QUOTA_USED_UP.value:
        words = "throttled: quota used up"
    elif step.level is Level.FULL and step.reason != AcceptReason.FULL.value:
        words = f"{words}, {step.reason}"
    profile = profiles.get(step.profile_id)
    if profile is None:
        return f"{words}, profile {step.profile_id}, which does not exist"
    rates = rates_text(profile.rate_down_bps, profile.rate_up_bps) or "no rate limit"
    return f"{words}, profile {profile.name} ({rates})"


def reasons(
    account: Account,
    restrictions: Sequence[RestrictionRow],
    reliefs: Sequence[ReliefRow],
    *,
    at: datetime,
    zone: ZoneInfo,
) -> list[str]:
    """The facts that decide at that moment, each as a sentence, in the order they are looked at."""
    relief = next((row for row in reliefs if row.start <= at < row.end), None)
    said = [_contract_words(account)]
    for row in restrictions:
        if row.since <= at and (row.until is None or at < row.until):
            ignored = relief is not None and row.origin == Origin.DUNNING.value
            said.append(_restriction_words(row, zone) + (", does not count during the relief" if ignored else ""))
    if relief is not None:
        said.append(f"relief until {instant_text(relief.end, zone)}, granted by {relief.granted_by}: {relief.reason}")
    for change in plans_to_come(account):
        said.append(f"plan {change.name} from {change.effective_on.isoformat()}, placed by {change.placed_by}")
    for window in msgspec.convert(account.plan_windows, tuple[PlanWindow, ...]):
        said.append(f"plan {account.plan} gives another profile at the hours {window} of each day")
    for topup in topups_of(account):
        if topup.since <= at < topup.until:
            said.append(
                f"top-up of {octets_text(topup.octets)} until {instant_text(topup.until, zone)}, placed by {topup.placed_by}:"
                f" {topup.reason}"
            )
    if account.quota_exhausted_until is not None and at < account.quota_exhausted_until:
        quota = octets_text(account.quota_octets) if account.quota_octets else "the month"
        said.append(f"quota of {quota} used up until {instant_text(account.quota_exhausted_until, zone)}")
    if account.expires_at is not None:
        verb = "expired" if account.expires_at <= at else "expires"
        said.append(f"the account {verb} at {instant_text(account.expires_at, zone)}")
    return said


def quota_in_force(account: Account, *, at: datetime) -> int | None:
    """Octets that the account has this month, both ways: the quota and the top-ups in force. None: no quota."""
    if account.quota_octets is None:
        return None
    return account.quota_octets + sum(one.octets for one in topups_of(account) if one.since <= at < one.until)


def _contract_words(account: Account) -> str:
    since = f" from {account.starts_on.isoformat()}" if account.starts_on else ""
    until = f", first day without service {account.ends_on.isoformat()}" if account.ends_on else ""
    return (
        f"contract {account.contract_id} of {account.customer} is {account.status}{since}{until}, plan {account.plan}"
    )


def _restriction_words(row: RestrictionRow, zone: ZoneInfo) -> str:
    until = f" until {instant_text(row.until, zone)}" if row.until else ""
    return (
        f"restriction {row.id}: {row.level} ({row.origin}) since {instant_text(row.since, zone)}{until}, "
        f"placed by {row.placed_by}: {row.reason}"
    )


def guarded_words(row: GuardedRow, zone: ZoneInfo) -> str:
    """What waits for a person, or why automation never cuts this contract."""
    since = instant_text(row.since, zone)
    if row.waits is not None:
        return f"{row.waits} by {row.placed_by} waits for a person since {since} and does not count: {row.reason}"
    until = instant_text(row.until, zone) if row.until else "it is ended"
    return f"exempt from automation until {until}, by {row.placed_by}: {row.reason}"
