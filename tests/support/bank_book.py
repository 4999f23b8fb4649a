"""A book with an account at a bank, and files of that bank as tests tell them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import count
from typing import Any, Final

import psycopg

from billing.banking.bank_line import BankLine, Form, Statement, keyed
from billing.money import read_money
from billing.operations.bank_import import Fate, Taken, take_file, work_lines
from billing.store.acting import acting
from billing.store.bank_files import BankAccount, KeptLine, load_accounts_at_banks, save_bank_account
from billing.store.payments import load_methods

IBAN: Final = "IT60X0542811101000000123456"
TODAY: Final = date(2026, 3, 20)
_FILES: Final = count(1)


def make_account(connection: psycopg.Connection[Any], issuer_id: int, *, automatic_from: int = 90) -> BankAccount:
    """An account whose lines are bank transfers; not committed."""
    acting(connection, "maria")
    methods = {one.code: one for one in load_methods(connection, issuer_id)}
    save_bank_account(
        connection,
        issuer_id=issuer_id,
        name="Main",
        account=IBAN,
        currency="EUR",
        method_id=methods["transfer"].id,
        automatic_from=automatic_from,
    )
    (account,) = load_accounts_at_banks(connection)
    return account


def line(amount: str, text: str = "", *, number: int = 1, day: str = "2026-03-10", **given: Any) -> BankLine:
    """A line of the bank's."""
    booked = date.fromisoformat(day)
    return BankLine(number, read_money(Decimal(amount), "EUR"), booked, booked, text=text, **given)


def file(
    connection: psycopg.Connection[Any], account: BankAccount, *lines: BankLine, form: Form = Form.CAMT_053
) -> Taken:
    """A file with these lines is kept and committed; nobody has looked at them yet."""
    numbered = [replace(one, number=one.number + place * 10) for place, one in enumerate(lines)]
    statement = Statement(account.account, form, keyed(numbered))
    taken = take_file(
        connection,
        f"file {next(_FILES)}".encode(),
        name="test.xml",
        statements=[(account, statement)],
        actor="maria",
    )
    connection.commit()
    return taken


def work(connection: psycopg.Connection[Any], **given: Any) -> list[tuple[KeptLine, Fate]]:
    """Look at all lines that nobody has looked at."""
    return work_lines(connection, today_of=lambda account: TODAY, actor="maria", **given)


def states(outcomes: Iterable[tuple[KeptLine, Fate]]) -> list[tuple[str, int | None]]:
    """What became of lines, and whose they are."""
    return [(fate.state, fate.customer_id) for _, fate in outcomes]
