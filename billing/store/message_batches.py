"""One text to many: written as one batch, looked at before it goes, taken back as one.

Next: billing/store/message_queue.py
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
import psycopg
from psycopg.rows import class_row

Connection = psycopg.Connection[Any]

_BATCHES: Final = """
SELECT b.id, b.title, b.scope, b.made_by, b.made_at, b.cancelled_at, b.cancelled_by, count(m.id) AS messages,
    count(*) FILTER (WHERE m.state IN ('queued', 'sending')) AS waiting, count(*) FILTER (WHERE m.state = 'sent') AS sent,
    count(*) FILTER (WHERE m.state IN ('failed', 'bounced')) AS failed, count(*) FILTER (WHERE m.state = 'withheld') AS withheld,
    count(*) FILTER (WHERE m.state = 'cancelled') AS cancelled
FROM (SELECT * FROM message_batch WHERE (%(id)s::bigint IS NULL OR id = %(id)s) AND (%(before)s::bigint IS NULL OR id < %(before)s) ORDER BY id DESC LIMIT %(limit)s) AS b
    LEFT JOIN message AS m ON m.batch_id = b.id AND m.device_id IS NULL
GROUP BY b.id, b.title, b.scope, b.made_by, b.made_at, b.cancelled_at, b.cancelled_by ORDER BY b.id DESC
"""


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch and how far it is."""

    id: int
    title: str
    scope: dict[str, Any]
    made_by: str
    made_at: datetime
    cancelled_at: datetime | None
    cancelled_by: str | None
    messages: int
    waiting: int
    sent: int
    failed: int
    withheld: int
    cancelled: int


def save_batch(connection: Connection, title: str, scope: Mapping[str, object], *, made_by: str) -> int:
    """Write one; returns its number."""
    row = connection.execute(
        "INSERT INTO message_batch (title, scope, made_by) VALUES (%s, %s, %s) RETURNING id",
        (title, orjson.dumps(dict(scope), default=str).decode(), made_by),
    ).fetchone()
    assert row is not None, "a batch was written"
    return int(row[0])


def load_batches(
    connection: Connection, *, batch_id: int | None = None, before: int | None = None, limit: int = 50
) -> list[Batch]:
    """The newest, from the one before `before` on; or one."""
    with connection.cursor(row_factory=class_row(Batch)) as cursor:
        return cursor.execute(_BATCHES, {"id": batch_id, "before": before, "limit": limit}).fetchall()


def note_batch_cancelled(connection: Connection, batch_id: int, *, by: str) -> None:
    """Note who took it back first."""
    connection.execute(
        "UPDATE message_batch SET cancelled_at = now(), cancelled_by = %s WHERE id = %s AND cancelled_at IS NULL",
        (by, batch_id),
    )


def customers_of(connection: Connection, contract_ids: Sequence[int]) -> list[tuple[int, int]]:
    """The customers of these contracts, each with the first of them."""
    return connection.execute(
        "SELECT customer_id, min(id) FROM contract WHERE id = ANY (%s) GROUP BY customer_id ORDER BY customer_id",
        (list(contract_ids),),
    ).fetchall()
