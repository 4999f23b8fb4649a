"""Credit that two writers at the same moment have left beside an open invoice is laid on it: a job of the worker that leads.

Next: scheduler.py
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import psycopg
from psycopg.rows import TupleRow

from billing.operations.receiving import apply_credit_left
from control_plane.settings import Settings

ACTOR: Final = "job credit_left"


def credit_left(connection: psycopg.Connection[TupleRow], settings: Settings, now: datetime) -> str:
    """Lay it; says how much there was. Asked again it finds nothing."""
    with connection.transaction():
        rows = apply_credit_left(connection, actor=ACTOR)
    return f"laid credit on invoices {rows} times" if rows else "no credit beside an open invoice"
