"""Issuers: who invoices, with what stands on papers, how they bill, what they number next and how they are paid; begun and changed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, Literal

import msgspec
from flask import Response
from werkzeug.exceptions import Conflict

from billing.country_data import known_countries
from billing.issuer_data import next_number
from billing.papers.errors import PaperError
from billing.papers.own_files import logo_of, own_files
from billing.papers.paper import PaperKind
from billing.papers.samples import sample
from billing.papers.spelling import known_currencies
from billing.store.bank_files import load_accounts_at_banks
from billing.store.issuers import (
    Issuer,
    Register,
    Series,
    hold_issuer,
    load_issuer_registers,
    load_issuers,
    load_series,
)
from billing.store.payments import load_methods
from control_plane import issuers as office
from control_plane.access.permissions import Permission
from web.acting import clock, person
from web.api._shapes import Books, Currency, Digits, Words, shaped, there_is_none, wrong_value
from web.calls import GREATEST_NUMBER, File, Noun
from web.database import Connection
from web.papers import pdf_of
from web.problems import Problem, Wrong
from web.surroundings import here
from web.versions import check_version, tell_version

pages = Noun("issuers")
_Country = Annotated[str, msgspec.Meta(pattern="^[A-Z]{2}$", description="ISO 3166")]
_Hours = Annotated[int, msgspec.Meta(ge=0, le=720)]
_Kind = Literal[
    "invoice",
    "credit_note",
    "quote",
    "order",
    "statement",
    "receipt",
    "reminder",
    "formal_notice",
    "contract",
    "cash_session",
    "agent_settlement",
]


class ListedIssuer(msgspec.Struct, frozen=True):
    """Who invoices, as its papers say, and how it bills. `minimum_document`: what comes to less waits for the next run, once."""

    id: int
    name: str
    country: str
    currency: str
    zone: str
    vat_number: str | None
    tax_number: str | None
    street: str
    house_number: str | None
    postal_code: str
    city: str
    province: str | None
    email: str | None
    phone: str | None
    iban: str | None
    tax_regime: str | None
    bank_days: str | None
    confirm_hours: int | None
    minimum_document: str | None
    recharges_stamp: bool
    mails_invoices: bool


class Numbering(msgspec.Struct, frozen=True):
    """A series of numbers: how far it has come, and how the next one is printed."""

    code: str
    kind: str
    name: str
    year: int | None
    last_number: int | None
    last_date: date | None
    next: str


class PaidBy(msgspec.Struct, frozen=True):
    """A way of being paid; what comes by it may come back for so many days."""

    code: str
    name: str
    kind: str
    returns_days: int | None
    offered: bool
    mails_receipt: bool


class AtBank(msgspec.Struct, frozen=True):
    """An account whose files are read."""

    name: str
    account: str
    currency: str


class OwnPaper(msgspec.Struct, frozen=True):
    """A file that holds before the package's; `of_issuer`: for this one alone."""

    name: str
    of_issuer: bool


class WholeIssuer(msgspec.Struct, frozen=True):
    """All of an issuer."""

    issuer: ListedIssuer
    numbers: list[Numbering]
    methods: list[PaidBy]
    banks: list[AtBank]
    papers: list[OwnPaper]
    has_logo: bool


class IssuerToBe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an issuer is to be; what is left out is empty."""

    name: Words
    street: Words
    postal_code: Words
    city: Words
    zone: Words | None = None
    vat_number: Words | None = None
    tax_number: Words | None = None
    house_number: Words | None = None
    province: Words | None = None
    email: Words | None = None
    phone: Words | None = None
    iban: Words | None = None
    tax_regime: Words | None = None
    bank_days: Words | None = None
    confirm_hours: _Hours | None = None
    minimum_document: Digits | None = None
    recharges_stamp: bool = False
    mails_invoices: bool = True


class NewIssuer(IssuerToBe, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """With what stays as it begins; without a currency and a zone it has the country's."""

    country: _Country
    currency: Currency | None = None


class SampleQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Of which kind, and in which language."""

    kind: _Kind = "invoice"
    language: Literal["en", "it", "es"] = "en"


@pages.call(
    "GET", "/issuers", permission=Permission.SETTING_SEE, answers=list[ListedIssuer], does=("issuers.show_all",)
)
def find(connection: Connection) -> list[ListedIssuer]:
    """All issuers."""
    return [shaped(ListedIssuer, one) for one in load_issuers(connection)]


@pages.call(
    "POST",
    "/issuers",
    permission=Permission.SETTING_SEE,
    also=(Permission.SETTING_CHANGE,),
    body=NewIssuer,
    answers=ListedIssuer,
    status=201,
    refusals=(409,),
    does=("issuers.new",),
)
def new(connection: Connection, *, body: NewIssuer) -> ListedIssuer:
    """Begin an issuer with accounts, registers, ways of being paid, and the taxes of its country."""
    if body.country not in known_countries():
        raise wrong_value(f"there are {', '.join(known_countries())}", pointer="/country")
    if body.currency is not None and body.currency not in known_currencies():
        raise wrong_value("there is no such currency", pointer="/currency")
    try:
        begun = office.begin(connection, msgspec.structs.asdict(body), country=body.country, actor=person().name)
    except office.WrongIssuerDataError as error:
        raise _wrong(error) from error
    return shaped(ListedIssuer, _known(connection, begun.issuer_id))


@pages.call(
    "GET",
    "/issuers/<int:number>",
    permission=Permission.SETTING_SEE,
    answers=WholeIssuer,
    refusals=(404,),
    does=("issuers.show",),
    version="told",
)
def show(connection: Connection, *, number: int) -> WholeIssuer:
    """One issuer: its data, numbers, ways of being paid and papers."""
    issuer = _known(connection, number)
    tell_version(issuer)
    today = Books(issuer, clock(connection)).today
    folder = here().settings.papers_dir
    counted: list[Register | Series] = [*load_issuer_registers(connection, number), *load_series(connection, number)]
    return WholeIssuer(
        shaped(ListedIssuer, issuer),
        [_numbering(one, today) for one in counted],
        [shaped(PaidBy, one) for one in load_methods(connection, number)],
        [shaped(AtBank, one) for one in load_accounts_at_banks(connection) if one.issuer_id == number],
        [shaped(OwnPaper, one) for one in own_files(folder, number)],
        logo_of(folder, number) is not None,
    )


@pages.call(
    "PUT",
    "/issuers/<int:number>",
    permission=Permission.SETTING_SEE,
    also=(Permission.SETTING_CHANGE,),
    body=IssuerToBe,
    answers=ListedIssuer,
    refusals=(404, 409),
    does=("issuers.edit",),
    version="needed",
)
def change(connection: Connection, *, number: int, body: IssuerToBe) -> ListedIssuer:
    """Say what an issuer is to be; without a zone the one stays that is there. What is issued stays as it was."""
    there = hold_issuer(connection, number) if number <= GREATEST_NUMBER else None
    if there is None:
        raise there_is_none()
    check_version(there)
    told: dict[str, Any] = msgspec.structs.asdict(body)
    told["zone"] = told["zone"] or there.zone
    try:
        office.change(connection, there, told, actor=person().name)
    except office.WrongIssuerDataError as error:
        raise _wrong(error) from error
    return shaped(ListedIssuer, _known(connection, number))


@pages.call(
    "GET",
    "/issuers/<int:number>/logo",
    permission=Permission.SETTING_SEE,
    answers=File("application/octet-stream"),
    refusals=(404,),
    does=("issuers.logo",),
)
def logo(connection: Connection, *, number: int) -> Callable[[], Response]:
    """The logo that is printed."""
    _known(connection, number)
    file = logo_of(here().settings.papers_dir, number)
    if file is None:
        raise there_is_none()
    return lambda: Response(file.read_bytes(), content_type="application/octet-stream")


@pages.call(
    "GET",
    "/issuers/<int:number>/sample.pdf",
    permission=Permission.SETTING_SEE,
    asked=SampleQuestion,
    answers=File("application/pdf"),
    refusals=(404, 409),
    does=("issuers.sample_paper",),
)
def sample_paper(connection: Connection, *, number: int, asked: SampleQuestion) -> Callable[[], Response]:
    """A made-up paper as the templates print it now."""
    _known(connection, number)

    def printed() -> Response:
        try:
            return pdf_of(number, sample(PaperKind(asked.kind), asked.language), f"sample-{asked.kind}")
        except PaperError as error:
            raise Conflict(str(error)) from error

    return printed


def _numbering(one: Register | Series, today: date) -> Numbering:
    printed = next_number(one.pattern, one.code, year=one.year, last=one.last_number, today=today)
    return shaped(Numbering, one, next=printed)


def _known(connection: Connection, number: int) -> Issuer:
    found = next((one for one in load_issuers(connection) if one.id == number), None)
    if found is None:
        raise there_is_none()
    return found


def _wrong(error: office.WrongIssuerDataError) -> Problem:
    first, *more = error.wrong
    return Problem(422, "A value is refused.", *(Wrong(str(one), pointer=f"/{one.column}") for one in (first, *more)))
