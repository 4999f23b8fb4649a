"""The year of bills behind the demo: made by the billing run, stopped and begun again, sound to the cent."""

import threading
from collections import Counter
from datetime import UTC, date, datetime, time
from decimal import Decimal

import psycopg
import pytest
from support.collected import make_collector
from support.debtors import the_pass

from billing.commissions import Cause
from billing.money import Money
from billing.store.audit import seal_day, verify
from billing.store.bank_files import load_queue
from billing.store.cash import load_sessions
from billing.store.checks.catalogue import check_books, find_in
from billing.store.commissions import load_earned, load_settlements
from billing.store.holding_back import load_disputes, load_exclusions, load_plans
from billing.store.promises import load_promise_list
from control_plane import db
from control_plane.machine.demo import load_demo
from control_plane.machine.demo_debts import LATE_PAYERS, begin_dunning, late_payers
from control_plane.machine.demo_field import find_collector
from control_plane.machine.demo_office import set_the_office
from control_plane.machine.demo_year import bill_the_year
from control_plane.machine.live_figures import load_books_figures
from radius_hooks.sealing import Sealer

pytestmark = pytest.mark.db
TODAY = date(2026, 11, 21)
# As many as make all that the year has: public bodies, ends, other plans, instalments.
CUSTOMERS = 160
WRITTEN = (
    "SELECT label, kind::text, document_date, customer_id, net, tax, gross, customer_data::text FROM document ORDER BY 1, 2",
    "SELECT i.contract_id, i.product_id, h.kind::text, h.during, h.net FROM charge h JOIN contract_item i ON i.id = h.item_id ORDER BY 1, 2, 3, 4, 5",
    "SELECT customer_id, account_id, sum(amount) FROM posting GROUP BY 1, 2 ORDER BY 1, 2",
)


def fill(conninfo):
    with db.connect(conninfo, name="test") as connection:
        load_demo(connection, Sealer([bytes(range(32))]), today=TODAY, customers=CUSTOMERS)


def bill(conninfo, tell=lambda done, of: None, stop=None):
    def connect():
        return db.connect(conninfo, name="demo year", autocommit=True)

    return bill_the_year(connect, stop=stop or threading.Event(), tell=tell)


def written(conninfo):
    with db.connect(conninfo, name="test") as connection:
        return [connection.execute(query).fetchall() for query in WRITTEN]


@pytest.fixture(scope="module")
def billed(module_database):
    """The demo with its year, made in one go."""
    fill(module_database)
    assert bill(module_database)
    return module_database


def test_a_year_has_all_that_an_operator_sees(billed):
    with db.connect(billed, name="test") as connection:
        months = connection.execute(
            "SELECT run_date, state::text, (SELECT count(*) FROM document WHERE run_id = r.id),"
            " (SELECT count(*) FROM billing_error WHERE run_id = r.id) FROM billing_run r ORDER BY 1"
        ).fetchall()
        assert [row[0] for row in months] == [date(2025, 12, 1), *(date(2026, month, 1) for month in range(1, 12))]
        assert {(state, errors) for _, state, _, errors in months} == {("done", 0)}
        assert all(100 < made < CUSTOMERS for _, _, made, _ in months)
        (manual, notes, split, parts, changes, ended, raised, promoted) = connection.execute(
            "SELECT (SELECT count(*) FROM document WHERE kind = 'invoice' AND run_id IS NULL), (SELECT count(*) FROM document WHERE kind = 'credit_note'),"
            " (SELECT count(*) FROM document_tax WHERE liability = 'split'), (SELECT count(*) FROM charge WHERE kind = 'instalment'),"
            " (SELECT count(*) FROM contract_event WHERE event = 'plan_changed'), (SELECT count(*) FROM contract_event WHERE status_after = 'ended'),"
            " (SELECT count(*) FROM contract_event WHERE event = 'price_change'), (SELECT count(*) FROM charge WHERE discounted > 0)"
        ).fetchone()
        # Who tries the demo meanwhile, and records a payment of one of them, waits for no more than these.
        assert connection.execute(
            "SELECT count(*) FROM payment GROUP BY made_at ORDER BY 1 DESC LIMIT 1"
        ).fetchone() == (20,)
        assert manual == 12 * 6
        assert notes == 12 * 4
        assert min(split, parts, changes, ended, raised, promoted) > 0, (split, parts, changes, ended, raised, promoted)
        # Who has ended paid up to the day, and nothing after it.
        assert connection.execute(
            "SELECT count(*) FROM charge h JOIN contract_item i ON i.id = h.item_id JOIN contract c ON c.id = i.contract_id"
            " WHERE c.status = 'ended' AND upper(h.during) > c.ends_on AND h.kind = 'period'"
        ).fetchone() == (0,)


def test_the_books_and_the_audit_log_are_sound(billed):
    with db.connect(billed, name="test") as connection:
        assert [f"{one.check} {one.subject}: {one.message}" for one in check_books(connection)] == []
    with db.connect(billed, name="test") as connection:
        # A day is sealed when it is over: all of it moves to yesterday, and is not kept there.
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute("UPDATE audit_log SET at = at - interval '1 day'")
        seal_day(connection, connection.execute("SELECT max(at)::date FROM audit_log").fetchone()[0])
        report = verify(connection)
        connection.rollback()
        assert (report.findings, report.days) == ([], 1)
        figures = load_books_figures(connection, today=TODAY)
        sold = connection.execute(
            "SELECT sum(CASE kind WHEN 'credit_note' THEN -net ELSE net END) FROM document WHERE document_date BETWEEN '2026-10-01' AND '2026-10-31'"
        ).fetchone()[0]
        count = connection.execute("SELECT count(*) FROM document").fetchone()[0]
    assert (figures.customers, figures.documents, figures.month) == (CUSTOMERS, count, date(2026, 10, 1))
    assert figures.turnover == (("EUR", sold),)


class WhenSomeHavePaid(threading.Event):
    """Set as soon as there is a payment."""

    def __init__(self, connection):
        super().__init__()
        self.connection = connection

    def is_set(self):
        return self.connection.execute("SELECT FROM payment LIMIT 1").rowcount == 1


def test_stopped_and_cut_off_it_goes_on_to_the_same_documents(billed, database):
    fill(database)
    with db.connect(database, name="test", autocommit=True) as looking:
        # Among those who pay in the second month: they don't pay twice, nor does the rest pay never.
        assert not bill(database, stop=WhenSomeHavePaid(looking))
        paid = (
            "SELECT (SELECT count(*) FROM payment), (SELECT count(*) FROM audit_log WHERE action = 'demo.month_billed')"
        )
        assert looking.execute(paid).fetchone() == (20, 1)
    stop = threading.Event()
    assert not bill(database, tell=lambda done, of: stop.set() if done == 2 else None, stop=stop)

    def cut(done, of):
        if done == 6:
            with db.connect(database, name="test", autocommit=True) as admin:
                admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'corrente demo year' AND datname = current_database()"
                )

    with pytest.raises(psycopg.OperationalError):
        bill(database, tell=cut)
    seen = []
    assert bill(database, tell=lambda done, of: seen.append((done, of)))
    assert seen == [(done, 12) for done in range(6, 12)]
    assert written(database) == written(billed)
    assert bill(database, tell=lambda done, of: pytest.fail("nothing was left"))


def test_most_pay_and_the_late_payers_are_on_notice_until_dunning_walls_them_off(billed):
    morning = datetime.combine(TODAY, time(10), UTC)
    with db.connect(billed, name="test") as connection:
        late = late_payers(connection, TODAY)
        restricted = {
            number
            for (number,) in connection.execute(
                "SELECT c.customer_id FROM restriction r JOIN contract c ON c.id = r.contract_id WHERE r.origin = 'dunning' AND r.lifted_at IS NULL"
            )
        }
        # On 21 November what is of October is due since the sixteenth; what is of November falls due later.
        owing = {
            number
            for (number,) in connection.execute(
                "SELECT DISTINCT o.customer_id FROM open_document o JOIN document d ON d.id = o.document_id WHERE o.open > 0 AND d.document_date < '2026-11-01'"
            )
        }
        assert owing - restricted == {one.customer_id for one in late}
        assert len(late) == LATE_PAYERS

        assert begin_dunning(connection, 1, morning)
        assert not begin_dunning(connection, 1, morning)
        # Four months old, and more than forty days since the notice came.
        the_pass(connection, morning)
        walled = dict(
            connection.execute(
                "SELECT contract_id, level::text FROM restriction WHERE run_id IS NOT NULL AND lifted_at IS NULL AND held_since IS NULL"
            ).fetchall()
        )
        assert walled == {one.contract_id: "walled" for one in late}
        connection.rollback()


def test_the_office_has_something_on_every_desk_and_its_books_are_sound(billed):
    """What is promised, 4711 and so on are made up; what must hold is that each list of the command line shows something, once."""
    morning = datetime.combine(TODAY, time(10), UTC)
    with db.connect(billed, name="test") as connection:
        assert not set_the_office(connection, 1, morning, TODAY), "nobody is pursued yet"
        begin_dunning(connection, 1, morning)
        assert set_the_office(connection, 1, morning, TODAY)
        assert not set_the_office(connection, 1, morning, TODAY)
        assert list(find_in(connection)) == []

        sessions = load_sessions(connection)
        assert [(one.collector, one.closed_on, one.difference and one.difference.amount) for one in sessions] == [
            ("Pedro Sanz", None, None),
            ("Carla Neri", None, None),
            ("Carla Neri", date(2026, 11, 20), Decimal("-2.00")),
        ]
        (settlement,) = load_settlements(connection)
        assert settlement.amount.minor > 0
        # What the bank sent back of a contract that she brought is hers no more.
        assert any(row.earned.cause is Cause.WITHDRAWN and row.settlement is None for row in load_earned(connection, 1))
        lines = {
            one: len(load_queue(connection, limit=99, state=one))
            for one in ("recorded", "waiting", "returned", "ignored")
        }
        assert lines == {"recorded": 7, "waiting": 3, "returned": 1, "ignored": 1}
        assert connection.execute("SELECT count(*) FROM payment_reversal WHERE fee_item_id IS NOT NULL").fetchone() == (
            1,
        )
        states = connection.execute("SELECT channel = 'email', state::text FROM message ORDER BY 1, 2").fetchall()
        assert Counter(states)[True, "sent"] == 4
        assert Counter(states)[True, "failed"] == 1
        assert Counter(states)[False, "sent"] == LATE_PAYERS
        promises = load_promise_list(connection, customer_id=None, to_review=False, only_open=False, limit=9)
        assert [(one.promise.state, one.proof_id is not None) for one in promises][-2:] == [
            ("broken", False),
            ("kept", False),
        ]
        assert len(load_disputes(connection, closed=False, limit=9)) == 1
        assert len(load_plans(connection, ended=False, limit=9)) == 1
        assert len(load_exclusions(connection, ended=False, today=TODAY, limit=9)) == 1
        connection.rollback()


def test_who_pays_a_collector_is_found_one_on_a_connection_that_commits_each_statement(billed):
    with db.connect(billed, name="test", autocommit=True) as connection:
        customer = late_payers(connection, TODAY)[0].customer_id
        assert find_collector(connection, customer, Money(5000, "EUR")) is None
        with connection.transaction():
            carla = make_collector(connection, 1)
        assert find_collector(connection, customer, Money(5000, "EUR")).id == carla
