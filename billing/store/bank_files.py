"""Accounts at banks, their files as they came and each line of them, as they stand in the database.

A line is written once: files that overlap are told apart by keys, while the account is held. What became of a line is its state, which
starts as new and is decided by an import or a person.

Next: billing/store/bank_known.py
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

import psycopg
from psycopg.types.json import Jsonb

from billing.banking.bank_line import BankLine, Flow, Form, Statement
from billing.banking.layout import Layout, layout_data, read_layout
from billing.money import Money, read_money

Connection = psycopg.Connection[Any]

_ACCOUNTS: Final = """
SELECT b.id, b.issuer_id, i.name, b.name, b.account, b.currency, m.code, b.automatic_from, b.layout
FROM bank_account AS b JOIN issuer AS i ON i.id = b.issuer_id JOIN payment_method AS m ON m.id = b.method_id ORDER BY b.name
"""
_THERE: Final = """
SELECT l.entry_key, l.key, l.state::text, l.booked_on, l.currency, l.amount, f.form, coalesce(l.told ->> 'how', '') FROM bank_line AS l JOIN bank_file AS f ON f.id = l.file_id
WHERE l.bank_account_id = %(account)s AND (l.entry_key = ANY (%(entries)s) OR l.booked_on BETWEEN %(first)s AND %(last)s)
"""
_LINE: Final = """
SELECT l.id, l.bank_account_id, l.key, l.number, l.booked_on, l.value_on, l.currency, l.amount, l.told, l.state::text, l.payment_id, l.score, l.reason, l.decided_by, l.decided_at, f.name, f.form
FROM bank_line AS l JOIN bank_file AS f ON f.id = l.file_id
"""
# The files first, then their lines alone.
_FILES: Final = """
SELECT f.id, f.name, f.form, f.octets, f.made_by, f.made_at, l.lines, l.unread, l.waiting
FROM (SELECT id, name, form, octets, made_by, made_at FROM bank_file
    WHERE (%(before)s::bigint IS NULL OR id < %(before)s) AND (%(id)s::bigint IS NULL OR id = %(id)s) ORDER BY id DESC LIMIT %(limit)s) AS f
CROSS JOIN LATERAL (SELECT count(*) AS lines, count(*) FILTER (WHERE state = 'new') AS unread, count(*) FILTER (WHERE state = 'waiting') AS waiting
    FROM bank_line WHERE file_id = f.id) AS l ORDER BY f.id DESC
"""
_STATES: Final = "SELECT state::text, count(*) FROM bank_line WHERE file_id = %s GROUP BY state"
# What of a line has a column of its own, and what follows from the file that it is in.
_COLUMNS: Final = frozenset({"number", "amount", "booked_on", "value_on", "key", "entry_key"})
_TWINS: Final = frozenset({Form.CSV, Form.CAMT_053, Form.CAMT_054})


class State(StrEnum):
    """What became of a line."""

    NEW = "new"
    WAITING = "waiting"
    RECORDED = "recorded"
    RETURNED = "returned"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class BankAccount:
    """An account at a bank: whose, by which method what comes in was paid, from which score on nobody looks."""

    id: int
    issuer_id: int
    issuer: str
    name: str
    account: str
    currency: str
    method: str
    automatic_from: int
    layout: Layout | None


@dataclass(frozen=True, slots=True)
class KeptLine:
    """A line as it is kept, with what became of it. `doubt` is the kind of file that may have told it before under another key."""

    id: int
    bank_account_id: int
    line: BankLine
    state: str
    payment_id: int | None
    score: int | None
    reason: str | None
    decided_by: str | None
    decided_at: datetime | None
    file: str
    form: Form
    doubt: str


@dataclass(frozen=True, slots=True)
class NewLine:
    """A line that no file told before, or perhaps one of another kind (`doubt`); `how` its file was read."""

    line: BankLine
    doubt: str = ""
    how: str = ""


@dataclass(frozen=True, slots=True)
class Sorted:
    """The lines of a statement: those that are new, how many were told before, what a person should know."""

    new: tuple[NewLine, ...]
    known: int
    findings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file as lists show it: its lines, those not looked at yet, those that wait for a person."""

    id: int
    name: str
    form: str
    octets: int
    made_by: str
    made_at: datetime
    lines: int
    unread: int
    waiting: int


def load_accounts_at_banks(connection: Connection) -> list[BankAccount]:
    """All of them, by name."""
    return [
        BankAccount(*row, layout=None if layout is None else read_layout(layout))  # type: ignore[misc]  # the columns before it
        for *row, layout in connection.execute(_ACCOUNTS)
    ]


def save_bank_account(
    connection: Connection,
    *,
    issuer_id: int,
    name: str,
    account: str,
    currency: str,
    method_id: int,
    automatic_from: int,
) -> int:
    """Write a new one; its number."""
    row = connection.execute(
        "INSERT INTO bank_account (issuer_id, name, account, currency, method_id, automatic_from) VALUES (%s, %s, %s, %s, %s, %s) RETURNING id",
        (issuer_id, name, account, currency, method_id, automatic_from),
    ).fetchone()
    assert row is not None, "an insert returns its row"
    return int(row[0])


def save_layout(connection: Connection, account_id: int, layout: Layout) -> None:
    """Keep how its bank writes its CSV files."""
    connection.execute("UPDATE bank_account SET layout = %s WHERE id = %s", (Jsonb(layout_data(layout)), account_id))


def save_bank_account_change(
    connection: Connection, account_id: int, *, name: str, method_id: int, automatic_from: int
) -> None:
    """What it is called, by which method what comes in was paid, and from which score on its lines need no person."""
    connection.execute(
        "UPDATE bank_account SET name = %s, method_id = %s, automatic_from = %s WHERE id = %s",
        (name, method_id, automatic_from, account_id),
    )


def hold_bank_account(connection: Connection, account_id: int) -> BankAccount | None:
    """One, for who is about to change it: nobody else does until the transaction ends. None: there is none."""
    connection.execute("SELECT FROM bank_account WHERE id = %s FOR NO KEY UPDATE", (account_id,))
    return next((one for one in load_accounts_at_banks(connection) if one.id == account_id), None)


def find_file(connection: Connection, digest: bytes) -> int | None:
    """The file of those octets, if it came before."""
    row = connection.execute("SELECT id FROM bank_file WHERE digest = %s", (digest,)).fetchone()
    return None if row is None else int(row[0])


def save_file(connection: Connection, *, name: str, form: Form, digest: bytes, octets: bytes, actor: str) -> int:
    """Keep a file as it came; its number."""
    row = connection.execute(
        "INSERT INTO bank_file (name, form, digest, octets, content, made_by) VALUES (%s, %s, %s, %s, %s, %s) RETURNING id",
        (name, form, digest, len(octets), zlib.compress(octets), actor),
    ).fetchone()
    assert row is not None, "an insert returns its row"
    return int(row[0])


def load_files(
    connection: Connection, *, limit: int, before: int | None = None, file_id: int | None = None
) -> list[ListedFile]:
    """The newest files, from the one before that number on; or the one of that number."""
    asked = {"limit": limit, "before": before, "id": file_id}
    return [ListedFile(*row) for row in connection.execute(_FILES, asked)]


def count_states(connection: Connection, file_id: int) -> dict[str, int]:
    """How many lines of a file are in each state."""
    return {state: count for state, count in connection.execute(_STATES, (file_id,))}


def hold_account(connection: Connection, account_id: int) -> None:
    """Keep other imports away from an account until the transaction ends."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('bank account ' || %s, 0))", (account_id,))


def sort_lines(connection: Connection, account_id: int, statement: Statement) -> Sorted:
    """Tell lines that files told before from new ones, in an account that is held or for a look.

    An entry that was told as one sum and is told in parts now, or the other way round, is left as it is: else it would count twice. Its
    parts are taken once the sum is ignored. A line that another kind of file, or one read by another layout, told of that day and amount
    under other words may be the same one: a person says.
    """
    lines = statement.lines
    if not lines:
        return Sorted((), 0, ())
    wanted = {one.entry_key for one in lines}
    asked = {
        "account": account_id,
        "entries": sorted(wanted),
        "first": min(one.booked_on for one in lines),
        "last": max(one.booked_on for one in lines),
    }
    told: dict[str, dict[str, str]] = {}
    others: Counter[tuple[date, Money, str]] = Counter()
    for entry_key, key, state, booked_on, currency, amount, form, how in connection.execute(_THERE, asked):
        if entry_key in wanted:
            told.setdefault(entry_key, {})[key] = state
        elif (form, how) != (statement.form, statement.how) and form in _TWINS and statement.form in _TWINS:
            others[booked_on, read_money(amount, currency), form] += 1
    return _sorted(statement, told, others)


def _sorted(statement: Statement, told: dict[str, dict[str, str]], others: Counter[tuple[date, Money, str]]) -> Sorted:
    new: list[NewLine] = []
    known = 0
    odd: dict[str, BankLine] = {}
    for line in statement.lines:
        before = told.get(line.entry_key, {})
        if line.key in before:
            known += 1
        elif before and any(state != "ignored" for state in before.values()):
            odd.setdefault(line.entry_key, line)
        else:
            twin = next((key for key in others if key[:2] == (line.booked_on, line.amount) and others[key]), None)
            if twin is not None:
                others[twin] -= 1
            new.append(NewLine(line, twin[2] if twin else "", statement.how))
    findings = tuple(
        f"entry {one.number} of {one.booked_on} was told before in another shape, as a sum or in parts: left as it was;"
        " to take it as it is told now, ignore what was told before and import the file again"
        for one in odd.values()
    )
    return Sorted(tuple(new), known, findings)


def save_lines(connection: Connection, file_id: int, account_id: int, lines: Iterable[NewLine]) -> None:
    """Write lines that are new, in an account that is held."""
    columns = "file_id, bank_account_id, key, entry_key, number, booked_on, value_on, currency, amount, told"
    with connection.cursor().copy(f"COPY bank_line ({columns}) FROM STDIN") as copy:
        for one in lines:
            line = one.line
            row = (file_id, account_id, line.key, line.entry_key, line.number, line.booked_on, line.value_on)
            copy.write_row((*row, line.amount.currency, line.amount.amount, Jsonb(_told(one))))


def load_new(connection: Connection) -> list[int]:
    """Lines that were written and not looked at yet, in their order; those of an import that was cut short too."""
    rows = connection.execute("SELECT id FROM bank_line WHERE state = 'new' ORDER BY id")
    return [number for (number,) in rows]


def hold_line(connection: Connection, line_id: int, *, wait: bool = True) -> KeptLine | None:
    """A line, held until the transaction ends; None when there is none, or without waiting when another one has it."""
    row = connection.execute(
        f"{_LINE} WHERE l.id = %s FOR NO KEY UPDATE OF l{'' if wait else ' SKIP LOCKED'}", (line_id,)
    ).fetchone()
    return None if row is None else _kept(row)


def load_queue(
    connection: Connection,
    *,
    limit: int,
    account_id: int | None = None,
    state: str | None = "waiting",
    ids: Sequence[int] | None = None,
    file_id: int | None = None,
    after: int = 0,
) -> list[KeptLine]:
    """Lines in a state (None: in any), oldest first, or those of these numbers; of one file; from the one behind `after` on."""
    where = ["l.id > %(after)s"]
    where += ["l.id = ANY (%(ids)s)"] if ids is not None else []
    where += [f"l.state = '{State(state)}'"] if state is not None and ids is None else []
    where += ["l.bank_account_id = %(account)s"] if account_id is not None else []
    where += ["l.file_id = %(file)s"] if file_id is not None else []
    asked = {
        "account": account_id,
        "file": file_id,
        "after": after,
        "limit": limit,
        "ids": None if ids is None else list(ids),
    }
    rows = connection.execute(f"{_LINE} WHERE {' AND '.join(where)} ORDER BY l.id LIMIT %(limit)s", asked)
    return [_kept(row) for row in rows]


def decide_line(
    connection: Connection,
    line_id: int,
    state: str,
    *,
    actor: str,
    reason: str | None,
    payment_id: int | None = None,
    score: int | None = None,
) -> None:
    """Write what became of a line that is held."""
    connection.execute(
        "UPDATE bank_line SET state = %s, payment_id = %s, score = %s, reason = %s, decided_by = %s, decided_at = clock_timestamp() WHERE id = %s",
        (state, payment_id, score, reason, actor, line_id),
    )


def _told(new: NewLine) -> dict[str, Any]:
    """What a bank said, without what it left empty."""
    found: dict[str, Any] = {}
    for field in fields(BankLine):
        value = getattr(new.line, field.name)
        if field.name in _COLUMNS or value == field.default:
            continue
        found[field.name] = str(value.amount) if isinstance(value, Money) else value
    return found | {name: value for name, value in (("doubt", new.doubt), ("how", new.how)) if value}


def _kept(row: tuple[Any, ...]) -> KeptLine:
    (id, account_id, key, number, booked_on, value_on, currency, amount, told, state, payment_id, score, reason, by, at, file, form) = row  # fmt: skip
    doubt, whole, _ = (told.pop(name, None) for name in ("doubt", "whole", "how"))
    line = BankLine(
        number,
        read_money(amount, currency),
        booked_on,
        value_on,
        key=key,
        whole=None if whole is None else read_money(Decimal(whole), currency),
        **{**told, "flow": Flow(told.get("flow", Flow.TRANSFER))},
    )
    return KeptLine(id, account_id, line, state, payment_id, score, reason, by, at, file, Form(form), doubt or "")
