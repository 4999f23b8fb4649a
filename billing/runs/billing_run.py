"""The billing run: prepared, confirmed, issued in batches, done; killed anywhere, a second start goes on.

Nothing says how far a run is but what it has written: each batch commits documents, charges and positions together, so what
is left is what is still due. Two runs at once do the same batches and find nothing left of those that the other has done.

A walk works its batches out by some threads, each with its connection: while one computes, PostgreSQL writes the batches of the
others. Batches take their numbers in their order, so documents are the same as with one.

Source: billing model section 11; invariants I5 to I8.

Next: billing/runs/batch.py
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

import psycopg

from billing.runs.batch import Tally, bill_batch
from billing.runs.desk import RunRefusedError, check_registers, load_desk
from billing.runs.walk import Connect, Progress, Walk, collecting_seldom
from billing.store.acting import acting
from billing.store.due_work import list_due
from billing.store.runs import Run, RunState, confirm_run, end_run, load_run

Connection = psycopg.Connection[Any]
# Payers a batch: its locks are held for about a second, and what one statement costs is spread over many.
BATCH: Final = 500
# While one computes, PostgreSQL writes for the others: two processors have work with three.
WORKERS: Final = 3


def confirm(connection: Connection, run: Run, *, by: str) -> Run:
    """Let a prepared run issue. What issues already or is done stays as it is.

    Raises: RunRefusedError for a run that was cancelled, or whose day can't be numbered any more.
    """
    if run.state is RunState.PREPARED:
        check_registers(connection, run.issuer_id, run.run_date)
    acting(connection, by)
    if not confirm_run(connection, run.id, by=by):
        now = load_run(connection, run.id)
        assert now is not None, "runs are never deleted"
        if now.state is RunState.CANCELLED:
            raise RunRefusedError(f"run {run.id} of {run.run_date} was cancelled: prepare it again")
        return now
    confirmed = load_run(connection, run.id)
    assert confirmed is not None, "runs are never deleted"
    return confirmed


def issue_run(
    connect: Connect,
    run: Run,
    *,
    made_by: str,
    progress: Callable[[Progress], None] | None = None,
    stop: threading.Event | None = None,
    batch: int = BATCH,
    workers: int = WORKERS,
) -> Tally:
    """Bill all that is due of a confirmed run, batch by batch, and end it. `stop` ends it after the batches in hand.

    `connect` opens connections that commit each statement but for the transactions of batches (autocommit).

    Begun again after anything it goes on: what is billed is not due any more. One that is done is let be.
    Raises: RunRefusedError when the run is not confirmed, or its day can't be numbered; psycopg.Error without a database.
    """
    if run.state is RunState.DONE:
        return Tally()
    with connect() as connection, collecting_seldom():
        desk = load_desk(connection, run.issuer_id, run_id=run.id, run_date=run.run_date, through=run.through)
        if run.state is not RunState.ISSUING:
            raise RunRefusedError(f"run {run.id} of {run.run_date} is {run.state}: confirm it first")
        check_registers(connection, run.issuer_id, run.run_date)
        with connection.transaction():
            due = list_due(connection, run.issuer_id, run.scope, through=run.through)
        walk = Walk(due.batches(batch), of=due.payers, progress=progress, stop=stop)
        walk.go(
            lambda own, contracts, turn: bill_batch(own, desk, contracts, made_by=made_by, turn=turn),
            connect,
            connection,
            workers=workers,
        )
        if not walk.stopped:
            with connection.transaction():
                acting(connection, made_by)
                end_run(connection, run.id)
    return walk.tally
