"""Accounts at banks: another one, how one is used, and how its bank writes CSV, tried on a file before it is kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Annotated, Any, Literal

import msgspec

from billing.bank_account import WrongBankAccount
from billing.banking.bank_line import BankFileError
from billing.banking.csv_file import read_csv
from billing.banking.layout import Layout, checked
from billing.papers.spelling import known_currencies
from billing.store.bank_files import BankAccount, hold_bank_account, load_accounts_at_banks
from billing.store.issuers import load_issuers
from control_plane import bank_accounts as office
from control_plane.access.permissions import Permission
from web.acting import person
from web.api._shapes import NO_CONTROL, Amount, Currency, Number, Words, amount_of, shaped, there_is_none, wrong_value
from web.calls import Noun
from web.database import Connection
from web.problems import Problem
from web.versions import check_version, tell_version

pages = Noun("bank", "accounts")
_GREATEST_ID = 2**63 - 1
_SAMPLE_OCTETS = 1024 * 1024
_SHOWN = 20
Score = Annotated[int, msgspec.Meta(ge=1, le=101)]
Column = Annotated[str, msgspec.Meta(max_length=200, pattern=NO_CONTROL)]
Several = Annotated[list[Words], msgspec.Meta(max_length=50)]


class CsvLayout(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which column is what, by its name in the header or counted (#1). Either `amount`, or `credit` and `debit`."""

    booked_on: Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=NO_CONTROL)]
    text: Several = []
    amount: Column = ""
    credit: Column = ""
    debit: Column = ""
    sign: Column = ""
    out_words: Several = msgspec.field(default_factory=lambda: list(Layout("", ()).out_words))
    signs: Literal["as_written", "reversed"] = "as_written"
    value_on: Column = ""
    party: Column = ""
    party_iban: Column = ""
    reference: Column = ""
    end_to_end: Column = ""
    currency: Column = ""
    code: Column = ""
    return_words: Several = []
    separator: Literal[";", ",", "\t", "|"] = ";"
    decimal: Literal[",", "."] = ","
    day_form: Annotated[str, msgspec.Meta(max_length=20, pattern=NO_CONTROL)] = "DD/MM/YYYY"
    encoding: Literal["utf-8", "utf-16", "cp1252", "iso-8859-15", "cp850", "mac-roman"] = "utf-8"
    header_rows: Annotated[int, msgspec.Meta(ge=0, le=50)] = 1


class WholeAccountAtBank(msgspec.Struct, frozen=True):
    """An account whose files are taken in; `layout` is null where nobody has said how its bank writes CSV."""

    id: int
    issuer_id: int
    name: str
    account: str
    currency: str
    method: str
    automatic_from: int
    layout: CsvLayout | None


class AccountUse(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an account is called, by which method what comes in was paid, from which score on nobody looks (101: never)."""

    name: Words
    method: Words = "transfer"
    automatic_from: Score = 90


class NewAccountAtBank(AccountUse, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account that is to be: an IBAN, or another number; in the issuer's currency where none is named."""

    issuer_id: Number
    account: Annotated[str, msgspec.Meta(min_length=4, max_length=60, pattern=NO_CONTROL)]
    currency: Currency | None = None


class LayoutToKeep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A layout; with `sample`, a file of the bank in base64, it is kept only where it reads that."""

    layout: CsvLayout
    sample: Annotated[bytes, msgspec.Meta(min_length=1, max_length=_SAMPLE_OCTETS)] | None = None


class SampleLine(msgspec.Struct, frozen=True):
    """A line as it reads."""

    booked_on: date
    value_on: date
    amount: Amount
    text: str
    party: str
    returned: str | None


class KeptLayout(msgspec.Struct, frozen=True):
    """A layout, the first lines of the sample, how many of its rows are no lines, and those that can't be read."""

    layout: CsvLayout
    lines: list[SampleLine]
    skipped: int
    refused: list[str]


@pages.call(
    "GET",
    "/bank/accounts/<int:number>",
    permission=Permission.PAYMENT_SEE,
    answers=WholeAccountAtBank,
    refusals=(404,),
    does=("bank_accounts.show_all",),
    version="told",
)
def show(connection: Connection, *, number: int) -> WholeAccountAtBank:
    """One account, with how its bank writes CSV."""
    account = next((one for one in load_accounts_at_banks(connection) if one.id == number), None)
    if account is None:
        raise there_is_none()
    tell_version(account)
    return _shown(account)


@pages.call(
    "POST",
    "/bank/accounts",
    permission=Permission.PAYMENT_SEE,
    also=(Permission.SETTING_CHANGE,),
    body=NewAccountAtBank,
    answers=WholeAccountAtBank,
    status=201,
    refusals=(409,),
    does=("bank_accounts.new",),
)
def new(connection: Connection, *, body: NewAccountAtBank) -> WholeAccountAtBank:
    """Take in files of another account."""
    issuer = next((one for one in load_issuers(connection) if one.id == body.issuer_id), None)
    if issuer is None:
        raise wrong_value("there is no such issuer", pointer="/issuer_id")
    number = office.read_number(body.account)
    if isinstance(number, WrongBankAccount):
        raise wrong_value(number.reason, pointer="/account")
    currency = body.currency or issuer.currency
    if currency not in known_currencies():
        raise wrong_value("there is no such currency", pointer="/currency")
    with _refusals():
        made = office.add(
            connection, _used(body), issuer_id=issuer.id, number=number, currency=currency, actor=person().name
        )
    return _there(connection, made)


@pages.call(
    "PUT",
    "/bank/accounts/<int:number>",
    permission=Permission.PAYMENT_SEE,
    also=(Permission.SETTING_CHANGE,),
    body=AccountUse,
    answers=WholeAccountAtBank,
    refusals=(404, 409),
    does=("bank_accounts.edit",),
    version="needed",
)
def change(connection: Connection, *, number: int, body: AccountUse) -> WholeAccountAtBank:
    """Say how an account is used: for lines that come from now on."""
    account = _held(connection, number)
    check_version(account)
    with _refusals():
        office.change(connection, account, _used(body), actor=person().name)
    return _there(connection, number)


@pages.call(
    "PUT",
    "/bank/accounts/<int:number>/layout",
    permission=Permission.PAYMENT_SEE,
    also=(Permission.SETTING_CHANGE,),
    body=LayoutToKeep,
    answers=KeptLayout,
    refusals=(404,),
    octets=2 * _SAMPLE_OCTETS,
    does=("bank_layouts.edit",),
    version="needed",
)
def keep(connection: Connection, *, number: int, body: LayoutToKeep) -> KeptLayout:
    """Say how the account's bank writes CSV; tried first, it answers how the sample reads."""
    account = _held(connection, number)
    check_version(account)
    told: dict[str, Any] = msgspec.structs.asdict(body.layout)
    given: dict[str, Any] = {name: tuple(one) if isinstance(one, list) else one for name, one in told.items()}
    try:
        layout = checked(Layout(**given))
    except BankFileError as error:
        raise wrong_value(str(error), pointer="/layout") from error
    try:
        read = None if body.sample is None else read_csv(body.sample, layout, currency=account.currency)
    except BankFileError as error:
        raise wrong_value(str(error), pointer="/sample") from error
    office.keep_layout(connection, account.id, layout, actor=person().name)
    if read is None:
        return KeptLayout(body.layout, [], 0, [])
    lines = [shaped(SampleLine, one, amount=amount_of(one.amount)) for one in read.statement.lines[:_SHOWN]]
    refused = [f"row {one.number}: {one.reason}" for one in read.refused[:_SHOWN]]
    return KeptLayout(body.layout, lines, read.statement.skipped, refused)


def _there(connection: Connection, number: int) -> WholeAccountAtBank:
    return _shown(next(one for one in load_accounts_at_banks(connection) if one.id == number))


def _held(connection: Connection, number: int) -> BankAccount:
    account = hold_bank_account(connection, number) if number <= _GREATEST_ID else None
    if account is None:
        raise there_is_none()
    return account


def _used(body: AccountUse) -> office.Used:
    return office.Used(body.name, body.method, body.automatic_from)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except office.UnknownMethodError as error:
        raise wrong_value(f"there are {', '.join(error.known)}", pointer="/method") from error
    except office.TakenError as error:
        words = "There is one of this name already." if error.field == "name" else "Its files are taken in already."
        raise Problem(409, words) from error


def _shown(account: BankAccount) -> WholeAccountAtBank:
    layout = None if account.layout is None else shaped(CsvLayout, account.layout)
    return shaped(WholeAccountAtBank, account, layout=layout)
