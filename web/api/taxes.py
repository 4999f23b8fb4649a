"""Taxes and registers: read as they hold, a rate or a register added. What is issued stays as it was taxed and numbered."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from billing.store.acting import acting
from billing.store.issuers import (
    TaxCodeRow,
    add_register,
    load_issuer_registers,
    load_issuers,
    load_positions,
    load_tax_codes,
)
from billing.store.stamp_duties import load_stamp_duties
from control_plane.access.permissions import Permission
from control_plane.catalogue import add_tax_rate
from web.acting import person
from web.api._shapes import Number, Words, shaped, wrong_value
from web.calls import Noun, Slice
from web.database import Connection

pages = Noun("taxes")


class TaxRate(msgspec.Struct, frozen=True):
    """A rate in percent; `until` is the first day on which it no longer holds."""

    percent: str
    since: date
    until: date | None


class TaxCode(msgspec.Struct, frozen=True):
    """How something is taxed; one with a nature bears no tax."""

    id: int
    name: str
    nature: str | None
    legal_reference: str | None
    bears_stamp: bool
    rates: list[TaxRate]


class FiscalPosition(msgspec.Struct, frozen=True):
    """Whom other taxes hold for; `replaces` such as `IT-22 -> IT-N2.1`."""

    id: int
    name: str
    liability: str
    priority: int | None
    issuer: str | None
    customer_kind: str | None
    countries: list[str]
    postal_prefix: str | None
    replaces: list[str]


class StampDuty(msgspec.Struct, frozen=True):
    """What documents bear of which nothing is taxed, above an amount; `until` is the first day on which it no longer holds."""

    country: str
    currency: str
    since: date | None
    until: date | None
    above: str
    amount: str


class Taxes(msgspec.Struct, frozen=True):
    """All that documents are taxed by."""

    codes: list[TaxCode]
    positions: list[FiscalPosition]
    stamp_duties: list[StampDuty]


class NewTaxRate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rate of a code, on documents from a day on; the one before ends there."""

    code: Words
    percent: Annotated[
        str, msgspec.Meta(pattern=r"^\d{1,3}(\.\d{1,4})?$", description="a decimal number with all its digits")
    ]
    since: date


class DocumentRegister(msgspec.Struct, frozen=True):
    """A series of numbers of an issuer, and how far it has come this year."""

    id: int
    issuer_id: int
    code: str
    kind: str
    name: str
    pattern: str
    purpose: str | None
    fiscal_position: str | None
    year: int | None
    last_number: int | None
    last_date: date | None


class NewRegister(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One more series of numbers; the most specific one that fits numbers a document."""

    issuer_id: Number
    code: Annotated[str, msgspec.Meta(pattern="^[A-Z0-9]{1,6}$")]
    kind: Literal["invoice", "credit_note", "quote", "order"]
    name: Words
    purpose: Literal["recurring", "manual"] | None = None


@pages.call("GET", "/taxes", permission=Permission.CATALOGUE_SEE, answers=Taxes, does=("taxes.list_",))
def show(connection: Connection) -> Taxes:
    """Tax codes with their rates, fiscal positions, stamp duties."""
    return Taxes(
        [code_of(one) for one in load_tax_codes(connection)],
        [shaped(FiscalPosition, one) for one in load_positions(connection)],
        [shaped(StampDuty, one) for one in load_stamp_duties(connection)],
    )


@pages.call(
    "POST",
    "/taxes/rates",
    permission=Permission.CATALOGUE_SEE,
    also=(Permission.CATALOGUE_CHANGE,),
    body=NewTaxRate,
    answers=TaxCode,
    status=201,
    does=("taxes.rate",),
)
def add_rate(connection: Connection, *, body: NewTaxRate) -> TaxCode:
    """Give a tax code a rate from a day on; what is issued stays."""
    codes = {one.name: one for one in load_tax_codes(connection) if one.nature is None}
    if body.code not in codes:
        raise wrong_value("there is no such code that bears tax", pointer="/code")
    if Decimal(body.percent) > 100:  # percent
        raise wrong_value("at most 100", pointer="/percent")
    there = code_of(codes[body.code]).rates
    if there and body.since <= there[-1].since:
        raise wrong_value("a rate of this code begins on that day or later already", pointer="/since")
    add_tax_rate(connection, body.code, Decimal(body.percent), since=body.since, actor=person().name)
    return next(code_of(one) for one in load_tax_codes(connection) if one.name == body.code)


@pages.call(
    "GET",
    "/registers",
    permission=Permission.CATALOGUE_SEE,
    answers=Slice[DocumentRegister],
    does=("taxes.registers",),
)
def registers(connection: Connection) -> Slice[DocumentRegister]:
    """Each issuer's registers, and how far they have come."""
    return Slice(_registers(connection), None)


@pages.call(
    "POST",
    "/registers",
    permission=Permission.CATALOGUE_SEE,
    also=(Permission.CATALOGUE_CHANGE,),
    body=NewRegister,
    answers=DocumentRegister,
    status=201,
    does=("taxes.new_register",),
)
def new_register(connection: Connection, *, body: NewRegister) -> DocumentRegister:
    """Add a series of numbers to an issuer."""
    if body.issuer_id not in {one.id for one in load_issuers(connection)}:
        raise wrong_value("there is no such issuer", pointer="/issuer_id")
    if any((one.issuer_id, one.code) == (body.issuer_id, body.code) for one in _registers(connection)):
        raise wrong_value("there is one of this code already", pointer="/code")
    acting(connection, person().name)
    add_register(connection, body.issuer_id, body.code, kind=body.kind, name=body.name, purpose=body.purpose)
    return next(one for one in _registers(connection) if (one.issuer_id, one.code) == (body.issuer_id, body.code))


def _registers(connection: Connection) -> list[DocumentRegister]:
    return [
        shaped(DocumentRegister, one, issuer_id=issuer.id)
        for issuer in load_issuers(connection)
        for one in load_issuer_registers(connection, issuer.id)
    ]


def code_of(row: TaxCodeRow) -> TaxCode:
    """As it is answered."""
    return shaped(TaxCode, row, rates=[_rate(one) for one in row.rates])


def _rate(text: str) -> TaxRate:
    """A rate of its words in the store: `22 from 2013-10-01` and perhaps ` to 2030-01-01`."""
    parts = text.split(" ")
    until = date.fromisoformat(parts[4]) if len(parts) > 4 else None  # words before the last day
    return TaxRate(parts[0], date.fromisoformat(parts[2]), until)
