"""What agents earned is worked out every night, so that lists show it and a settlement finds little to do: a job of the worker that leads.

Next: scheduler.py
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import TupleRow

from billing.calendar import billing_day
from billing.operations.earning import work_out_all
from billing.store.issuers import load_issuers
from control_plane.settings import Settings

ACTOR: Final = "job commissions"


def commissions(connection: psycopg.Connection[TupleRow], settings: Settings, now: datetime) -> str:
    """Work it out, some contracts a transaction; says how many rows there were. Asked again it finds nothing."""
    with connection.transaction():
        issuers = load_issuers(connection)
    rows = sum(
        work_out_all(connection, one.id, today=billing_day(now, ZoneInfo(one.zone)), actor=ACTOR) for one in issuers
    )
    return f"wrote {rows} commissions" if rows else "nothing was earned or taken back"
