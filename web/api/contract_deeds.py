"""What is done to a contract. Each is tried with `dry_run`: what it bills and does to the network is the same answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, ClassVar, Final, Literal

import msgspec

from billing import deeds as do
from billing.contract_facts import BilledAs, Level, Origin
from billing.deeds import Deed
from billing.store.contract_drafts import load_signatures
from billing.store.deeds import hold_contract
from control_plane.access.permissions import Permission
from control_plane.contract_deeds import day_of, end_deeds, lift_deed, preview
from control_plane.store.plan import load_profiles
from web.acting import person
from web.api._contract_shapes import DeedOutcome, outcome_of
from web.api._shapes import Number, Words, wrong_value
from web.api.contracts import known
from web.calls import Noun, is_dry
from web.database import Connection
from web.language import zone
from web.surroundings import here
from web.versions import check_version, tell_version

pages = Noun("contracts", "deeds")

OriginName = Literal["dunning", "customer_pause", "admin", "abuse", "legal", "technical"]
LevelName = Literal["throttle", "walled", "blocked"]


class Told(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="deed"):
    """`reason` is kept."""

    reason: Words | None = None


class Explained(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="deed"):
    """`reason` is needed, and kept."""

    reason: Words


class Propose(Told, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="deed", tag="propose"):
    """The draft goes to the customer; unanswered it expires after `valid_until`, in 30 days without."""

    valid_until: date | None = None


class Accept(Told, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="deed", tag="accept"):
    """The customer agrees: signed on a day, or recorded by who the token acts for."""

    signed_on: date | None = None


class Refuse(Told, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="deed", tag="refuse"):
    """The customer does not want it."""


class Expire(Told, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="deed", tag="expire"):
    """The customer did not answer."""


class Activate(Told, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="deed", tag="activate"):
    """Service begins; items and fees count from then, today without `on`."""

    on: date | None = None


class GiveUp(Told, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="deed", tag="cancel"):
    """It was never activated; what was charged is taken back."""


class EndTrial(Told, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="deed", tag="end-trial"):
    """The first billable day has come."""


class MakeFree(Explained, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="deed", tag="make-free"):
    """No recurring charges from a day on, today without `on`; looked at again on `review_on`."""

    review_on: date
    on: date | None = None


class MakeBillable(Told, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="deed", tag="make-billable"):
    """Recurring charges again, at the prices that were agreed."""

    on: date | None = None


class ChangePlan(Told, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="deed", tag="change-plan"):
    """Another plan: the rest of the old one is given back, and the network changes with its day. `plan_id` is a plan's number; `on` goes with
    `when: date` alone.
    """

    EXAMPLE: ClassVar[dict[str, Any]] = {"deed": "change-plan", "plan_id": 3, "when": "next_boundary"}

    plan_id: Number
    when: Literal["now", "next_boundary", "date"] = "now"
    on: date | None = None


class KeepPlan(Told, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="deed", tag="keep-plan"):
    """The change of plan that waits for that day does not come."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"deed": "keep-plan", "on": "2030-07-01"}

    on: date


class ChangePeriod(Told, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="deed", tag="change-period"):
    """Other periods from a day on: their length, their day of the month, or counted anew from that day."""

    on: date | None = None
    months: Annotated[int, msgspec.Meta(ge=1, le=12)] | None = None
    day: Annotated[int, msgspec.Meta(ge=1, le=31)] | None = None
    restart: bool = False


class Move(Told, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="deed", tag="move"):
    """The service is at another address of the customer."""

    address_id: Number
    on: date | None = None


class Restrict(Explained, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="deed", tag="restrict"):
    """Limit the service; `billing`: its days are billed as ever, given back, or whole periods in it left out."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"deed": "restrict", "level": "walled", "reason": "abuse of the line"}

    level: LevelName
    origin: OriginName = "admin"
    billing: Literal["bill", "credit_days", "stop"] = "bill"


class Lift(Explained, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="deed", tag="lift"):
    """Lift the limits of one origin; others stay."""

    origin: OriginName


class Pause(Told, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="deed", tag="pause"):
    """No service for some days, today's the first without `start`, `until` the first with service again; they are not paid unless billed."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "deed": "pause",
        "start": "2030-07-01",
        "until": "2030-09-01",
        "reason": "away",
    }

    until: date
    start: date | None = None
    billing: Literal["credit_days", "bill"] = "credit_days"
    no_fee: bool = False


class SetEnd(Told, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="deed", tag="end"):
    """Set the first day without service; one that has come ends it now."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"deed": "end", "on": "2030-12-01"}

    on: date | None = None
    waive_notice: bool = False
    at_no_cost: bool = False


class KeepOn(Told, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="deed", tag="keep"):
    """Take back its end: it goes on."""


class ReachEnd(Told, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="deed", tag="reach-end"):
    """End it now: the end that was set has come."""


class Reopen(Told, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="deed", tag="reopen"):
    """Service again, within the days that allow it."""

    on: date | None = None


class Withdraw(Told, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="deed", tag="withdraw"):
    """The customer withdraws within 14 days of a contract at a distance: service ends today, all charges are taken back."""


DeedToDo = (
    Propose | Accept | Refuse | Expire | Activate | GiveUp | EndTrial | MakeFree | MakeBillable | ChangePlan
    | KeepPlan | ChangePeriod | Move | Restrict | Lift | Pause | SetEnd | KeepOn | ReachEnd | Reopen | Withdraw
)  # fmt: skip

# What the contract takes, of what was asked for and the day from which it counts.
_MADE: Final[dict[type, Callable[[Any, date], Deed]]] = {
    Propose: lambda asked, _: do.Propose(asked.valid_until),
    Accept: lambda asked, _: do.Accept(asked.signed_on, None if asked.signed_on else person().name),
    Refuse: lambda *_: do.Refuse(),
    Expire: lambda *_: do.Expire(),
    Activate: lambda asked, today: do.Activate(asked.on or today),
    GiveUp: lambda *_: do.Cancel(),
    EndTrial: lambda *_: do.EndTrial(),
    MakeFree: lambda asked, today: do.MakeFree(asked.on or today, asked.reason, asked.review_on),
    MakeBillable: lambda asked, today: do.MakeBillable(asked.on or today),
    ChangePlan: lambda asked, _: do.ChangePlan(asked.plan_id, do.ChangeAt(asked.when), asked.on),
    KeepPlan: lambda asked, _: do.KeepPlan(asked.on),
    ChangePeriod: lambda asked, today: do.ChangeCycle(asked.on or today, asked.months, asked.day, asked.restart),
    Move: lambda asked, today: do.MoveAddress(asked.address_id, asked.on or today),
    Restrict: lambda asked, _: do.Restrict(Origin(asked.origin), Level(asked.level), BilledAs(asked.billing)),
    Lift: lambda asked, _: lift_deed(Origin(asked.origin)),
    Pause: lambda asked, today: do.Pause(asked.start or today, asked.until, BilledAs(asked.billing), asked.no_fee),
    KeepOn: lambda *_: do.WithdrawEnd(),
    ReachEnd: lambda *_: do.ReachEnd(),
    Reopen: lambda asked, today: do.Reopen(asked.on or today),
    Withdraw: lambda *_: do.Withdraw(),
}


@pages.call(
    "POST",
    "/contracts/<int:number>/deeds",
    permission=Permission.CONTRACT_CHANGE,
    body=DeedToDo,
    answers=DeedOutcome,
    version="taken",
    does=("contract_deeds.act",),
)
def act(connection: Connection, *, number: int, body: DeedToDo) -> DeedOutcome:
    """Do one of the deeds of a contract's life; `deeds` of the contract names those that its status allows.

    The answer has what it bills and what it does to the network. Try it first with `dry_run`, then send it with the `ETag` of that answer.
    """
    known(connection, number)
    hold_contract(connection, number)
    page = known(connection, number)
    check_version(page)
    _check(body)
    today, billing_zone = day_of(connection, number, usual_zone=here().settings.operator.billing_zone)
    shown = preview(
        connection,
        number,
        _deeds(body, today),
        today=today,
        zone=billing_zone,
        network_zone=zone(),
        reason=body.reason or "",
        actor=person().name,
    )
    tell_version(page if is_dry() else shown.after.page)
    profiles = {one.id: one.name for one in load_profiles(connection)}
    return outcome_of(shown, load_signatures(connection, number), profiles)


def _check(asked: DeedToDo) -> None:
    """Raises: Problem for values that do not go together."""
    if isinstance(asked, ChangePlan) and (asked.on is not None) != (asked.when == "date"):
        raise wrong_value("a day goes with `when: date`, and with nothing else", pointer="/on")
    if isinstance(asked, ChangePeriod) and not (asked.months or asked.day or asked.restart):
        raise wrong_value("say what changes", pointer="/months")


def _deeds(asked: DeedToDo, today: date) -> tuple[Deed, ...]:
    if isinstance(asked, SetEnd):
        on = asked.on or today
        return end_deeds(on, today, waive_notice=asked.waive_notice, at_no_cost=asked.at_no_cost)
    return (_MADE[type(asked)](asked, today),)
