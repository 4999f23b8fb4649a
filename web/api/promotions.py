"""Promotions: discounts that many contracts are given at once, each its own copy; who would get one is counted by a dry run."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from billing.store.acting import acting
from billing.store.promotions import (
    Promotion,
    count_application,
    load_promotions,
    load_undoing,
    save_promotion,
)
from billing.store.selection import Selection
from control_plane.access.permissions import Permission
from control_plane.catalogue import ask_for_promotion, ask_to_take_back
from web.acting import person
from web.api._changes import today
from web.api._shapes import Words, shaped, there_is_none, wrong_value
from web.calls import Noun, Slice
from web.database import Connection
from web.problems import Problem

pages = Noun("promotions")


class OnePromotion(msgspec.Struct, frozen=True):
    """A promotion: a percentage or an amount a period off all or off one family, for some months or for good. `contracts` have it."""

    id: int
    name: str
    kind: str
    value: str
    family: str | None
    months: int | None
    priority: int
    offered_from: date | None
    offered_until: date | None
    contracts: int


class NewPromotion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A promotion that nobody has yet; `priority` is the order in which discounts are taken off."""

    name: Words
    kind: Literal["percent", "fixed"]
    value: Annotated[
        str, msgspec.Meta(pattern=r"^\d{1,9}(\.\d{1,6})?$", description="a decimal number with all its digits")
    ]
    family: Annotated[str, msgspec.Meta(pattern="^[a-z0-9_]{1,40}$")] | None = None
    months: Annotated[int, msgspec.Meta(ge=1, le=120)] | None = None
    priority: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100
    offered_from: date | None = None
    offered_until: date | None = None


class WhoGetsIt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which contracts are meant: all that is said must hold. `everybody` says that nothing else is."""

    product: Words | None = None
    issuer: Words | None = None
    city: Words | None = None
    postal_prefix: Annotated[str, msgspec.Meta(min_length=1, max_length=20)] | None = None
    since: date | None = None
    everybody: bool = False


class PromotionGiven(msgspec.Struct, frozen=True):
    """How many contracts get it, had it, or have nothing of its family; the worker gives it, `request` says how far it is."""

    gets: int
    had: int
    without_family: int
    request: int


class PromotionTaken(msgspec.Struct, frozen=True):
    """How many contracts lose it, and how many have been charged with it and keep it; `request` says how far the worker is."""

    undone: int
    charged: int
    request: int


@pages.call(
    "GET", "/promotions", permission=Permission.CATALOGUE_SEE, answers=Slice[OnePromotion], does=("promotions.list_",)
)
def find(connection: Connection) -> Slice[OnePromotion]:
    """All promotions, and how many contracts have each."""
    return Slice([shaped(OnePromotion, one) for one in load_promotions(connection)], None)


@pages.call(
    "POST",
    "/promotions",
    permission=Permission.CATALOGUE_SEE,
    also=(Permission.CATALOGUE_CHANGE,),
    body=NewPromotion,
    answers=OnePromotion,
    status=201,
    does=("promotions.new",),
)
def new(connection: Connection, *, body: NewPromotion) -> OnePromotion:
    """Add a promotion; nobody has it yet."""
    value, since = Decimal(body.value), body.offered_from or today(connection)
    if body.name in {one.name for one in load_promotions(connection)}:
        raise wrong_value("there is one of this name already", pointer="/name")
    if value <= 0 or (body.kind == "percent" and value > 100):  # percent
        raise wrong_value("more than nothing, and of a percentage at most 100", pointer="/value")
    if body.offered_until is not None and body.offered_until <= since:
        raise wrong_value("it ends after it begins", pointer="/offered_until")
    acting(connection, person().name)
    columns = {name: getattr(body, name) for name in ("name", "kind", "family", "months", "priority")}
    made = save_promotion(connection, {**columns, "value": value}, offered=(since, body.offered_until))
    return shaped(OnePromotion, _known(connection, made))


@pages.call(
    "POST",
    "/promotions/<int:number>/apply",
    permission=Permission.CATALOGUE_SEE,
    also=(Permission.CATALOGUE_CHANGE,),
    body=WhoGetsIt,
    answers=PromotionGiven,
    does=("promotions.apply",),
)
def apply(connection: Connection, *, number: int, body: WhoGetsIt) -> PromotionGiven:
    """Have a promotion given to contracts; the worker begins at once, and the request says how far it is."""
    promotion, day = _known(connection, number), today(connection)
    selection = Selection(issuer=body.issuer, product=body.product, city=body.city, postal_prefix=body.postal_prefix)
    if selection.is_everything != body.everybody:
        raise wrong_value("say which contracts are meant, or that all are", pointer="/everybody")
    if not promotion.is_given(day):
        raise Problem(409, "It is not given today.")
    since = body.since or day
    planned = count_application(connection, promotion, selection, since=since)
    request = ask_for_promotion(connection, promotion, selection, since=since, actor=person().name)
    return shaped(PromotionGiven, planned, request=request)


@pages.call(
    "POST",
    "/promotions/<int:number>/undo",
    permission=Permission.CATALOGUE_SEE,
    also=(Permission.CATALOGUE_CHANGE,),
    answers=PromotionTaken,
    does=("promotions.undo",),
)
def undo(connection: Connection, *, number: int) -> PromotionTaken:
    """Have a promotion taken back from whom no charge has counted it; the request says how far the worker is."""
    promotion = _known(connection, number)
    found, _ = load_undoing(connection, number, None)
    return PromotionTaken(found.undone, found.charged, ask_to_take_back(connection, promotion, actor=person().name))


def _known(connection: Connection, number: int) -> Promotion:
    found = next((one for one in load_promotions(connection) if one.id == number), None)
    if found is None:
        raise there_is_none()
    return found
