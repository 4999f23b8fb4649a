"""What the network follows when something is done to a contract: by the real change feed, in the deed's own transaction."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import psycopg
import pytest
from support.books_isp import make_books
from support.desired_keeper import keeping, worker_settings
from support.edge_process import wait_until
from support.small_isp import SEALED, one

from billing.contract_facts import Level, Origin
from billing.deeds import ChangeAt, Changed, ChangePlan, Lift, Lifter, Pause, ReachEnd, Reopen, Restrict, ScheduleEnd
from billing.operations.doing import do_deed
from billing.store.acting import acting
from control_plane.jobs.contract_deeds import daily_deeds
from control_plane.policy import policy_source
from control_plane.policy.rendering import Rendering, build_account_record
from control_plane.publishing.change_feed import load_changes, load_position, open_feed
from control_plane.settings import Settings
from nas_drivers.dictionaries.reader import load_dictionary
from radius_hooks.decision import step_at

pytestmark = pytest.mark.db
ROME = ZoneInfo("Europe/Rome")
TODAY = datetime.now(UTC).astimezone(ROME).date()
TABLES = "contract contract_terms plan_change contract_item billing_position charge restriction billing_stop relief contract_event change_feed outbox audit_log instalment discount"


class Network:
    """A contract with two accounts, a second plan, and what the worker wants for them."""

    def __init__(self, connection):
        self.db = connection
        self.isp = make_books(connection, starts_on=TODAY - timedelta(days=5))
        self.contract = self.isp.contracts[0]
        acting(connection, "maria")
        self.fast_profile = one(
            connection,
            "INSERT INTO profile (name, rate_down_bps, rate_up_bps) VALUES ('fast', 500000000, 100000000) RETURNING id",
        )
        self.fast = one(
            connection,
            "INSERT INTO plan (name, profile_id, throttle_profile_id, walled_profile_id) VALUES ('fast', %s, %s, %s) RETURNING id",
            *[self.fast_profile] * 3,
        )
        product = one(
            connection,
            "INSERT INTO product (name, kind, plan_id, family, tax_code_id) VALUES ('fast', 'plan', %s, 'access', %s) RETURNING id",
            *(self.fast, next(iter(self.isp.tax_codes.values()))),
        )
        connection.execute(
            "INSERT INTO price (product_id, currency, unit_price, during) VALUES (%s, 'EUR', 44.90, '[2020-01-01,)')",
            (product,),
        )
        self.accounts = [
            row[0]
            for row in connection.execute(
                f"INSERT INTO subscriber_account (contract_id, username, sealed_secret) SELECT %s, name, {SEALED} FROM unnest('{{anna,anna-shop}}'::text[]) AS name RETURNING id",
                (self.contract,),
            )
        ]
        self.plain = one(connection, "SELECT profile_id FROM plan WHERE id = %s", self.isp.plan)
        connection.commit()

    def do(self, *deeds, today=TODAY):
        for deed in deeds:
            outcome = do_deed(self.db, self.contract, deed, today=today, actor="maria", reason="a test")
            assert isinstance(outcome, Changed), outcome
        self.db.commit()

    def desired(self):
        rows = self.db.execute(
            "SELECT level::text, profile_id FROM desired_policy WHERE account_id = ANY (%s) ORDER BY account_id",
            (self.accounts,),
        ).fetchall()
        self.db.commit()
        return rows

    def comes_to(self, level, profile=None):
        wait_until(lambda: self.desired() == [(level, profile)] * 2, what=f"{level} for both accounts")


@pytest.fixture
def network(connection):
    return Network(connection)


@pytest.fixture
def kept(network, cluster, connection):
    with keeping(worker_settings(cluster, connection)):
        network.comes_to("full", network.plain)
        yield network


def test_the_worker_follows_a_plan_a_pause_an_end_and_a_reopening_for_all_accounts_of_the_contract(kept):
    kept.do(ChangePlan(kept.fast))
    kept.comes_to("full", kept.fast_profile)
    kept.do(Pause(TODAY, TODAY + timedelta(days=5)))
    kept.comes_to("blocked")
    kept.do(Lift(Origin.CUSTOMER_PAUSE, Lifter.CUSTOMER))
    kept.comes_to("full", kept.fast_profile)
    kept.do(Restrict(Origin.ABUSE, Level.BLOCKED))
    kept.comes_to("blocked")
    kept.do(Lift(Origin.ABUSE, Lifter.OPERATOR))
    kept.do(ScheduleEnd(TODAY), ReachEnd())
    kept.comes_to("none")
    # The plan of the day on which it ended never began.
    kept.do(Reopen(TODAY))
    kept.comes_to("full", kept.plain)


def test_dated_deeds_hold_from_their_minute_with_nobody_touching_a_row(network, cluster):
    change, pause, back, end = (TODAY + timedelta(days=days) for days in (10, 20, 25, 40))
    network.do(ChangePlan(network.fast, ChangeAt.DATE, change), Pause(pause, back), ScheduleEnd(end))

    steps = _steps(network)

    def at(day, minutes):
        moment = datetime(day.year, day.month, day.day, tzinfo=ROME) + timedelta(minutes=minutes)
        step = step_at(steps, moment.timestamp())
        return step.level.name.lower(), step.profile_id

    full, fast = ("full", network.plain), ("full", network.fast_profile)
    assert [at(change, -1), at(change, 0)] == [full, fast]
    assert [at(pause, -1), at(pause, 0)] == [fast, ("blocked", 0)]
    assert [at(back, -1), at(back, 0)] == [("blocked", 0), fast]
    assert [at(end, -1), at(end, 0)] == [fast, ("none", 0)]


def _steps(network):
    """What the edge publishes for the first account, from now on."""
    rendering = Rendering(load_dictionary(Settings().radius.freeradius_dictionary), ROME, datetime.now(UTC))
    (row,) = policy_source.load_accounts(network.db, ids=network.accounts[:1])
    return build_account_record(row, rendering).steps


def test_a_deed_and_what_tells_the_network_are_one_commit(network, database):
    with open_feed(database) as feed:
        with feed.transaction():
            start = load_position(feed)
        outcome = do_deed(network.db, network.contract, ChangePlan(network.fast), today=TODAY, actor="maria")
        assert isinstance(outcome, Changed)
        before = load_changes(feed, start)
        assert list(before.changes.accounts) == []

        network.db.commit()

        assert sorted(load_changes(feed, before.position).changes.accounts) == network.accounts


class Killed(psycopg.Cursor):
    """Its server process is ended before the statement of a number."""

    left = 0
    admin: psycopg.Connection

    def execute(self, *given, **more):
        type(self).left -= 1
        if type(self).left == 0:
            self.admin.execute("SELECT pg_terminate_backend(%s, 5000)", (self.connection.info.backend_pid,))
        return super().execute(*given, **more)


def _all(admin):
    return {
        table: admin.execute(
            f"SELECT md5(coalesce(string_agg(t::text, ',' ORDER BY t::text), '')) FROM {table} t"
        ).fetchone()
        for table in TABLES.split()
    }


@pytest.mark.parametrize(
    "deeds",
    [
        [ChangePlan(2)],
        [ScheduleEnd(TODAY), ReachEnd()],
        [Pause(TODAY, TODAY + timedelta(days=5)), Lift(Origin.CUSTOMER_PAUSE, Lifter.CUSTOMER)],
    ],
    ids=["plan", "end", "pause"],
)
def test_killed_before_any_of_its_statements_a_deed_leaves_everything_as_it_was(network, database, deeds):
    if deeds == [ChangePlan(2)]:
        deeds = [ChangePlan(network.fast)]
    started = TODAY - timedelta(days=5)
    acting(network.db, "job billing")
    network.db.execute(
        "INSERT INTO charge (item_id, kind, during, units, of, full_price, net, currency, due_on, made_by)"
        " SELECT %(item)s, 'period', daterange(%(start)s, (%(start)s + interval '1 month')::date), n, n, 29.90, 29.90, 'EUR', %(start)s, 'job billing'"
        " FROM (SELECT (%(start)s + interval '1 month')::date - %(start)s AS n) AS days",
        {"item": network.isp.items[0], "start": started},
    )
    network.db.commit()
    statements = 0
    with psycopg.connect(database, autocommit=True) as admin:
        before = _all(admin)
        Killed.admin = admin
        while True:
            statements += 1
            Killed.left = statements
            with psycopg.connect(database, cursor_factory=Killed) as doomed:
                try:
                    for deed in deeds:
                        outcome = do_deed(doomed, network.contract, deed, today=TODAY, actor="maria")
                        assert isinstance(outcome, Changed), outcome
                except psycopg.OperationalError:
                    doomed.close()
                    assert _all(admin) == before, statements
                    continue
                doomed.rollback()
                break
    # As many as there are, and not one or two.
    assert statements > 15


def test_the_workers_job_does_what_is_due_as_the_workers_role(network, cluster):
    network.do(ScheduleEnd(TODAY))
    settings = worker_settings(cluster, network.db)
    with psycopg.connect(settings.database.conninfo, autocommit=True) as worker:
        said = daily_deeds(worker, settings, datetime.now(UTC))
        assert said == "did 1 deeds, applied 0 plans, wrote 0 notices"
        assert daily_deeds(worker, settings, datetime.now(UTC)) == "did 0 deeds, applied 0 plans, wrote 0 notices"

    assert one(network.db, "SELECT status::text FROM contract WHERE id = %s", network.contract) == "ended"
    assert one(network.db, "SELECT actor FROM contract_event ORDER BY id DESC LIMIT 1") == "job daily_deeds"
