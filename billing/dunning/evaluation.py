"""What dunning does about one customer now: how far each contract is to be limited, which steps run, and when to look again.

The daily pass, the pass at once after a payment, the simulation of the days to come and the list of tonight's cuts all ask
this one function. It goes by the state of things and not by what happened: asked again with what it decided, it decides
nothing more; after a payment it is asked again, and what is not owed any more is not limited any more.

A case is opened on the first day on which more than the threshold is overdue, and cleared when no more than that is. What the
formal notices of a case listed is paid and something else is overdue: that is a new debt, and a new case with steps and a
notice of its own (`RENEWED`). So each step runs once a case, and nobody is cut for what they were never told of.

Units: `now` is aware; days are of the issuer's zone.
Source: billing model section 14; invariants I19 and I23 to I27.

Next: changes.py
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from billing.calendar import billing_day, first_moment
from billing.contract_facts import Level
from billing.dunning.changes import levels_by_run
from billing.dunning.debt import Debt, debt_of, debt_of_contract
from billing.dunning.facts import Facts
from billing.dunning.guard import is_open, next_open
from billing.dunning.held import held_contract, held_notice, respite_of
from billing.dunning.policy import LEVELS, SEVERITY, Action, Contracts, Policy, Step
from billing.dunning.reached import Ground, StepDay, ground_of, noticed, step_day
from billing.dunning.reasons import Reason, Why, because
from billing.dunning.reminders import Reminders, reminders_for
from billing.dunning.steps import StepToRun, Waiting, told
from billing.money import Money

_NO_LEVELS: Final[Mapping[int, Level]] = MappingProxyType({})
_DAY: Final = timedelta(days=1)


class CaseChange(StrEnum):
    """What becomes of the customer's case in this currency."""

    NONE = "none"
    OPENED = "opened"
    GOES_ON = "goes_on"
    RENEWED = "renewed"
    CLEARED = "cleared"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What is to be now. `levels` are those of dunning alone; a contract that is not in it is not limited by it.

    `pursued`: more than the threshold is overdue. `next_moment`: nothing changes before it unless the facts do.
    """

    debt: Debt
    pursued: bool
    case: CaseChange
    levels: Mapping[int, Level]
    steps: tuple[StepToRun, ...]
    waiting: tuple[Waiting, ...]
    next_moment: datetime | None
    reasons: tuple[Reason, ...]


def evaluate(facts: Facts, policy: Policy, now: datetime) -> Evaluation:
    """What dunning does about these facts now."""
    zone = policy.guard.zone
    today = billing_day(now, zone)
    debt = debt_of(facts.documents, credit=facts.credit, today=today, plans=facts.plans)
    threshold = policy.threshold(debt.amount.currency)
    case = _case(facts, debt, threshold)
    if case not in (CaseChange.GOES_ON, CaseChange.NONE):
        facts = replace(facts, notices=(), steps_run=frozenset(), confirmed=frozenset())
    reminders = reminders_for(debt, facts, policy, today)
    pass_ = _Pass(facts, policy, now, today, debt)
    ground = ground_of(debt, facts, policy, today=today)
    if ground is None:
        why = because(Why.NOT_PURSUED, amount=debt.amount, threshold=threshold)
        reasons = (why if debt.amount else because(Why.NOTHING_OWED), *_besides(debt))
        return Evaluation(debt, False, case, _NO_LEVELS, reminders.steps, (), _next_moment(pass_, reminders), reasons)
    days = (today - ground.since).days
    owes = because(Why.OWES, amount=debt.amount, since=ground.since, days=days, documents=len(debt.documents))
    levels, restricting = _limits(pass_, ground)
    steps = (*reminders.steps, *_once(pass_, ground), *restricting)
    moment = _next_moment(pass_, reminders)
    return Evaluation(debt, True, case, levels, steps, tuple(pass_.waiting), moment, (owes, *_besides(debt)))


def _case(facts: Facts, debt: Debt, threshold: Money) -> CaseChange:
    if debt.amount <= threshold:
        return CaseChange.CLEARED if facts.has_case else CaseChange.NONE
    if not facts.has_case:
        return CaseChange.OPENED
    settled = bool(facts.notices) and noticed(debt, facts.notices) <= threshold
    return CaseChange.RENEWED if settled else CaseChange.GOES_ON


def _besides(debt: Debt) -> Iterator[Reason]:
    if debt.withheld:
        yield because(Why.IN_DISPUTE, amount=debt.withheld)
    if debt.covered:
        yield because(Why.COVERED, amount=debt.covered)


@dataclass(slots=True)
class _Pass:
    """What one evaluation goes by, and what it found waiting."""

    facts: Facts
    policy: Policy
    now: datetime
    today: date
    debt: Debt
    waiting: list[Waiting] = field(default_factory=list)

    def wait(self, step: Step, reason: Reason, until: date | datetime | None) -> None:
        """Note why a step does not run now, once for each reason."""
        if isinstance(until, date) and not isinstance(until, datetime):
            until = None if until == date.max else first_moment(until, self.policy.guard.zone)
        one = Waiting(step.code, reason, until)
        if one not in self.waiting:
            self.waiting.append(one)

    def reached(self, step: Step, ground: Ground) -> StepDay | None:
        """The day of a step that has come, with an operator's word where one is needed; None: it waits, and that is noted."""
        found = step_day(step, ground)
        if found.day is None or found.day > self.today:
            self.wait(step, found.reason, found.day)
            return None
        if step.confirm and step.code not in self.facts.confirmed | self.facts.steps_run:
            self.wait(step, because(Why.UNCONFIRMED), None)
            return None
        return found

    def opens(self, step: Step) -> bool:
        """Whether the step's hours are now; if not, that is noted."""
        guard = self.policy.guard_of(step)
        if guard is None or is_open(guard, self.now):
            return True
        until = next_open(guard, self.now)
        self.wait(step, because(Why.OUTSIDE_HOURS, until=until), until)
        return False


def _groups(pass_: _Pass, whole: Ground) -> Iterator[tuple[frozenset[int], Ground]]:
    """Contracts with the debt that limits them."""
    facts, policy, debt = pass_.facts, pass_.policy, pass_.debt
    concerned = debt.contracts & facts.contracts
    if policy.contracts is Contracts.ALL:
        yield facts.contracts, whole
    elif policy.contracts is Contracts.CONCERNED:
        yield concerned, whole
    else:
        for contract in sorted(concerned):
            own = ground_of(debt_of_contract(debt, contract), facts, policy, today=pass_.today)
            if own is not None:
                yield frozenset({contract}), own


def _limits(pass_: _Pass, whole: Ground) -> tuple[Mapping[int, Level], tuple[StepToRun, ...]]:
    """How far each contract is limited, and the steps that limit or end."""
    disruptive = [step for step in pass_.policy.steps if step.is_disruptive]
    in_force = levels_by_run(pass_.facts.restrictions)
    levels: dict[int, Level] = {}
    running: dict[str, tuple[Step, StepDay, set[int]]] = {}
    for contracts, ground in _groups(pass_, whole):
        reached = [(step, day) for step in disruptive if (day := pass_.reached(step, ground)) is not None]
        if not reached:
            continue
        for contract in sorted(contracts):
            held = held_contract(pass_.facts, contract, today=pass_.today)
            if held is not None:
                for step, _ in reached:
                    pass_.wait(step, *held)
                continue
            opened = _opened(pass_, reached, contract, in_force.get(contract))
            level = _level([step for step, _ in reached], [step for step, _ in opened], in_force.get(contract))
            if level is not None:
                levels[contract] = level
            for step, day in _strongest(opened):
                if step.code not in pass_.facts.steps_run:
                    running.setdefault(step.code, (step, day, set()))[2].add(contract)
    return levels, tuple(told(step, _came(day), contracts=frozenset(on)) for step, day, on in running.values())


def _opened(
    pass_: _Pass, reached: list[tuple[Step, StepDay]], contract: int, has: Level | None
) -> list[tuple[Step, StepDay]]:
    """Of the steps that have come, those that nothing keeps from a contract at this hour."""
    respite = respite_of(pass_.facts, contract, moment=pass_.now)
    if respite is None:
        return [(step, day) for step, day in reached if pass_.opens(step)]
    for step, _ in reached:
        if step.action is Action.END or SEVERITY[LEVELS[step.action]] > SEVERITY[has]:
            pass_.wait(step, *respite)
    return []


def _level(reached: list[Step], opened: list[Step], has: Level | None) -> Level | None:
    """The heaviest that may be placed now; what is there stays where that is lighter, as far as its day has come."""
    may = _heaviest(opened)
    due = _heaviest(reached)
    kept = min(has, due, key=lambda one: SEVERITY[one])
    return max(may, kept, key=lambda one: SEVERITY[one])


def _heaviest(steps: list[Step]) -> Level | None:
    return max((LEVELS[step.action] for step in steps if step.action in LEVELS), key=lambda one: SEVERITY[one], default=None)  # fmt: skip


def _strongest(opened: list[tuple[Step, StepDay]]) -> Iterator[tuple[Step, StepDay]]:
    """Of the limits only the heaviest is a step taken; an end is one of its own."""
    heaviest = _heaviest([step for step, _ in opened])
    limits = [one for one in opened if one[0].action in LEVELS and LEVELS[one[0].action] is heaviest]
    yield from limits[-1:]
    yield from (one for one in opened if one[0].action is Action.END)


def _once(pass_: _Pass, ground: Ground) -> Iterator[StepToRun]:
    """Notices, fees and proposals: what is done once and touches no line."""
    steps = [step for step in pass_.policy.steps if not step.is_disruptive and not step.is_before_due]
    ran = pass_.facts.steps_run
    open_ = [(step, day) for step in steps if step.code not in ran and (day := pass_.reached(step, ground))]
    notices = [step for step, _ in open_ if step.action is Action.NOTIFY]
    notices += [step for step in steps if step.code in ran and step.action is Action.NOTIFY]
    last = max(notices, key=lambda one: (one.counted_from, one.offset_days), default=None)
    for step, day in open_:
        held = held_notice(pass_.facts, step, pass_.debt.contracts, today=pass_.today)
        held = held or respite_of(pass_.facts, None, moment=pass_.now)
        if held is not None:
            pass_.wait(step, *held)
        elif step.action is Action.NOTIFY and not step.is_formal and last is not None and step.code != last.code:
            # Who was not reminded in time is not sent two letters on one day.
            pass_.wait(step, because(Why.PASSED_OVER, step=last.code), None)
        elif pass_.opens(step):
            concerned = pass_.debt.contracts & pass_.facts.contracts
            yield told(step, _came(day), contracts=concerned, documents=pass_.debt.documents)


def _came(day: StepDay) -> tuple[Reason, ...]:
    """Why a step runs: its day has come, and the notice has had its time."""
    assert day.day is not None
    reached = because(Why.DAY_REACHED, day=day.day)
    return (reached,) if day.heard is None else (reached, day.heard)


def _next_moment(pass_: _Pass, reminders: Reminders) -> datetime | None:
    """The first moment after now at which the same facts may lead to something else."""
    facts, policy, debt, now = pass_.facts, pass_.policy, pass_.debt, pass_.now
    days = [part.due_on + _DAY for part in debt.upcoming]
    days += reminders.days
    days += (day for one in facts.exclusions for day in (one.since, one.until) if day is not None)
    moments = [first_moment(day, policy.guard.zone) for day in days if day > pass_.today]
    moments += (moment for one in facts.respites for moment in (one.start, one.end))
    moments += (one.until for one in pass_.waiting if one.until is not None)
    return min((one for one in moments if one > now), default=None)
