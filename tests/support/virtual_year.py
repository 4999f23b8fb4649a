"""A year of a virtual operator, night by night: what the jobs do, undisturbed or killed, and all that they wrote.

Next: tests/support/year_watch.py
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from support.billing_process import in_process
from support.billing_world import what_is_written
from support.virtual_clock import install_clock, set_clock
from support.virtual_office import make_till
from support.virtual_operator import FIRST, LAST, ZONE, Operator, Staff, make_operator
from support.virtual_till import Till

from billing.operations.daily_deeds import deeds_due
from billing.runs.billing_run import issue_run
from billing.runs.preview import prepare_run
from billing.store.acting import acting
from billing.store.due_work import Scope
from billing.store.runs import RunState, confirm_run, find_run, load_run
from control_plane import db
from control_plane.jobs.commissions import commissions
from control_plane.jobs.credit_left import credit_left
from control_plane.jobs.dunning import dunning
from control_plane.settings import GuardSettings, Settings

Connect = Callable[[], AbstractContextManager[psycopg.Connection[Any]]]
# A night's jobs have some dozens to some hundreds of round trips to the database; they die at one of the first of them.
_ROUND_TRIPS = 220
# The guard's own share of lines is another test's.
_SETTINGS = Settings(guard=GuardSettings(never_less_than=1000))
_EVENTS = """
SELECT contract_id, event, effective_on, status_before, status_after, actor FROM contract_event ORDER BY contract_id, id
"""
_NOTICES = "SELECT contract_id, kind, due_on FROM contract_notice ORDER BY 1, 2, 3"
_OUTBOX = """
SELECT o.event, o.contract_id, d.label, o.payload ->> 'customer', o.payload ->> 'step' FROM outbox AS o LEFT JOIN document AS d ON d.id = (o.payload ->> 'document')::bigint ORDER BY 1, 2, 3, 4, 5
"""
# Payments are written by day, when nobody is killed: their own numbers are the same.
_SETTLED = """
SELECT d.label, b.label, a.payment_id, a.write_off_id, a.amount, a.withdraws_id IS NULL FROM allocation AS a JOIN document AS d ON d.id = a.invoice_id LEFT JOIN document AS b ON b.id = a.credit_note_id
ORDER BY d.id, a.id
"""
_PAYMENTS = """
SELECT p.id, p.source, p.reference, p.customer_id, p.amount, p.value_on, p.made_at, v.dated, v.reason, m.customer_id, r.label, s.collector_id FROM payment AS p
    LEFT JOIN payment_reversal AS v ON v.payment_id = p.id LEFT JOIN payment_match AS m ON m.payment_id = p.id LEFT JOIN receipt AS r ON r.payment_id = p.id LEFT JOIN cash_session AS s ON s.id = r.session_id ORDER BY p.id
"""
_LIMITS = "SELECT contract_id, origin, level, since, lifted_at, lifted_by, run_id IS NULL FROM restriction ORDER BY contract_id, origin, since, level"
_CASES = """
SELECT c.customer_id, c.opened_at, c.cleared_at, s.step, s.ran_at, s.contracts, s.reason, f.sent_at, f.amount, f.delivered_at FROM dunning_case AS c LEFT JOIN dunning_case_step AS s ON s.case_id = c.id
    LEFT JOIN formal_notice AS f ON f.case_id = c.id AND f.step = s.step ORDER BY 1, 2, 5, 4
"""
_PROMISES = """
SELECT c.customer_id, p.amount, p.made_at, p.until, p.respite_until, p.state, p.ended_at, p.reviewed FROM promise AS p JOIN dunning_case AS c ON c.id = p.case_id ORDER BY p.id
"""
_MESSAGES = "SELECT customer_id, template, count(*) FROM message GROUP BY 1, 2 ORDER BY 1, 2"
_SESSIONS = "SELECT id, collector_id, opening, opened_at, closed_on, expected, counted FROM cash_session ORDER BY id"
_EARNED = """
SELECT c.contract_id, c.rule_id, d.label, c.cause, c.base, c.amount, c.earned_on, s.label FROM commission AS c LEFT JOIN document AS d ON d.id = c.invoice_id
    LEFT JOIN agent_settlement_line AS l ON l.commission_id = c.id LEFT JOIN agent_settlement AS s ON s.id = l.settlement_id ORDER BY 1, 2, 3, 7, 4, 6, 5, 8
"""
_WRITTEN = {
    "contract_event": _EVENTS,
    "contract_notice": _NOTICES,
    "outbox": _OUTBOX,
    "allocation": _SETTLED,
    "payment": _PAYMENTS,
    "restriction": _LIMITS,
    "dunning_case": _CASES,
    "promise": _PROMISES,
    "message": _MESSAGES,
    "cash_session": _SESSIONS,
    "commission": _EARNED,
}


def nights() -> Iterator[date]:
    """Each day of the year, by its morning's jobs."""
    for number in range((LAST - FIRST).days + 1):
        yield FIRST + timedelta(days=number)


def moment(day: date, clock: time) -> datetime:
    """What the clock on the operator's wall shows on a day."""
    return datetime.combine(day, clock, ZoneInfo(ZONE))


def pursue(connection: psycopg.Connection[Any], at: datetime) -> None:
    """The job of dunning, at that moment by the database's clock too."""
    set_clock(connection, at)
    told = dunning(connection, _SETTINGS, at)
    assert "could not be dealt with" not in told, told


def night(connect: Connect, issuer: int, day: date) -> None:
    """What the jobs of a night do; done twice, the second finds nothing."""
    at = moment(day, time(0, 5))
    with connect() as connection:
        pursue(connection, at)
        passed = deeds_due(connection, day, issuer_id=issuer, zone=ZONE)
        assert not passed.problems, passed.problems
        run = find_run(connection, issuer, day, Scope())
        if run is None or run.state is RunState.PREPARED:
            run = prepare_run(connection, issuer, run_date=day, scope=Scope(), by="job billing")
            with connection.transaction():
                acting(connection, "job billing")
                confirm_run(connection, run.id, by="job billing")
        confirmed = load_run(connection, run.id)
        assert confirmed is not None
    tally = issue_run(connect, confirmed, made_by="job billing", workers=1)
    assert not tally.failures, tally.failures
    with connect() as connection:
        credit_left(connection, _SETTINGS, at)
        if day.weekday() == 0:
            # Each night finds what it finds; a settlement works out what is missing.
            commissions(connection, _SETTINGS, at)


@dataclass
class Year:
    """A year that goes on night by night."""

    conninfo: str
    operator: Operator
    kills: random.Random | None = None
    killed: int = 0

    def connect(self) -> psycopg.Connection[Any]:
        """As the jobs connect."""
        return db.connect(self.conninfo, name="test year", autocommit=True)

    def days(self, at_midnight: Callable[[date], object] = bool) -> Iterator[date]:
        """Plays each day: `at_midnight` looks, then its night's jobs, then, after the caller has looked, its staff's work."""
        with db.connect(self.conninfo, name="test staff") as connection, self.connect() as jobs:
            staff, till = Staff(connection, self.operator), Till(connection, self.operator)
            hours = random.Random(3)
            for day in nights():
                set_clock(jobs, moment(day, time(0)))
                at_midnight(day)
                if self.kills is not None:
                    self._kill_once(day)
                if (day - FIRST).days in (0, 2, 5, 10, 20) or day.day == 1:
                    # As PostgreSQL does by itself within minutes, which are months here.
                    jobs.execute("ANALYZE")
                night(lambda: nullcontext(jobs), self.operator.isp.issuer, day)
                yield day
                pursue(jobs, moment(day, time(9)))
                now = moment(day, time(hours.randrange(9, 16), hours.randrange(1, 60)))
                set_clock(jobs, now)
                staff.work(day)
                till.work(day, now)
                pursue(jobs, moment(day, time(16, 55)))

    def _kill_once(self, day: date) -> None:
        assert self.kills is not None
        issuer, conninfo = self.operator.isp.issuer, self.conninfo

        def work(connect_to: Callable[[str], psycopg.Connection[Any]]) -> None:
            night(lambda: connect_to(conninfo), issuer, day)

        self.killed += in_process(work, die_after=self.kills.randrange(_ROUND_TRIPS))


def begin_year(conninfo: str, *, kills: int | None = None) -> Year:
    """A year before its first night, in an empty database; with a seed for `kills` each night is killed once."""
    with db.connect(conninfo, name="test") as connection:
        install_clock(connection)
    with db.connect(conninfo, name="test") as connection:
        set_clock(connection, moment(FIRST, time(0)))
        operator = make_operator(connection)
        make_till(connection, operator.isp)
    return Year(conninfo, operator, None if kills is None else random.Random(kills))


def all_that_was_written(conninfo: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row that a year left, told without ids that depend on what was tried in vain, and without the clock's time."""
    told = what_is_written(conninfo)
    with db.connect(conninfo, name="test", autocommit=True) as connection:
        for name, statement in _WRITTEN.items():
            told[name] = connection.execute(statement).fetchall()
    # Entries without a document have no number that is the same whatever was tried in vain.
    told["posting"].sort(key=repr)
    return told
