"""All that dunning goes by for one customer in one currency: values, as the database has them at one moment.

Units: days are of the issuer's zone, `until` is the first day or moment without; instants are aware.
Source: billing model section 14.

Next: reached.py
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from billing.contract_facts import Level, Origin
from billing.dunning.debt import InstalmentPlan, OpenDocument
from billing.dunning.floor import Channel
from billing.money import Money


class ExclusionKind(StrEnum):
    """Why somebody is left alone.

    A whitelist holds everything; a public body and an essential service are told what they owe, and nothing is done to
    their line, nor to a contract that is exempt from all automation. What is in dispute or moved to other days by a plan
    is no exclusion: it does not count as debt.
    """

    WHITELIST = "whitelist"
    PUBLIC_BODY = "public_body"
    ESSENTIAL = "essential"
    EXEMPT = "exempt"


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Of a contract or, without one, of the customer; from a day until before another, or for good."""

    kind: ExclusionKind
    reason: str
    since: date
    until: date | None = None
    contract_id: int | None = None

    def holds_on(self, day: date) -> bool:
        """Whether it is in force."""
        return self.since <= day and (self.until is None or day < self.until)


@dataclass(frozen=True, slots=True)
class FormalNotice:
    """A formal notice of the open case: the documents that were overdue on the day on which it was written.

    When it went out and when it came; None: not yet, as far as is known. `problem`: why it does not go out, or came back.
    """

    written_on: date
    channel: Channel
    documents: frozenset[int]
    delivered_on: date | None = None
    sent_on: date | None = None
    problem: str = ""

    @property
    def out_on(self) -> date | None:
        """The day on which it went out: what came had gone out by then, whoever carried it."""
        return min((day for day in (self.sent_on, self.delivered_on) if day is not None), default=None)


@dataclass(frozen=True, slots=True)
class InForce:
    """A restriction that is not lifted, of whatever origin. `by_person`: no run of dunning placed it."""

    id: int
    contract_id: int
    origin: Origin
    level: Level
    by_person: bool = False


@dataclass(frozen=True, slots=True)
class Respite:
    """A relief of a contract, or, without one, a promise of the customer: until it ends nothing is made worse."""

    start: datetime
    end: datetime
    contract_id: int | None = None

    def holds_at(self, moment: datetime) -> bool:
        """Whether it is in force."""
        return self.start <= moment < self.end


@dataclass(frozen=True, slots=True)
class Facts:
    """One customer in one currency.

    `contracts` are those in service. `steps_run`, `confirmed` and `notices` are of the open case, if there is one
    (`has_case`). `reminded`: which step reminded of which document's due day.
    """

    documents: tuple[OpenDocument, ...]
    credit: Money
    contracts: frozenset[int]
    plans: tuple[InstalmentPlan, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    not_before: date | None = None
    has_case: bool = False
    notices: tuple[FormalNotice, ...] = ()
    steps_run: frozenset[str] = frozenset()
    confirmed: frozenset[str] = frozenset()
    reminded: frozenset[tuple[int, date, str]] = frozenset()
    restrictions: tuple[InForce, ...] = ()
    respites: tuple[Respite, ...] = ()
