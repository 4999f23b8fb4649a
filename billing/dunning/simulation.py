"""What dunning will do to a customer in the days to come if nobody pays: a policy tried before it is saved, tonight's cuts.

It asks `evaluate` at each moment at which something may change, takes for done what that decides, and goes on. So what is
shown is what will be done, as long as the facts stay; a formal notice is taken for sent at once and for delivered after a number
of days.

Next: promise.py
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from billing.calendar import billing_day
from billing.contract_facts import Level, Origin
from billing.dunning.changes import Changes, changes_for
from billing.dunning.evaluation import CaseChange, Evaluation, evaluate
from billing.dunning.facts import Facts, FormalNotice, InForce
from billing.dunning.floor import Channel
from billing.dunning.policy import SEVERITY, Policy

# How long a registered letter takes when nobody says otherwise.
DELIVERY_DAYS: Final = 7
# A year of one customer has some dozens of moments; a policy that made more would be one that never rests.
MOST_MOMENTS: Final = 5000
_QUIET: Final = (CaseChange.NONE, CaseChange.GOES_ON)


@dataclass(frozen=True, slots=True)
class Happening:
    """What is done at a moment, and why: the steps that run, the restrictions placed and lifted."""

    at: datetime
    evaluation: Evaluation
    changes: Changes


@dataclass(frozen=True, slots=True)
class Cut:
    """A contract that is to be limited further at a moment; `evaluation` and its steps hold the reasons."""

    at: datetime
    contract_id: int
    level: Level
    before: Level | None
    evaluation: Evaluation


def happenings(
    facts: Facts, policy: Policy, *, start: datetime, until: datetime, delivery_days: int = DELIVERY_DAYS
) -> Iterator[Happening]:
    """All that is done from one moment until before another, in order."""
    moment: datetime | None = start
    for _ in range(MOST_MOMENTS):
        if moment is None or moment >= until:
            return
        evaluation = evaluate(facts, policy, moment)
        changes = changes_for(facts.restrictions, evaluation.levels, pursued=evaluation.pursued)
        if evaluation.steps or changes.place or changes.lift or evaluation.case not in _QUIET:
            yield Happening(moment, evaluation, changes)
        facts = applied(facts, evaluation, policy, at=moment, delivery_days=delivery_days)
        moment = evaluate(facts, policy, moment).next_moment
    raise AssertionError(f"more than {MOST_MOMENTS} moments from {start} to {until} by policy {policy.name}")


def cuts_until(facts: Facts, policy: Policy, *, now: datetime, until: datetime) -> tuple[Cut, ...]:
    """Whom dunning would limit further before a moment, as things stand."""
    found: list[Cut] = []
    stand = {one.contract_id: one.level for one in facts.restrictions if one.origin is Origin.DUNNING}
    for one in happenings(facts, policy, start=now, until=until):
        for contract, level in one.changes.place:
            before = stand.get(contract)
            if SEVERITY[level] > SEVERITY[before]:
                found.append(Cut(one.at, contract, level, before, one.evaluation))
        stand = dict(one.evaluation.levels)
    return tuple(found)


def next_look(facts: Facts, evaluation: Evaluation, policy: Policy, *, at: datetime) -> datetime | None:
    """When to look again after what was decided is done: a step that ran makes others wait for another day than before."""
    return evaluate(applied(facts, evaluation, policy, at=at, delivery_days=None), policy, at).next_moment


def applied(
    facts: Facts, evaluation: Evaluation, policy: Policy, *, at: datetime, delivery_days: int | None = DELIVERY_DAYS
) -> Facts:
    """The facts after what was decided at a moment is done. Without `delivery_days` a notice is not delivered yet."""
    today = billing_day(at, policy.guard.zone)
    if evaluation.case in (CaseChange.OPENED, CaseChange.RENEWED, CaseChange.CLEARED):
        facts = replace(facts, notices=(), steps_run=frozenset(), confirmed=frozenset())
    delivered = None if delivery_days is None else today + timedelta(days=delivery_days)
    channels = {step.code: step.channel for step in policy.steps}
    notices = tuple(
        FormalNotice(today, channels[one.code] or Channel.LETTER, one.documents, delivered, today)
        for one in evaluation.steps
        if one.is_formal
    )
    ran = {one.code for one in evaluation.steps if one.due_on is None}
    reminded = {
        (document, one.due_on, one.code)
        for one in evaluation.steps
        if one.due_on is not None
        for document in one.documents
    }
    return replace(
        facts,
        has_case=evaluation.pursued,
        notices=facts.notices + notices,
        steps_run=facts.steps_run | ran,
        reminded=facts.reminded | reminded,
        restrictions=_after(facts, evaluation),
    )


def _after(facts: Facts, evaluation: Evaluation) -> tuple[InForce, ...]:
    changes = changes_for(facts.restrictions, evaluation.levels, pursued=evaluation.pursued)
    left = tuple(one for one in facts.restrictions if one.id not in changes.lift)
    # New ones are nobody's rows yet: below zero, like no id of the database.
    placed = (InForce(-contract, contract, Origin.DUNNING, level) for contract, level in changes.place)
    return (*left, *placed)
