"""A file of a bank read: its statements with the account that each is of, what would become of their lines, and what a line may be.

For the command and the page alike; nothing is written here.

Units: days of the issuer's zone; `today_of` says what day it is for an account's issuer.

Next: billing/operations/bank_import.py
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from billing.banking.bank_line import BankFileError, BankLine, Form, Statement
from billing.banking.camt import is_xml, read_camt
from billing.banking.csv_file import RefusedRow, read_csv
from billing.banking.matching import Suggestion, suggest
from billing.banking.returns import ReturnedPayment, suggest_returned
from billing.operations.bank_import import Desk, Fate, foresee, load_desk
from billing.store.bank_files import BankAccount, KeptLine, load_accounts_at_banks, load_queue, sort_lines
from billing.store.bank_known import load_returnable

Connection = psycopg.Connection[Any]
Read = list[tuple[BankAccount, Statement]]
May = Sequence[Suggestion | ReturnedPayment]


class NoAccountMeantError(BankFileError):
    """The file does not say of which account it is, and there is not just one."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        super().__init__(
            f"say which account with --bank; there are: {', '.join(names)}"
            if names
            else "there is no account: `corrente payment bank new NAME IBAN`"
        )


class NoLayoutError(BankFileError):
    """Nobody has said yet how that bank writes its CSV."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"{name} has no layout: `corrente payment bank layout {name!r} FILE` tries one")


class UnknownAccountError(BankFileError):
    """The file is of an account whose files are not imported."""

    def __init__(self, number: str, known: Sequence[str]) -> None:
        self.number = number
        super().__init__(
            f"the file is of account {number or '(not said)'}, known are {', '.join(known) or 'none'}: `corrente payment bank new NAME {number}`"
        )


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What would become of a file's lines: those that are new, how many were told before, what a person should know."""

    rows: tuple[tuple[BankLine, Fate], ...]
    known: int
    findings: tuple[str, ...]


def read_statements(
    connection: Connection, octets: bytes, account: BankAccount | None, *, schemas: Path | None
) -> tuple[Read, Sequence[RefusedRow]]:
    """The statements of a file with the account that each is of, and the rows of a CSV that can't be read.

    `account` is meant where the file does not say: CSV and pain.002. Raises: BankFileError.
    """
    accounts = load_accounts_at_banks(connection)
    if not is_xml(octets):
        meant = _meant(accounts, account)
        if meant.layout is None:
            raise NoLayoutError(meant.name)
        found = read_csv(octets, meant.layout, currency=meant.currency)
        return [(meant, found.statement)], found.refused
    by_number = {one.account: one for one in accounts}
    read: Read = []
    for one in read_camt(octets, schemas=schemas):
        if one.form is Form.PAIN_002:
            read.append((_meant(accounts, account), one))
        elif one.account in by_number:
            read.append((by_number[one.account], one))
        else:
            raise UnknownAccountError(one.account, list(by_number))
    return read, ()


def foresee_file(
    connection: Connection, statements: Read, *, today_of: Callable[[BankAccount], Any], actor: str
) -> Foreseen:
    """What an import of these would come to, by the import's own judgement. The caller rolls back."""
    known, findings, rows = 0, list[str](), list[tuple[BankLine, Fate]]()
    for account, statement in statements:
        lines = sort_lines(connection, account.id, statement)
        known += lines.known
        findings += [f"{account.name}: {one}" for one in (*statement.findings, *lines.findings)]
        desk = load_desk(connection, account, [one.line for one in lines.new], today=today_of(account), actor=actor)
        rows += [(one.line, foresee(connection, one, desk, form=statement.form)) for one in lines.new]
    return Foreseen(tuple(rows), known, tuple(findings))


def load_line(
    connection: Connection, line_id: int, *, today_of: Callable[[BankAccount], Any], actor: str
) -> tuple[KeptLine, Desk] | None:
    """A line with what it is judged with; None where there is none of that number."""
    found = load_queue(connection, limit=1, ids=[line_id])
    if not found:
        return None
    return found[0], desks_of(connection, found, today_of=today_of, actor=actor)[found[0].bank_account_id]


def desks_of(
    connection: Connection, lines: Sequence[KeptLine], *, today_of: Callable[[BankAccount], Any], actor: str
) -> dict[int, Desk]:
    """What lines are judged with, by account."""
    accounts = {one.id: one for one in load_accounts_at_banks(connection)}
    desks = {}
    for account_id in {one.bank_account_id for one in lines}:
        account = accounts[account_id]
        mine = [one.line for one in lines if one.bank_account_id == account_id]
        desks[account_id] = load_desk(connection, account, mine, today=today_of(account), actor=actor)
    return desks


def may_be(connection: Connection, kept: KeptLine, desk: Desk) -> May:
    """What a line that waits may be, the likeliest first: whose money, or which payment it took back."""
    if kept.state != "waiting":
        return ()
    if kept.line.amount.minor > 0:
        return suggest(kept.line, desk.known)
    return suggest_returned(kept.line, load_returnable(connection, desk.account.issuer_id, kept.line))


def _meant(accounts: Sequence[BankAccount], account: BankAccount | None) -> BankAccount:
    if account is not None:
        return account
    if len(accounts) == 1:
        return accounts[0]
    raise NoAccountMeantError([one.name for one in accounts])
