"""A dunning policy: which steps are taken against a debt, when, and for whom. Versioned data, with no code of its own.

A version holds from a day on; cases go on under the newest one in force, and a step that ran in a case never runs in it
again, whatever a later version says of it.

Units: days are whole and count on the calendar of the issuer's zone; amounts are settled, one a currency.
Source: billing model section 14.

Next: policy_errors.py
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from billing.contract_facts import Level
from billing.dunning.floor import Channel, Floor, floor_on
from billing.dunning.guard import Guard
from billing.money import Money, zero


class Action(StrEnum):
    """What a step does."""

    NOTIFY = "notify"
    FEE = "fee"
    THROTTLE = "throttle"
    WALLED = "walled"
    SUSPEND = "suspend"
    PROPOSE_END = "propose_end"
    END = "end"


LEVELS: Final = {Action.THROTTLE: Level.THROTTLE, Action.WALLED: Level.WALLED, Action.SUSPEND: Level.BLOCKED}
# What somebody notices on the line: guarded, and held by exclusions and the legal floor.
DISRUPTIVE: Final = frozenset({*LEVELS, Action.END})
SEVERITY: Final = {None: 0, Level.THROTTLE: 1, Level.WALLED: 2, Level.BLOCKED: 3}


class CountedFrom(StrEnum):
    """Which day a step's offset counts from.

    `due`: the due day of the oldest overdue document. `not_before`: the first day on which the law and the issuer's word
    allow a limit.
    """

    DUE = "due"
    NOT_BEFORE = "not_before"


class Contracts(StrEnum):
    """Which contracts are limited: those that the overdue lines name, all, or each by what it owes itself."""

    CONCERNED = "concerned"
    ALL = "all"
    EACH = "each"


@dataclass(frozen=True, slots=True)
class Step:
    """One step. Below zero, `offset_days` are before the due day of each document, and the step is of that document.

    `min_debt`: only above it; `min_documents`: only from so many overdue. `is_formal`: the notice that the law asks for, or
    that `needs_notice_days` of a later step counts from. `confirm`: a person lets it go. A guard of its own goes before the
    policy's.
    """

    code: str
    offset_days: int
    action: Action
    counted_from: CountedFrom = CountedFrom.DUE
    channel: Channel | None = None
    template: str | None = None
    is_formal: bool = False
    min_debt: tuple[Money, ...] = ()
    min_documents: int = 1
    needs_notice_days: int | None = None
    confirm: bool = False
    fee_product: str | None = None
    guard: Guard | None = None

    @property
    def is_disruptive(self) -> bool:
        """Whether it waits for its hours."""
        return self.action in DISRUPTIVE

    @property
    def is_before_due(self) -> bool:
        """Whether it reminds of a document that is not yet due."""
        return self.offset_days < 0


@dataclass(frozen=True, slots=True)
class PromiseTerms:
    """What a promise to pay is worth. Hours elapse on the clock, `proof_hours` for one with a proof of payment.

    Limits of None are none, and so is a greatest debt of a currency that is not named; `refused_days` follow a broken one.
    """

    hours: int = 48
    proof_hours: int = 48
    per_case: int | None = 1
    per_month: int | None = 2
    max_debt: tuple[Money, ...] = ()
    refused_days: int = 30


@dataclass(frozen=True, slots=True)
class Scope:
    """Whom a policy is for; what is empty is everybody."""

    customer_kinds: frozenset[str] = frozenset()
    methods: frozenset[str] = frozenset()
    profiles: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ShorterNotice:
    """Fewer days of notice than the law's usual ones, by contract and on the operator's own advice."""

    days: int
    reason: str


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of a policy, with the floor that holds where the issuer is.

    `unreadable`: why a stored one can't be read any more. It has no steps, and no other takes its place.
    """

    name: str
    version: int
    since: date
    steps: tuple[Step, ...]
    guard: Guard
    min_debt: tuple[Money, ...] = ()
    contracts: Contracts = Contracts.CONCERNED
    scope: Scope = Scope()
    promise: PromiseTerms = PromiseTerms()
    floors: tuple[Floor, ...] = ()
    shorter_notice: ShorterNotice | None = None
    unreadable: str = ""

    def threshold(self, currency: str) -> Money:
        """A debt up to this is not pursued."""
        return amount_in(self.min_debt, currency)

    def guard_of(self, step: Step) -> Guard | None:
        """When the step may happen; None: at any time."""
        return step.guard or (self.guard if step.is_disruptive else None)

    def floor(self, day: date) -> Floor | None:
        """What the law asks on a day."""
        return floor_on(self.floors, day)

    def notice_days(self, day: date) -> int:
        """How many days pass from the delivery of a formal notice; 0 where the law asks for none."""
        floor = self.floor(day)
        if floor is None:
            return 0
        return floor.notice_days if self.shorter_notice is None else self.shorter_notice.days


def amount_in(amounts: Iterable[Money], currency: str) -> Money:
    """The amount of a currency; where none is told, nothing."""
    return next((one for one in amounts if one.currency == currency), zero(currency))


def policy_for(
    policies: Iterable[Policy], *, customer_kind: str, method: str | None, profile: str | None, today: date
) -> Policy | None:
    """The policy whose scope fits most exactly, in its newest version in force; of equals the first by name. One that is off is nobody's."""
    facts = (customer_kind, method, profile)
    fitting = [one for one in in_force(policies, today) if (one.steps or one.unreadable) and _fits(one.scope, facts)]
    return min(fitting, key=lambda one: (-_exactness(one.scope), one.name), default=None)


def in_force(policies: Iterable[Policy], today: date) -> list[Policy]:
    """Of each policy the newest version whose day has come."""
    newest: dict[str, Policy] = {}
    for one in policies:
        if one.since <= today and (one.name not in newest or newest[one.name].version < one.version):
            newest[one.name] = one
    return list(newest.values())


def _fits(scope: Scope, facts: tuple[str | None, str | None, str | None]) -> bool:
    asked = (scope.customer_kinds, scope.methods, scope.profiles)
    return all(not names or fact in names for names, fact in zip(asked, facts, strict=True))


def _exactness(scope: Scope) -> int:
    """A profile says more than a method, and that more than a kind of customer."""
    return 4 * bool(scope.profiles) + 2 * bool(scope.methods) + bool(scope.customer_kinds)
