"""Who leads among workers: by the database's clock, one at a time, and what an old leader may no longer write."""

import re
import signal
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from support.edge_process import ROOT, wait_until
from support.own_postgres import own_postgres, start_again
from support.small_isp import one
from support.worker_process import running_worker

from control_plane import db
from control_plane.checks import Verdict, check_leader
from control_plane.jobs.job import DailyAt, Job
from control_plane.jobs.scheduler import run_all_once, run_worker
from control_plane.leadership import LEASE_S, RENEW_EVERY_S, FencedConnection, Leadership, LeadershipLostError
from control_plane.machine.private_postgres import stop_cluster
from control_plane.pulse import elapsed_s
from control_plane.settings import DatabaseSettings, Settings
from control_plane.store.lease import give_back_lease, load_lease, lock_fence, take_lease

pytestmark = pytest.mark.db

# The promise for a leader that is killed.
TAKE_OVER_MAX_S = 10.0


@pytest.fixture
def conninfo(cluster, connection):
    connection.execute("ALTER ROLE corrente_worker LOGIN")
    name = one(connection, "SELECT current_database()")
    connection.commit()
    return cluster.conninfo(name, user="corrente_worker")


@pytest.fixture
def admin(database):
    with db.connect(database, name="test", autocommit=True) as opened:
        yield opened


@pytest.fixture
def settings(conninfo):
    return Settings(database=DatabaseSettings(conninfo=conninfo))


def make_due(admin, name):
    """Make a job due; when it was last done before."""
    return admin.execute(
        "UPDATE scheduled_job SET next_at = clock_timestamp() WHERE name = %s RETURNING done_at", (name,)
    ).fetchone()[0]


def done_at(admin, name):
    return admin.execute("SELECT done_at FROM scheduled_job WHERE name = %s", (name,)).fetchone()[0]


def leader(admin, *workers):
    """The one of them that the database says leads, once one does."""
    by_pid = {str(worker.process.pid): worker for worker in workers}

    def found():
        lease = load_lease(admin)
        return by_pid.get(lease.holder.split(":")[1]) if lease.left_s > 0 and lease.holder else None

    return wait_until(found, what="a leader")


# --- the lease ---------------------------------------------------------------------------------------------------


def test_a_lease_is_one_holders_until_its_end_and_the_token_grows_with_each_other_holder(admin):
    assert take_lease(admin, holder="a", lease_s=60) == 1
    assert take_lease(admin, holder="b", lease_s=60) is None
    assert take_lease(admin, holder="a", lease_s=600) == 1
    lease = load_lease(admin)
    assert (lease.holder, lease.token) == ("a", 1)
    assert 60 < lease.left_s <= 600
    assert take_lease(admin, holder="a", lease_s=0.2) == 1
    assert wait_until(lambda: take_lease(admin, holder="b", lease_s=60)) == 2
    assert take_lease(admin, holder="a", lease_s=60) is None
    assert not give_back_lease(admin, holder="a")
    assert give_back_lease(admin, holder="b")
    assert load_lease(admin).left_s <= 0
    assert take_lease(admin, holder="a", lease_s=60) == 3


def test_a_lease_that_ran_out_and_that_nobody_took_goes_on_with_its_token(admin):
    assert take_lease(admin, holder="a", lease_s=0) == 1
    assert take_lease(admin, holder="a", lease_s=60) == 1


def test_of_many_that_ask_at_once_one_gets_the_lease(database):
    got, start = [], threading.Barrier(8)

    def ask(number):
        with db.connect(database, name=f"asking {number}", autocommit=True) as connection:
            start.wait(timeout=120)
            got.append(take_lease(connection, holder=f"h{number}", lease_s=60))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert sorted(got, key=str) == [1] + [None] * 7


def test_the_check_says_who_leads_and_for_how_long_nobody_has(admin):
    assert (check_leader(admin).verdict, check_leader(admin).text) == (Verdict.WARN, "no worker has led yet")
    take_lease(admin, holder="bras-1:4711:0a0b", lease_s=60)
    found = check_leader(admin)
    assert found.verdict is Verdict.OK
    assert found.text.startswith("process 4711 on bras-1 since 20")
    assert found.text.endswith(" UTC, token 1")
    admin.execute("UPDATE scheduler_lease SET until = now() - interval '100 seconds'")
    found = check_leader(admin)
    assert found.verdict is Verdict.FAIL
    assert re.fullmatch(r"none for 1\d\d s; the last was process 4711 on bras-1", found.text)


# --- the fence ---------------------------------------------------------------------------------------------------


def note(connection, key):
    connection.execute("INSERT INTO change_feed (kind, key) VALUES ('account', %s)", (key,))


def noted(admin):
    return [row[0] for row in admin.execute("SELECT key FROM change_feed ORDER BY key")]


def test_a_transaction_that_an_old_leader_began_while_it_led_does_not_commit_after_the_change(conninfo, admin):
    token = take_lease(admin, holder="old", lease_s=0)
    with FencedConnection.open(conninfo, name="old leader", token=token) as old:

        def write_while_another_takes_the_lease():
            with old.transaction():
                note(old, 1)
                assert take_lease(admin, holder="new", lease_s=60) == token + 1

        with pytest.raises(LeadershipLostError):
            write_while_another_takes_the_lease()
        with pytest.raises(LeadershipLostError):
            note(old, 2)
        with pytest.raises(LeadershipLostError), old.transaction(), old.transaction():
            note(old, 3)
        # It may read, and what it rolls back by itself is its own affair.
        assert one(old, "SELECT count(*) FROM change_feed") == 0
        with old.transaction() as opened:
            note(old, 4)
            raise psycopg.Rollback(opened)
    with FencedConnection.open(conninfo, name="new leader", token=token + 1) as new:
        note(new, 5)
        with new.transaction():
            note(new, 6)
    assert noted(admin) == [5, 6]


def test_a_leader_whose_comparison_was_made_commits_first_and_the_next_one_begins_after_it(conninfo, database, admin):
    token = take_lease(admin, holder="old", lease_s=0)
    compared, commit = threading.Event(), threading.Event()

    class Slow(FencedConnection):
        """Pauses between its comparison and its commit."""

        def execute(self, *arguments, **named):
            found = super().execute(*arguments, **named)
            if "scheduler_fence" in str(arguments[0]):
                compared.set()
                assert commit.wait(timeout=120)
            return found

    def write():
        with Slow.open(conninfo, name="old leader", token=token) as old, old.transaction():
            note(old, 1)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert compared.wait(timeout=120)
        admin.execute("SET lock_timeout = '300ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            take_lease(admin, holder="new", lease_s=60)
    finally:
        commit.set()
        writer.join(timeout=120)
    assert noted(admin) == [1]
    assert take_lease(admin, holder="new", lease_s=60) == token + 1


def test_a_leader_that_is_stopped_before_its_commit_holds_up_its_successor_for_seconds_only(conninfo, admin):
    token = take_lease(admin, holder="old", lease_s=0)
    with FencedConnection.open(conninfo, name="old leader", token=token) as old:

        def pause_before_the_commit():
            with old.transaction():
                note(old, 1)
                assert lock_fence(old, token=token)
                # It waits for the old one's lock, which nobody but PostgreSQL lets go.
                assert take_lease(admin, holder="new", lease_s=60) == token + 1

        with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
            pause_before_the_commit()
    assert noted(admin) == []


def test_a_renewal_neither_waits_for_a_transaction_of_the_leader_nor_breaks_a_repeatable_read_one(conninfo, admin):
    token = take_lease(admin, holder="one", lease_s=60)
    with FencedConnection.open(conninfo, name="leader", token=token) as connection:
        with connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            note(connection, 1)
            assert take_lease(admin, holder="one", lease_s=60) == token
        with connection.transaction():
            note(connection, 2)
            connection.execute("SELECT FROM scheduler_fence FOR SHARE")
            assert take_lease(admin, holder="one", lease_s=60) == token
    assert noted(admin) == [1, 2]


def test_who_does_not_lead_gets_no_connection_and_a_leader_believes_it_no_longer_than_the_lease(settings, admin):
    take_lease(admin, holder="other", lease_s=60)
    ours = Leadership(settings)
    assert not ours.is_leader()
    with pytest.raises(LeadershipLostError):
        ours.connect(name="test")
    give_back_lease(admin, holder="other")
    asked_at = elapsed_s()
    ours._turn(admin)
    told_at = elapsed_s()
    assert ours.is_leader()
    ours.connect(name="test").close()
    # Nothing is heard of the database any more. Each look lies between two readings of the clock.
    while (before := elapsed_s()) and ours.is_leader():
        assert before <= told_at + LEASE_S
        time.sleep(0.01)
    assert elapsed_s() >= asked_at + LEASE_S


# --- jobs --------------------------------------------------------------------------------------------------------


def test_a_job_missed_many_times_is_made_up_once(settings, admin):
    ran, stop = [], threading.Event()
    jobs = (
        Job("each_hour", 3600, lambda *given: ran.append("each_hour") or "done", 60),
        Job("each_day", DailyAt(datetime.now(UTC).time()), lambda *given: ran.append("each_day") or "done", 60),
    )
    for job in jobs:
        admin.execute(
            "INSERT INTO scheduled_job (name, next_at) VALUES (%s, now() - interval '3 days')",
            (job.name,),
        )
    worker = threading.Thread(target=run_worker, args=(settings, stop), kwargs={"jobs": jobs})
    worker.start()
    try:
        wait_until(lambda: len(ran) == 2)
        turns = one(admin, "SELECT until FROM scheduler_lease")
        wait_until(lambda: one(admin, "SELECT until FROM scheduler_lease") > turns + timedelta(seconds=3))
    finally:
        stop.set()
        worker.join(timeout=120)
    assert sorted(ran) == ["each_day", "each_hour"]
    assert one(admin, "SELECT bool_and(next_at > now()) FROM scheduled_job") is True


def test_all_jobs_once_beside_a_leader_are_run_by_the_leader(settings, admin):
    ran, stop = [], threading.Event()
    jobs = (Job("hourly", 3600, lambda *given: ran.append("the leader") or "done", 60),)
    beside = (Job("hourly", 3600, lambda *given: ran.append("the other") or "done", 60),)
    worker = threading.Thread(target=run_worker, args=(settings, stop), kwargs={"jobs": jobs})
    worker.start()
    try:
        wait_until(lambda: ran)
        assert run_all_once(settings, jobs=beside) == {"hourly": True}
    finally:
        stop.set()
        worker.join(timeout=120)
    assert ran == ["the leader", "the leader"]
    assert run_all_once(settings, jobs=beside) == {"hourly": True}
    assert ran[-1] == "the other"


# --- processes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_a_second_worker_takes_over_when_the_lease_of_the_first_is_over(tmp_path, database, admin, number):
    with running_worker(tmp_path / "a", database) as a, running_worker(tmp_path / "b", database) as b:
        first = leader(admin, a, b)
        second = b if first is a else a
        second.wait_for("worker.started")
        before = load_lease(admin)
        # Nobody renews it any more; the second looks every second.
        assert before.left_s + RENEW_EVERY_S < TAKE_OVER_MAX_S
        first.signal(number)
        try:
            wait_until(lambda: load_lease(admin).token == before.token + 1)
            due = make_due(admin, "make_months")
            wait_until(lambda: done_at(admin, "make_months") != due)
            assert leader(admin, second) is second
        finally:
            if number is signal.SIGSTOP:
                first.signal(signal.SIGCONT)
        if number is signal.SIGSTOP:
            first.wait_for("leader.ended")
            assert first.stop() == 0
            assert load_lease(admin).token == before.token + 1
        else:
            first.process.wait(timeout=120)


def test_a_leader_that_is_stopped_within_a_job_leaves_it_to_the_next_one_and_notes_nothing(tmp_path, database, admin):
    def clear_feed(column):
        return admin.execute(f"SELECT {column} FROM scheduled_job WHERE name = 'clear_feed'").fetchone()[0]

    with running_worker(tmp_path / "a", database) as a, running_worker(tmp_path / "b", database) as b:
        first = leader(admin, a, b)
        second = b if first is a else a
        second.wait_for("worker.started")
        wait_until(lambda: one(admin, "SELECT count(*) > 1 AND bool_and(done_at IS NOT NULL) FROM scheduled_job"))
        token = load_lease(admin).token
        with db.connect(database, name="holding") as holding:
            # The job waits for this row.
            holding.execute("SELECT FROM change_horizon FOR UPDATE")
            done_before = make_due(admin, "clear_feed")
            begun = wait_until(lambda: clear_feed("started_at"))
            first.signal(signal.SIGSTOP)
            try:
                wait_until(lambda: load_lease(admin).token == token + 1)
                wait_until(lambda: clear_feed("started_at") > begun)
            finally:
                first.signal(signal.SIGCONT)
            first.wait_for("job.interrupted")
            assert clear_feed("done_at") == done_before
        wait_until(lambda: clear_feed("done_at") != done_before)
        assert clear_feed("problem") == ""
        assert [worker.said("job.failed") for worker in (first, second)] == [[], []]


def test_a_leader_that_is_asked_to_end_hands_over_at_once(tmp_path, database, admin):
    with running_worker(tmp_path / "a", database) as a:
        leader(admin, a)
        with running_worker(tmp_path / "b", database) as b:
            b.wait_for("worker.started")
            before = load_lease(admin)
            assert a.stop() == 0
            left = load_lease(admin)
            # Its lease is over already, or the other one has one.
            assert left.left_s <= 0 or left.token > before.token
            assert leader(admin, b) is b


@pytest.mark.parametrize("off_s", [3600, -3600])
def test_a_clock_an_hour_off_neither_breaks_the_lease_nor_the_times_of_jobs(tmp_path, database, admin, off_s):
    wrong = (sys.executable, str(ROOT / "tests/support/wrong_clock.py"), str(off_s))
    with (
        running_worker(tmp_path / "right", database) as right,
        running_worker(tmp_path / "wrong", database, command=wrong) as off,
    ):
        assert abs(datetime.fromisoformat(off.wait_for("worker.started")["timestamp"]).timestamp() - time.time()) > 3000
        right.wait_for("worker.started")
        leader(admin, right, off)
        before = load_lease(admin)
        until = one(admin, "SELECT clock_timestamp()") + timedelta(seconds=2 * LEASE_S)
        wait_until(lambda: one(admin, "SELECT clock_timestamp()") > until)
        now = load_lease(admin)
        assert (now.holder, now.token, now.left_s > 0) == (before.holder, before.token, True)

        if leader(admin, right, off) is right:
            assert right.stop() == 0
            assert leader(admin, off) is off
        wait_until(lambda: done_at(admin, "count_quotas"))
        for _ in range(2):
            due = make_due(admin, "count_quotas")
            wait_until(lambda before=due: done_at(admin, "count_quotas") != before)
        # Every minute, of the database's clock, from the end of the last run on.
        assert (
            55
            < one(
                admin,
                "SELECT extract(epoch FROM next_at - done_at)::float8 FROM scheduled_job WHERE name = 'count_quotas'",
            )
            < 65
        )
        assert one(admin, "SELECT max(next_at) < now() + interval '25 hours' FROM scheduled_job") is True


@pytest.fixture
def own_cluster():
    """A PostgreSQL of this test alone, to be stopped and put back."""
    with own_postgres() as made:
        yield made


def test_postgresql_restarted_finds_a_leader_again_and_the_job_it_interrupted_is_made_up(tmp_path, own_cluster):
    conninfo = own_cluster.conninfo("corrente")
    with running_worker(tmp_path / "a", conninfo) as a, running_worker(tmp_path / "b", conninfo) as b:
        holding, looking = (db.connect(conninfo, name=name, autocommit=True) for name in ("holding", "looking"))
        leader(looking, a, b)
        wait_until(lambda: one(looking, "SELECT count(*) > 1 AND bool_and(done_at IS NOT NULL) FROM scheduled_job"))
        # The job waits for this row when the server goes.
        holding.execute("BEGIN")
        holding.execute("SELECT FROM change_horizon FOR UPDATE")
        before = make_due(looking, "clear_feed")
        wait_until(lambda: one(looking, "SELECT started_at IS NOT NULL FROM scheduled_job WHERE name = 'clear_feed'"))
        stop_cluster(own_cluster, mode="immediate")
        holding.close()
        looking.close()
        a.wait_for("worker.database_away")
        start_again(own_cluster)
        with db.connect(conninfo, name="test", autocommit=True) as admin:
            leader(admin, a, b)
            wait_until(lambda: done_at(admin, "clear_feed") != before, seconds=20)
            wait_until(lambda: one(admin, "SELECT bool_and(next_at > now() AND started_at IS NULL) FROM scheduled_job"))
