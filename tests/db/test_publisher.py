"""The policy store follows the database: an edge in one process, a reader in another, PostgreSQL in a third."""

import multiprocessing
import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec.structs import replace
from support.edge_process import EdgeProcess, running_edge, wait_until
from support.looking import look_as_freeradius
from support.small_isp import SEALED, make_isp, one
from support.store_process import reader_process

from control_plane import db
from radius_hooks.policy_store import FORMAT, Level, PolicyStep, PolicyWriter, ReplyItem, StoreMeta

pytestmark = pytest.mark.db


@pytest.fixture
def isp(connection):
    return make_isp(connection)


@pytest.fixture
def conninfo(cluster, connection, isp):
    """The edge comes as the role it has in production."""
    connection.execute("ALTER ROLE corrente_edge LOGIN")
    name = one(connection, "SELECT current_database()")
    connection.commit()
    return cluster.conninfo(name, user="corrente_edge")


@pytest.fixture
def edge(tmp_path, conninfo):
    with running_edge(tmp_path / "edge", conninfo) as started:
        started.wait_for("policy.rebuilt")
        yield started


@pytest.fixture
def store(edge):
    with reader_process(edge.store) as opened:
        yield opened


def change(connection, statement, *arguments):
    """Commit one statement."""
    connection.execute(statement, arguments)
    connection.commit()


def level(store, username):
    record = store.account(username)
    return record and record.steps[0].level


def test_the_first_start_builds_the_whole_store(store, isp):
    record = store.account("user0002")
    assert (record.account_id, record.contract_id) == (isp.accounts[1], isp.contracts[1])
    assert record.steps == (PolicyStep(0, Level.FULL, "full", isp.full),)
    assert record.sealed_secret == b"\xab" * 40
    assert store.account("user0004") is None
    nas = store.nas("192.0.2.1")
    assert (nas.nas_id, nas.vendor, nas.sealed_secret) == (isp.nas, "mikrotik", b"\xab" * 40)
    assert store.nas("192.0.2.2") is None
    assert ReplyItem("Mikrotik-Rate-Limit", ":=", "20M/100M", "string") in store.profile(isp.full, "mikrotik").reply
    assert store.profile(isp.full, "generic") is None
    assert store.meta().accounts == 3


def test_what_is_made_changed_renamed_and_deleted_follows(store, isp, connection):
    change(
        connection,
        f"INSERT INTO subscriber_account (contract_id, username, sealed_secret) VALUES (%s, 'nuova@isp', {SEALED})",
        isp.contracts[0],
    )
    wait_until(lambda: store.account("nuova@isp"))
    change(
        connection,
        "INSERT INTO account_prefix (account_id, kind, prefix) VALUES (%s, 'framed_ipv4', '203.0.113.9/32')",
        isp.accounts[0],
    )
    wait_until(lambda: store.account("user0001").reply)
    assert store.account("user0001").reply == (ReplyItem("Framed-IP-Address", ":=", "203.0.113.9", "ipaddr"),)

    change(connection, "UPDATE subscriber_account SET username = 'renamed' WHERE username = 'user0001'")
    wait_until(lambda: store.account("renamed"))
    assert store.account("user0001") is None
    change(connection, "DELETE FROM subscriber_account WHERE username = 'user0002'")
    wait_until(lambda: store.account("user0002") is None)
    assert store.account("user0003") is not None
    wait_until(lambda: store.meta().accounts == 3)


def test_two_accounts_that_exchange_their_names_keep_their_own_records(store, isp, connection):
    for old, new in (("user0001", "aside"), ("user0002", "user0001"), ("aside", "user0002")):
        connection.execute("UPDATE subscriber_account SET username = %s WHERE username = %s", (new, old))
    connection.commit()

    wait_until(lambda: store.account("user0001").account_id == isp.accounts[1])
    assert store.account("user0002").account_id == isp.accounts[0]
    assert store.account("aside") is None


def test_status_restriction_relief_and_quota_become_steps(store, isp, connection):
    contract = isp.contracts[0]
    change(
        connection,
        "INSERT INTO restriction (contract_id, origin, level, reason, placed_by) VALUES (%s, 'dunning', 'walled', 'unpaid', 'x')",
        contract,
    )
    wait_until(lambda: level(store, "user0001") is Level.WALLED)
    assert store.account("user0001").steps[0].profile_id == isp.walled

    until = one(connection, "SELECT date_trunc('second', now()) + interval '2 days'")
    change(
        connection,
        "INSERT INTO relief (contract_id, during, reason, granted_by) VALUES (%s, tstzrange(now() - interval '1 s', %s), 'promise', 'x')",
        contract,
        until,
    )
    wait_until(lambda: level(store, "user0001") is Level.FULL)
    assert [(step.until, step.level) for step in store.account("user0001").steps] == [
        (int(until.timestamp()), Level.FULL),
        (0, Level.WALLED),
    ]

    change(connection, "UPDATE restriction SET lifted_at = now() + interval '1 s', lifted_by = 'x'")
    wait_until(lambda: len(store.account("user0001").steps) == 1)
    change(
        connection,
        "UPDATE subscriber_account SET quota_exhausted_until = now() + interval '1 day' WHERE id = %s",
        isp.accounts[0],
    )
    wait_until(lambda: store.account("user0001").steps[0].reason == "quota_used_up")
    change(connection, "UPDATE contract SET status = 'ended', ends_on = '2026-01-02' WHERE id = %s", contract)
    wait_until(lambda: level(store, "user0001") is Level.NONE)
    assert level(store, "user0002") is Level.FULL


def test_a_transaction_held_open_is_neither_waited_for_nor_skipped(store, isp, database, connection):
    with db.connect(database, name="slow") as slow:
        slow.execute("UPDATE subscriber_account SET max_sessions = 7 WHERE username = 'user0001'")
        change(connection, "UPDATE subscriber_account SET max_sessions = 8 WHERE username = 'user0002'")
        wait_until(lambda: store.account("user0002").max_sessions == 8)
        change(connection, "UPDATE subscriber_account SET max_sessions = 9 WHERE username = 'user0003'")
        wait_until(lambda: store.account("user0003").max_sessions == 9)
        assert store.account("user0001").max_sessions == 1
        slow.commit()
    wait_until(lambda: store.account("user0001").max_sessions == 7)


def test_editing_a_profile_changes_its_revision_and_no_account(store, isp, connection):
    before, account = store.profile(isp.full, "mikrotik"), store.account("user0001")
    change(connection, "UPDATE profile SET rate_down_bps = 200000000 WHERE id = %s", isp.full)

    after = wait_until(lambda: (found := store.profile(isp.full, "mikrotik")) != before and found)
    assert after.revision != before.revision
    assert ReplyItem("Mikrotik-Rate-Limit", ":=", "20M/200M", "string") in after.reply
    assert store.profile(isp.throttle, "mikrotik").revision != after.revision
    assert store.account("user0001") == account


def test_a_plan_with_another_profile_moves_all_its_accounts(store, isp, connection):
    change(connection, "UPDATE plan SET profile_id = throttle_profile_id")
    for number in (1, 2, 3):
        wait_until(lambda number=number: store.account(f"user000{number}").steps[0].profile_id == isp.throttle)


def test_a_nas_comes_moves_and_goes_and_a_vendor_first_seen_gets_its_profiles(store, isp, connection):
    change(
        connection,
        f"INSERT INTO nas (name, source, vendor, sealed_secret) VALUES ('group', '198.51.100.0/24', 'accel_ppp', {SEALED})",
    )
    wait_until(lambda: store.nas("198.51.100.77"))
    assert store.profile(isp.full, "accel_ppp").reply != ()
    change(connection, "UPDATE nas SET source = '198.51.101.0/24' WHERE name = 'group'")
    wait_until(lambda: store.nas("198.51.101.77"))
    assert store.nas("198.51.100.77") is None
    change(connection, "UPDATE nas SET enabled = false WHERE name = 'group'")
    wait_until(lambda: store.nas("198.51.101.77") is None)
    assert store.profile(isp.full, "accel_ppp") is None
    assert store.nas("192.0.2.1").nas_id == isp.nas


def test_live_sessions_are_published_when_the_feed_names_their_account(store, isp, connection):
    connection.execute(
        "INSERT INTO session (session_key, nas_id, acct_session_id, username, account_id, class_key, started_at, updated_at,"
        " received_at, session_time_s, octets_in, octets_out, counter_in, counter_out, addresses_since, mac, line)"
        " VALUES (gen_random_uuid(), %s, 'a1', 'user0001', %s, '00112233-4455-6677-8899-aabbccddeeff', now(), now(), now(),"
        " 0, 0, 0, 0, 0, now(), 'aabbccddeeff', 'ge-0')",
        (isp.nas, isp.accounts[0]),
    )
    change(connection, "INSERT INTO change_feed (kind, key) VALUES ('session', %s)", isp.accounts[0])
    (live,) = wait_until(lambda: store.sessions(isp.accounts[0]))
    assert (live.session_key.hex(), live.nas_id, live.mac) == (
        "00112233445566778899aabbccddeeff",
        isp.nas,
        "aabbccddeeff",
    )

    connection.execute("DELETE FROM session")
    change(connection, "INSERT INTO change_feed (kind, key) VALUES ('session', %s)", isp.accounts[0])
    wait_until(lambda: store.sessions(isp.accounts[0]) == ())


def test_what_cannot_be_rendered_is_withheld_and_named_and_the_rest_goes_on(edge, store, isp, connection):
    own = '[{"reply": [["Nobody-Knows-This", ":=", "1"]]}]'
    change(connection, "UPDATE subscriber_account SET own_attributes = %s WHERE username = 'user0001'", own)
    fault = edge.wait_for("policy.not_rendered")
    assert (fault["kind"], fault["name"]) == ("account", "user0001")
    assert "Nobody-Knows-This" in fault["problem"]
    wait_until(lambda: store.account("user0001").steps[0].profile_id == 0)

    change(connection, "UPDATE subscriber_account SET max_sessions = 4 WHERE username = 'user0002'")
    wait_until(lambda: store.account("user0002").max_sessions == 4)
    change(connection, "UPDATE subscriber_account SET own_attributes = '[]' WHERE username = 'user0001'")
    wait_until(lambda: store.account("user0001").steps[0].profile_id == isp.full)
    edge.wait_for("policy.rendered_again")


def test_a_nas_of_a_vendor_without_a_file_is_published_and_named(edge, store, connection):
    change(
        connection,
        f"INSERT INTO nas (name, source, vendor, sealed_secret) VALUES ('odd', '192.0.2.50', 'nosuch', {SEALED})",
    )
    wait_until(lambda: store.nas("192.0.2.50"))
    assert edge.wait_for("policy.not_rendered")["name"] == "odd"


def test_the_store_says_about_every_second_that_it_was_compared(store):
    first = store.checked_at()
    second = wait_until(lambda: (now := store.checked_at()) > first and now)
    wait_until(lambda: store.checked_at() > second)


def test_the_store_says_up_to_when_accounting_has_been_read_by_the_slowest_node_that_lives(store, connection):
    def say(node, read_to, updated_at):
        connection.execute(
            "INSERT INTO spool_node (node, read_to, updated_at) VALUES (%s, to_timestamp(%s), now() - %s * interval '1 minute')",
            (node, read_to, updated_at),
        )
        connection.commit()

    def told(read_to):
        wait_until(lambda: store.meta().accounting_read_to == read_to)

    told(0)
    say("gone", 1000, 60)
    told(1000)
    say("behind", 2000, 0)
    say("prompt", 3000, 0)
    told(2000)


def test_a_second_edge_on_the_same_store_is_refused_and_told_who_has_it(edge, conninfo):
    second = EdgeProcess(edge.directory, conninfo)
    assert second.process.wait(timeout=120) == 1
    assert f"another edge (process {edge.process.pid}) publishes to {edge.store}" in second.log.read_text()


# --- starting again -------------------------------------------------------------------------------------------


def test_a_restart_goes_on_from_its_position_without_building_anew(tmp_path, conninfo, connection, isp):
    with running_edge(tmp_path / "edge", conninfo) as edge:
        edge.wait_for("policy.rebuilt")
    change(connection, "UPDATE subscriber_account SET max_sessions = 5 WHERE username = 'user0001'")
    with running_edge(tmp_path / "edge", conninfo) as edge, reader_process(edge.store) as store:
        wait_until(lambda: store.account("user0001").max_sessions == 5)
        assert edge.said("policy.rebuild") == []


def test_a_restart_says_profiles_anew_in_the_words_of_this_release_and_its_settings(
    tmp_path, conninfo, connection, isp
):
    with running_edge(tmp_path / "edge", conninfo) as edge:
        edge.wait_for("policy.rebuilt")
        with reader_process(edge.store) as store:
            said = store.profile(isp.full, "mikrotik")
    writer = PolicyWriter(edge.store)
    writer.open_current()
    with writer.batch() as batch:
        batch.put_profile(isp.full, "mikrotik", replace(said, reply=()))
    writer.close()

    with running_edge(tmp_path / "edge", conninfo) as edge, reader_process(edge.store) as store:
        wait_until(lambda: store.profile(isp.full, "mikrotik") == said)


def put_meta(directory: Path, **changes):
    """Write into a store's account of itself, from outside."""
    writer = PolicyWriter(directory)
    meta = writer.open_current()
    fields = {name: getattr(meta, name) for name in meta.__struct_fields__}
    with writer.batch() as batch:
        batch.put_meta(StoreMeta(**{**fields, **changes}))
    writer.close()


@dataclass(frozen=True)
class Spoilt:
    changes: dict[str, object]
    reason: str


@pytest.mark.parametrize(
    "spoilt",
    [
        Spoilt({"format": FORMAT + 1}, "there is no store of this format"),
        Spoilt({"position": "99999999:99999999:"}, "it was restored"),
        Spoilt({"system": "1/00000001/5"}, "the store was made from database 1/00000001/5"),
        Spoilt({"position": "3:3:"}, "the change feed has been cleared"),
    ],
    ids=lambda spoilt: next(iter(spoilt.changes)),
)
def test_a_store_that_cannot_be_followed_from_is_built_anew(tmp_path, conninfo, connection, isp, spoilt):
    with running_edge(tmp_path / "edge", conninfo) as edge:
        edge.wait_for("policy.rebuilt")
    put_meta(edge.store, **spoilt.changes)
    connection.execute("UPDATE change_horizon SET xid = '4'")
    change(connection, "UPDATE subscriber_account SET max_sessions = 6 WHERE username = 'user0003'")

    with running_edge(tmp_path / "edge", conninfo) as edge, reader_process(edge.store) as store:
        edge.wait_for("policy.rebuilt")
        assert spoilt.reason in edge.said("policy.rebuild")[0]["reason"]
        assert store.account("user0003").max_sessions == 6
        assert store.meta().format == FORMAT


def overwrite(data):
    data.write_bytes(b"\0" * 100_000)


def cut(data):
    """What is read beyond the end of a mapped file ends the reader."""
    os.truncate(data, data.stat().st_size // 2)


@pytest.mark.parametrize("damage", [overwrite, cut])
def test_a_store_that_is_damaged_is_built_anew(tmp_path, conninfo, damage):
    with running_edge(tmp_path / "edge", conninfo) as edge:
        edge.wait_for("policy.rebuilt")
    damage(next(edge.store.glob("gen-*/data.mdb")))
    with running_edge(tmp_path / "edge", conninfo) as edge, reader_process(edge.store) as store:
        edge.wait_for("policy.rebuilt")
        assert store.account("user0001") is not None


def test_a_reader_is_answered_all_the_time_while_the_store_is_built_anew(edge, connection):
    context = multiprocessing.get_context("spawn")
    started, stop, results = context.Event(), context.Event(), context.Queue()
    process = context.Process(target=look_as_freeradius, args=(edge.store, started, stop, results))
    process.start()
    try:
        assert started.wait(timeout=120)
        for times in (2, 3, 4):
            change(connection, "UPDATE change_horizon SET xid = (pg_current_xact_id()::text::bigint + 1)::text::xid8")
            edge.wait_for("policy.rebuilt", times=times)
    finally:
        stop.set()
        problems, generations = results.get(timeout=120)
        process.join(timeout=120)
    assert problems == 0
    assert generations >= 3


# --- bulk ------------------------------------------------------------------------------------------------------

BULK = 20_000


@pytest.fixture
def many(connection, isp):
    """Twenty thousand more accounts, all on the first contract."""
    connection.execute(
        f"INSERT INTO subscriber_account (contract_id, username, sealed_secret) SELECT %s, 'bulk' || n, {SEALED} FROM generate_series(1, {BULK}) n",
        (isp.contracts[0],),
    )
    connection.commit()


def changed_in_bulk(store, sessions):
    """How many of a sample of the bulk have that many sessions."""
    sample = range(1, BULK, BULK // 50)
    return [store.account(f"bulk{number}").max_sessions for number in sample].count(sessions)


def test_a_small_change_passes_by_a_bulk_one(tmp_path, conninfo, connection, many):
    with running_edge(tmp_path / "edge", conninfo) as edge, reader_process(edge.store) as store:
        edge.wait_for("policy.rebuilt")
        change(connection, "UPDATE subscriber_account SET max_sessions = 9 WHERE username LIKE 'bulk%%'")
        wait_until(lambda: changed_in_bulk(store, 9))
        change(connection, "UPDATE subscriber_account SET max_sessions = 3 WHERE username = 'user0002'")
        wait_until(lambda: store.account("user0002").max_sessions == 3)
        assert changed_in_bulk(store, 9) < 50
        wait_until(lambda: changed_in_bulk(store, 9) == 50)


def test_killed_in_the_middle_of_a_bulk_change_the_next_start_completes_it(tmp_path, conninfo, connection, many):
    with running_edge(tmp_path / "edge", conninfo) as edge, reader_process(edge.store) as store:
        edge.wait_for("policy.rebuilt")
        change(connection, "UPDATE subscriber_account SET max_sessions = 9 WHERE username LIKE 'bulk%%'")
        wait_until(lambda: changed_in_bulk(store, 9))
        edge.kill()
        done = changed_in_bulk(store, 9)
        assert 0 < done < 50

    change(connection, "DELETE FROM subscriber_account WHERE username = 'user0003'")
    with running_edge(tmp_path / "edge", conninfo) as edge, reader_process(edge.store) as store:
        wait_until(lambda: changed_in_bulk(store, 9) == 50)
        wait_until(lambda: store.account("user0003") is None)
        assert edge.said("policy.rebuild") == []


def test_killed_while_building_the_next_start_builds_again(tmp_path, conninfo, connection, many):
    with running_edge(tmp_path / "edge", conninfo) as edge:
        wait_until(lambda: list(edge.store.glob("gen-*/data.mdb")))
        edge.kill()
    assert not (edge.store / "current").exists()
    with running_edge(tmp_path / "edge", conninfo) as edge, reader_process(edge.store) as store:
        edge.wait_for("policy.rebuilt")
        assert changed_in_bulk(store, 1) == 50
        assert len(list(edge.store.glob("gen-*"))) == 1


def test_the_hours_of_a_plan_are_steps_and_a_plan_change_to_come_too(store, isp, connection):
    night = one(connection, "INSERT INTO profile (name) VALUES ('night') RETURNING id")
    change(
        connection,
        "INSERT INTO plan_window (plan_id, begins, ends, profile_id) VALUES (%s, '22:00', '06:00', %s)",
        isp.plan,
        night,
    )
    wait_until(lambda: len(store.account("user0003").steps) > 4)
    assert {step.profile_id for step in store.account("user0003").steps} == {isp.full, night}
    plan = one(
        connection,
        "INSERT INTO plan (name, profile_id, throttle_profile_id, walled_profile_id) VALUES ('big', %s, %s, %s) RETURNING id",
        night,
        isp.throttle,
        isp.walled,
    )
    change(
        connection,
        "INSERT INTO plan_change (contract_id, plan_id, effective_on, placed_by) VALUES (%s, %s, current_date + 10, 'x')",
        isp.contracts[0],
        plan,
    )
    wait_until(lambda: store.account("user0001").steps[-1].profile_id == night)
    assert store.account("user0001").steps[-1].reason.startswith("plan from 20")
    # Its own profiles count as well, before the contract has that plan.
    change(connection, "UPDATE plan SET profile_id = %s WHERE id = %s", isp.throttle, plan)
    wait_until(lambda: store.account("user0001").steps[-1].profile_id == isp.throttle)
    change(connection, "DELETE FROM plan_change")
    wait_until(lambda: store.account("user0001").steps[-1].profile_id == isp.full)


def test_an_edge_that_comes_back_works_out_the_hours_of_plans_though_nothing_changed(
    tmp_path, conninfo, isp, connection
):
    night = one(connection, "INSERT INTO profile (name) VALUES ('night') RETURNING id")
    change(
        connection,
        "INSERT INTO plan_window (plan_id, begins, ends, profile_id) VALUES (%s, '22:00', '06:00', %s)",
        isp.plan,
        night,
    )
    with running_edge(tmp_path / "edge", conninfo) as first:
        first.wait_for("policy.rebuilt")
        directory = first.store
    # The store as it would look when the edge was away for longer than the hours were known.
    writer = PolicyWriter(directory)
    writer.open_current()
    with reader_process(directory) as store:
        fresh = store.account("user0002")
    with writer.batch() as batch:
        batch.put_account("user0002", replace(fresh, steps=(PolicyStep(1_000_000, Level.FULL, "full", isp.full),)))
    writer.close()

    with running_edge(tmp_path / "edge", conninfo) as second, reader_process(directory) as store:
        wait_until(lambda: len(store.account("user0002").steps) > 4)
        assert second.said("policy.rebuild") == []
