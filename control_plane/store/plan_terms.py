"""What bears on a plan over time: its hours, the steps of its quota, dated changes of a contract's plan, top-ups."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

import psycopg

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class TopupRow:
    """Octets beyond the quota within `[since, until)`; `account_id` None: for each account of the contract."""

    contract_id: int
    account_id: int | None
    octets: int
    since: datetime
    until: datetime
    reason: str
    placed_by: str


def save_hours(connection: Connection, plan_id: int, *, begins: time, ends: time, profile_id: int) -> None:
    """Let a plan mean another profile at these hours of the billing zone; the same hours again change their profile."""
    remove_hours(connection, plan_id, begins=begins, ends=ends)
    connection.execute(
        "INSERT INTO plan_window (plan_id, begins, ends, profile_id) VALUES (%s, %s, %s, %s)",
        (plan_id, begins, ends, profile_id),
    )


def remove_hours(connection: Connection, plan_id: int, *, begins: time, ends: time) -> int:
    """Take hours away from a plan; returns how many there were."""
    done = connection.execute(
        "DELETE FROM plan_window WHERE plan_id = %s AND begins = %s AND ends = %s", (plan_id, begins, ends)
    )
    return done.rowcount


def save_quota_steps(connection: Connection, plan_id: int, steps: Iterable[tuple[int, str]]) -> None:
    """Give a plan exactly these steps; none of its own are the usual ones."""
    connection.execute("DELETE FROM quota_step WHERE plan_id = %s", (plan_id,))
    for percent, action in steps:
        connection.execute(
            "INSERT INTO quota_step (plan_id, percent, action) VALUES (%s, %s, %s)", (plan_id, percent, action)
        )


def save_plan_change(
    connection: Connection, contract_id: int, *, plan_id: int, effective_on: date, placed_by: str
) -> None:
    """Change a contract's plan from a day on, in the place of another change on that day.

    Raises: psycopg.errors.RestrictViolation when that one is applied already.
    """
    connection.execute(
        "INSERT INTO plan_change (contract_id, plan_id, effective_on, placed_by) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (contract_id, effective_on) DO UPDATE SET plan_id = EXCLUDED.plan_id, placed_by = EXCLUDED.placed_by,"
        " placed_at = now()",
        (contract_id, plan_id, effective_on, placed_by),
    )


def load_plan_change_days(connection: Connection, contract_id: int) -> list[date]:
    """The days on which the contract changes its plan, the next one first."""
    rows = connection.execute(
        "SELECT effective_on FROM plan_change WHERE contract_id = %s AND applied_at IS NULL ORDER BY 1", (contract_id,)
    )
    return [row[0] for row in rows]


def remove_plan_change(connection: Connection, contract_id: int, *, effective_on: date) -> int:
    """Take back a change that is not applied; returns how many there were."""
    done = connection.execute(
        "DELETE FROM plan_change WHERE contract_id = %s AND effective_on = %s AND applied_at IS NULL",
        (contract_id, effective_on),
    )
    return done.rowcount


def save_topup(connection: Connection, row: TopupRow) -> None:
    """Write one; who was throttled for the quota is let go by the worker within a second."""
    connection.execute(
        "INSERT INTO data_topup (contract_id, account_id, octets, since, until, reason, placed_by)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s)",
        (row.contract_id, row.account_id, row.octets, row.since, row.until, row.reason, row.placed_by),
    )
