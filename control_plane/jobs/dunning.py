"""Dunning: all debts of each issuer once a day by its own calendar, and in between whoever is to be looked at by now.

What it limits is a run's, which goes by the guard's share and can be undone (`corrente undo`).

Units: *_s seconds; days are those of the issuer's zone.
Next: scheduler.py
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import psycopg
from psycopg.rows import TupleRow

from billing.calendar import billing_day
from billing.operations.promising import remind_of_promises
from billing.operations.pursuing import Cut
from billing.operations.restoring import JOB
from billing.runs.dunning_run import LOOKS_A_TURN, Passed, debtors_of, pass_over
from billing.store import dunning as store
from billing.store.dunning_policies import IssuerPolicies, load_policies
from control_plane import telemetry
from control_plane.control_loop.guard import GuardLimits
from control_plane.settings import Settings
from control_plane.store.automation import Wanted, end_run, place_for_run, start_run
from control_plane.store.guard import guard_rules

Connection = psycopg.Connection[TupleRow]
# Cuts begin with the minute in which they may; whoever paid in part or promised waits no longer for the next step.
DUNNING_EVERY_S: Final = 30.0
RUN_NAME: Final = "dunning"
# So many customers who could not be dealt with are named in the job's line; the log has all.
_NAMED: Final = 3


@dataclass(slots=True)
class GuardedRun:
    """Places restrictions as one run, within the guard's share."""

    now: datetime
    limits: GuardLimits
    by: str = JOB
    run_id: int | None = None
    held: str = ""
    exempt: set[int] = field(default_factory=set)

    def begin(self, connection: psycopg.Connection[TupleRow]) -> None:
        """There is something to be placed."""
        self.run_id = start_run(connection, RUN_NAME, by=self.by, now=self.now)

    def __call__(
        self, connection: psycopg.Connection[TupleRow], cuts: Sequence[Cut], *, still: int = 0
    ) -> frozenset[int]:
        """Place these; the contracts on which they do not count yet."""
        if self.run_id is None:
            return frozenset(one.contract_id for one in cuts)
        wanted = [Wanted(one.contract_id, "dunning", one.level, one.reason) for one in cuts]
        placed = place_for_run(connection, self.run_id, wanted, now=self.now, limits=self.limits, still=still)
        self.held = placed.held or self.held
        self.exempt |= set(placed.exempt)
        return frozenset(one.contract_id for one in cuts) if placed.held else frozenset(placed.exempt)

    def end(self, connection: psycopg.Connection[TupleRow]) -> None:
        """Nothing more is placed by this run."""
        if self.run_id is not None:
            end_run(connection, self.run_id, now=self.now)


def dunning(connection: Connection, settings: Settings, now: datetime) -> str:
    """Do the day's pass of each issuer that has a policy, if it is not done, and look at whoever is due. Says what it did."""
    policies = load_policies(connection)
    limits = guard_rules(settings).limits
    said: list[str] = []
    for reason in (reason for one in policies.values() for reason in one.unreadable(now)):
        telemetry.logger().warning("dunning.policy_unreadable", reason=reason)
    for issuer_id, one in sorted(policies.items()):
        day = billing_day(now, one.place.zone)
        if not one.versions or not store.begin_pass(connection, issuer_id, day, now):
            continue
        run = GuardedRun(now, limits)
        customers = debtors_of(connection, issuer_id, now, policies=one)
        passed = pass_over(connection, customers, now, policies=policies, place=run)
        run.end(connection)
        result = _words(passed, run.held)
        store.end_pass(connection, issuer_id, day, now=now, run_id=run.run_id, result=result)
        said.append(f"issuer {issuer_id}, {day}: {result}")
    said += _due(connection, policies, limits, now)
    if reminded := remind_of_promises(connection, now=now):
        said.append(f"reminded {reminded} of what they promised")
    return "; ".join(said) or "nobody is to be looked at"


def _due(
    connection: Connection, policies: Mapping[int, IssuerPolicies], limits: GuardLimits, now: datetime
) -> list[str]:
    customers = store.load_due_looks(connection, now, limit=LOOKS_A_TURN)
    if not customers:
        return []
    run = GuardedRun(now, limits)
    passed = pass_over(connection, sorted(customers), now, policies=policies, place=run)
    run.end(connection)
    return [_words(passed, run.held)]


def _words(passed: Passed, held: str) -> str:
    for customer_id, reason in passed.problems:
        telemetry.logger().warning("dunning.not_done", customer_id=customer_id, reason=reason)
    done = passed.done
    said = (
        f"looked at {passed.looked} customers: {done.opened} cases begun, {done.cleared} over, {done.steps} steps,"
        f" {done.reminders} reminders, {done.placed} restrictions placed, {done.lifted} lifted"
    )
    if held:
        said += f"; {held}"
    if passed.problems:
        named = "; ".join(f"customer {number}: {reason}" for number, reason in passed.problems[:_NAMED])
        said += f"; {len(passed.problems)} could not be dealt with: {named}"
    return said
