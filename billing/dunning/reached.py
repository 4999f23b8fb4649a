"""From which day on a step may be taken against a debt, and if it may not yet, why. Days only: hours come later.

A limit waits for all of these: its own offset, what it needs of amount and documents, the days after a formal notice, what
the law asks, and an operator's word; the latest day wins.

Source: billing model section 14; the law: billing/countries.

Next: evaluation.py
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from billing.dunning.debt import Debt, debt_on_documents
from billing.dunning.facts import Facts, FormalNotice
from billing.dunning.floor import Floor
from billing.dunning.policy import Action, CountedFrom, Policy, Step, amount_in
from billing.dunning.reasons import Reason, Why, because
from billing.money import Money, total


@dataclass(frozen=True, slots=True)
class StepDay:
    """The day of a step, and the reason that names what it waits or waited for. Without a day it waits for a deed.

    `heard`: the formal notice by which the law allows it.
    """

    day: date | None
    reason: Reason
    heard: Reason | None = None


@dataclass(frozen=True, slots=True)
class Ground:
    """A debt that is pursued, and what is the same for all steps against it: since when, and when the law allows a limit."""

    debt: Debt
    facts: Facts
    threshold: Money
    since: date
    law: StepDay | None


def ground_of(debt: Debt, facts: Facts, policy: Policy, *, today: date) -> Ground | None:
    """What steps against a debt stand on; None: it is not pursued."""
    threshold = policy.threshold(debt.amount.currency)
    since = debt.since(threshold)
    if since is None:
        return None
    floor = policy.floor(today)
    law = None
    if floor is not None:
        days = policy.notice_days(today)
        law = _by_law(floor, debt, notices=facts.notices, days=days, threshold=threshold)
    return Ground(debt, facts, threshold, since, law)


def step_day(step: Step, ground: Ground) -> StepDay:
    """The day from which on a step may be taken."""
    debt, facts = ground.debt, ground.facts
    least = max(amount_in(step.min_debt, debt.amount.currency), ground.threshold, key=lambda one: one.minor)
    if debt.amount <= least:
        return StepDay(None, because(Why.SMALL_DEBT, amount=debt.amount, threshold=least))
    if step.min_documents > 1 and len(debt.documents) < step.min_documents:
        few = because(Why.FEW_DOCUMENTS, count=len(debt.documents), least=step.min_documents)
        return StepDay(None, few)
    found = [*_conditions(step, ground.since, facts)]
    if ground.law is not None and (step.is_disruptive or step.counted_from is CountedFrom.NOT_BEFORE):
        found.append(ground.law)
    elif step.counted_from is CountedFrom.NOT_BEFORE and (facts.notices or facts.not_before is None):
        found.append(_after_notice(facts.notices, 0))
    waiting = next((one for one in found if one.day is None), None)
    if waiting is not None:
        return waiting
    heard = next((one.heard for one in found if one.heard is not None), None)
    last, reason = max(((one.day, one.reason) for one in found if one.day is not None), key=lambda one: one[0])
    if step.counted_from is not CountedFrom.NOT_BEFORE:
        return StepDay(last, reason, heard)
    day = last + timedelta(days=step.offset_days)
    if step.needs_notice_days is not None:
        out = _first_out(facts.notices)
        assert out is not None, f"step {step.code} is reached without a notice"
        day = max(day, out + timedelta(days=step.needs_notice_days))
    return StepDay(day, reason if day == last else because(Why.DAY_TO_COME, day=day), heard)


def noticed(debt: Debt, notices: Iterable[FormalNotice]) -> Money:
    """How much of a debt formal notices have listed."""
    listed = {
        (part.document_id, part.due_on): part.amount
        for notice in notices
        for part in debt_on_documents(debt, notice.documents, due_before=notice.written_on).overdue
    }
    return total(listed.values(), debt.amount.currency)


def _conditions(step: Step, since: date, facts: Facts) -> Iterable[StepDay]:
    """What a step waits for besides the law; of one that counts from not before, what it counts from."""
    if step.counted_from is CountedFrom.DUE:
        day = since + timedelta(days=step.offset_days)
        yield StepDay(day, because(Why.DAY_TO_COME, day=day))
    if step.needs_notice_days is not None:
        counted = step.needs_notice_days if step.counted_from is CountedFrom.DUE else 0
        yield _after_notice(facts.notices, counted)
    held = step.is_disruptive or step.action is Action.FEE or step.counted_from is CountedFrom.NOT_BEFORE
    if facts.not_before is not None and held:
        yield StepDay(facts.not_before, because(Why.NOT_BEFORE, day=facts.not_before))


def _after_notice(notices: Iterable[FormalNotice], days: int) -> StepDay:
    """So many days after the first formal notice went out."""
    written = tuple(notices)
    out = _first_out(written)
    if out is None:
        return StepDay(None, _not_out(written))
    day = out + timedelta(days=days)
    return StepDay(day, because(Why.NOTICE_RUNS, day=day))


def _first_out(notices: Iterable[FormalNotice]) -> date | None:
    return min((one.out_on for one in notices if one.out_on is not None), default=None)


def _not_out(notices: Sequence[FormalNotice]) -> Reason:
    """Why no formal notice has gone out: a text that nobody got is none."""
    if not notices:
        return because(Why.NO_NOTICE)
    waiting = [one.written_on for one in notices if not one.problem]
    if waiting:
        return because(Why.NOTICE_WAITS, day=min(waiting))
    return because(Why.NOTICE_FAILED, day=notices[-1].written_on, problem=notices[-1].problem)


def _by_law(floor: Floor, debt: Debt, *, notices: Iterable[FormalNotice], days: int, threshold: Money) -> StepDay:
    """The first day on which the law allows a limit: its days after a notice by its channels that lists enough of the debt."""
    mine = [one for one in notices if one.channel in floor.channels]
    if not mine:
        return StepDay(None, because(Why.NO_NOTICE))
    listing = [
        (one, debt_on_documents(debt, one.documents, due_before=one.written_on).since(threshold)) for one in mine
    ]
    enough = [(one, since) for one, since in listing if since is not None]
    if not enough:
        return StepDay(None, because(Why.NOT_IN_NOTICE))
    allowed = [
        (max(one.delivered_on + timedelta(days=days), since + timedelta(days=floor.late_after_days)), one.delivered_on)
        for one, since in enough
        if one.delivered_on is not None
    ]
    if not allowed:
        written = [one for one, _ in enough]
        out = _first_out(written)
        return StepDay(None, _not_out(written) if out is None else because(Why.NOT_DELIVERED, day=out))
    day, delivered = min(allowed)
    heard = because(Why.NOTICE_HEARD, day=delivered, not_before=day)
    return StepDay(day, because(Why.NOTICE_RUNS, day=day), heard)
