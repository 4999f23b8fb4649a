"""What can be done to a contract, and what comes of it or why it is refused: values only.

Units: days of the billing zone.
Source: billing model section 3.

Next: billing/restrictions.py
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from billing.contract_facts import BilledAs, Contract, Level, Origin
from billing.money import Money
from billing.periods import Cycle, Period


class Lifter(StrEnum):
    """What lifts a restriction. `OPERATOR` is a person whose role the caller has checked against the restriction."""

    PAYMENT = "payment"
    OPERATOR = "operator"
    CUSTOMER = "customer"
    END_DATE = "end_date"
    PROVISIONING = "provisioning"


class Network(StrEnum):
    """What the network is to do because of a deed; the level itself says the access policy."""

    NOTHING = "nothing"
    PREPARE = "account_prepared"
    ON = "on"
    LEVEL = "level"
    PROFILE = "profile"
    CHECK = "profile_check"
    OFF = "off"
    REMOVE = "account_removed"


class Reason(StrEnum):
    """Why a deed is refused."""

    STATUS = "status"
    END_REACHED = "end_reached"
    INCOMPLETE = "incomplete"
    NOT_SIGNED = "not_signed"
    NO_ACCOUNT = "no_account"
    TOO_EARLY = "too_early"
    DATE_AHEAD = "date_ahead"
    BOOKS_CLOSED = "books_closed"
    NOT_DISTANCE = "not_distance"
    BEFORE_START = "before_start"
    AFTER_END = "after_end"
    ROLE = "role"
    NOT_EXPLAINED = "not_explained"
    NO_PRICE = "no_price"
    NOT_RESTRICTED = "not_restricted"
    NOT_BY_THEM = "not_by_them"
    NOT_OFFERED = "not_offered"
    LOCKED = "locked"
    SAME = "same"
    NOTICE = "notice"
    OVERLAP = "overlap"
    NO_END = "no_end"
    NO_CHANGE = "no_change"
    TOO_LATE = "too_late"
    RESOLD = "resold"
    NOT_THEIRS = "not_theirs"


@dataclass(frozen=True, slots=True)
class Propose:
    """Send it to the customer, who may accept it up to and with a day; without one, for 30 days."""

    valid_until: date | None = None


@dataclass(frozen=True, slots=True)
class Accept:
    """The customer signed on a day, or an operator recorded the assent."""

    signed_on: date | None = None
    recorded_by: str | None = None


@dataclass(frozen=True, slots=True)
class Refuse:
    """The customer does not want it."""


@dataclass(frozen=True, slots=True)
class Expire:
    """The customer did not answer in time."""


@dataclass(frozen=True, slots=True)
class Activate:
    """Service begins."""

    on: date


@dataclass(frozen=True, slots=True)
class EndTrial:
    """The first billable day has come."""


@dataclass(frozen=True, slots=True)
class MakeFree:
    """No recurring charges from a day on."""

    on: date
    reason: str
    review_on: date
    authorised: bool = True


@dataclass(frozen=True, slots=True)
class MakeBillable:
    """Recurring charges again from a day on."""

    on: date


@dataclass(frozen=True, slots=True)
class Restrict:
    """Limit the service; `authorised` by a policy or a role."""

    origin: Origin
    level: Level
    billing: BilledAs = BilledAs.BILL
    authorised: bool = True


@dataclass(frozen=True, slots=True)
class Lift:
    """Take away the restrictions of one origin."""

    origin: Origin
    by: Lifter


class ChangeAt(StrEnum):
    """From when a new plan counts."""

    NOW = "now"
    DATE = "date"
    NEXT_BOUNDARY = "next_boundary"


@dataclass(frozen=True, slots=True)
class ChangePlan:
    """Another plan; `on` goes with `ChangeAt.DATE` and with nothing else."""

    plan: int
    at: ChangeAt = ChangeAt.NOW
    on: date | None = None
    offered: bool = True

    def __post_init__(self) -> None:
        assert (self.on is not None) == (self.at is ChangeAt.DATE), f"{self.at} with the day {self.on}"


@dataclass(frozen=True, slots=True)
class KeepPlan:
    """The change of plan that waits for that day does not come."""

    on: date


@dataclass(frozen=True, slots=True)
class ChangeCycle:
    """Periods of another length or from another day of the month on; `restart` counts them from the day, not as before."""

    on: date
    months: int | None = None
    day: int | None = None
    restart: bool = False


@dataclass(frozen=True, slots=True)
class MoveAddress:
    """The service is at another address from a day on."""

    address: int
    on: date


@dataclass(frozen=True, slots=True)
class Pause:
    """No service for some days, credited unless billed all the same; the offer's fee is owed unless `fee_waived` by a role."""

    start: date
    until: date
    billing: BilledAs = BilledAs.CREDIT_DAYS
    fee_waived: bool = False


@dataclass(frozen=True, slots=True)
class ScheduleEnd:
    """`on` is the first day without service. `notice_waived` by a role; `free_of_cost` when the issuer ends it."""

    on: date
    notice_waived: bool = False
    free_of_cost: bool = False
    authorised: bool = True


@dataclass(frozen=True, slots=True)
class WithdrawEnd:
    """The end that was set is taken back before it comes."""

    authorised: bool = True


@dataclass(frozen=True, slots=True)
class ReachEnd:
    """The day `ends_on` has come."""


@dataclass(frozen=True, slots=True)
class Reopen:
    """Service again from a day on."""

    on: date


@dataclass(frozen=True, slots=True)
class Cancel:
    """Given up before activation."""


@dataclass(frozen=True, slots=True)
class Withdraw:
    """The customer withdraws from a distance contract."""


Deed = (
    Propose | Accept | Refuse | Expire | Activate | EndTrial | MakeFree | MakeBillable | Restrict | Lift
    | ChangePlan | KeepPlan | ChangeCycle | MoveAddress | Pause | ScheduleEnd | WithdrawEnd | ReachEnd | Reopen
    | Cancel | Withdraw
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Billing:
    """What is to be billed because of a deed.

    Recurring items begin or end on the days named, the plan's alone when `plan` is; one that would begin after its end
    never does. `items_go_on`: those that end on that day go on, up to `items_end`. `credit_from`: what was paid from that day on is given back. `replaces_same_day`: an earlier change of the
    day leaves no charge. `reverse_issued`: credit notes for what was issued. `instalments_due`: all that remain.
    `pause_fee`: owed for a pause; `pauses_back`: the first days of pauses that took none, whose fees are given back. `cycle`:
    of the items that begin. `days_not_paid`: of the restrictions concerned, in the place of what was said of them before.
    """

    items_start: date | None = None
    items_end: date | None = None
    items_go_on: date | None = None
    credit_from: date | None = None
    plan: int | None = None
    replaces_same_day: bool = False
    one_off_fees: bool = False
    reverse_issued: bool = False
    instalments_due: bool = False
    exit_cost: Money | None = None
    pause_fee: Money | None = None
    pauses_back: tuple[date, ...] = ()
    days_not_paid: tuple[Period, ...] = ()
    cycle: Cycle | None = None


@dataclass(frozen=True, slots=True)
class Changed:
    """The contract after a deed, the event to write and from which day it counts."""

    contract: Contract
    event: str
    effective_on: date
    billing: Billing = Billing()
    network: Network = Network.NOTHING


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing changed; the sentence says why and what is possible."""

    reason: Reason
    sentence: str
