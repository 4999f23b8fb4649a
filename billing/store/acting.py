"""Who writes money, told to the database for one transaction: without it every write of money is refused.

Next: billing/store/documents.py
"""

from __future__ import annotations

from datetime import date
from typing import Any

import psycopg


def acting(
    connection: psycopg.Connection[Any], actor: str, *, event: str | None = None, effective_on: date | None = None
) -> None:
    """Until this transaction ends, what is written is written by that person or job.

    `event` and the day from which it counts name what happens to contracts whose status changes in it.
    Source: billing model invariant I34; schema.sql: note_money(), tell_contract().
    """
    connection.execute(
        "SELECT set_config('corrente.actor', %s, true), set_config('corrente.event', %s, true),"
        " set_config('corrente.effective_on', %s, true)",
        (actor, event or "", effective_on.isoformat() if effective_on else ""),
    )
