"""What another policy would do tonight and in the days to come, beside those that hold.

Next: dunning_forecast.py
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from billing.dunning.policy import Policy
from billing.runs.dunning_forecast import COUNTED, CutToCome, cuts_to_come, forecast, with_policy
from billing.store.dunning_policies import IssuerPolicies

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Simulation:
    """Pairs are of now and of then: cuts tonight, what is done in the days by name, customers who are limited at their end.

    `more` are cuts of tonight that only the new one makes, `spared` those that it does not.
    """

    tonight: tuple[int, int]
    more: tuple[CutToCome, ...]
    spared: tuple[CutToCome, ...]
    totals: tuple[tuple[str, int, int], ...]
    limited: tuple[int, int]
    customers: int


def simulate(
    connection: Connection, policies: IssuerPolicies, policy: Policy, now: datetime, *, days: int
) -> Simulation:
    """What it would do in so many days if it were saved now; nothing is written."""
    tried = with_policy(policies, policy)
    new = {_name(one): one for one in cuts_to_come(connection, tried, now)}
    old = {_name(one): one for one in cuts_to_come(connection, policies, now)}
    after, before = (forecast(connection, one, now, days=days) for one in (tried, policies))
    return Simulation(
        tonight=(len(old), len(new)),
        more=tuple(sorted((new[key] for key in new.keys() - old.keys()), key=_name)),
        spared=tuple(sorted((old[key] for key in old.keys() - new.keys()), key=_name)),
        totals=tuple((name, before.total(name), after.total(name)) for name in COUNTED),
        limited=(len(before.limited), len(after.limited)),
        customers=after.customers,
    )


def _name(one: CutToCome) -> tuple[int, int, str]:
    return one.account.customer_id, one.cut.contract_id, one.cut.level
