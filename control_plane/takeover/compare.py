"""What is wanted against what is there: what is to be made, what is there already, what is in the way. Pure.

An import never changes what is there. The same input twice therefore makes nothing the second time, and what was changed
here since is named, not overwritten.

Next: apply_wanted.py
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from control_plane.takeover.conflicts import overlapping
from control_plane.takeover.store import HeldAccount, HeldNas
from control_plane.takeover.wanted import (
    Finding,
    OwnAttributes,
    Verdict,
    Wanted,
    WantedAccount,
    WantedNas,
    WantedPlan,
    WantedProfile,
)

Opener = Callable[[bytes, str, int], bytes]
# Prefixes in our database come before those of the import, whoever holds them.
_HELD: Final = -1


@dataclass(frozen=True, slots=True)
class Held:
    """What is there already. `open_secret` takes what was sealed, the kind of row and its number."""

    nases: tuple[HeldNas, ...]
    plans: Mapping[str, Mapping[str, Any]]
    accounts: Mapping[str, HeldAccount]
    customers: Mapping[str, list[int]]
    prefixes: tuple[tuple[str, str], ...]
    open_secret: Opener


def compare(wanted: Wanted, held: Held) -> Wanted:
    """What is left to make of `wanted`, with a finding for each thing that is not made."""
    findings: list[Finding] = list(wanted.findings)
    nases = [nas for nas in wanted.nases if _is_new(findings, nas.where, *_nas_state(nas, held))]
    plans = [plan for plan in wanted.plans if _is_new(findings, plan.where, *_plan_state(plan, held))]
    refused_plans = {plan.name for plan in wanted.plans if plan.name in held.plans and _plan_state(plan, held)[1]}
    taken = _taken_prefixes(wanted.accounts, held)
    accounts = [
        account
        for account in wanted.accounts
        if _is_new(findings, account.where, *_account_state(account, held, taken, refused_plans))
    ]
    return replace(wanted, nases=tuple(nases), plans=tuple(plans), accounts=tuple(accounts), findings=tuple(findings))


def _is_new(findings: list[Finding], where: str, there: bool, problem: str) -> bool:
    if problem:
        findings.append(Finding(Verdict.REFUSED, where, problem))
    elif there:
        findings.append(Finding(Verdict.UNCHANGED, where, "is there already, just so"))
    return not (there or problem)


def _nas_state(nas: WantedNas, held: Held) -> tuple[bool, str]:
    """Whether it is there, and what is in the way."""
    for other in held.nases:
        if other.source == nas.source:
            differs = [word for word, differ in (("vendor", other.vendor != nas.vendor),) if differ]
            if held.open_secret(other.sealed_secret, "nas", other.id) != nas.secret:
                differs.append("secret")
            problem = f"NAS {other.name} has this source and differs in {', '.join(differs)}" if differs else ""
            return True, problem
        if other.name == nas.name:
            return False, f"a NAS {nas.name} is there with another source, {other.source}"
    return False, ""


def _plan_state(plan: WantedPlan, held: Held) -> tuple[bool, str]:
    there = held.plans.get(plan.name)
    if there is None:
        return False, ""
    columns = profile_columns(plan.profile) | {"quota_octets": None}
    differs = sorted(name for name, value in columns.items() if _plain(there[name]) != _plain(value))
    if differs:
        return True, f"plan {plan.name!r} is there and its profile differs in {', '.join(differs)}"
    return True, ""


def _account_state(
    account: WantedAccount, held: Held, taken: Mapping[str, str], refused_plans: Collection[str]
) -> tuple[bool, str]:
    there = held.accounts.get(account.username)
    if there is not None:
        differs = _differences(account, there, held)
        return True, f"the account is there and differs in {', '.join(differs)}" if differs else ""
    if account.plan in refused_plans:
        return False, f"its plan {account.plan!r} is there with another profile"
    if len(held.customers.get(account.customer, ())) > 1:
        return False, f"there are several customers named {account.customer!r}: which one is not known"
    return False, taken.get(account.username, "")


def _differences(account: WantedAccount, there: HeldAccount, held: Held) -> list[str]:
    secret = held.open_secret(there.sealed_secret, "account", there.id) if there.sealed_secret else b""
    prefixes = {(prefix.kind, prefix.prefix, prefix.metric) for prefix in account.prefixes}
    compared = {
        "secret": (account.secret_kind, account.secret) == (there.secret_kind, secret),
        "plan": account.plan == there.plan,
        "customer": account.customer in ("", there.customer),
        "status": account.status == there.status,
        "restriction": bool(account.blocked_because) == there.blocked,
        "expiry": account.expires_at == there.expires_at,
        "sessions at once": account.max_sessions == there.max_sessions,
        "MAC": set(account.macs) == set(there.macs),
        "own attributes": own_json(account.own) == there.own,
        "addresses": prefixes == there.prefixes,
    }
    return [what for what, equal in compared.items() if not equal]


def _taken_prefixes(accounts: Collection[WantedAccount], held: Held) -> dict[str, str]:
    """Why an account can't have its prefixes: another one holds them here."""
    holdings = [(prefix, _HELD, username) for prefix, username in held.prefixes]
    holdings += [(prefix.prefix, order, one.username) for order, one in enumerate(accounts) for prefix in one.prefixes]
    return {
        username: f"{prefix} overlaps {other_prefix} of account {other}"
        for username, (prefix, other, other_prefix) in overlapping(holdings).items()
    }


def profile_columns(profile: WantedProfile) -> dict[str, Any]:
    """The profile by the names of its columns."""
    return asdict(profile)


def own_json(own: tuple[OwnAttributes, ...]) -> list[dict[str, Any]]:
    """Own attributes as the column holds them."""
    return [
        {
            "check": [list(item) for item in block.check],
            "control": [list(item) for item in block.control],
            "reply": [list(item) for item in block.reply],
            "fall_through": block.fall_through,
        }
        for block in own
    ]


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
