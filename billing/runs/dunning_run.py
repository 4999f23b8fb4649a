"""All debts of an issuer looked at, once a day and in portions: first without holding anybody, then who needs something done.

Most customers need nothing, and looking at them holds nobody up. The others are held by the hundred and looked at again, as they
are then. How many are to be limited is known before the first one is, so that the guard judges the pass as a whole.

A pass that is interrupted is begun again: what it did is not done twice. Whoever can't be dealt with is told, and the others are.

Units: `now` is aware; days are of the issuer's zone.
Source: billing model section 14.

Next: billing/operations/pursuing.py
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

import psycopg

from billing.calendar import billing_day
from billing.dunning.evaluation import evaluate
from billing.errors import BillingError
from billing.operations.pursuing import LOOKS_AHEAD, Cut, Done, is_quiet, pursue
from billing.operations.restoring import JOB, changing_of
from billing.store import dunning as store
from billing.store.dunning_facts import Account, Key, load_accounts
from billing.store.dunning_policies import IssuerPolicies

Connection = psycopg.Connection[Any]
# Facts of so many are some megabytes; held are so few that who pays waits for a part of a second.
LOOKED_AT_ONCE: Final = 2000
HELD_AT_ONCE: Final = 200
# In one turn of the job; the others have the next one.
LOOKS_A_TURN: Final = 5000
# Who is not done by then, because a pass was interrupted or somebody held the customer, is looked at again.
CLAIMED_FOR: Final = timedelta(minutes=5)


class RunPlacer(Protocol):
    """Places what a run restricts, and says which contracts that does not count on yet.

    `still`: so many contracts the run wants to restrict from here on, these included.
    """

    def begin(self, connection: Connection) -> None:
        """Begin the run; committed before anything is placed."""

    def __call__(self, connection: Connection, cuts: Sequence[Cut], *, still: int) -> frozenset[int]:
        """Place these. What nobody had foreseen when the run was to begin waits for the next one."""


@dataclass(slots=True)
class Survey:
    """Who needs something done, how many contracts that limits further, and when others are to be looked at."""

    acting: list[int] = field(default_factory=list)
    acting_keys: list[Key] = field(default_factory=list)
    cuts: int = 0
    looks: list[tuple[Key, datetime]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Passed:
    """What a pass did, and who could not be dealt with."""

    looked: int
    done: Done
    problems: tuple[tuple[int, str], ...]


def pass_over(
    connection: Connection,
    customer_ids: Sequence[int],
    now: datetime,
    *,
    policies: Mapping[int, IssuerPolicies],
    place: RunPlacer,
    by: str = JOB,
) -> Passed:
    """Look at these customers, and do what is to be done. Opens its own transactions on a connection in autocommit."""
    survey = Survey()
    for chunk in _chunks(customer_ids, LOOKED_AT_ONCE):
        part = _look_over_claimed(connection, chunk, now, policies=policies)
        survey.acting += part.acting
        survey.cuts += part.cuts
    if survey.cuts:
        place.begin(connection)
    doing = _Doing(connection, now, policies, place, by, still=survey.cuts)
    for batch in _chunks(survey.acting, HELD_AT_ONCE):
        doing.do(batch)
    return Passed(len(customer_ids), doing.done, tuple(doing.problems))


def _look_over_claimed(
    connection: Connection, customer_ids: Sequence[int], now: datetime, *, policies: Mapping[int, IssuerPolicies]
) -> Survey:
    """Look over these customers, and take the looks of the quiet ones out of the queue: who paid leaves none behind.

    The looks are claimed before and dropped after, each in a transaction of its own, so that nobody waits for the survey and
    what comes back meanwhile is looked at.
    """
    until = now + CLAIMED_FOR
    with connection.transaction():
        store.claim_looks(connection, customer_ids, now, until=until)
    part = look_over(connection, customer_ids, now, policies=policies)
    acting = set(part.acting)
    with connection.transaction():
        store.drop_claimed(connection, [one for one in customer_ids if one not in acting], until=until)
    with connection.transaction():
        # Who is acted on has it taken out by that.
        store.save_looks(connection, [*part.looks, *((key, until) for key in part.acting_keys)])
    return part


@dataclass(slots=True)
class _Doing:
    """The second part of a pass: what was done so far, and how many contracts are still to be limited."""

    connection: Connection
    now: datetime
    policies: Mapping[int, IssuerPolicies]
    place: RunPlacer
    by: str
    still: int
    done: Done = field(default_factory=Done)
    problems: list[tuple[int, str]] = field(default_factory=list)

    def do(self, customer_ids: Sequence[int]) -> None:
        """All of them in one transaction, or where that fails each in one of its own."""
        try:
            self._one(customer_ids)
        except (BillingError, psycopg.Error) as error:
            if self.connection.broken:
                raise
            if len(customer_ids) == 1:
                self.problems.append((customer_ids[0], str(error).partition("\n")[0]))
                return
            for number in customer_ids:
                self.do([number])

    def _one(self, customer_ids: Sequence[int]) -> None:
        with self.connection.transaction():
            done = pursue(
                self.connection, customer_ids, self.now, place=self._place, policies=self.policies, by=self.by
            )
        self.done = self.done + done
        self.still -= done.placed

    def _place(self, connection: Connection, cuts: Sequence[Cut]) -> frozenset[int]:
        return self.place(connection, cuts, still=max(self.still, len(cuts)))


def look_over(
    connection: Connection, customer_ids: Sequence[int], now: datetime, *, policies: Mapping[int, IssuerPolicies]
) -> Survey:
    """Who of these customers needs something done now; nobody is held and nothing is written."""
    survey = Survey()
    acting: set[int] = set()
    with _without_collecting():
        _survey(load_accounts(connection, customer_ids, now, policies=policies), now, survey, acting)
    survey.acting = sorted(acting)
    return survey


def _survey(accounts: Iterable[Account], now: datetime, survey: Survey, acting: set[int]) -> None:
    for account in accounts:
        evaluation = evaluate(account.facts, account.policy, now)
        if not is_quiet(account, evaluation):
            survey.cuts += len(changing_of(account, evaluation, evaluation.levels).heavier)
            acting.add(account.customer_id)
            survey.acting_keys.append(account.key)
        elif evaluation.next_moment is not None and evaluation.next_moment < now + LOOKS_AHEAD:
            survey.looks.append((account.key, evaluation.next_moment))


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Facts refer to nothing that refers back to them; looking for such among so many takes a third of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def debtors_of(connection: Connection, issuer_id: int, now: datetime, *, policies: IssuerPolicies) -> list[int]:
    """Whom a day's pass looks at: who has something due by then, and whom dunning has done anything to."""
    last = billing_day(now, policies.place.zone) + timedelta(days=policies.lead_days)
    return store.load_debtors(connection, issuer_id, last)


def _chunks(numbers: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(numbers), size):
        yield numbers[start : start + size]
