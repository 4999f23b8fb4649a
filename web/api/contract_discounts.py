"""A promotion for one contract: given and taken back, with what the next bill comes to; tried with `dry_run` it is only told."""

from __future__ import annotations

from datetime import date

import msgspec

from billing.payments import NotDone
from billing.store.deeds import hold_contract
from control_plane.access.permissions import Permission
from control_plane.contract_deeds import day_of
from control_plane.contract_discounts import give_promotion, look_at_bill, take_promotion
from web.acting import person
from web.api._contract_shapes import ContractDiscount, discount_of
from web.api._shapes import Amount, Number, amount_of, done
from web.api.contracts import known
from web.calls import Noun
from web.database import Connection
from web.surroundings import here

pages = Noun("contracts", "discounts")


class PromotionToGive(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which promotion, and not before which day, today without one."""

    promotion_id: Number
    since: date | None = None


class DiscountOutcome(msgspec.Struct, frozen=True):
    """A contract's discounts, and what its next bill comes to on `bill_on`, if nothing else comes; no day where nothing is billed."""

    discounts: list[ContractDiscount]
    bill_on: date | None
    gross: list[Amount]


@pages.call(
    "POST",
    "/contracts/<int:number>/promotions",
    permission=Permission.CONTRACT_CHANGE,
    body=PromotionToGive,
    answers=DiscountOutcome,
    does=("contract_discounts.give",),
)
def give(connection: Connection, *, number: int, body: PromotionToGive) -> DiscountOutcome:
    """Give a promotion to this contract alone; what is billed further already has it from there."""
    today = _held(connection, number)
    since = body.since or today
    refused = give_promotion(connection, number, body.promotion_id, since=since, today=today, actor=person().name)
    return _discounted(connection, number, refused, today)


@pages.call(
    "DELETE",
    "/contracts/<int:number>/promotions/<int:promotion>",
    permission=Permission.CONTRACT_CHANGE,
    answers=DiscountOutcome,
    does=("contract_discounts.take",),
)
def take(connection: Connection, *, number: int, promotion: int) -> DiscountOutcome:
    """Take a promotion back from this contract, which no charge has counted."""
    today = _held(connection, number)
    refused = take_promotion(connection, number, promotion, actor=person().name)
    return _discounted(connection, number, refused, today)


def _held(connection: Connection, number: int) -> date:
    """What day it is for the contract, which is held."""
    known(connection, number)
    hold_contract(connection, number)
    return day_of(connection, number, usual_zone=here().settings.operator.billing_zone)[0]


def _discounted(connection: Connection, number: int, refused: NotDone | None, today: date) -> DiscountOutcome:
    if refused is not None:
        done(refused)
    seen = look_at_bill(connection, number, today=today)
    discounts = [discount_of(one) for one in seen.page.discounts]
    return DiscountOutcome(discounts, seen.on, [amount_of(one) for one in seen.gross])
