"""What pages ask of billing runs, and how far the worker is with it. A hint goes with what is asked, so that it is begun at once.

Next: billing/store/runs.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final

import psycopg
from psycopg.types.json import Jsonb

from billing.store.due_work import Scope
from billing.store.runs import Run, RunState, filter_of, scope_of

Connection = psycopg.Connection[Any]


class Act(StrEnum):
    """What is asked for, by the words of the database."""

    PREPARE = "prepare"
    ISSUE = "issue"


@dataclass(frozen=True, slots=True)
class RunRequest:
    """One thing asked for. `payers` of `of_payers` are done; `problem` says why it ended without."""

    id: int
    act: Act
    issuer_id: int
    run_date: date
    scope: Scope
    run_id: int | None
    asked_by: str
    asked_at: datetime
    begun_at: datetime | None
    payers: int
    of_payers: int | None
    ended_at: datetime | None
    problem: str


_COLUMNS: Final = "id, act::text, issuer_id, run_date, filter, run_id, asked_by, asked_at, begun_at, payers, of_payers, ended_at, problem"
_ASK: Final = """
INSERT INTO billing_request (act, issuer_id, run_date, filter, run_id, asked_by) VALUES (%(act)s, %(issuer)s, %(day)s, %(filter)s, %(run)s, %(by)s)
ON CONFLICT (issuer_id, run_date, filter) WHERE ended_at IS NULL DO NOTHING RETURNING id
"""
_SAME: Final = "SELECT id FROM billing_request WHERE issuer_id = %(issuer)s AND run_date = %(day)s AND filter = %(filter)s AND ended_at IS NULL"
_LOAD: Final = f"SELECT {_COLUMNS} FROM billing_request WHERE id = %s"  # noqa: S608 - our own list of columns
_WAITING: Final = f"SELECT {_COLUMNS} FROM billing_request WHERE ended_at IS NULL ORDER BY id"  # noqa: S608
_OF_RUN: Final = f"SELECT {_COLUMNS} FROM billing_request WHERE run_id = %s ORDER BY id DESC LIMIT 1"  # noqa: S608
_NAMES: Final = "SELECT id, name FROM customer WHERE id = ANY (%s)"
_PRODUCTS: Final = "SELECT id, name FROM product WHERE id = ANY (%s)"


def ask_for(
    connection: Connection, act: Act, issuer_id: int, run_date: date, scope: Scope, *, run_id: int | None, by: str
) -> int:
    """Ask for it in the caller's transaction; the number of the request, or of the same one that is under way."""
    given = {
        "act": act,
        "issuer": issuer_id,
        "day": run_date,
        "filter": Jsonb(filter_of(scope)),
        "run": run_id,
        "by": by,
    }
    row = connection.execute(_ASK, given).fetchone() or connection.execute(_SAME, given).fetchone()
    assert row is not None, "the one that was in the way is there"
    connection.execute("SELECT pg_notify('corrente_billing_request', '')")
    return int(row[0])


def ask_to_issue(connection: Connection, run: Run, *, by: str) -> int:
    """Have a confirmed run issued."""
    return ask_for(connection, Act.ISSUE, run.issuer_id, run.run_date, run.scope, run_id=run.id, by=by)


def ask_again(
    connection: Connection, run: Run, *, customer_id: int | None, contract_id: int | None, today: date, by: str
) -> int:
    """Have a run worked out again, all of it, or for one customer or contract that could not be billed in it; one that issues goes on
    issuing. The number of the request.
    """
    if run.state is RunState.ISSUING:
        return ask_to_issue(connection, run, by=by)
    scope, day = run.scope, run.run_date
    if contract_id is not None or customer_id is not None:
        scope = Scope(None if contract_id is not None else customer_id, contract_id, None, run.scope.through)
        day = today
    return ask_for(connection, Act.PREPARE, run.issuer_id, day, scope, run_id=None, by=by)


def load_request(connection: Connection, number: int) -> RunRequest | None:
    """One of them."""
    row = connection.execute(_LOAD, (number,)).fetchone()
    return None if row is None else _request(row)


def load_waiting(connection: Connection) -> list[RunRequest]:
    """What is not done, in the order in which it was asked for."""
    return [_request(row) for row in connection.execute(_WAITING).fetchall()]


def load_request_of(connection: Connection, run_id: int) -> RunRequest | None:
    """The newest of a run."""
    row = connection.execute(_OF_RUN, (run_id,)).fetchone()
    return None if row is None else _request(row)


def begin_request(connection: Connection, number: int) -> None:
    """It is being worked on."""
    connection.execute("UPDATE billing_request SET begun_at = clock_timestamp() WHERE id = %s", (number,))


def note_progress(connection: Connection, number: int, *, payers: int, of: int) -> None:
    """So many are done."""
    connection.execute("UPDATE billing_request SET payers = %s, of_payers = %s WHERE id = %s", (payers, of, number))


def end_request(connection: Connection, number: int, *, run_id: int | None = None, problem: str = "") -> None:
    """It is done, or why it can't be."""
    connection.execute(
        "UPDATE billing_request SET ended_at = clock_timestamp(), run_id = coalesce(%s, run_id), problem = %s WHERE id = %s",
        (run_id, problem, number),
    )


def load_customer_names(connection: Connection, ids: Sequence[int]) -> dict[int, str]:
    """What customers are called."""
    return dict(connection.execute(_NAMES, (list(ids),)).fetchall())


def load_product_names(connection: Connection, ids: Sequence[int]) -> dict[int, str]:
    """What products are called."""
    return dict(connection.execute(_PRODUCTS, (list(ids),)).fetchall())


def _request(row: tuple[Any, ...]) -> RunRequest:
    number, act, issuer_id, run_date, given, *rest = row
    return RunRequest(number, Act(act), issuer_id, run_date, scope_of(given), *rest)
