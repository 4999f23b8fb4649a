"""What dunning will do over the real book: tonight's cuts, and the days to come by the policy that holds or by one to be saved.

Nothing is written and nobody is held. It is said as if nobody paid; a formal notice is taken for delivered after some days.

Units: days are of the issuer's zone; `now` is aware.
Source: billing model section 14.

Next: billing/dunning/simulation.py
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, Final

import psycopg

from billing.calendar import billing_day
from billing.contract_facts import Level
from billing.dunning.guard import next_open, open_until
from billing.dunning.policy import Action, Policy
from billing.dunning.simulation import Cut, cuts_until, happenings
from billing.runs.dunning_run import LOOKED_AT_ONCE, debtors_of
from billing.store.dunning_facts import Account, load_accounts
from billing.store.dunning_policies import IssuerPolicies

Connection = psycopg.Connection[Any]
Progress = Callable[[int, int], object]
# What a day's line counts, in the order in which it is shown.
COUNTED: Final = ("reminders", "notices", "formal", "fees", "throttle", "walled", "blocked", "ends", "lifted")
_SAID: Final = {Action.FEE: "fees", Action.END: "ends", Action.PROPOSE_END: "ends"}


@dataclass(frozen=True, slots=True)
class CutToCome:
    """A contract that will be limited further, with the account that it is for."""

    account: Account
    cut: Cut


@dataclass(slots=True)
class Forecast:
    """By day what is counted, how many customers are limited at the end and how many of them have no debt by then."""

    days: dict[date, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    customers: int = 0
    limited: set[int] = field(default_factory=set)

    def total(self, what: str) -> int:
        """Of all days."""
        return sum(one[what] for one in self.days.values())


def cuts_to_come(
    connection: Connection, issuer: IssuerPolicies, now: datetime, *, progress: Progress | None = None
) -> Iterator[CutToCome]:
    """Whom dunning would limit further in its next hours, each by its own policy, as things stand."""
    for account in _accounts(connection, issuer, now, days=0, progress=progress):
        guard = account.policy.guard
        opens = next_open(guard, now)
        for cut in cuts_until(account.facts, account.policy, now=now, until=open_until(guard, opens)):
            yield CutToCome(account, cut)


def forecast(
    connection: Connection, issuer: IssuerPolicies, now: datetime, *, days: int, progress: Progress | None = None
) -> Forecast:
    """What will be done to an issuer's customers in so many days, today the first of them."""
    found = Forecast()
    zone = issuer.place.zone
    until = now + timedelta(days=days)
    for account in _accounts(connection, issuer, now, days=days, progress=progress):
        found.customers += 1
        levels: Mapping[int, Level] = {}
        for one in happenings(account.facts, account.policy, start=now, until=until):
            counted = found.days[billing_day(one.at, zone)]
            for step in one.evaluation.steps:
                if step.due_on is not None:
                    counted["reminders"] += 1
                elif step.action is Action.NOTIFY:
                    counted["formal" if step.is_formal else "notices"] += 1
                elif step.action in _SAID:
                    counted[_SAID[step.action]] += 1
            placed = {contract for contract, _ in one.changes.place}
            for _, level in one.changes.place:
                counted[level.value] += 1
            by_id = {each.id: each.contract_id for each in account.facts.restrictions}
            counted["lifted"] += sum(by_id.get(number, -number) not in placed for number in one.changes.lift)
            levels = one.evaluation.levels
        if levels:
            found.limited.add(account.customer_id)
    return found


def with_policy(issuer: IssuerPolicies, policy: Policy) -> IssuerPolicies:
    """The issuer's policies as they would be with one that is not saved: it is the newest of its name, from now on."""
    others = tuple(one for one in issuer.versions if one.name != policy.name)
    return replace(issuer, versions=(*others, replace(policy, since=date.min)))


def _accounts(
    connection: Connection, issuer: IssuerPolicies, now: datetime, *, days: int, progress: Progress | None
) -> Iterator[Account]:
    """The accounts of which anything may be to be done until then."""
    customers: Sequence[int] = debtors_of(connection, issuer.issuer_id, now + timedelta(days=days), policies=issuer)
    for start in range(0, len(customers), LOOKED_AT_ONCE):
        chunk = customers[start : start + LOOKED_AT_ONCE]
        loaded = load_accounts(connection, chunk, now, policies={issuer.issuer_id: issuer})
        yield from (one for one in loaded if one.policy.steps)
        if progress is not None:
            progress(start + len(chunk), len(customers))
