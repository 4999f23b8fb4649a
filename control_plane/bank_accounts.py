"""Accounts at banks whose files are imported: another one, what one is called and how it is used, and how its bank writes CSV.

Next: bank_desk.py
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import psycopg

from billing.bank_account import WrongBankAccount, read_iban
from billing.banking.csv_file import CsvStatement, read_csv
from billing.banking.layout import Layout, guess_layout, layout_data
from billing.store.bank_files import (
    BankAccount,
    load_accounts_at_banks,
    save_bank_account,
    save_bank_account_change,
    save_layout,
)
from billing.store.payments import load_methods
from control_plane import audit
from control_plane.refusals import CONSTRAINT_WORDS

Connection = psycopg.Connection[Any]
_NUMBER: Final = re.compile(r"[A-Z0-9]{4,34}", re.ASCII)


class TakenError(Exception):
    """Another account has this already; `field` is its name, or its number (`account`)."""

    def __init__(self, field: str) -> None:
        self.field = field
        super().__init__(CONSTRAINT_WORDS[f"bank_account_{field}_once"])


class UnknownMethodError(Exception):
    """The issuer is not paid by this method; `known` are the codes of those by which it is."""

    def __init__(self, method: str, known: tuple[str, ...]) -> None:
        self.method = method
        self.known = known
        super().__init__(f"no method {method}; there are {', '.join(known)}")


@dataclass(frozen=True, slots=True)
class Used:
    """What an account is called, by which method what comes in was paid, and from which score on nobody needs to look (101: never)."""

    name: str
    method: str
    automatic_from: int


def read_number(text: str) -> str | WrongBankAccount:
    """An account's number as files have it: an IBAN whose check digits are right, or another number of 4 to 34 capitals and digits."""
    compact = "".join(text.split()).upper()
    if compact[:2].isalpha():
        return read_iban(text)
    return compact if _NUMBER.fullmatch(compact) else WrongBankAccount(CONSTRAINT_WORDS["bank_account_account_check"])


def add(connection: Connection, used: Used, *, issuer_id: int, number: str, currency: str, actor: str) -> int:
    """Import files of that number from now on; the account's. Raises: TakenError, UnknownMethodError; nothing is written then."""
    method_id = _method(connection, issuer_id, used.method)
    there = load_accounts_at_banks(connection)
    _check_free(there, name=used.name)
    if any(one.account == number for one in there):
        raise TakenError("account")
    account_id = save_bank_account(
        connection,
        issuer_id=issuer_id,
        name=used.name,
        account=number,
        currency=currency,
        method_id=method_id,
        automatic_from=used.automatic_from,
    )
    detail = {"name": used.name, "account": number, "currency": currency}
    audit.append(
        connection, actor=actor, action="bank_account.add", subject=f"bank_account {account_id}", detail=detail
    )
    return account_id


def change(connection: Connection, account: BankAccount, used: Used, *, actor: str) -> None:
    """Use an account that is held otherwise, for lines that come from now on. Raises: TakenError, UnknownMethodError."""
    before = Used(account.name, account.method, account.automatic_from)
    if used == before:
        return
    method_id = _method(connection, account.issuer_id, used.method)
    _check_free([one for one in load_accounts_at_banks(connection) if one.id != account.id], name=used.name)
    save_bank_account_change(
        connection, account.id, name=used.name, method_id=method_id, automatic_from=used.automatic_from
    )
    detail = {
        column: [getattr(before, column), getattr(used, column)]
        for column in Used.__slots__
        if getattr(before, column) != getattr(used, column)
    }
    subject = f"bank_account {account.id}"
    audit.append(connection, actor=actor, action="bank_account.change", subject=subject, detail=detail)


def try_layout(octets: bytes, account: BankAccount, said: Mapping[str, Any]) -> tuple[Layout, CsvStatement]:
    """How a file of an account reads: what is not said is as it is kept, or guessed where nothing is. Raises: BankFileError."""
    kept = account.layout
    # One way of saying the amount takes the place of the other.
    if kept is not None and "amount" in said:
        kept = replace(kept, credit="", debit="")
    elif kept is not None and {"credit", "debit"} & said.keys():
        kept = replace(kept, amount="", sign="")
    layout = guess_layout(octets, said) if kept is None else replace(kept, **said)
    return layout, read_csv(octets, layout, currency=account.currency)


def keep_layout(connection: Connection, account_id: int, layout: Layout, *, actor: str) -> None:
    """Read an account's CSV files by that layout from now on."""
    save_layout(connection, account_id, layout)
    audit.append(
        connection,
        actor=actor,
        action="bank_account.layout",
        subject=f"bank_account {account_id}",
        detail=layout_data(layout),
    )


def _method(connection: Connection, issuer_id: int, code: str) -> int:
    methods = {one.code: one.id for one in load_methods(connection, issuer_id)}
    if code not in methods:
        raise UnknownMethodError(code, tuple(methods))
    return methods[code]


def _check_free(others: list[BankAccount], *, name: str) -> None:
    if any(one.name == name for one in others):
        raise TakenError("name")
