"""Addresses that do not exist, by the word of the server for them.

Next: billing/store/message_queue.py
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Undeliverable:
    """An address that nothing is sent to, since when and why; `customers` have it."""

    channel: str
    address: str
    since: datetime
    reason: str
    message_id: int | None
    customers: list[int]


def mark_undeliverable(
    connection: Connection, channel: str, address: str, reason: str, *, message_id: int | None
) -> None:
    """Nothing more is sent there. The first reason stays."""
    connection.execute(
        "INSERT INTO undeliverable_address (channel, address, reason, message_id) VALUES (%s, lower(%s), %s, %s) ON CONFLICT DO NOTHING",
        (channel, address, reason, message_id),
    )


def clear_undeliverable(connection: Connection, channel: str, address: str) -> bool:
    """It is written to again; False when it was not marked."""
    statement = "DELETE FROM undeliverable_address WHERE channel = %s AND address = lower(%s)"
    return connection.execute(statement, (channel, address)).rowcount == 1


def load_undeliverable(connection: Connection) -> list[Undeliverable]:
    """The newest first."""
    with connection.cursor(row_factory=class_row(Undeliverable)) as cursor:
        return cursor.execute(
            "SELECT channel, address, since, reason, message_id, ARRAY(SELECT DISTINCT c.customer_id FROM contact AS c"
            " WHERE lower(c.email) = u.address ORDER BY 1) AS customers FROM undeliverable_address AS u ORDER BY since DESC"
        ).fetchall()
