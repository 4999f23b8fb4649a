"""What commands and pages show of gateways: what was told and what came of it.

Next: billing/store/gateway_work.py
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import psycopg
from psycopg.types.json import Jsonb

from billing.money import Money, read_money

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class ListedNotice:
    """A notice with what came of it, or why nothing came of it yet."""

    id: int
    account: str
    key: str
    topic: str
    ref: str
    told_at: datetime
    attempts: int
    next_at: datetime | None
    problem: str
    done_at: datetime | None
    outcome: str


_NOTICES: Final = """
SELECT n.id, a.name, n.key, n.topic, n.ref, n.told_at, n.attempts, nullif(n.next_at, 'infinity'), n.problem, n.done_at, n.outcome
FROM gateway_notice AS n JOIN gateway_account AS a ON a.id = n.account_id
WHERE (%(account)s::bigint IS NULL OR n.account_id = %(account)s) AND (NOT %(problems)s OR n.problem <> '')
    AND (%(before)s::bigint IS NULL OR n.id < %(before)s)
ORDER BY n.id DESC LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class ListedCharge:
    """A page or a debit that was asked for. `due_on`: it was debited by itself for that day; `state` is the charge's, or that it was declined."""

    id: int
    document: str
    customer_id: int
    customer: str
    kind: str
    due_on: date | None
    amount: Money
    account: str
    state: str
    problem: str
    made_at: datetime
    made_by: str


_CHARGES: Final = """
SELECT c.id, c.words, c.customer_id, k.name, p.kind::text, c.due_on, c.currency, c.amount, a.name, CASE p.state WHEN 'refused' THEN 'declined' ELSE c.state::text END,
    coalesce(nullif(p.problem, ''), (SELECT concat_ws(' ', e.reason_code, e.reason) FROM payment_event AS e WHERE e.charge_id = c.id AND e.kind IN ('failed', 'reversed', 'returned', 'disputed') ORDER BY e.happened DESC LIMIT 1), ''), c.made_at, c.made_by
FROM gateway_charge AS c JOIN presentment AS p ON p.charge_id = c.id JOIN gateway_account AS a ON a.id = c.account_id JOIN customer AS k ON k.id = c.customer_id
WHERE (%(account)s::bigint IS NULL OR c.account_id = %(account)s) AND (%(customer)s::bigint IS NULL OR c.customer_id = %(customer)s) AND (%(since)s::date IS NULL OR c.made_at >= %(since)s)
    AND (NOT %(failed)s OR p.state = 'refused' OR c.state IN ('failed', 'expired', 'reversed', 'disputed'))
ORDER BY c.id DESC LIMIT %(limit)s
"""


def load_charges(
    connection: Connection,
    *,
    account_id: int | None = None,
    customer_id: int | None = None,
    since: date | None = None,
    only_failed: bool = False,
    limit: int,
) -> list[ListedCharge]:
    """The newest charges; failed are those that the provider declined, too."""
    asked = {"account": account_id, "customer": customer_id, "since": since, "failed": only_failed, "limit": limit}
    return [
        ListedCharge(id, words, customer, name, kind, due_on, read_money(amount, currency), *rest)
        for id, words, customer, name, kind, due_on, currency, amount, *rest in connection.execute(_CHARGES, asked)
    ]


def load_notices(
    connection: Connection,
    *,
    account_id: int | None = None,
    only_problems: bool = False,
    before: int | None = None,
    limit: int,
) -> list[ListedNotice]:
    """The newest notices, or those that are older than the one of a number."""
    asked = {"account": account_id, "problems": only_problems, "before": before, "limit": limit}
    return [ListedNotice(*row) for row in connection.execute(_NOTICES, asked)]


def load_presentment(
    connection: Connection, presentment_id: int
) -> tuple[str, str | None, str | None, datetime | None, str]:
    """State, number, page, end and problem of a presentment that is there."""
    row = connection.execute(
        "SELECT state::text, ref, value, expires_at, problem FROM presentment WHERE id = %s", (presentment_id,)
    ).fetchone()
    assert row is not None, f"presentment {presentment_id} is there"
    state, ref, value, expires, problem = row
    return state, ref, value, expires, problem


def load_payout_sums(
    connection: Connection, account_id: int, refs: list[str]
) -> dict[str, tuple[Money, dict[str | None, Money]]]:
    """Of payouts the amount that arrives, and by payment what is in it before fees (None: of no payment)."""
    found: dict[str, tuple[Money, dict[str | None, Money]]] = {}
    rows = connection.execute(
        "SELECT p.ref, p.currency, p.amount, l.payment_key, sum(l.amount) FROM payout AS p LEFT JOIN payout_line AS l ON l.payout_id = p.id AND l.kind <> 'fee'"
        " WHERE p.account_id = %s AND p.ref = ANY (%s) GROUP BY p.id, l.payment_key",
        (account_id, refs),
    )
    for ref, currency, amount, payment, part in rows:
        _, parts = found.setdefault(ref, (read_money(amount, currency), {}))
        parts[payment] = read_money(part or Decimal(0), currency)
    return found


def load_paid_keys(connection: Connection, account_id: int, keys: list[str]) -> set[str]:
    """Which of these payments the books know as paid."""
    rows = connection.execute(
        "SELECT DISTINCT payment_key FROM payment_event WHERE account_id = %s AND kind = 'paid' AND payment_key = ANY (%s)",
        (account_id, keys),
    )
    return {key for (key,) in rows}


def write_file(
    connection: Connection, account_id: int, name: str, digest: bytes, *, rows: int, findings: list[Any], made_by: str
) -> tuple[int, bool]:
    """Note that a file was read and what was found: its number and True, or False when it was read before."""
    row = connection.execute(
        "INSERT INTO gateway_file (account_id, name, digest, rows, findings, made_by) VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (account_id, digest) DO NOTHING RETURNING id",
        (account_id, name, digest, rows, Jsonb(findings), made_by),
    ).fetchone()
    if row is not None:
        return int(row[0]), True
    before = connection.execute(
        "SELECT id FROM gateway_file WHERE account_id = %s AND digest = %s", (account_id, digest)
    ).fetchone()
    assert before is not None, "the one that was in the way is there"
    return int(before[0]), False


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A provider's file that was compared with the books, and what was found when it was: payout, of what, finding."""

    id: int
    account: str
    name: str
    rows: int
    findings: tuple[tuple[str, str, str], ...]
    made_by: str
    made_at: datetime


_FILES: Final = """
SELECT f.id, a.name, f.name, f.rows, f.findings, f.made_by, f.made_at FROM gateway_file f JOIN gateway_account a ON a.id = f.account_id
"""


def load_files(connection: Connection, *, before: int, limit: int) -> list[ReadFile]:
    """Files that were read, with lesser numbers, the newest first."""
    rows = connection.execute(f"{_FILES} WHERE f.id < %s ORDER BY f.id DESC LIMIT %s", (before, limit))
    return [_file(row) for row in rows]


def load_file(connection: Connection, number: int) -> ReadFile | None:
    """One of them."""
    row = connection.execute(f"{_FILES} WHERE f.id = %s", (number,)).fetchone()
    return None if row is None else _file(row)


def _file(row: tuple[Any, ...]) -> ReadFile:
    number, account, name, rows, findings, made_by, made_at = row
    return ReadFile(number, account, name, rows, tuple((ref, of, said) for ref, of, said in findings), made_by, made_at)


def load_trouble(connection: Connection) -> tuple[int, list[tuple[str, str]], int]:
    """How many accounts there are, which have a problem, and how many events or pages, debits and refunds had no answer at the first try."""
    rows = connection.execute("SELECT name, problem FROM gateway_account WHERE enabled ORDER BY name").fetchall()
    waiting = connection.execute(
        "SELECT (SELECT count(*) FROM gateway_notice WHERE done_at IS NULL AND problem <> '') + (SELECT count(*) FROM presentment WHERE state = 'asked' AND problem <> '')"
    ).fetchone()
    assert waiting is not None, "an aggregate has one row"
    return len(rows), [(name, problem) for name, problem in rows if problem], int(waiting[0])
