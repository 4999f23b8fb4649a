"""Restrictions that a run of automation placed and that do not count until a person lets them go: whom they concern.

Next: interventions.py
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg.rows import class_row

Connection = psycopg.Connection[Any]
_HELD: Final = """
SELECT r.id, r.run_id, r.contract_id, c.customer_id, k.name AS customer, r.level::text AS level, r.reason, r.held_since,
    ARRAY(SELECT a.username FROM subscriber_account a WHERE a.contract_id = r.contract_id ORDER BY a.username) AS usernames
FROM (SELECT * FROM restriction WHERE held_since IS NOT NULL AND lifted_at IS NULL AND id > %(after)s ORDER BY id LIMIT %(limit)s) AS r
JOIN contract c ON c.id = r.contract_id JOIN customer k ON k.id = c.customer_id ORDER BY r.id
"""


@dataclass(frozen=True, slots=True)
class HeldRestriction:
    """One of them, with the accounts that it would limit."""

    id: int
    run_id: int
    contract_id: int
    customer_id: int
    customer: str
    level: str
    reason: str
    held_since: datetime
    usernames: list[str]


def load_held_restrictions(connection: Connection, *, after: int, limit: int) -> list[HeldRestriction]:
    """All that wait, in the order they were placed, from behind that number on."""
    with connection.cursor(row_factory=class_row(HeldRestriction)) as cursor:
        return cursor.execute(_HELD, {"after": after, "limit": limit}).fetchall()


def count_held_restrictions(connection: Connection) -> int:
    """How many contracts' restrictions wait."""
    row = connection.execute(
        "SELECT count(DISTINCT contract_id) FROM restriction WHERE held_since IS NOT NULL AND lifted_at IS NULL"
    ).fetchone()
    assert row is not None, "a count is a row"
    return int(row[0])
