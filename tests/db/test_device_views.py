"""A device's own list beside accounting: ghosts are closed, what only the device has is shown and cut on request."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from support.accounting_world import NOON, add_network, detail, rows, settings_for, ship, spool
from support.command_line import run, write_settings

from control_plane import db
from control_plane.control_loop.device_views import take_reading
from control_plane.control_loop.reconcile import reconcile_all
from control_plane.store.device_views import load_reading, load_unknown, save_not_read
from nas_drivers.device_session import DeviceSession

pytestmark = pytest.mark.db
KEY, OTHER = b"a" * 16, b"b" * 16
READ_AT = datetime.fromtimestamp(NOON + 1200, UTC)


@pytest.fixture
def accounts(connection):
    return add_network(connection)


@pytest.fixture
def world(accounts, database, tmp_path):
    """Anna's session s1 and Bruno's s2, both last heard at 12:10."""
    settings = settings_for(tmp_path / "edge", database)
    spool(
        settings,
        detail("Interim-Update", key=KEY, at=NOON + 600, time=600, octets=(10, 100), Framed_IP_Address="10.0.0.1"),
        detail("Interim-Update", key=OTHER, at=NOON + 600, time=600, octets=(5, 50), user="bruno", session="s2"),
    )
    ship(settings)
    return settings


@pytest.fixture
def worker(database):
    """A connection of the worker's role."""
    with db.connect(database, name="reading", autocommit=True) as opened:
        opened.execute("SET ROLE corrente_worker")
        yield opened


ANNA = DeviceSession("s1", "anna", "10.0.0.1", "02005e100001", up_s=1200)
BRUNO = DeviceSession("s2", "bruno")
LIVE = "SELECT username FROM session ORDER BY username"


def test_a_session_that_the_device_does_not_list_is_closed_with_its_last_counters(world, worker, database, accounts):
    found = take_reading(worker, world, 1, [ANNA], read_at=READ_AT)

    assert ([one.username for one in found.ghosts], found.held) == (["bruno"], "")
    assert rows(database, LIVE) == [("anna",)]
    assert rows(
        database,
        "SELECT username, ended_by::text, terminate_cause, octets_in, octets_out, extract(epoch FROM ended_at)::bigint FROM closed_session",
    ) == [("bruno", "not_on_device", "Lost-Carrier", 5, 50, NOON + 600)]
    assert rows(database, "SELECT octets_in, octets_out FROM usage_day WHERE account_id = %s", accounts["bruno"]) == [
        (5, 50)
    ]
    # The edges learn that his login finds no session.
    assert rows(
        database, "SELECT count(*) FROM change_feed WHERE kind = 'session' AND key = %s", accounts["bruno"]
    ) == [(2,)]


def test_one_that_was_closed_wrongly_goes_on_when_it_speaks_and_its_usage_counts_once(
    world, worker, database, accounts
):
    take_reading(worker, world, 1, [ANNA], read_at=READ_AT)
    spool(
        world,
        detail("Interim-Update", key=OTHER, at=NOON + 1300, time=1300, octets=(7, 70), user="bruno", session="s2"),
    )
    ship(world)

    assert rows(database, LIVE) == [("anna",), ("bruno",)]
    assert rows(database, "SELECT octets_in, octets_out FROM usage_day WHERE account_id = %s", accounts["bruno"]) == [
        (7, 70)
    ]


def test_one_that_has_spoken_since_the_reading_is_left(world, worker, database):
    spool(
        world,
        detail("Interim-Update", key=OTHER, at=NOON + 1190, time=1190, octets=(7, 70), user="bruno", session="s2"),
    )
    ship(world)

    assert take_reading(worker, world, 1, [ANNA], read_at=READ_AT).ghosts == ()
    assert rows(database, LIVE) == [("anna",), ("bruno",)]


def test_a_session_only_on_the_device_is_shown_once_it_is_no_longer_young(world, worker):
    listed = [ANNA, BRUNO, DeviceSession("s9", "backdoor", "10.0.0.9", "not a mac")]
    take_reading(worker, world, 1, listed, read_at=READ_AT)
    assert load_unknown(worker) == []

    take_reading(worker, world, 1, listed, read_at=READ_AT + timedelta(seconds=121))

    (unknown,) = load_unknown(worker)
    assert (unknown.acct_session_id, unknown.username, unknown.address, unknown.mac) == (
        "s9",
        "backdoor",
        "10.0.0.9",
        "",
    )
    assert (unknown.since, unknown.problem) == (READ_AT, "only on the device")


def test_a_list_takes_the_place_of_the_one_before_and_rows_that_stay_are_not_written_again(world, worker, database):
    take_reading(worker, world, 1, [ANNA, BRUNO], read_at=READ_AT)
    first = rows(database, "SELECT xmin::text, since, own_key FROM device_session WHERE acct_session_id = 's1'")
    # The id of Bruno's has been given to another.
    take_reading(worker, world, 1, [ANNA, DeviceSession("s2", "carla")], read_at=READ_AT + timedelta(seconds=60))

    assert rows(database, "SELECT xmin::text, since, own_key FROM device_session WHERE acct_session_id = 's1'") == first
    assert rows(database, "SELECT acct_session_id, username FROM device_session ORDER BY 1") == [
        ("s1", "anna"),
        ("s2", "carla"),
    ]


def test_a_reading_that_failed_leaves_the_list_and_says_why(world, worker, database):
    take_reading(worker, world, 1, [ANNA, BRUNO], read_at=READ_AT)
    save_not_read(worker, 1, "connection refused", at=READ_AT + timedelta(seconds=60))

    reading = load_reading(worker, 1)
    assert (reading.read_at, reading.sessions, reading.problem) == (READ_AT, 2, "connection refused")
    assert rows(database, LIVE) == [("anna",), ("bruno",)]


@pytest.fixture
def crowd(world, connection):
    """Forty sessions of Anna's beside the two."""
    connection.execute(
        """
        INSERT INTO session SELECT (jsonb_populate_record(s, jsonb_build_object('session_key', md5(n::text)::uuid,
            'acct_session_id', 'x' || n))).* FROM session s, generate_series(1, 40) n WHERE s.username = 'anna'
        """
    )
    connection.commit()
    return world


def test_a_mass_difference_closes_nobody_until_a_person_says_so(crowd, worker, database, tmp_path):
    found = take_reading(worker, crowd, 1, [ANNA, BRUNO], read_at=READ_AT)
    command = write_settings(tmp_path, database)

    assert (len(found.ghosts), rows(database, "SELECT count(*) FROM session")) == (40, [(42,)])
    shown = run(command, "drift").output
    assert "nas-1: 40 of our sessions are not on the device and 0 of its own are not known here, of 42" in shown
    done = run(command, "drift", "close-ghosts", "nas-1", "--yes")
    assert done.output == "Closed 40.\n"
    assert rows(database, LIVE) == [("anna",), ("bruno",)]
    assert "nas-1:" not in run(command, "drift").output
    assert rows(database, "SELECT actor, action, subject, detail ->> 'closed' FROM audit_log") == [
        ("maria", "session.close_ghosts", "nas-1", "40")
    ]


def test_a_session_of_nobody_is_cut_once_on_request_and_stands_in_the_audit_log(world, worker, database, tmp_path):
    take_reading(worker, world, 1, [ANNA, BRUNO, DeviceSession("s9", "backdoor", up_s=3600)], read_at=READ_AT)
    command = write_settings(tmp_path, database)

    listed = json.loads(run(command, "drift", "--json").output)["nobodys"]
    assert [(one["nas"], one["acct_session_id"], one["username"]) for one in listed] == [("nas-1", "s9", "backdoor")]
    refused = run(command, "drift", "cut", "nas-1", "s1", "--reason", "x")
    assert (refused.exit_code, "there is no session of nobody on nas-1 's1'" in refused.output) == (1, True)
    assert run(command, "drift", "cut", "nas-1", "s9", "--reason", "local user").exit_code == 0
    again = run(command, "drift", "cut", "nas-1", "s9", "--reason", "local user")

    assert (again.exit_code, "is being cut already" in again.output) == (1, True)
    assert rows(
        database,
        "SELECT e.session_key = x.own_key, e.account_id, level::text, reason, desired_version, disruptive, method::text, state::text "
        "FROM enforcement e JOIN device_session x ON x.acct_session_id = e.acct_session_id",
    ) == [(True, None, "none", "cut by maria: local user", None, True, "disconnect", "queued")]
    assert rows(database, "SELECT actor, action, subject, detail ->> 'reason' FROM audit_log") == [
        ("maria", "session.cut", "nas-1 s9", "local user")
    ]


def test_the_reconciler_leaves_the_cut_of_a_session_of_nobody_alone(world, worker, database, tmp_path):
    take_reading(worker, world, 1, [ANNA, BRUNO, DeviceSession("s9", "backdoor", up_s=3600)], read_at=READ_AT)
    run(write_settings(tmp_path, database), "drift", "cut", "nas-1", "s9", "--reason", "local user")

    assert reconcile_all(worker).ended == 0
    take_reading(worker, world, 1, [ANNA, BRUNO], read_at=READ_AT + timedelta(seconds=60))
    assert reconcile_all(worker).ended == 1
