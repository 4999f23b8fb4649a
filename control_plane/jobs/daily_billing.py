"""The daily billing of each issuer, where it is switched on: prepared once a day, and issued when a person or its hours say so.

Units: *_s seconds; days and hours are those of the issuer's zone.
Next: scheduler.py
"""

from __future__ import annotations

from contextlib import nullcontext
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import TupleRow

from billing.calendar import billing_day
from billing.errors import BillingError
from billing.runs.billing_run import confirm, issue_run
from billing.runs.desk import RunRefusedError
from billing.runs.preview import prepare_run
from billing.store.acting import acting
from billing.store.due_work import Scope
from billing.store.runs import Run, RunState, cancel_run, end_run, find_run, runs_to_issue
from control_plane import telemetry
from control_plane.settings import Settings

Connection = psycopg.Connection[TupleRow]
ACTOR: Final = "job daily_billing"
# A run that a person confirmed is issued within minutes; looking for one costs a query.
BILLING_EVERY_S: Final = 300.0


def daily_billing(connection: Connection, settings: Settings, now: datetime) -> str:
    """Prepare what is not prepared today, and issue what is confirmed. Says what it did, or that it is switched off.

    Raises: BillingError, which names the issuers that could not be billed, when the others are done.
    """
    if not settings.billing.daily:
        return "switched off: [billing] daily"
    said: list[str] = []
    problems: list[str] = []
    for issuer_id, name, zone in connection.execute("SELECT id, name, zone FROM issuer ORDER BY id").fetchall():
        try:
            local = now.astimezone(ZoneInfo(zone))
            if local.hour >= settings.billing.prepare_hour:
                said += _prepare(connection, issuer_id, name, now, ZoneInfo(zone))
            for run in runs_to_issue(connection, issuer_id):
                said.append(f"{name}: {_issue(connection, run)}")
        except BillingError as error:
            telemetry.logger().error("billing.refused", issuer=name, problem=str(error))
            problems.append(f"{name}: {error}")
    if problems:
        raise BillingError("; ".join(problems))
    return "; ".join(said) or "nothing to prepare or to issue"


def _prepare(connection: Connection, issuer_id: int, name: str, now: datetime, zone: ZoneInfo) -> list[str]:
    today = billing_day(now, zone)
    if find_run(connection, issuer_id, today, Scope()) is not None:
        return []
    run = prepare_run(connection, issuer_id, run_date=today, scope=Scope(), by=ACTOR)
    documents = sum(one["count"] for one in run.expected["documents"])
    return [f"{name}: prepared run {run.id} of {today}, {documents} documents"]


def _issue(connection: Connection, run: Run) -> str:
    """Issue a run whose time has come. One whose day can't be numbered any more is over: later runs bill what it left."""
    try:
        with connection.transaction():
            confirmed = confirm(connection, run, by=run.confirmed_by or ACTOR)
        tally = issue_run(lambda: nullcontext(connection), confirmed, made_by=ACTOR, workers=1)
    except RunRefusedError as error:
        with connection.transaction():
            acting(connection, ACTOR)
            _ = cancel_run(connection, run.id) if run.state is RunState.PREPARED else end_run(connection, run.id)
        telemetry.logger().warning("billing.run_over", run_id=run.id, problem=str(error))
        return f"run {run.id} is over: {error}"
    return (
        f"run {run.id} issued {tally.invoices} invoices and {tally.credit_notes} credit notes"
        f" of {tally.payers} customers; {len(tally.failures)} failed"
    )
