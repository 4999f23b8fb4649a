"""What a device shows its sessions to run under when it is read: a later word than what was held, and worked on."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from support.accounting_world import settings_for
from support.command_line import run, write_settings
from support.drift_world import KEY, make_drift_world

from control_plane import db
from control_plane.control_loop.device_views import take_reading
from control_plane.control_loop.reconcile import reconcile_all
from nas_drivers.device_session import DeviceSession

pytestmark = pytest.mark.db
FULL, SLOW, WALLED = (100_000_000, 20_000_000), (2_000_000, 1_000_000), (64_000, 64_000)
APPLIED = "SELECT encode(applied_version, 'escape'), applied_by::text FROM session WHERE session_key = %s"


@pytest.fixture
def world(connection):
    """Three sessions under FFFF1111, as they should."""
    return make_drift_world(connection)


@pytest.fixture
def settings(database, tmp_path):
    return settings_for(tmp_path / "worker", database)


@pytest.fixture
def worker(database):
    """A connection of the worker's role."""
    with db.connect(database, name="reading", autocommit=True) as opened:
        opened.execute("SET ROLE corrente_worker")
        yield opened


def listed(number, rates, lists=()):
    down, up = rates
    return DeviceSession(
        f"s{number}", f"user{number:04}", up_s=3600, rate_down_bps=down, rate_up_bps=up, address_lists=lists
    )


def read(worker, settings, world, *sessions, ago_s=0):
    """The device lists these and, as they should be, the other ones of the three."""
    numbers = {int(one.acct_session_id[1:]) for one in sessions}
    others = [listed(number, FULL) for number in (1, 2, 3) if number not in numbers]
    read_at = datetime.now(UTC) - timedelta(seconds=ago_s)
    take_reading(worker, settings, world.isp.nas, [*sessions, *others], read_at=read_at)


def applied(world, number=1):
    (row,) = world.connection.execute(APPLIED, (KEY.format(number),)).fetchall()
    world.connection.commit()
    return row


def verify(world, number, version, *, ago_s=60):
    world.change(
        "UPDATE session SET applied_version = %s, applied_by = 'verified', applied_at = now() - make_interval(secs => %s) "
        "WHERE session_key = %s",
        version,
        ago_s,
        KEY.format(number),
    )


def test_a_device_that_went_back_to_an_older_policy_is_seen_as_drift_and_worked_on(world, worker, settings):
    # Walled at login, paid, and changed to the full plan, which was proven.
    world.run_under(1, "WWWW2222")
    verify(world, 1, b"FFFF1111")
    assert reconcile_all(worker).in_drift == 0
    fed = world.connection.execute("SELECT count(*) FROM change_feed WHERE kind = 'session'").fetchone()[0]

    read(worker, settings, world, listed(1, WALLED))

    assert applied(world) == ("WWWW1111", "device")
    # The reconciler is told of the account, so that it does not wait for its sweep.
    assert world.connection.execute(
        "SELECT count(*) - %s, max(key) FROM change_feed WHERE kind = 'session'", (fed,)
    ).fetchone() == (1, world.isp.accounts[0])
    assert reconcile_all(worker).in_drift == 1
    assert world.enforcements("session_key::text", "from_version", "desired_version", "disruptive", "method::text") == [
        (KEY.format(1), "WWWW1111", "FFFF1111", False, "coa")
    ]


def test_a_device_that_shows_what_was_held_changes_nothing(world, worker, settings):
    verify(world, 1, b"FFFF1111")
    read(worker, settings, world, listed(1, FULL), listed(2, (None, None)))

    assert [applied(world, number) for number in (1, 2, 3)] == [("FFFF1111", "verified"), (None, None), (None, None)]
    assert reconcile_all(worker).in_drift == 0


def test_rates_that_no_profile_gives_are_drift_too_and_taking_them_away_is_disruptive_only_below_the_full_plan(
    world, worker, settings
):
    world.want(world.isp.accounts[1], "throttle", 1)
    world.run_under(2, "TTTT1111")
    read(worker, settings, world, listed(1, (3_000_000, 3_000_000)), listed(2, (3_000_000, 3_000_000)))

    assert reconcile_all(worker).in_drift == 2
    assert world.enforcements("account_id", "from_version", "disruptive") == [
        (world.isp.accounts[0], "\0\0\0\x001111", False),
        (world.isp.accounts[1], "\0\0\0\x001111", True),
    ]


def test_a_session_that_lost_its_address_list_is_disconnected(world, worker, settings):
    world.change("UPDATE profile SET address_lists = '{payment}' WHERE id = %s", world.isp.walled)
    world.change("UPDATE profile SET rate_down_bps = 2000000, rate_up_bps = 1000000 WHERE id = %s", world.isp.walled)
    world.want(world.isp.accounts[0], "walled", 1)
    world.run_under(1, "WWWW1111")
    read(worker, settings, world, listed(1, SLOW, ("payment", "somebody's")))
    assert applied(world) == (None, None)

    read(worker, settings, world, listed(1, SLOW, ("somebody's",)))

    reconcile_all(worker)
    assert world.enforcements("from_version", "desired_version", "method::text") == [
        ("TTTT1111", "WWWW1111", "disconnect")
    ]


def test_a_reading_settles_what_nothing_else_could_prove(world, worker, settings):
    world.want(world.isp.accounts[0], "throttle", 1)
    reconcile_all(worker)
    world.sent("unverifiable")
    assert [figure.reason.value for figure in reconcile_all(worker).figures] == ["unverified"]

    read(worker, settings, world, listed(1, SLOW))

    assert applied(world) == ("TTTT1111", "device")
    assert (reconcile_all(worker).in_drift, world.enforcements("id")) == (0, [])


@pytest.mark.parametrize("state", ["sent", "acked", "unanswered"])
def test_what_is_shown_while_a_change_is_on_its_way_says_nothing(world, worker, settings, state):
    world.want(world.isp.accounts[0], "throttle", 1)
    reconcile_all(worker)
    world.sent(state)

    read(worker, settings, world, listed(1, SLOW))

    assert applied(world) == (None, None)


def test_a_list_that_was_asked_for_before_a_change_was_sent_or_proven_says_nothing_of_it(world, worker, settings):
    verify(world, 1, b"FFFF1111", ago_s=5)
    world.want(world.isp.accounts[1], "throttle", 1)
    reconcile_all(worker)
    world.sent("unverifiable")
    read(worker, settings, world, listed(1, SLOW), listed(2, SLOW), ago_s=10)

    assert (applied(world, 1), applied(world, 2)) == (("FFFF1111", "verified"), (None, None))


def test_an_account_with_attributes_of_its_own_is_not_judged_by_its_profile(world, worker, settings):
    block = {"check": [], "control": [], "reply": [["Mikrotik-Rate-Limit", ":=", "1M/1M"]], "fall_through": False}
    world.change(
        "UPDATE subscriber_account SET own_attributes = %s WHERE id = %s", json.dumps([block]), world.isp.accounts[0]
    )
    read(worker, settings, world, listed(1, (1_000_000, 1_000_000)))

    assert applied(world) == (None, None)


def test_where_a_new_login_came_to_something_else_again_nobody_is_disconnected_for_it_every_few_minutes(
    world, worker, settings
):
    world.want(world.isp.accounts[0], "walled", 1)
    reconcile_all(worker)
    world.change("UPDATE enforcement SET method = 'disconnect'")
    world.sent("verified")
    world.want(world.isp.accounts[0], "full", 1)
    world.change(
        "UPDATE enforcement SET session_key = %s, sent_at = now() - interval '1 hour', closed_at = now() - interval '1 hour'",
        KEY.format(9),
    )

    read(worker, settings, world, listed(1, SLOW))
    assert applied(world) == (None, None)

    world.change("UPDATE enforcement SET closed_at = now() - interval '25 hours'")
    read(worker, settings, world, listed(1, SLOW))
    assert applied(world) == ("TTTT1111", "device")


def test_a_mass_of_contradictions_is_believed_when_a_person_says_so(world, worker, settings, database, tmp_path):
    world.change(
        """
        INSERT INTO session SELECT (jsonb_populate_record(s, jsonb_build_object('session_key', md5(n::text)::uuid,
            'acct_session_id', 's' || n))).* FROM session s, generate_series(4, 24) n WHERE s.username = 'user0001'
        """
    )
    many = [DeviceSession(f"s{n}", "user0001", up_s=3600, rate_down_bps=1, rate_up_bps=1) for n in range(4, 25)]
    count = "SELECT count(*) FROM session WHERE applied_by = 'device'"
    read(worker, settings, world, *many, listed(1, FULL))
    command = write_settings(tmp_path, database)

    assert world.connection.execute(count).fetchone() == (0,)
    shown = run(command, "drift").output
    assert "bras: 21 of 24 sessions run under something else than they should by the device's own list" in shown
    done = run(command, "drift", "believe", "bras", "--yes")
    assert done.output == "21 sessions run under something else than was held.\n"
    assert world.connection.execute(count).fetchone() == (21,)
    assert "device's own list" not in run(command, "drift").output
    assert world.connection.execute(
        "SELECT actor, action, subject, detail ->> 'sessions' FROM audit_log"
    ).fetchall() == [("maria", "session.believe_device", "bras", "21")]
    assert "was held" not in run(command, "drift", "believe", "bras").output
