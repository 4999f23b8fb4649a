"""Billing runs that somebody asked for in the console: worked out, and issued when they were confirmed.

A page asks and shows how far it is; what takes minutes is done here, batch by batch. Killed anywhere, the next leader goes on.

Units: *_s seconds.
Next: scheduler.py
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from datetime import datetime
from typing import Final, assert_never

import psycopg
from psycopg.rows import TupleRow

from billing.errors import BillingError
from billing.runs.billing_run import issue_run
from billing.runs.preview import prepare_run
from billing.runs.walk import Progress
from billing.store.run_requests import Act, RunRequest, begin_request, end_request, load_waiting, note_progress
from billing.store.runs import load_run
from control_plane.settings import Settings

Connection = psycopg.Connection[TupleRow]
# Somebody waits before a page; who asks wakes the job, too (waking.py).
ASKED_EVERY_S: Final = 15.0


def asked_billing(connection: Connection, settings: Settings, now: datetime) -> str:
    """Do what is asked for, in its order. What can't be done is told where it was asked."""
    del settings, now
    asked = load_waiting(connection)
    for one in asked:
        with connection.transaction():
            begin_request(connection, one.id)
        try:
            run_id = _do(connection, one)
        except BillingError as error:
            with connection.transaction():
                end_request(connection, one.id, problem=str(error))
            continue
        with connection.transaction():
            end_request(connection, one.id, run_id=run_id)
    return f"did {len(asked)} of what was asked for"


def _do(connection: Connection, asked: RunRequest) -> int:
    match asked.act:
        case Act.PREPARE:
            run = prepare_run(
                connection,
                asked.issuer_id,
                run_date=asked.run_date,
                scope=asked.scope,
                by=asked.asked_by,
                progress=_teller(connection, asked.id),
            )
            return run.id
        case Act.ISSUE:
            assert asked.run_id is not None, "the table says so"
            confirmed = load_run(connection, asked.run_id)
            assert confirmed is not None, "runs are never deleted"
            issue_run(
                lambda: nullcontext(connection),
                confirmed,
                made_by=asked.asked_by,
                progress=_teller(connection, asked.id),
                workers=1,
            )
            return confirmed.id
        case other:
            assert_never(other)


def _teller(connection: Connection, number: int) -> Callable[[Progress], None]:
    """Notes how far a walk is, between two batches."""

    def tell(done: Progress) -> None:
        with connection.transaction():
            note_progress(connection, number, payers=done.payers, of=done.of)

    return tell
