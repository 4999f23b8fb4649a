"""The workers' jobs: what runs, how often, and one row a job in the database so that any number of workers run it once.

A worker takes a job by locking its row (SKIP LOCKED) and holds it while the job runs on a second connection; a worker that
dies lets go of it. A job that fails is logged, noted in its row and tried again at its next turn; the others go on.

A job has a deadline: PostgreSQL ends a statement of it that runs longer, or that waits for a lock for half of that, and the
job has failed. One of many statements may take longer in all; it is let be, counted, and shown by `corrente check`.

Units: *_s seconds.
Next: upkeep.py
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import psycopg
from psycopg.rows import TupleRow

from control_plane import telemetry, upkeep
from control_plane.db import connect
from control_plane.sessions import close_stale_sessions
from control_plane.settings import Settings

Connection = psycopg.Connection[TupleRow]
# How often a worker looks for a job that is due.
LOOK_EVERY_S: Final = 1.0
_FIRST_RETRY_S: Final = 0.5
_LAST_RETRY_S: Final = 5.0
PROBLEM_CHARACTERS: Final = 1000
# Who holds a lock for longer has hung, or does a person's work; the job has its next turn.
_LOCK_WAIT_MAX_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Job:
    """One job: `run` opens its own transactions, is harmless to repeat, and says in a line what it did.

    `deadline_s` is what it may take, on a large installation and a slow day.
    """

    name: str
    every_s: float
    run: Callable[[Connection, Settings, datetime], str]
    deadline_s: float


def _close_stale(connection: Connection, settings: Settings, now: datetime) -> str:
    return f"closed {close_stale_sessions(connection, settings, now)} sessions"


JOBS: Final = (
    Job("make_months", 3600, upkeep.make_months, deadline_s=60),
    Job("drop_months", 3600, upkeep.drop_months, deadline_s=300),
    Job("clear_feed", 300, upkeep.clear_feed, deadline_s=300),
    Job("clear_unreadable", 3600, upkeep.clear_unreadable, deadline_s=300),
    Job("count_quotas", 60, upkeep.count_quotas, deadline_s=300),
    Job("close_stale_sessions", 30, _close_stale, deadline_s=300),
)

_TAKE: Final = """
SELECT name FROM scheduled_job WHERE name = ANY (%s) AND (next_at <= now() OR %s) ORDER BY next_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""
# Committed before the run, so that others see since when it runs; who wrote it last is the one to hold the row.
_BEGIN: Final = """
UPDATE scheduled_job SET started_at = clock_timestamp(), deadline_s = %s WHERE name = %s RETURNING started_at
"""
_HOLD: Final = "SELECT FROM scheduled_job WHERE name = %s AND started_at = %s FOR UPDATE SKIP LOCKED"
_DONE: Final = """
UPDATE scheduled_job SET next_at = clock_timestamp() + make_interval(secs => %s), done_at = clock_timestamp(), took_s = %s, result = %s,
    started_at = NULL, failed_at = NULL, problem = '' WHERE name = %s
"""
_FAILED: Final = """
UPDATE scheduled_job SET next_at = clock_timestamp() + make_interval(secs => %s), started_at = NULL, failed_at = clock_timestamp(),
    problem = %s WHERE name = %s
"""


def run_worker(settings: Settings, stop: threading.Event, *, jobs: tuple[Job, ...] = JOBS) -> None:
    """Run jobs as they fall due until `stop` is set. PostgreSQL away is waited out."""
    log = telemetry.logger()
    retry_s, away = _FIRST_RETRY_S, False
    while not stop.is_set():
        try:
            with ExitStack() as stack:
                control, work = (stack.enter_context(_open(settings, part)) for part in ("control", "jobs"))
                prepare(control, jobs)
                if away:
                    log.info("worker.database_back")
                retry_s, away = _FIRST_RETRY_S, False
                while not stop.is_set():
                    if run_next(control, work, settings, jobs) is None:
                        stop.wait(LOOK_EVERY_S)
        except psycopg.Error as error:
            if not away:
                telemetry.DATABASE_FAILURES.labels("worker").inc()
                log.warning("worker.database_away", problem=str(error).strip())
            away = True
            stop.wait(retry_s)
            retry_s = min(2 * retry_s, _LAST_RETRY_S)


def run_all_once(settings: Settings, *, jobs: tuple[Job, ...] = JOBS) -> dict[str, bool]:
    """Run every job now, due or not; for each whether it went well. A job that another worker has is left to it."""
    outcomes: dict[str, bool] = {}
    with ExitStack() as stack:
        control, work = (stack.enter_context(_open(settings, part)) for part in ("control", "jobs"))
        prepare(control, jobs)
        for job in jobs:
            ran = run_next(control, work, settings, (job,), due_only=False)
            if ran is not None:
                outcomes[job.name] = ran
    return outcomes


def _open(settings: Settings, part: str) -> Connection:
    return connect(settings.conninfo("corrente_worker"), name=f"worker {part}", autocommit=True)


def prepare(control: Connection, jobs: tuple[Job, ...]) -> None:
    """Make the rows of jobs that have none."""
    for job in jobs:
        control.execute("INSERT INTO scheduled_job (name) VALUES (%s) ON CONFLICT DO NOTHING", (job.name,))


def run_next(
    control: Connection, work: Connection, settings: Settings, jobs: tuple[Job, ...], *, due_only: bool = True
) -> bool | None:
    """Run the job that is due the longest; whether it went well, None when none is due or another worker has it.

    Raises: psycopg.OperationalError when the database is gone.
    """
    begun = _begin(control, jobs, due_only=due_only)
    if begun is None:
        return None
    job, started_at = begun
    with control.transaction():
        if control.execute(_HOLD, (job.name, started_at)).fetchone() is None:
            return None  # another worker began it in the same moment
        began = time.monotonic()
        try:
            _limit(work, job.deadline_s)
            result = job.run(work, settings, datetime.now(UTC))
        except Exception as error:
            if work.broken or control.broken:
                raise
            _failed(control, job, error, took_s=time.monotonic() - began)
            return False
        took_s = time.monotonic() - began
        control.execute(_DONE, (job.every_s, took_s, result, job.name))
    telemetry.JOB_RUNS.labels(job.name, "done").inc()
    _measure(job, took_s)
    return True


def _begin(control: Connection, jobs: tuple[Job, ...], *, due_only: bool) -> tuple[Job, datetime] | None:
    """The job that is due the longest and that nobody runs, and when its run began."""
    by_name = {job.name: job for job in jobs}
    with control.transaction():
        row = control.execute(_TAKE, (list(by_name), not due_only)).fetchone()
        if row is None:
            return None
        job = by_name[row[0]]
        begun = control.execute(_BEGIN, (job.deadline_s, job.name)).fetchone()
        assert begun is not None, "we hold the row"
        return job, begun[0]


def _limit(work: Connection, deadline_s: float) -> None:
    """Let PostgreSQL end what hangs. A connection runs one job after the other, each with its own limits."""
    lock_wait_s = min(deadline_s / 2, _LOCK_WAIT_MAX_S)
    work.execute(
        "SELECT set_config('statement_timeout', %s, false), set_config('lock_timeout', %s, false)",
        (f"{deadline_s * 1000:.0f}ms", f"{lock_wait_s * 1000:.0f}ms"),
    )


def _failed(control: Connection, job: Job, error: Exception, *, took_s: float) -> None:
    hung = isinstance(error, psycopg.errors.QueryCanceled | psycopg.errors.LockNotAvailable)
    ended = f"ended after {took_s:.1f} s, its deadline is {job.deadline_s:g} s: " if hung else ""
    problem = f"{ended}{type(error).__name__}: {error}".strip()[:PROBLEM_CHARACTERS]
    telemetry.JOB_RUNS.labels(job.name, "failed").inc()
    telemetry.logger().error("job.failed", job=job.name, deadline_s=job.deadline_s, problem=problem)
    control.execute(_FAILED, (job.every_s, problem, job.name))
    _measure(job, took_s)


def _measure(job: Job, took_s: float) -> None:
    telemetry.JOB_SECONDS.labels(job.name).observe(took_s)
    if took_s > job.deadline_s:
        telemetry.JOB_OVERRUNS.labels(job.name).inc()
        telemetry.logger().warning("job.overran", job=job.name, deadline_s=job.deadline_s, took_s=round(took_s, 1))
