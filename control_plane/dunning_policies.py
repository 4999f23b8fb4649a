"""What a policy of dunning names that there is not: products of fees, methods by which nobody is known to pay.

For the command and the page alike, beside what the law and the policy's own rules say (billing/dunning/policy_errors.py).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import orjson
import psycopg

from billing.dunning.policy import Policy
from billing.dunning.policy_data import read_policy
from billing.dunning.policy_errors import PolicyError
from billing.sentence import Sentence
from billing.store.contract_items import find_product
from billing.store.dunning_policies import IssuerPolicies
from billing.store.gateways import load_gateway_accounts
from control_plane.gateways.provider import provider_for
from control_plane.store.automation import load_hour_now
from control_plane.store.guard import GuardRules

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class WrittenPolicy:
    """A policy as it was written down: what it says, and its data as they are kept."""

    policy: Policy
    data: Mapping[str, Any]


def read_written(
    connection: Connection, text: str, policies: IssuerPolicies, *, since: date
) -> WrittenPolicy | list[PolicyError]:
    """The policy of a text in TOML, or all that is wrong with it. Raises: tomllib.TOMLDecodeError for what is none."""
    told = tomllib.loads(text)
    read = read_policy(told, policies.place, since=since)
    if isinstance(read, tuple):
        return list(read)
    faults = policy_faults(connection, read, issuer_id=policies.issuer_id)
    return faults or WrittenPolicy(read, orjson.loads(orjson.dumps(told, default=str)))


def held_above(connection: Connection, rules: GuardRules, cuts: int, *, now: datetime) -> int | None:
    """How many cuts the guard lets pass in this hour, where so many more are too many; None where all of them pass."""
    hour = load_hour_now(connection, now)
    most = rules.limits.allowed(hour.live)
    return None if hour.cut + hour.wanting + cuts <= most else most


def known_methods(connection: Connection, *, issuer_id: int | None = None) -> set[str]:
    """The codes of methods by which somebody is known to pay: those that a gateway collects from mandates."""
    accounts = load_gateway_accounts(connection, issuer_id=issuer_id)
    return {one.method.code for one in accounts if "debit" in provider_for(one.provider).presents}


def policy_faults(connection: Connection, policy: Policy, *, issuer_id: int | None = None) -> list[PolicyError]:
    """What it names that there is not; nothing: it may be saved."""
    missing = [
        PolicyError(
            step.code,
            "fee_product",
            Sentence("there is no one-off product %(product)s", product=repr(step.fee_product)),
        )
        for step in policy.steps
        if step.fee_product and find_product(connection, step.fee_product) is None
    ]
    if not policy.scope.methods:
        return missing
    collected = known_methods(connection, issuer_id=issuer_id)
    by = ", ".join(sorted(collected)) or Sentence("none")
    return missing + [
        PolicyError(
            None,
            "scope.methods",
            Sentence(
                "nobody is known to pay by %(method)s: a customer's method is the one of their mandate (%(known)s)",
                method=repr(one),
                known=by,
            ),
        )
        for one in sorted(policy.scope.methods - collected)
    ]
