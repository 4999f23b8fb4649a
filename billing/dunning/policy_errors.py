"""What is wrong with a policy, told by step and field, before it is saved. A policy below the legal floor is refused here.

Source: billing model section 14; what the law asks: the issuer's country file.

Next: facts.py
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from billing.dunning.floor import Floor
from billing.dunning.guard import ClosedDays, Guard
from billing.dunning.policy import Action, Contracts, CountedFrom, Policy, Step
from billing.money import Money
from billing.sentence import Sentence

CODE: Final = re.compile(r"[a-z0-9_]{1,40}")
# A year and a half: beyond it a debt is for a lawyer, and a mistyped number is likelier.
LONGEST_OFFSET_DAYS: Final = 540
LONGEST_PROMISE_HOURS: Final = 720
_ALL_WEEKDAYS: Final = frozenset(range(7))


@dataclass(frozen=True, slots=True)
class PolicyError:
    """Where a policy is wrong and what to do. `step` None: the policy itself, else its code, or its number where it has none;
    `below_floor`: the law forbids it.
    """

    step: str | None
    field: str
    why: Sentence
    below_floor: bool = False

    def __str__(self) -> str:
        return f"{'policy' if self.step is None else f'step {self.step}'}: {self.field}: {self.why}"


def policy_errors(policy: Policy) -> tuple[PolicyError, ...]:
    """All that is wrong with a policy; nothing: it may be saved."""
    wrong = [*_own_errors(policy)]
    formal = min((one.offset_days for one in policy.steps if one.is_formal), default=None)
    for step in policy.steps:
        found = (*_step_errors(step), *_notice_errors(step, formal), *_guard_errors(policy.guard_of(step)))
        wrong += (PolicyError(step.code, field, why) for field, why in found)
    floor = policy.floor(policy.since)
    if floor is not None:
        wrong += _floor_errors(policy, floor, formal)
    return tuple(one for number, one in enumerate(wrong) if one not in wrong[:number])


def _own_errors(policy: Policy) -> Iterator[PolicyError]:
    if not policy.steps:
        yield PolicyError(None, "steps", Sentence("a policy has at least one step"))
    for code, count in Counter(one.code for one in policy.steps).items():
        if count > 1:
            yield PolicyError(
                code, "code", Sentence("%(count)s steps have it: each runs once a case by its code", count=count)
            )
    terms = policy.promise
    wrong = [*_amount_errors("min_debt", policy.min_debt), *_amount_errors("promise.max_debt", terms.max_debt)]
    wrong += _guard_errors(policy.guard)
    for field, hours in (("hours", terms.hours), ("proof_hours", terms.proof_hours)):
        if not 1 <= hours <= LONGEST_PROMISE_HOURS:
            why = Sentence("%(found)s: from 1 to %(most)s", found=hours, most=LONGEST_PROMISE_HOURS)
            wrong.append((f"promise.{field}", why))
    for field, limit in (("per_case", terms.per_case), ("per_month", terms.per_month), ("refused_days", terms.refused_days)):  # fmt: skip
        if limit is not None and limit < 0:
            why = Sentence("%(found)s: not below 0; leave it out for no limit", found=limit)
            wrong.append((f"promise.{field}", why))
    shorter = policy.shorter_notice
    if shorter is not None and (shorter.days < 0 or not shorter.reason.strip()):
        wrong.append(("shorter_notice", Sentence("days are not below 0, and the reason is told")))
    for field, why in wrong:
        yield PolicyError(None, field, why)


def _step_errors(step: Step) -> Iterator[tuple[str, Sentence]]:
    """What is wrong with a step by itself: field and message."""
    if not CODE.fullmatch(step.code):
        yield "code", Sentence("%(found)s: small letters, digits and _, up to 40", found=repr(step.code))
    yield from _offset_errors(step)
    if (step.channel is None) != (step.template is None) or (step.action is Action.NOTIFY and step.channel is None):
        field = "channel" if step.channel is None else "template"
        yield field, Sentence("what is told has a channel and a template")
    if step.is_formal and step.action is not Action.NOTIFY:
        yield "is_formal", Sentence("%(action)s is no notice", action=step.action.value)
    if (step.action is Action.FEE) != (step.fee_product is not None):
        yield "fee_product", Sentence("a fee names its product, and nothing else does")
    if step.min_documents < 1:
        yield "min_documents", Sentence("%(found)s: at least %(least)s", found=step.min_documents, least=1)
    yield from _amount_errors("min_debt", step.min_debt)


def _offset_errors(step: Step) -> Iterator[tuple[str, Sentence]]:
    if abs(step.offset_days) > LONGEST_OFFSET_DAYS:
        yield (
            "offset_days",
            Sentence("%(found)s: up to %(most)s days", found=step.offset_days, most=LONGEST_OFFSET_DAYS),
        )
    if step.is_before_due and step.action is not Action.NOTIFY:
        yield (
            "offset_days",
            Sentence(
                "%(found)s is before the due day, when nothing is owed: only notify may be", found=step.offset_days
            ),
        )
    if step.is_before_due and step.is_formal:
        yield "is_formal", Sentence("before the due day there is nothing to give formal notice of")
    if step.offset_days < 0 and step.counted_from is CountedFrom.NOT_BEFORE:
        yield (
            "offset_days",
            Sentence("%(found)s: counted from not_before, it is not below 0", found=step.offset_days),
        )


def _notice_errors(step: Step, formal: int | None) -> Iterator[tuple[str, Sentence]]:
    """What is wrong with what a step expects of a formal notice; `formal` is when the first one goes out."""
    if step.needs_notice_days is not None:
        if step.needs_notice_days < 0:
            yield "needs_notice_days", Sentence("%(found)s: not below 0", found=step.needs_notice_days)
        if formal is None or step.is_formal:
            yield "needs_notice_days", Sentence("no step before it is the formal notice (is_formal)")
    if step.is_formal and step.counted_from is CountedFrom.NOT_BEFORE:
        yield (
            "counted_from",
            Sentence("not_before follows from the formal notice, which counts from the due day"),
        )


def _amount_errors(field: str, amounts: Iterable[Money]) -> Iterator[tuple[str, Sentence]]:
    for currency, count in Counter(one.currency for one in amounts).items():
        if count > 1:
            yield field, Sentence("%(currency)s is named %(count)s times", currency=currency, count=count)
    for one in amounts:
        if one.minor < 0:
            yield field, Sentence("%(found)s: not below 0", found=one)


def _guard_errors(guard: Guard | None) -> Iterator[tuple[str, Sentence]]:
    if guard is None:
        return
    if not guard.hours:
        yield "guard.hours", Sentence("name at least one time of the day")
    for one in guard.hours:
        if not one.begins < one.ends:
            hours = f"{one.begins:%H:%M}-{one.ends:%H:%M}"
            yield "guard.hours", Sentence("%(hours)s: it ends later on the same day", hours=hours)
    if not _open_weekdays(guard.closed):
        yield "guard.weekdays", Sentence("no day of the week is left that is neither closed nor an eve")


def _open_weekdays(closed: ClosedDays) -> frozenset[int]:
    eves = frozenset((one - 1) % 7 for one in closed.weekdays) if closed.eves_of_weekends else frozenset()
    return _ALL_WEEKDAYS - closed.weekdays - eves


def _floor_errors(policy: Policy, floor: Floor, formal: int | None) -> Iterator[PolicyError]:
    """What goes below the law, with its source."""

    def below(step: str | None, field: str, why: Sentence) -> PolicyError:
        told = Sentence("%(why)s (%(source)s)", why=why, source=floor.source)
        return PolicyError(step, field, told, below_floor=True)

    if floor.only_concerned and policy.contracts is Contracts.ALL:
        yield below(None, "contracts", Sentence("only the service concerned may be limited: concerned or each"))
    kinds = policy.scope.customer_kinds
    if policy.shorter_notice is not None and not (kinds and kinds <= floor.may_shorten):
        who = ", ".join(sorted(floor.may_shorten)) or Sentence("nobody")
        why = Sentence("only %(who)s may have agreed to it: name the kinds in the scope", who=who)
        yield below(None, "shorter_notice", why)
    days = policy.notice_days(policy.since)
    for step in policy.steps:
        if step.is_formal and step.channel not in floor.channels:
            ways = ", ".join(sorted(floor.channels))
            yield below(step.code, "channel", Sentence("a formal notice goes by one of %(ways)s", ways=ways))
        if step.is_formal and step.offset_days < floor.late_after_days:
            why = Sentence("late is from day %(day)s after the due day", day=floor.late_after_days)
            yield below(step.code, "offset_days", why)
        if step.is_disruptive:
            found = _earlier_than_allowed(step, formal, days)
            if found is not None:
                yield below(step.code, *found)


def _earlier_than_allowed(step: Step, formal: int | None, days: int) -> tuple[str, Sentence] | None:
    """The field by which a step comes before a formal notice has had its days."""
    if formal is None:
        return "action", Sentence("no step before it is the formal notice (is_formal)")
    if step.needs_notice_days is not None and step.needs_notice_days < days:
        return "needs_notice_days", Sentence("%(found)s: at least %(least)s", found=step.needs_notice_days, least=days)
    if step.counted_from is CountedFrom.DUE and step.offset_days < formal + days:
        return (
            "offset_days",
            Sentence(
                "%(found)s: the notice goes out on day %(day)s, and %(days)s days pass from its delivery",
                found=step.offset_days,
                day=formal,
                days=days,
            ),
        )
    return None
