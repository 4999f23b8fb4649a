"""A new tax code, and the end of a stamp duty. What is issued stays."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated

import msgspec

from billing.store.issuers import load_tax_codes
from billing.store.stamp_duties import load_stamp_duties
from control_plane.access.permissions import Permission
from control_plane.catalogue import add_code, end_duty
from web.acting import person
from web.api._shapes import Currency, shaped, wrong_value
from web.api.taxes import StampDuty, TaxCode, code_of
from web.calls import Noun
from web.database import Connection
from web.problems import Problem

pages = Noun("taxes", "codes")
_Percent = Annotated[str, msgspec.Meta(pattern=r"^\d{1,2}(\.\d{1,3})?$|^100$", description="a decimal number")]


class NewTaxCode(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """With `percent` since a day, or with the `nature` and the `law` by which it bears none; such a one may count towards stamp duty."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{1,40}$")]
    percent: _Percent | None = None
    since: date | None = None
    nature: Annotated[str, msgspec.Meta(pattern=r"^[A-Z0-9.]{1,10}$")] | None = None
    law: Annotated[str, msgspec.Meta(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")] | None = None
    bears_stamp: bool = False


class DutyToEnd(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which stamp duty, and the first day on which nothing is owed."""

    country: Annotated[str, msgspec.Meta(pattern="^[A-Z]{2}$", description="ISO 3166")]
    currency: Currency
    until: date


@pages.call(
    "POST",
    "/taxes/codes",
    permission=Permission.CATALOGUE_SEE,
    also=(Permission.CATALOGUE_CHANGE,),
    body=NewTaxCode,
    answers=TaxCode,
    status=201,
    refusals=(409,),
    does=("tax_codes.new",),
)
def new(connection: Connection, *, body: NewTaxCode) -> TaxCode:
    """Add a tax code, which nothing bears yet."""
    if any(one.name == body.name for one in load_tax_codes(connection)):
        raise Problem(409, "There is one of this name already.")
    if (body.percent is None) == (body.nature is None):
        raise wrong_value("either a rate, or a nature", pointer="/percent")
    if (body.percent is None) != (body.since is None):
        raise wrong_value("a rate begins on a day", pointer="/since")
    if body.nature is not None and body.law is None:
        raise wrong_value("a nature needs the law that says so", pointer="/law")
    if body.bears_stamp and body.nature is None:
        raise wrong_value("only what bears no tax counts towards stamp duty", pointer="/bears_stamp")
    rate = None if body.percent is None or body.since is None else (Decimal(body.percent), body.since)
    add_code(
        connection,
        body.name,
        nature=body.nature,
        law=body.law,
        bears_stamp=body.bears_stamp,
        rate=rate,
        actor=person().name,
    )
    return next(code_of(one) for one in load_tax_codes(connection) if one.name == body.name)


@pages.call(
    "POST",
    "/taxes/stamp-duties/end",
    permission=Permission.CATALOGUE_SEE,
    also=(Permission.CATALOGUE_CHANGE,),
    body=DutyToEnd,
    answers=list[StampDuty],
    refusals=(409,),
    does=("tax_codes.end_of_duty",),
)
def end_of_duty(connection: Connection, *, body: DutyToEnd) -> list[StampDuty]:
    """Let a stamp duty end; the country's duties then."""
    if end_duty(connection, body.country, body.currency, on=body.until, actor=person().name) is None:
        raise Problem(409, "No stamp duty holds on that day without an end.")
    return [shaped(StampDuty, one) for one in load_stamp_duties(connection) if one.country == body.country]
