"""Invoices and credit notes of a run sent by themselves, once it is done: a job of the worker that leads.

Each document is a message that is written once, so a run that was sent half goes on where it was. A run of an issuer that does not
want it, or of a day that was long over, is noted as done with and left to a person: `corrente message invoices --run`.

Units: *_s seconds.
Next: scheduler.py
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import Final

import psycopg
from psycopg.rows import TupleRow

from billing.operations.invoice_messages import send_some_of_run
from billing.store.acting import acting
from billing.store.invoice_messages import RunToMail, count_waiting, load_runs_to_mail, note_mailed
from control_plane.settings import Settings

Connection = psycopg.Connection[TupleRow]
ACTOR: Final = "job mail_invoices"
MAIL_INVOICES_EVERY_S: Final = 60.0
# A month that is billed a week late is still news; the past that is made up after a take-over is none.
LATE_DAYS: Final = 7
# Messages are kept for four weeks at least, so nothing is sent twice within this.
WAIT_DAYS: Final = 21
_TURN_S: Final = 60.0


def mail_invoices(connection: Connection, settings: Settings, now: datetime) -> str:
    """Queue what is to be sent of runs that are done. Says what it did."""
    until = time.monotonic() + _TURN_S
    said: list[str] = []
    faults: list[psycopg.Error] = []
    for run in load_runs_to_mail(connection, now, late_days=LATE_DAYS, wait_days=WAIT_DAYS):
        # Without a mail server nothing goes, and what piles up would go all at once on the day that there is one.
        if not run.wanted or not settings.email.host:
            _done_with(connection, run)
            continue
        try:
            said.append(f"{run.issuer}, run {run.id}: {_mail(connection, run, until)}")
        except psycopg.OperationalError:
            raise
        except psycopg.Error as error:
            # A run that the database refuses keeps no later one from being mailed.
            error.add_note(f"{run.issuer}, run {run.id} is not mailed")
            faults.append(error)
    if faults:
        raise faults[0]
    return "; ".join(said) or "nothing to mail"


def _mail(connection: Connection, run: RunToMail, until: float) -> str:
    queued = awaited = 0
    after: int | None = 0
    while after is not None:
        if time.monotonic() >= until:
            return f"{queued} documents queued, it goes on"
        with connection.transaction():
            sent, after = send_some_of_run(connection, run.id, after=after, made_by=ACTOR)
        queued += len(sent.messages)
        awaited += sent.awaited
    if awaited:
        return f"{queued} documents queued, {awaited} wait for their page to pay on"
    waiting = count_waiting(connection, run.id)
    if waiting and not run.is_over:
        return f"{queued} documents queued, {waiting} wait for the tax authority"
    _done_with(connection, run)
    return f"{queued} documents queued" + (f", {waiting} were not taken by the tax authority" if waiting else "")


def _done_with(connection: Connection, run: RunToMail) -> None:
    with connection.transaction():
        acting(connection, ACTOR)
        note_mailed(connection, run.id)
