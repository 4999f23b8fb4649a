"""The scheduled jobs: what runs and when, on the worker that leads.

When a job is due stands in its row, by the clock of the database; APScheduler is the alarm clock beside it and the threads
that jobs run in. The leader compares the two every second, so a clock that is wrong or is set, a row that somebody made due
and a run that was interrupted need no case of their own, and a run that was missed is made up once. Where somebody waits,
a job is woken before its time.

A job that fails is logged, noted in its row and tried again at its next time; the others go on.

Units: *_s seconds.
Next: job.py
"""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime, timedelta
from datetime import time as TimeOfDay
from typing import Final

import psycopg
from apscheduler.events import EVENT_JOB_ERROR, JobExecutionEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.date import DateTrigger

from control_plane import db, telemetry
from control_plane.accounting.sessions import close_stale_sessions
from control_plane.control_loop.device_reading import READ_EVERY_S, read_devices
from control_plane.control_loop.list_entries import TEND_EVERY_S, tend_list_entries
from control_plane.jobs import upkeep
from control_plane.jobs.asked_billing import ASKED_EVERY_S, asked_billing
from control_plane.jobs.asked_catalogue import ASKED_EVERY_S as CATALOGUE_ASKED_EVERY_S
from control_plane.jobs.asked_catalogue import asked_catalogue
from control_plane.jobs.asked_checks import ASKED_EVERY_S as CHECKS_ASKED_EVERY_S
from control_plane.jobs.asked_checks import asked_checks
from control_plane.jobs.commissions import commissions
from control_plane.jobs.contract_deeds import DEEDS_EVERY_S, daily_deeds
from control_plane.jobs.credit_left import credit_left
from control_plane.jobs.daily_billing import BILLING_EVERY_S, daily_billing
from control_plane.jobs.dunning import DUNNING_EVERY_S, dunning
from control_plane.jobs.einvoices import SEND_EVERY_S as EINVOICES_EVERY_S
from control_plane.jobs.einvoices import send_einvoices
from control_plane.jobs.gateways import (
    COLLECT_EVERY_S,
    GATEWAYS_EVERY_S,
    PAGES_EVERY_S,
    RECONCILE_EVERY_S,
    collect_due,
    gateways,
    page_new_invoices,
    reconcile_gateways,
)
from control_plane.jobs.job import Connection, DailyAt, Ended, Job, prepare, run_job
from control_plane.jobs.mail_invoices import MAIL_INVOICES_EVERY_S, mail_invoices
from control_plane.jobs.network_figures import COUNT_EVERY_S, network_figures
from control_plane.jobs.password_resets import RESETS_EVERY_S, mail_resets
from control_plane.jobs.send_messages import READ_MAIL_EVERY_S, SEND_MESSAGES_EVERY_S, read_returns, send_messages
from control_plane.jobs.waking import hear
from control_plane.jobs.webhooks import HAND_OVER_EVERY_S, SEND_EVERY_S, relay_outbox, send_webhooks
from control_plane.leadership import LEASE_S, FencedConnection, Leadership, LeadershipLostError
from control_plane.policy.quota import count_quotas
from control_plane.pulse import elapsed_s
from control_plane.settings import Settings
from control_plane.store.lease import load_lease

# Jobs at once: a slow one does not delay the others. Those that wait for somebody else's server are long at it.
THREADS: Final = 8
# APScheduler's time and the row's may differ by this much before they are made equal.
_TOLERANCE_S: Final = 0.5
# A job that lost its connection is not begun again at once: its own statement may be what ended it.
_AFTER_INTERRUPTION_S: Final = 5.0
# A job that is woken again and again rests so long between two runs.
_WOKEN_REST_S: Final = 0.1
# What jobs may take to end well when the worker is asked to stop; what is cancelled is made up by the next leader.
_STOP_WAIT_S: Final = 3.0
_LOOK_S: Final = 0.1


def _close_stale(connection: Connection, settings: Settings, now: datetime) -> str:
    return f"closed {close_stale_sessions(connection, settings, now)} sessions"


# A job that is taken out or gets another name leaves its row behind: delete that with a migration (post), or it is due for ever.
JOBS: Final = (
    Job("make_months", 3600, upkeep.make_months, deadline_s=60),
    Job("drop_months", 3600, upkeep.drop_months, deadline_s=300),
    Job("clear_feed", 300, upkeep.clear_feed, deadline_s=300),
    Job("clear_unreadable", DailyAt(TimeOfDay(3, 20)), upkeep.clear_unreadable, deadline_s=300),
    Job("clear_enforcements", DailyAt(TimeOfDay(3, 40)), upkeep.clear_enforcements, deadline_s=300),
    Job("clear_history", DailyAt(TimeOfDay(4, 0)), upkeep.clear_history, deadline_s=300),
    Job("clear_told", DailyAt(TimeOfDay(4, 20)), upkeep.clear_told, deadline_s=300),
    Job("expire_quotes", 3600, upkeep.expire_quotes, deadline_s=300),
    Job("seal_audit", 600, upkeep.seal_audit, deadline_s=900),
    Job("apply_plan_changes", 60, upkeep.apply_plan_changes, deadline_s=300),
    Job("daily_deeds", DEEDS_EVERY_S, daily_deeds, deadline_s=600),
    Job("daily_billing", BILLING_EVERY_S, daily_billing, deadline_s=600),
    Job("asked_billing", ASKED_EVERY_S, asked_billing, deadline_s=600),
    Job("asked_catalogue", CATALOGUE_ASKED_EVERY_S, asked_catalogue, deadline_s=600),
    Job("asked_checks", CHECKS_ASKED_EVERY_S, asked_checks, deadline_s=1800),
    Job("mail_invoices", MAIL_INVOICES_EVERY_S, mail_invoices, deadline_s=300),
    Job("dunning", DUNNING_EVERY_S, dunning, deadline_s=600),
    Job("credit_left", DailyAt(TimeOfDay(4, 40)), credit_left, deadline_s=600),
    Job("commissions", DailyAt(TimeOfDay(5, 0)), commissions, deadline_s=900),
    Job("gateways", GATEWAYS_EVERY_S, gateways, deadline_s=120),
    Job("collect_due", COLLECT_EVERY_S, collect_due, deadline_s=600),
    Job("page_new_invoices", PAGES_EVERY_S, page_new_invoices, deadline_s=300),
    Job("reconcile_gateways", RECONCILE_EVERY_S, reconcile_gateways, deadline_s=600),
    Job("send_messages", SEND_MESSAGES_EVERY_S, send_messages, deadline_s=120),
    Job("mail_password_resets", RESETS_EVERY_S, mail_resets, deadline_s=120),
    Job("clear_access", DailyAt(TimeOfDay(5, 20)), upkeep.clear_access, deadline_s=300),
    Job("read_returned_mail", READ_MAIL_EVERY_S, read_returns, deadline_s=300),
    Job("clear_messages", DailyAt(TimeOfDay(4, 50)), upkeep.clear_messages, deadline_s=300),
    Job("count_quotas", 60, count_quotas, deadline_s=300),
    Job("close_stale_sessions", 30, _close_stale, deadline_s=300),
    Job("network_figures", COUNT_EVERY_S, network_figures, deadline_s=60),
    Job("read_devices", READ_EVERY_S, read_devices, deadline_s=300),
    Job("relay_outbox", HAND_OVER_EVERY_S, relay_outbox, deadline_s=60),
    Job("send_einvoices", EINVOICES_EVERY_S, send_einvoices, deadline_s=300),
    Job("send_webhooks", SEND_EVERY_S, send_webhooks, deadline_s=120),
    Job("tend_list_entries", TEND_EVERY_S, tend_list_entries, deadline_s=300),
)

_WAITS: Final = """
SELECT name, greatest(0, extract(epoch FROM next_at - clock_timestamp()))::float8 FROM scheduled_job WHERE name = ANY (%s)
"""
_MAKE_DUE: Final = (
    "UPDATE scheduled_job SET next_at = clock_timestamp() WHERE name = ANY (%s) RETURNING clock_timestamp()"
)
_ENDED_SINCE: Final = """
SELECT name, failed_at IS NULL FROM scheduled_job WHERE name = ANY (%s) AND greatest(done_at, failed_at) >= %s
"""


def run_worker(
    settings: Settings,
    stop: threading.Event,
    *,
    jobs: tuple[Job, ...] = JOBS,
    leadership: Leadership | None = None,
) -> None:
    """Take part in the leadership, and run jobs as they fall due while leading, until `stop` is set."""
    leadership = leadership or Leadership(settings)
    scheduler = Scheduler(settings, leadership, jobs)
    waking = threading.Thread(target=hear, args=(settings, stop, scheduler.wake), name="wake jobs", daemon=True)
    waking.start()
    try:
        leadership.run(stop, scheduler.turn)
    finally:
        scheduler.stop()
        waking.join(_STOP_WAIT_S)
        leadership.give_back()


class Scheduler:
    """The alarm clock of the leader. `turn()` is called every second, leading or not, by one thread."""

    def __init__(self, settings: Settings, leadership: Leadership, jobs: tuple[Job, ...]) -> None:
        self._settings = settings
        self._leadership = leadership
        self._jobs = {job.name: job for job in jobs}
        self._term: int | None = None
        self._given_up = threading.Event()
        self._lock = threading.Lock()
        self._running: dict[str, tuple[FencedConnection | None, threading.Event]] = {}
        self._not_before: dict[str, float] = {}
        self._woken: set[str] = set()
        # What it has to say is said by us, as JSON.
        logging.getLogger("apscheduler").setLevel(logging.CRITICAL)
        # A run is never too late (misfire_grace_time None); how many were missed makes no difference (coalesce).
        self._alarm = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(THREADS)},
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
            timezone=UTC,
        )
        self._alarm.add_listener(_say_our_fault, EVENT_JOB_ERROR)
        self._alarm.start()

    def turn(self, connection: Connection) -> None:
        """Set the alarms to what the rows say; clear them when another worker leads. Raises: psycopg.Error."""
        token = self._leadership.token()
        if token != self._term:
            self._give_up()
            self._term = token
            if token is not None:
                self._given_up = threading.Event()
                prepare(connection, tuple(self._jobs.values()))
        self._cancel_given_up()
        if token is not None:
            self._set_alarms(connection)

    def wake(self, name: str) -> None:
        """There is something to do for this job: run it now, due or not, or once more when its run has ended.

        May be called by any thread; where another worker leads it does nothing.
        """
        with self._lock:
            if name in self._running:
                self._woken.add(name)
                return
        self._run_soon(name, 0.0)

    def _run_soon(self, name: str, in_s: float) -> None:
        if name not in self._jobs or not self._leadership.is_leader():
            return
        held_s = self._not_before.get(name, 0.0) - elapsed_s()
        at = datetime.now(UTC) + timedelta(seconds=max(in_s, held_s))
        self._alarm.add_job(self._run, DateTrigger(at), args=(self._jobs[name], False), id=name, replace_existing=True)

    def stop(self) -> None:
        """Begin nothing more, give what runs a moment, then cancel it."""
        self._alarm.remove_all_jobs()
        deadline = time.monotonic() + _STOP_WAIT_S
        while self._running and time.monotonic() < deadline:
            time.sleep(_LOOK_S)
        self._give_up()
        while self._running:
            self._cancel_given_up()
            time.sleep(_LOOK_S)
        self._alarm.shutdown()

    def _set_alarms(self, connection: Connection) -> None:
        for name, wait_s in connection.execute(_WAITS, (list(self._jobs),)).fetchall():
            if name in self._running:
                continue
            held_s = self._not_before.get(name, 0.0) - elapsed_s()
            due = datetime.now(UTC) + timedelta(seconds=max(wait_s, held_s))
            alarm = self._alarm.get_job(name)
            if alarm is None or abs((alarm.next_run_time - due).total_seconds()) > _TOLERANCE_S:
                self._alarm.add_job(
                    self._run, DateTrigger(due), args=(self._jobs[name],), id=name, replace_existing=True
                )

    def _give_up(self) -> None:
        """Another worker leads, or this one stops: what runs here could not be committed, and only holds locks."""
        self._given_up.set()
        self._alarm.remove_all_jobs()

    def _cancel_given_up(self) -> None:
        """Cancel what a given-up run has the database do, each time anew: a run that is between two statements hears nothing."""
        with self._lock:
            running = [
                connection for connection, given_up in self._running.values() if connection and given_up.is_set()
            ]
        for connection in running:
            connection.cancel()

    def _run(self, job: Job, due_only: bool = True) -> None:
        given_up = self._given_up
        with self._lock:
            if given_up.is_set():
                return
            self._running[job.name] = (None, given_up)
        try:
            with self._leadership.connect(name=f"worker job {job.name}") as connection:
                self._running[job.name] = (connection, given_up)
                ended = run_job(connection, self._settings, job, given_up=given_up, due_only=due_only)
            if ended is Ended.INTERRUPTED:
                telemetry.logger().info("job.interrupted", job=job.name, reason="this worker no longer leads")
        except LeadershipLostError:
            pass  # before it began; the leader has it in its own table
        except psycopg.Error as error:
            self._not_before[job.name] = elapsed_s() + _AFTER_INTERRUPTION_S
            telemetry.JOB_RUNS.labels(job.name, Ended.INTERRUPTED.value).inc()
            telemetry.logger().warning("job.interrupted", job=job.name, reason=str(error).strip())
        finally:
            with self._lock:
                del self._running[job.name]
                again = job.name in self._woken
                self._woken.discard(job.name)
            if again and not given_up.is_set():
                self._run_soon(job.name, _WOKEN_REST_S)


def _say_our_fault(event: JobExecutionEvent) -> None:
    """A job's own failure is noted in its row; what comes this far is a bug here."""
    telemetry.logger().error("job.our_fault", job=event.job_id, problem=event.traceback)


def run_all_once(settings: Settings, *, jobs: tuple[Job, ...] = JOBS) -> dict[str, bool]:
    """Run every job now, due or not; for each whether it went well. Beside a worker that leads, that one runs them.

    Raises: psycopg.Error when the database does not answer.
    """
    leadership, stop = Leadership(settings), threading.Event()
    with db.connect(settings.conninfo("corrente_worker"), name="worker once", autocommit=True) as connection:
        prepare(connection, jobs)
        thread = threading.Thread(target=leadership.run, args=(stop,), name="lease", daemon=True)
        thread.start()
        try:
            while True:
                if leadership.is_leader():
                    return _run_all(settings, leadership, jobs)
                lease = load_lease(connection)
                if lease.left_s > 0 and lease.holder != leadership.holder:
                    outcomes = _let_run(connection, jobs)
                    if outcomes is not None:
                        return outcomes
                time.sleep(_LOOK_S)
        finally:
            stop.set()
            thread.join(LEASE_S)
            leadership.give_back()


def _run_all(settings: Settings, leadership: Leadership, jobs: tuple[Job, ...]) -> dict[str, bool]:
    outcomes: dict[str, bool] = {}
    for job in jobs:
        with leadership.connect(name=f"worker job {job.name}") as connection:
            outcomes[job.name] = run_job(connection, settings, job, due_only=False) is Ended.DONE
    return outcomes


def _let_run(connection: Connection, jobs: tuple[Job, ...]) -> dict[str, bool] | None:
    """Make all jobs due and wait until the leader has run them; None when there is no leader any more."""
    names = [job.name for job in jobs]
    (asked_at,) = connection.execute(_MAKE_DUE, (names,)).fetchall()[0]
    while load_lease(connection).left_s > 0:
        outcomes: dict[str, bool] = dict(connection.execute(_ENDED_SINCE, (names, asked_at)).fetchall())
        if len(outcomes) == len(names):
            return outcomes
        time.sleep(_LOOK_S)
    return None
