"""The numbers that a tax authority allows an account."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

import msgspec

from billing.store.einvoice_desk import load_series
from billing.store.einvoices import EinvoiceAccount, load_accounts
from control_plane.access.permissions import Permission
from control_plane.einvoice import office
from web.acting import person
from web.api._shapes import shaped, there_is_none, wrong_value
from web.calls import Noun
from web.database import Connection

pages = Noun("einvoices", "numbers")
Counted = Annotated[int, msgspec.Meta(ge=1, le=10**15)]


class EinvoiceSeries(msgspec.Struct, frozen=True):
    """How far a series is counted, within which range of the authority's: null where it has none."""

    kind: str
    series: str
    last_number: int
    first: int | None
    last: int | None
    valid_to: date | None


class EinvoiceRange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The numbers that the authority gave, and until when they may be used."""

    kind: Literal["invoice", "credit_note"] = "invoice"
    first: Counted
    last: Counted
    valid_to: date | None = None


@pages.call(
    "GET",
    "/einvoice-accounts/<name>/numbers",
    permission=Permission.EINVOICE_ACT,
    also=(Permission.SETTING_CHANGE,),
    answers=list[EinvoiceSeries],
    refusals=(404,),
    does=("einvoice_numbers.edit",),
)
def numbers(connection: Connection, *, name: str) -> list[EinvoiceSeries]:
    """How far the account's numbers are used, and what the authority allows."""
    return _series(connection, _account(connection, name))


@pages.call(
    "POST",
    "/einvoice-accounts/<name>/numbers",
    permission=Permission.EINVOICE_ACT,
    also=(Permission.SETTING_CHANGE,),
    body=EinvoiceRange,
    answers=list[EinvoiceSeries],
    refusals=(404, 409),
    does=("einvoice_numbers.edit",),
)
def allow(connection: Connection, *, name: str, body: EinvoiceRange) -> list[EinvoiceSeries]:
    """Number the account's documents within another range from now on."""
    account = _account(connection, name)
    if body.last < body.first:
        raise wrong_value("a range ends behind where it begins", pointer="/last")
    given = office.NumberRange(body.kind, body.first, body.last, body.valid_to)
    office.allow_range(connection, account, given, by=person().name)
    return _series(connection, account)


def _account(connection: Connection, name: str) -> EinvoiceAccount:
    found = next((one for one in load_accounts(connection) if one.name == name), None)
    if found is None:
        raise there_is_none()
    return found


def _series(connection: Connection, account: EinvoiceAccount) -> list[EinvoiceSeries]:
    return [shaped(EinvoiceSeries, one) for one in load_series(connection, account.id)]
