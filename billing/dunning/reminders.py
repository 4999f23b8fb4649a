"""Reminders before a document falls due. They belong to the document and not to a case: nothing is owed yet.

Next: evaluation.py
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from billing.dunning.debt import Debt, OwedPart
from billing.dunning.facts import Facts
from billing.dunning.held import held_notice
from billing.dunning.policy import Policy, Step, amount_in
from billing.dunning.reasons import Why, because
from billing.dunning.steps import StepToRun, told


@dataclass(frozen=True, slots=True)
class Reminders:
    """What is reminded of now, and the days on which others are."""

    steps: tuple[StepToRun, ...]
    days: tuple[date, ...]


def reminders_for(debt: Debt, facts: Facts, policy: Policy, today: date) -> Reminders:
    """Reminders of what falls due, up to and with its day; of several that have come only the last goes out."""
    before = sorted((step for step in policy.steps if step.is_before_due), key=lambda one: one.offset_days)
    running: list[StepToRun] = []
    days: list[date] = []
    for part in debt.upcoming:
        come = [step for step in before if part.due_on + timedelta(days=step.offset_days) <= today]
        days += (part.due_on + timedelta(days=step.offset_days) for step in before[len(come) :])
        if come and _is_told(come[-1], part, facts=facts, policy=policy, today=today):
            reason = because(Why.FALLS_DUE, amount=part.amount, day=part.due_on)
            step = told(
                come[-1],
                (reason,),
                contracts=part.contracts & facts.contracts,
                documents=frozenset({part.document_id}),
                due_on=part.due_on,
            )
            running.append(step)
    return Reminders(tuple(running), tuple(days))


def _is_told(step: Step, part: OwedPart, *, facts: Facts, policy: Policy, today: date) -> bool:
    currency = part.amount.currency
    if any(part.amount <= least for least in (amount_in(step.min_debt, currency), policy.threshold(currency))):
        return False
    if (part.document_id, part.due_on, step.code) in facts.reminded:
        return False
    return held_notice(facts, step, part.contracts, today=today) is None
