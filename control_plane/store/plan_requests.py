"""Requests of customers for another plan: asked for in the portal, answered by staff, who change the contract themselves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import psycopg
from psycopg.rows import class_row

Connection = psycopg.Connection[Any]

_REQUESTS: Final = """
SELECT r.id, r.contract_id, n.customer_id, c.name AS customer, w.name AS has, p.name AS wants, r.note, r.asked_at, r.answered_at, r.answered_by, r.accepted, r.answer
FROM plan_request AS r JOIN contract AS n ON n.id = r.contract_id JOIN customer AS c ON c.id = n.customer_id JOIN plan AS w ON w.id = n.plan_id JOIN plan AS p ON p.id = r.plan_id
"""
_OFFERED: Final = """
SELECT p.id, p.name FROM plan AS p JOIN product AS o ON o.plan_id = p.id WHERE o.offered @> %s::date ORDER BY p.name
"""


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """Somebody asks for another plan. `has` is the contract's plan now, `wants` the one that is asked for."""

    id: int
    contract_id: int
    customer_id: int
    customer: str
    has: str
    wants: str
    note: str | None
    asked_at: datetime
    answered_at: datetime | None
    answered_by: str | None
    accepted: bool | None
    answer: str | None


def load_offered_plans(connection: Connection, *, today: date) -> list[tuple[int, str]]:
    """The plans that are sold on a day, by name."""
    return [(number, name) for number, name in connection.execute(_OFFERED, (today,))]


def load_requests_of(connection: Connection, customer_id: int, *, limit: int = 20) -> list[PlanRequest]:
    """A customer's requests, the newest first."""
    with connection.cursor(row_factory=class_row(PlanRequest)) as cursor:
        return cursor.execute(
            _REQUESTS + "WHERE n.customer_id = %s ORDER BY r.id DESC LIMIT %s", (customer_id, limit)
        ).fetchall()


def load_open_requests(connection: Connection, *, after: int | None, limit: int) -> list[PlanRequest]:
    """Requests that nobody has answered, the oldest first, those behind number `after`."""
    with connection.cursor(row_factory=class_row(PlanRequest)) as cursor:
        return cursor.execute(
            _REQUESTS + "WHERE r.answered_at IS NULL AND r.id > %s ORDER BY r.id LIMIT %s", (after or 0, limit)
        ).fetchall()


def load_request(connection: Connection, number: int) -> PlanRequest | None:
    """The request of that number."""
    with connection.cursor(row_factory=class_row(PlanRequest)) as cursor:
        return cursor.execute(_REQUESTS + "WHERE r.id = %s", (number,)).fetchone()


def add_request(connection: Connection, contract_id: int, plan_id: int, *, note: str | None, by: str) -> int | None:
    """Ask for a plan; None where a request of that contract is open. Returns its number."""
    row = connection.execute(
        "INSERT INTO plan_request (contract_id, plan_id, note, asked_by) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (contract_id) WHERE answered_at IS NULL DO NOTHING RETURNING id",
        (contract_id, plan_id, note, by),
    ).fetchone()
    return None if row is None else int(row[0])


def answer_request(
    connection: Connection, number: int, *, accepted: bool, answer: str | None, by: str, now: datetime
) -> bool:
    """Say what became of it; False where somebody has said so."""
    return (
        connection.execute(
            "UPDATE plan_request SET answered_at = %s, answered_by = %s, accepted = %s, answer = %s WHERE id = %s AND answered_at IS NULL",
            (now, by, accepted, answer, number),
        ).rowcount
        == 1
    )
