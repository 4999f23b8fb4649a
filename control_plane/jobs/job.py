"""One scheduled job: what it is, when it is due next, and one run of it with its row in the database.

A run goes through a connection that commits only while its worker leads, so a job's work and the note that it is done are
the leader's or nobody's. A run that is interrupted (worker killed, database away, leader changed) leaves its row due, and is
made up once by whoever leads next.

A job has a deadline: PostgreSQL ends a statement of it that runs longer, or that waits for a lock for half of that, and the
job has failed. One of many statements may take longer in all; it is let be, counted, and shown by `corrente check`.

Units: *_s seconds.
Next: upkeep.py
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from datetime import time as TimeOfDay
from enum import Enum
from typing import Final
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import TupleRow

from billing.plain_text import plain_text
from control_plane import telemetry
from control_plane.leadership import FencedConnection, LeadershipLostError
from control_plane.settings import Settings

Connection = psycopg.Connection[TupleRow]
PROBLEM_CHARACTERS: Final = 1000
# Who holds a lock for longer has hung, or does a person's work; the job has its next turn. A leader that was stopped within
# a transaction lets go before that: see leadership.py.
_LOCK_WAIT_MAX_S: Final = 45.0


@dataclass(frozen=True, slots=True)
class DailyAt:
    """Once a day at this time of the billing zone."""

    at: TimeOfDay


@dataclass(frozen=True, slots=True)
class Job:
    """One job: `run` opens its own transactions, is harmless to repeat, and says in a line what it did.

    `when` is a number of seconds from one run's end to the next run, or a time of day. `deadline_s` is what a run may take,
    on a large installation and a slow day. `run` gets the time of the database.
    """

    name: str
    when: float | DailyAt
    run: Callable[[Connection, Settings, datetime], str]
    deadline_s: float


class Ended(Enum):
    """How a run ended."""

    DONE = "done"
    FAILED = "failed"
    NOT_DUE = "not due"
    INTERRUPTED = "interrupted"


_BEGIN: Final = """
UPDATE scheduled_job SET started_at = clock_timestamp(), deadline_s = %s WHERE name = %s AND (next_at <= clock_timestamp() OR %s)
RETURNING started_at
"""
_DONE: Final = """
UPDATE scheduled_job SET next_at = %s, done_at = clock_timestamp(), took_s = %s, result = %s, started_at = NULL, failed_at = NULL,
    problem = '' WHERE name = %s
"""
_FAILED: Final = """
UPDATE scheduled_job SET next_at = %s, started_at = NULL, failed_at = clock_timestamp(), problem = %s WHERE name = %s
"""


def next_run(when: float | DailyAt, *, after: datetime, zone: ZoneInfo) -> datetime:
    """When a job is due next, at or after a run that ended at `after`.

    A time that a day of the change to summer time has not is taken an hour later; one that a day has twice is the first.
    """
    if not isinstance(when, DailyAt):
        return after + timedelta(seconds=when)
    today = after.astimezone(zone).date()
    days = (today, today + timedelta(days=1), today + timedelta(days=2))
    times = (datetime.combine(day, when.at, tzinfo=zone).astimezone(UTC) for day in days)
    return next(at for at in times if at > after)


def prepare(connection: Connection, jobs: tuple[Job, ...]) -> None:
    """Make the rows of jobs that have none; they are due at once."""
    for job in jobs:
        connection.execute("INSERT INTO scheduled_job (name) VALUES (%s) ON CONFLICT DO NOTHING", (job.name,))


def run_job(
    connection: FencedConnection,
    settings: Settings,
    job: Job,
    *,
    given_up: threading.Event | None = None,
    due_only: bool = True,
) -> Ended:
    """Run a job if it is due, and note how it went. `given_up` is set by who cancels the run: that is no failure.

    Raises: psycopg.OperationalError when the database is gone; LeadershipLostError when the run was not to begin.
    """
    row = connection.execute(_BEGIN, (job.deadline_s, job.name, not due_only)).fetchone()
    if row is None:
        return Ended.NOT_DUE
    started_at, began = row[0], time.monotonic()

    def due_next(took_s: float) -> datetime:
        return next_run(job.when, after=started_at + timedelta(seconds=took_s), zone=settings.zone)

    try:
        try:
            _limit(connection, job.deadline_s)
            result = job.run(connection, settings, started_at)
            took_s = time.monotonic() - began
            connection.execute(_DONE, (due_next(took_s), took_s, result, job.name))
        except LeadershipLostError:
            raise
        except Exception as error:
            if connection.broken:
                raise
            if given_up is not None and given_up.is_set():
                return Ended.INTERRUPTED
            took_s = time.monotonic() - began
            _failed(connection, job, error, took_s=took_s, due_next=due_next(took_s))
            return Ended.FAILED
    except LeadershipLostError:
        return Ended.INTERRUPTED
    telemetry.JOB_RUNS.labels(job.name, Ended.DONE.value).inc()
    _measure(job, took_s)
    return Ended.DONE


def _limit(connection: Connection, deadline_s: float) -> None:
    """Let PostgreSQL end what hangs."""
    lock_wait_s = min(deadline_s / 2, _LOCK_WAIT_MAX_S)
    connection.execute(
        "SELECT set_config('statement_timeout', %s, false), set_config('lock_timeout', %s, false)",
        (f"{deadline_s * 1000:.0f}ms", f"{lock_wait_s * 1000:.0f}ms"),
    )


def _failed(connection: Connection, job: Job, error: Exception, *, took_s: float, due_next: datetime) -> None:
    hung = isinstance(error, psycopg.errors.QueryCanceled | psycopg.errors.LockNotAvailable)
    ended = f"ended after {took_s:.1f} s, its deadline is {job.deadline_s:g} s: " if hung else ""
    problem = plain_text(f"{ended}{type(error).__name__}: {error}").strip()[:PROBLEM_CHARACTERS]
    connection.execute(_FAILED, (due_next, problem, job.name))
    telemetry.JOB_RUNS.labels(job.name, Ended.FAILED.value).inc()
    telemetry.logger().error("job.failed", job=job.name, deadline_s=job.deadline_s, problem=problem)
    _measure(job, took_s)


def _measure(job: Job, took_s: float) -> None:
    telemetry.JOB_SECONDS.labels(job.name).observe(took_s)
    if took_s > job.deadline_s:
        telemetry.JOB_OVERRUNS.labels(job.name).inc()
        telemetry.logger().warning("job.overran", job=job.name, deadline_s=job.deadline_s, took_s=round(took_s, 1))
