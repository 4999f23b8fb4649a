"""A device's sessions read by its command line. Real: OpenSSH's sshd. A stand-in: the shell that prints accel-ppp's and IOS XE's lists."""

from __future__ import annotations

import base64
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from support.accounting_world import settings_for
from support.command_line import KEY
from support.drift_world import make_drift_world
from support.ssh_server import PASSWORD, ssh_server

from control_plane import db
from control_plane.control_loop.device_reading import read_devices
from control_plane.control_loop.session_reading import Question, Reading, SessionReader, visit
from control_plane.store.device_views import load_reading
from control_plane.store.targets import load_targets
from nas_drivers.driver import driver_for
from nas_drivers.policy import BitRate, RatePair, SessionPolicy
from nas_drivers.vendors.cisco_iosxr import CiscoIosXrDriver, Options
from radius_hooks.sealing import Sealer, nas_ssh_row

pytestmark = [pytest.mark.db, pytest.mark.lab]
ROW = "{} ppp0 {} 192.0.2.7 00:11:22:33:44:55 100000/20000 active 3600\n"
FULL = SessionPolicy(rate=RatePair(BitRate(100_000_000), BitRate(20_000_000)))
SLOW = SessionPolicy(rate=RatePair(BitRate(2_000_000), BitRate(1_000_000)))


@pytest.fixture(scope="module")
def server():
    with ssh_server() as server:
        yield server


@pytest.fixture
def world(connection, server):
    """Accounting has s1, s2 and s3; the NAS is an accel-ppp that is verified by its command line."""
    made = make_drift_world(connection)
    made.change("UPDATE session SET received_at = now() - interval '10 minutes'")
    made.change(
        "UPDATE nas SET vendor = 'accel_ppp', verification = 'cli', ssh_address = '127.0.0.1', ssh_port = %s, "
        "ssh_username = 'stand-in', sealed_ssh_password = %s, ssh_host_key = %s",
        server.port,
        Sealer([KEY]).seal(PASSWORD.encode(), row=nas_ssh_row(made.isp.nas)),
        server.host_key(),
    )
    return made


@pytest.fixture
def read(database, tmp_path, monkeypatch):
    """One run of the job, as the worker's database role; what it said."""
    monkeypatch.setenv("CORRENTE_SECRETS_KEY", base64.b64encode(KEY).decode())
    settings = settings_for(tmp_path / "worker", database)

    def run():
        with db.connect(database, name="job", autocommit=True) as connection:
            connection.execute("SET ROLE corrente_worker")
            return read_devices(connection, settings, datetime.now(UTC))

    return run


def logins(server):
    return (server.base / "sshd.log").read_text().count("Accepted password")


def show(server, *rows):
    (server.base / "shell" / "table").write_text("".join(ROW.format(*row) for row in rows))
    (server.base / "shell" / "sessions").write_text("7 user0001 192.0.2.7\n")


def test_a_list_by_command_line_closes_the_session_that_only_accounting_has(world, read, server, connection):
    show(server, ("s1", "user0001"), ("s2", "user0002"))

    assert read() == "read 1 devices, 0 not; closed 1 ghosts, 0 differ too much"
    assert connection.execute("SELECT username, ended_by::text FROM closed_session").fetchall() == [
        ("user0003", "not_on_device")
    ]


def test_a_list_without_session_ids_closes_nothing(world, read, server, connection):
    show(server)
    world.change("UPDATE nas SET vendor = 'cisco_iosxe'")

    assert read() == "read 0 devices, 1 not; closed 0 ghosts, 0 differ too much"
    assert "have no Acct-Session-Id there" in load_reading(connection, world.isp.nas).problem
    assert connection.execute("SELECT count(*) FROM session").fetchone() == (3,)


def test_a_command_line_without_a_trusted_host_key_is_not_read(world, read, server):
    world.change("UPDATE nas SET ssh_host_key = NULL")

    assert read() == "no NAS is read by its API or its command line"


def test_one_session_read_by_command_line_proves_a_change_or_shows_that_it_was_ignored(world, server, connection):
    show(server, ("s1", "user0001"))
    questions = [
        Question(1, 1, "user0001", "s1", FULL),
        Question(2, 1, "user0001", "s1", SLOW),
        Question(3, 1, "user0002", "s2", FULL),
    ]

    found = visit(load_targets(connection)[0], Sealer([KEY]), questions, driver_for("accel_ppp"))

    assert [found[one].holds for one in questions] == [True, False, None]
    assert found[questions[2]] == Reading(None, "the device, when read, has no such session")


def test_a_cisco_stand_in_that_shows_policy_maps_proves_a_change_by_their_names(world, server, connection):
    fast, slow = (replace(FULL, device_policy=name) for name in ("home-300", "slow"))
    (server.base / "shell" / "sessions").write_text(
        "7 user0001 192.0.2.7 slow-in slow-out\n8 user0002 192.0.2.8 home-300-in home-300-out\n9 user0003 192.0.2.9\n"
    )
    questions = [Question(number, 1, f"user000{number}", f"s{number}", slow, fast) for number in (1, 2, 3)]

    found = visit(load_targets(connection)[0], Sealer([KEY]), questions, driver_for("cisco_iosxe"))

    assert [found[one].holds for one in questions] == [True, False, None]
    assert "does not show under which policy" in found[questions[2]].problem


def test_a_cisco_stand_in_that_still_has_the_old_service_beside_the_new_one_is_in_drift(world, server, connection):
    fast, slow = (replace(FULL, device_policy=name) for name in ("home-300", "slow"))
    by_service = CiscoIosXrDriver(Options(device_policy_as="service"))
    (server.base / "shell" / "sessions").write_text(
        "1 user0001 192.0.2.7 slow iptv\n2 user0002 192.0.2.8 home-300 slow\n3 user0003 192.0.2.9 iptv\n"
    )
    questions = [Question(number, 1, f"user000{number}", f"s{number}", slow, fast) for number in (1, 2, 3)]

    found = visit(load_targets(connection)[0], Sealer([KEY]), questions, by_service)

    assert [found[one].holds for one in questions] == [True, False, None]


def test_a_wave_of_two_hundred_changes_is_read_by_four_logins_one_after_the_other(world, server, connection):
    (server.base / "shell" / "sessions").write_text("7 user0001 192.0.2.7 slow-in slow-out\n")
    target, reader = load_targets(connection)[0], SessionReader(Sealer([KEY]))
    wave = [Question(number, 1, "user0001", "s1", replace(SLOW, device_policy="slow")) for number in range(200)]
    before, until = logins(server), time.monotonic() + 240

    while any([reader.ask(target, question, driver_for("cisco_iosxe")) is None for question in wave]):
        reader.turn()
        assert time.monotonic() < until
        time.sleep(0.02)

    assert {reader.ask(target, question, driver_for("cisco_iosxe")) for question in wave} == {Reading(True)}
    assert logins(server) - before == 4
    reader.close()


def test_a_username_that_no_command_line_takes_is_asked_about_by_no_login_and_spoils_no_other_proof(
    world, server, connection
):
    (server.base / "shell" / "sessions").write_text("7 user0001 192.0.2.7 slow-in slow-out\n")
    slow = replace(SLOW, device_policy="slow")
    unfit, other = Question(1, 1, "anna maria", "s2", slow), Question(2, 1, "user0001", "s1", slow)
    before = logins(server)

    alone = visit(load_targets(connection)[0], Sealer([KEY]), [unfit], driver_for("cisco_iosxe"))
    assert logins(server) == before
    both = visit(load_targets(connection)[0], Sealer([KEY]), [unfit, other], driver_for("cisco_iosxe"))

    assert both[other] == Reading(True)
    for found in (alone[unfit], both[unfit]):
        assert (found.holds, "does not fit a command line" in found.problem) == (None, True)


def test_a_device_that_only_lists_everybody_is_asked_for_one_list_a_visit(world, server, connection):
    (server.base / "shell" / "told").unlink(missing_ok=True)
    show(server, ("s1", "user0001"), ("s2", "user0002"))
    questions = [Question(number, 1, f"user000{number}", f"s{number}", FULL) for number in (1, 2, 3)]

    found = visit(load_targets(connection)[0], Sealer([KEY]), questions, driver_for("vyos"))

    assert [found[one].holds for one in questions] == [True, True, None]
    assert server.told.count("show pppoe-server sessions") == 1
