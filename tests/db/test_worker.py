"""The workers' jobs on a real database, as the role they have in production."""

import re
import threading
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
from structlog.testing import capture_logs
from support.edge_process import wait_until
from support.small_isp import make_isp, one

from control_plane import db, telemetry
from control_plane.checks import Verdict, check_jobs
from control_plane.jobs.job import Ended, Job, prepare, run_job
from control_plane.jobs.scheduler import JOBS, Scheduler, run_all_once, run_worker
from control_plane.jobs.upkeep import (
    CLEARED_AT_ONCE,
    clear_enforcements,
    clear_feed,
    clear_history,
    clear_unreadable,
    drop_months,
    make_months,
)
from control_plane.leadership import FencedConnection, Leadership
from control_plane.publishing.change_feed import Behind, Read, load_changes, load_position, open_feed
from control_plane.settings import DatabaseSettings, RetentionSettings, Settings
from web.app import create_app

pytestmark = pytest.mark.db

# Rome is an hour ahead in March until the 29th.
MARCH = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
def settings(cluster, connection):
    connection.execute("ALTER ROLE corrente_worker LOGIN")
    name = one(connection, "SELECT current_database()")
    connection.commit()
    return Settings(
        database=DatabaseSettings(conninfo=cluster.conninfo(name, user="corrente_worker")),
        retention=RetentionSettings(address_history_days=30, change_feed_hours=1),
    )


@pytest.fixture
def worker(settings):
    with db.connect(settings.database.conninfo, name="worker", autocommit=True) as opened:
        yield opened


# --- partitions ------------------------------------------------------------------------------------------------


def partitions(connection, table):
    found = connection.execute(
        "SELECT right(inhrelid::regclass::text, 6) FROM pg_inherits WHERE inhparent = %s::regclass ORDER BY 1", (table,)
    ).fetchall()
    connection.commit()
    return [row[0] for row in found]


def test_partitions_are_made_from_last_month_to_the_month_after_next(worker, settings, connection):
    assert "203108" not in partitions(connection, "usage_day")
    make_months(worker, settings, datetime(2031, 8, 31, 23, tzinfo=UTC))
    made = [month for month in partitions(connection, "usage_day") if month > "203000"]
    assert made == ["203107", "203108", "203109", "203110"]
    make_months(worker, settings, datetime(2031, 8, 31, 23, tzinfo=UTC))


def test_a_partition_is_dropped_when_all_of_it_is_past_the_retention_and_not_before(worker, settings, connection):
    # 30 days before 31 March is the first of March: February is wholly past. A day earlier it is not.
    drop_months(worker, settings, datetime(2026, 3, 30, 12, tzinfo=UTC))
    assert partitions(connection, "address_history")[0] == "202602"
    said = drop_months(worker, settings, datetime(2026, 3, 31, 12, tzinfo=UTC))
    assert said == "dropped address_history_202602"
    assert partitions(connection, "address_history")[0] == "202603"
    assert partitions(connection, "usage_day")[0] == "202512"


def test_a_table_in_use_is_left_for_the_next_time_and_the_others_are_dropped(worker, settings, connection):
    later = datetime(2026, 12, 31, tzinfo=UTC)
    with connection.transaction():
        connection.execute("SELECT count(*) FROM address_history")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            drop_months(worker, settings, later)
    assert partitions(connection, "address_history")[0] == "202512"
    assert partitions(connection, "login_attempt")[0] == "202610"
    drop_months(worker, settings, later)
    assert partitions(connection, "address_history")[0] == "202612"


def test_a_record_without_effect_is_kept_for_its_retention_and_no_longer(worker, settings, connection):
    now = datetime(2026, 3, 31, 12, tzinfo=UTC)
    for octet, at in enumerate((datetime(2026, 3, 1, 12, tzinfo=UTC), datetime(2026, 3, 1, 11, 59, tzinfo=UTC))):
        connection.execute(
            "INSERT INTO unreadable_record (at, node, file, octet, problem, record) VALUES (%s, 'n', 'f', %s, 'no NAS', 'x')",
            (at, octet),
        )
    connection.commit()

    assert clear_unreadable(worker, settings, now) == "cleared 1 records"
    assert one(connection, "SELECT array_agg(octet) FROM unreadable_record") == [0]


def test_changes_that_ended_are_kept_for_their_retention_and_open_ones_for_ever(worker, settings, connection):
    isp = make_isp(connection)
    # enforcement_days is 365.
    for closed_at in (datetime(2025, 3, 31, 12, tzinfo=UTC), datetime(2025, 3, 31, 11, 59, tzinfo=UTC), None):
        number = one(
            connection,
            "INSERT INTO enforcement (session_key, nas_id, account_id, acct_session_id, username, level, reason, disruptive,"
            " method, wanted_at, state, problem, closed_at) VALUES (gen_random_uuid(), %s, 1, 's', 'u', 'none', 'r', true,"
            " 'disconnect', '2025-03-31 11:00+00', %s, 'x', %s) RETURNING id",
            isp.nas,
            "gave_up" if closed_at else "queued",
            closed_at,
        )
        connection.execute(
            "INSERT INTO guard_pass (enforcement_id, account_id, at) VALUES (%s, 1, coalesce(%s, now()))",
            (number, closed_at),
        )
    connection.commit()

    assert clear_enforcements(worker, settings, datetime(2026, 3, 31, 12, tzinfo=UTC)) == "cleared 1 changes"
    assert one(connection, "SELECT array_agg(id ORDER BY id) FROM enforcement") == [1, 3]
    assert one(connection, "SELECT array_agg(enforcement_id ORDER BY 1) FROM guard_pass") == [1, 3]


def test_changes_are_cleared_in_portions_so_that_a_run_cut_short_has_got_further(worker, settings, connection):
    isp = make_isp(connection)
    # A year and a day before; the last one to end is refused, as a run is that its deadline ends.
    connection.execute(
        "INSERT INTO enforcement (session_key, nas_id, acct_session_id, username, level, reason, disruptive, method, wanted_at, state, "
        "problem, closed_at) SELECT gen_random_uuid(), %s, n::text, 'u', 'none', 'r', true, 'coa', '2025-03-10', 'gave_up', 'x', "
        "'2025-03-10'::timestamptz + n * interval '1 second' FROM generate_series(0, %s) AS n",
        (isp.nas, CLEARED_AT_ONCE),
    )
    connection.execute(
        "CREATE FUNCTION cut_short() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'cut short' USING ERRCODE = 'query_canceled'; END $$"
    )
    connection.execute(
        f"CREATE TRIGGER cut_short BEFORE DELETE ON enforcement FOR EACH ROW WHEN (OLD.acct_session_id = '{CLEARED_AT_ONCE}') "
        "EXECUTE FUNCTION cut_short()"
    )
    connection.commit()

    with pytest.raises(psycopg.errors.QueryCanceled):
        clear_enforcements(worker, settings, MARCH + timedelta(days=1))
    assert one(connection, "SELECT count(*) FROM enforcement") == 1
    connection.execute("DROP TRIGGER cut_short ON enforcement")
    connection.commit()
    assert clear_enforcements(worker, settings, MARCH + timedelta(days=1)) == "cleared 1 changes"


def test_how_rows_stood_is_kept_for_its_retention_and_no_longer(worker, settings, connection):
    # history_days is 1095.
    for key, until in enumerate((datetime(2023, 3, 11, 12, tzinfo=UTC), datetime(2023, 3, 11, 11, 59, tzinfo=UTC))):
        connection.execute(
            "INSERT INTO row_history (kind, key, until, content) VALUES ('plan', %s, %s, '{}')", (key, until)
        )
    connection.commit()

    assert clear_history(worker, settings, MARCH) == "cleared 1 rows"
    assert one(connection, "SELECT array_agg(key) FROM row_history") == [0]


def test_history_of_the_last_weeks_is_not_cleared_whatever_the_clock_of_the_caller_says(worker, settings, connection):
    connection.execute(
        "INSERT INTO row_history (kind, key, until, content) VALUES ('plan', 1, now() - interval '27 days', '{}')"
    )
    connection.commit()

    with pytest.raises(psycopg.errors.RestrictViolation, match="row_history_kept"):
        clear_history(worker, settings, datetime.now(UTC) + timedelta(days=1100))
    assert one(connection, "SELECT count(*) FROM row_history") == 1


def test_a_record_over_which_our_code_failed_is_kept_as_long_as_the_session_it_should_have_become(
    worker, settings, connection
):
    now = datetime(2026, 3, 31, 12, tzinfo=UTC)
    # closed_session_days is 365.
    for octet, at in enumerate((datetime(2025, 3, 31, 12, tzinfo=UTC), datetime(2025, 3, 31, 11, 59, tzinfo=UTC))):
        connection.execute(
            "INSERT INTO unreadable_record (at, node, file, octet, kind, problem, record) "
            "VALUES (%s, 'n', 'f', %s, 'our_fault', 'TypeError', 'x')",
            (at, octet),
        )
    connection.commit()

    assert clear_unreadable(worker, settings, now) == "cleared 1 records"
    assert one(connection, "SELECT array_agg(octet) FROM unreadable_record") == [0]


# --- the change feed -------------------------------------------------------------------------------------------


def age_feed(connection):
    """Let what is in the feed now be two hours old."""
    connection.execute("UPDATE change_feed SET at = at - interval '2 hours'")
    connection.commit()


def feed_keys(connection):
    found = [
        row[0] for row in connection.execute("SELECT key FROM change_feed WHERE kind = 'account' ORDER BY xid, id")
    ]
    connection.commit()
    return found


def test_the_feed_is_cleared_by_age_and_who_stands_below_is_told(worker, settings, database, connection):
    isp = make_isp(connection)
    with open_feed(database) as feed:
        with feed.transaction():
            old = load_position(feed)
        connection.execute("UPDATE subscriber_account SET max_sessions = 2 WHERE id = %s", (isp.accounts[0],))
        connection.commit()
        age_feed(connection)
        with feed.transaction():
            recent = load_position(feed)
        connection.execute("UPDATE subscriber_account SET max_sessions = 2 WHERE id = %s", (isp.accounts[1],))
        connection.commit()

        clear_feed(worker, settings, datetime.now(UTC))

        assert set(feed_keys(connection)) == {isp.accounts[1]}
        assert isinstance(load_changes(feed, old), Behind)
        read = load_changes(feed, recent)
        assert isinstance(read, Read)
        assert set(read.changes.accounts) == {isp.accounts[1]}


def test_an_edge_on_a_quiet_network_is_not_left_behind(worker, settings, database, connection):
    """Nothing has changed for longer than the feed is kept, but heartbeats and interims go on."""
    make_isp(connection)
    age_feed(connection)
    with open_feed(database) as feed:
        with feed.transaction():
            position = load_position(feed)
        for _ in range(3):
            connection.execute("SELECT pg_current_xact_id()")
            connection.commit()

        assert clear_feed(worker, settings, datetime.now(UTC)) != "cleared 0 rows"
        assert isinstance(load_changes(feed, position), Read)
        assert clear_feed(worker, settings, datetime.now(UTC)) == "cleared 0 rows"
        assert isinstance(load_changes(feed, position), Read)
    assert feed_keys(connection) == []


def test_clearing_never_passes_a_transaction_that_still_runs(worker, settings, database, connection):
    isp = make_isp(connection)
    with db.connect(database, name="slow") as slow, open_feed(database) as feed:
        slow.execute("UPDATE subscriber_account SET max_sessions = 2 WHERE id = %s", (isp.accounts[0],))
        with feed.transaction():
            position = load_position(feed)
        age_feed(connection)
        clear_feed(worker, settings, datetime.now(UTC))
        slow.commit()
        read = load_changes(feed, position)
        assert isinstance(read, Read)
        assert isp.accounts[0] in read.changes.accounts


def test_two_workers_that_clear_at_once_agree(worker, settings, database, connection):
    make_isp(connection)
    age_feed(connection)
    with db.connect(settings.database.conninfo, name="other", autocommit=True) as other:
        threads = [
            threading.Thread(target=clear_feed, args=(one_of, settings, datetime.now(UTC)))
            for one_of in (worker, other)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=120)
    assert feed_keys(connection) == []
    assert one(connection, "SELECT xid::text::bigint FROM change_horizon") > 0


# --- the scheduler ---------------------------------------------------------------------------------------------


def job_row(connection, name):
    found = connection.execute(
        "SELECT next_at > coalesce(done_at, failed_at), done_at IS NOT NULL, result, problem FROM scheduled_job WHERE name = %s",
        (name,),
    ).fetchone()
    connection.commit()
    return found


def test_every_job_runs_on_an_empty_database_and_says_what_it_did(settings, connection):
    assert run_all_once(settings) == {job.name: True for job in JOBS}
    for job in JOBS:
        due_later, done, result, problem = job_row(connection, job.name)
        assert (due_later, done, problem) == (True, True, "")
        assert result != ""


def test_a_job_that_fails_is_noted_and_the_others_go_on(settings, connection):
    def fail(connection, settings, now):
        with connection.transaction():
            connection.execute("INSERT INTO change_feed (kind, key) VALUES ('account', 77)")
            raise ZeroDivisionError("of all\0 things")

    ran = []
    jobs = (Job("failing", 60, fail, 60), Job("well", 60, lambda *_: ran.append(1) or "done", 60))
    assert run_all_once(settings, jobs=jobs) == {"failing": False, "well": True}
    assert job_row(connection, "failing") == (True, False, "", "ZeroDivisionError: of all things")
    assert job_row(connection, "well") == (True, True, "done", "")
    assert feed_keys(connection) == []

    assert run_all_once(settings, jobs=(Job("failing", 60, lambda *_: "mended", 60),)) == {"failing": True}
    assert job_row(connection, "failing") == (True, True, "mended", "")


def test_a_job_that_is_not_due_is_left(settings, worker, connection):
    runs = []
    job = Job("told", 3600, lambda *given: runs.append(given) or "done", 60)
    prepare(worker, (job,))
    with FencedConnection.open(settings.database.conninfo, name="leader", token=0) as leader:
        assert run_job(leader, settings, job) is Ended.DONE
        assert run_job(leader, settings, job) is Ended.NOT_DUE
        assert run_job(leader, settings, job, due_only=False) is Ended.DONE
    assert len(runs) == 2


def hang(connection, settings, now):
    connection.execute("SELECT pg_sleep(86400)")
    return "never"


def test_a_job_that_hangs_is_ended_at_its_deadline_said_and_tried_again(settings, connection):
    runs = []

    def hang_once(connection, settings, now):
        runs.append(now)
        return hang(connection, settings, now) if len(runs) == 1 else "done"

    jobs = (Job("hanging", 60, hang_once, 0.3), Job("well", 60, lambda *_: "done", 60))
    with capture_logs() as log:
        assert run_all_once(settings, jobs=jobs) == {"hanging": False, "well": True}

    (line,) = [line for line in log if line["event"] == "job.failed"]
    assert (line["job"], line["deadline_s"]) == ("hanging", 0.3)
    assert "its deadline is 0.3 s: QueryCanceled" in line["problem"]
    assert job_row(connection, "hanging")[3] == line["problem"]
    connection.commit()
    (finding,) = [found for found in check_jobs(connection) if found.verdict is Verdict.FAIL]
    assert re.match(r"hanging failed: ended after \d+\.\d", finding.text)
    patient = (Job("hanging", 60, hang_once, 60), jobs[1])
    assert run_all_once(settings, jobs=patient)["hanging"] is True
    connection.commit()
    assert [found.verdict for found in check_jobs(connection)] == [Verdict.OK]


def test_a_job_waits_for_a_lock_for_half_its_deadline(settings, connection):
    def wait_for_the_row(worker, settings, now):
        worker.execute("SELECT FROM change_horizon FOR UPDATE")
        return "done"

    jobs, patient = ((Job("waiting", 60, wait_for_the_row, deadline_s),) for deadline_s in (2.5, 60))
    with connection.transaction():
        connection.execute("SELECT FROM change_horizon FOR UPDATE")
        assert run_all_once(settings, jobs=jobs) == {"waiting": False}
    assert "its deadline is 2.5 s: LockNotAvailable" in job_row(connection, "waiting")[3]
    assert run_all_once(settings, jobs=patient) == {"waiting": True}


def test_a_job_past_its_deadline_is_shown_while_it_runs_and_counted_when_it_has_ended(settings, connection):
    entered, let_go = threading.Event(), threading.Event()

    def of_many_statements(*_):
        entered.set()
        assert let_go.wait(timeout=120)
        return "done"

    jobs = (Job("long", 60, of_many_statements, 0.2),)
    thread = threading.Thread(target=run_all_once, args=(settings,), kwargs={"jobs": jobs})
    counted = telemetry.JOB_OVERRUNS.labels("long")._value.get()
    thread.start()
    try:
        assert entered.wait(timeout=120)
        connection.commit()
        wait_until(lambda: any(found.verdict is Verdict.FAIL for found in check_jobs(connection)))
        (finding,) = list(check_jobs(connection))
        assert finding.text.startswith("long began ")
        assert finding.text.endswith("its deadline is 0.2 s")
        connection.commit()
        asked = create_app(settings).test_client().get("/metrics").text
        assert "corrente_jobs_over_deadline 1.0" in asked
    finally:
        let_go.set()
        thread.join(timeout=120)
    assert telemetry.JOB_OVERRUNS.labels("long")._value.get() == counted + 1
    connection.commit()
    assert [(found.verdict, found.text.split()[1]) for found in check_jobs(connection)] == [(Verdict.WARN, "took")]


def test_jobs_that_nobody_runs_are_said(settings, connection):
    (finding,) = check_jobs(connection)
    assert (finding.verdict, finding.text) == (Verdict.WARN, "no worker runs them: none has ever run")
    run_all_once(settings, jobs=(Job("told", 60, lambda *_: "done", 60),))
    connection.execute("UPDATE scheduled_job SET next_at = now() - interval '601 seconds'")
    (finding,) = check_jobs(connection)
    assert finding.verdict is Verdict.WARN
    assert re.fullmatch(r"no worker runs them: one has waited for [67]\d\d s", finding.text)


def test_a_job_that_is_woken_runs_before_its_time(settings, connection):
    runs, stop = [], threading.Event()
    jobs = (Job("gateways", 3600, lambda *_: runs.append(1) or "done", 60),)
    # It listens, and its first run is over.
    ready = """
    SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'corrente worker wake' AND starts_with(query, 'LISTEN'))
        AND EXISTS (SELECT FROM scheduled_job WHERE done_at IS NOT NULL)
    """

    def is_ready():
        found = one(connection, ready)
        connection.commit()
        return found

    thread = threading.Thread(target=run_worker, args=(settings, stop), kwargs={"jobs": jobs})
    thread.start()
    try:
        assert wait_until(is_ready)
        connection.execute("NOTIFY corrente_gateway_notice")
        connection.commit()
        assert wait_until(lambda: len(runs) == 2)
    finally:
        stop.set()
        thread.join(timeout=120)
    assert not thread.is_alive()


def test_a_job_that_is_woken_while_it_runs_runs_once_more(settings, connection):
    runs, stop = [], threading.Event()

    def record(*_):
        runs.append(1)
        if len(runs) == 1:
            scheduler.wake("told")
            scheduler.wake("told")
        return "done"

    leadership = Leadership(settings)
    scheduler = Scheduler(settings, leadership, (Job("told", 3600, record, 60),))
    thread = threading.Thread(target=leadership.run, args=(stop, scheduler.turn))
    thread.start()
    try:
        assert wait_until(lambda: len(runs) == 2, seconds=120)
    finally:
        stop.set()
        thread.join(timeout=120)
        scheduler.stop()
        leadership.give_back()
    assert len(runs) == 2


def test_a_worker_waits_for_a_database_that_is_away_and_goes_on(settings, connection):
    ran, stop = threading.Event(), threading.Event()
    jobs = (Job("told", 0.01, lambda *_: ran.set() or "done", 60),)
    thread = threading.Thread(target=run_worker, args=(settings, stop), kwargs={"jobs": jobs})
    thread.start()
    try:
        assert ran.wait(timeout=120)
        ended = connection.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE 'corrente worker%'"
        ).fetchone()
        connection.commit()
        assert ended != (0,)
        ran.clear()
        assert wait_until(ran.is_set)
    finally:
        stop.set()
        thread.join(timeout=120)
    assert not thread.is_alive()


def test_dates_of_the_feed_and_of_partitions_need_no_luck(worker, settings, connection):
    """The jobs of a whole year, day by day, keep exactly what the retention says."""
    for month in range(1, 13):
        now = datetime(2026, month, 28, 12, tzinfo=UTC)
        make_months(worker, settings, now)
        drop_months(worker, settings, now)
        kept = partitions(connection, "address_history")
        assert f"{now:%Y%m}" in kept
        assert kept[0] >= f"{date(2026, month, 1):%Y%m}" or kept[0] == (
            f"2026{month - 1:02d}" if month > 1 else "202512"
        )
