"""What is known of a contract that its life cycle turns on: values only.

Units: days of the billing zone; `ends_on` is the first day without service.
Source: billing model sections 3.1, 3.2 and 4.

Next: billing/deeds.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from billing.money import Money
from billing.periods import Cycle
from billing.terms import Binding, ExitTable

UNBOUND: Final = Binding()


class Status(StrEnum):
    """The commercial status of a contract, by the words of the database."""

    DRAFT = "draft"
    PROPOSAL = "proposal"
    PENDING = "pending"
    TRIAL = "trial"
    ACTIVE = "active"
    FREE = "free"
    ENDED = "ended"
    CANCELLED = "cancelled"


class Origin(StrEnum):
    """Who limits a service."""

    DUNNING = "dunning"
    CUSTOMER_PAUSE = "customer_pause"
    ADMIN = "admin"
    ABUSE = "abuse"
    LEGAL = "legal"
    TECHNICAL = "technical"


class Level(StrEnum):
    """How much a service is limited."""

    THROTTLE = "throttle"
    WALLED = "walled"
    BLOCKED = "blocked"


class BilledAs(StrEnum):
    """How days with a limit are billed: as ever, given back day by day, or whole periods inside it left out for good."""

    BILL = "bill"
    CREDIT_DAYS = "credit_days"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Restriction:
    """A limit in force, or set for later."""

    origin: Origin
    level: Level
    since: date
    until: date | None = None
    billing: BilledAs = BilledAs.BILL


@dataclass(frozen=True, slots=True)
class Contract:
    """The facts of a contract that its life cycle turns on.

    `plan` was in force before the first of `plan_changes`, which are in order of their days, one a day: with the plan that
    the database's contract holds they are those not yet written into it.
    `pause_fee` is what the plan's offer says today. `paid_through` is the first day that is not billed. `books_open_from` is the first day of the open fiscal period.
    """

    status: Status
    plan: int
    complete: bool = True
    account_bound: bool = False
    priced: bool = True
    order_fees: bool = False
    signed_on: date | None = None
    distance: bool = False
    starts_on: date | None = None
    ends_on: date | None = None
    billable_from: date | None = None
    free_from: date | None = None
    trial_days: int = 0
    minimum_months: int = 0
    binding: Binding = UNBOUND
    exit_table: ExitTable | None = None
    exit_is_free: bool = False
    pause_fee: Money | None = None
    terms_changed_on: tuple[date, ...] = ()
    cycle: Cycle | None = None
    paid_through: date | None = None
    plan_changes: tuple[tuple[date, int], ...] = ()
    plan_locked_until: date | None = None
    valid_until: date | None = None
    service_address: int | None = None
    restrictions: tuple[Restriction, ...] = ()
    relief_until: date | None = None
    free_reason: str | None = None
    free_review_on: date | None = None
    reopen_days: int = 30
    line_is_resold: bool = False
    books_open_from: date | None = None


def pauses_from(restrictions: Sequence[Restriction], day: date) -> tuple[date, ...]:
    """The first days of pauses that begin on a day or later."""
    return tuple(one.since for one in restrictions if one.origin is Origin.CUSTOMER_PAUSE and one.since >= day)
