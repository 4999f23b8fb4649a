"""Stamp duty from a day on, and new fiscal positions. What is issued stays."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

import msgspec

from billing.country_codes import country_fault
from billing.store.issuers import load_issuers, load_positions
from billing.store.rows import NotThereError
from billing.store.stamp_duties import load_stamp_duties
from control_plane.access.permissions import Permission
from control_plane.catalogue import NewStampDuty, add_fiscal_position, set_stamp_duty
from web.acting import person
from web.api._shapes import Amount, Number, Words, money_of, refusals_of, shaped, wrong_value
from web.api.taxes import FiscalPosition, StampDuty
from web.calls import Noun
from web.database import Connection
from web.problems import Problem

pages = Noun("taxes", "setup")
_Country = Annotated[str, msgspec.Meta(pattern="^[A-Z]{2}$", description="ISO 3166")]


class StampDutyToSet(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What documents owe from a day on whose amounts that bear it come to more than `above`; what was owed before ends there."""

    country: _Country
    amount: Amount
    above: Amount
    since: date
    until: date | None = None


class Replacement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tax code in place of a product's own."""

    before: Words
    after: Words


class NewPosition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How customers of a kind and place are taxed; without a priority only those who name it."""

    name: Words
    priority: Annotated[int, msgspec.Meta(ge=1, le=1000)] | None = None
    customer_kind: Literal["person", "company", "public_body"] | None = None
    countries: list[_Country] = []
    postal_prefix: Annotated[str, msgspec.Meta(pattern="^[0-9A-Za-z -]{1,10}$")] | None = None
    issuer_id: Number | None = None
    liability: Literal["immediate", "deferred", "split"] = "immediate"
    replaces: list[Replacement] = []


@pages.call(
    "POST",
    "/taxes/stamp-duties",
    permission=Permission.CATALOGUE_SEE,
    also=(Permission.CATALOGUE_CHANGE,),
    body=StampDutyToSet,
    answers=list[StampDuty],
    status=201,
    refusals=(409,),
    does=("tax_setup.duty",),
)
def duty(connection: Connection, *, body: StampDutyToSet) -> list[StampDuty]:
    """Set the stamp duty of a country from a day on; the country's duties then."""
    if country_fault(body.country) is not None:
        raise wrong_value("there is no such country", pointer="/country")
    if body.until is not None and body.until <= body.since:
        raise wrong_value("it ends after it begins", pointer="/until")
    if body.above.currency != body.amount.currency:
        raise wrong_value("both are of one currency", pointer="/above/currency")
    amount, above = money_of(body.amount, "/amount"), money_of(body.above, "/above")
    if amount.minor <= 0 or above.minor < 0:
        raise wrong_value("more than nothing", pointer="/amount" if amount.minor <= 0 else "/above")
    for one in load_stamp_duties(connection):
        holds = (one.since is not None and body.since <= one.since) or (
            one.until is not None and body.since < one.until
        )
        if (one.country, one.currency) == (body.country, amount.currency) and holds:
            raise Problem(409, "Another one holds on that day or later, with its own end.")
    told = NewStampDuty(body.country, amount.currency, above.amount, amount.amount, body.since, body.until)
    set_stamp_duty(connection, told, actor=person().name)
    return [shaped(StampDuty, one) for one in load_stamp_duties(connection) if one.country == body.country]


@pages.call(
    "POST",
    "/taxes/positions",
    permission=Permission.CATALOGUE_SEE,
    also=(Permission.CATALOGUE_CHANGE,),
    body=NewPosition,
    answers=FiscalPosition,
    status=201,
    refusals=(409,),
    does=("tax_setup.new_position",),
)
def position(connection: Connection, *, body: NewPosition) -> FiscalPosition:
    """Add a fiscal position."""
    if any(one.name == body.name for one in load_positions(connection)):
        raise Problem(409, "There is one of this name already.")
    for place, code in enumerate(body.countries):
        if country_fault(code) is not None:
            raise wrong_value("there is no such country", pointer=f"/countries/{place}")
    if body.issuer_id is not None and body.issuer_id not in {one.id for one in load_issuers(connection)}:
        raise wrong_value("there is no such issuer", pointer="/issuer_id")
    if len({one.before for one in body.replaces}) < len(body.replaces) or any(
        one.before == one.after for one in body.replaces
    ):
        raise wrong_value("each code is replaced once, by another", pointer="/replaces")
    columns = {name: value for name, value in msgspec.structs.asdict(body).items() if name != "replaces"}
    pairs = tuple((one.before, one.after) for one in body.replaces)
    with refusals_of(NotThereError, pointer="/replaces"):
        made = add_fiscal_position(connection, columns, pairs, actor=person().name)
    return next(shaped(FiscalPosition, one) for one in load_positions(connection) if one.id == made)
