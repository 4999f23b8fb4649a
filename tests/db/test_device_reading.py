"""Devices with an API access are read, and their lists compared with accounting: the job as the worker runs it."""

from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime

import pytest
from support.accounting_world import settings_for
from support.command_line import KEY
from support.drift_world import make_drift_world
from support.routeros_api_stand_in import StandInRouterOsApi
from support.simulated_sessions import live_session, table_of

from control_plane import db
from control_plane.control_loop.device_reading import read_devices
from control_plane.store.device_views import load_reading, load_unknown
from nas_drivers.families.routeros_output import read_sessions
from radius_hooks.sealing import Sealer, nas_api_row

pytestmark = pytest.mark.db
ADDRESS = "127.0.45.1"


@pytest.fixture
def world(connection):
    """Accounting has s1, s2 and s3, all a minute old; they are made older than the grace here."""
    made = make_drift_world(connection)
    made.change("UPDATE session SET received_at = now() - interval '10 minutes'")
    return made


@pytest.fixture
def settings(database, tmp_path, monkeypatch):
    monkeypatch.setenv("CORRENTE_SECRETS_KEY", base64.b64encode(KEY).decode())
    return settings_for(tmp_path / "worker", database)


def give_access(world, *, port, address=ADDRESS, password=b"api password"):
    world.change(
        "UPDATE nas SET api_address = %s, api_port = %s, api_tls = false, api_username = 'corrente', sealed_api_password = %s",
        address,
        port,
        Sealer([KEY]).seal(password, row=nas_api_row(world.isp.nas)),
    )


def read(database, settings, world, sessions, **access):
    """One run of the job while the device lists these; what it said."""

    def job():
        with db.connect(database, name="job", autocommit=True) as connection:
            connection.execute("SET ROLE corrente_worker")
            return read_devices(connection, settings, datetime.now(UTC))

    async def beside_the_device():
        stand_in = StandInRouterOsApi(sessions, sessions.remove)
        async with stand_in.listening(ADDRESS):
            give_access(world, port=stand_in.port, **access)
            return await asyncio.to_thread(job)

    return asyncio.run(beside_the_device())


def test_nobody_is_asked_without_an_api_access(world, settings, connection):
    assert read_devices(connection, settings, datetime.now(UTC)) == "no NAS is read by its API or its command line"


def test_a_device_is_read_ghosts_are_closed_and_a_forgotten_local_user_is_seen(world, settings, database, connection):
    sessions = table_of(
        live_session("s1", "user0001"), live_session("s2", "user0002"), live_session("81a00009", "backdoor")
    )
    for session in sessions.of("backdoor"):
        session.started_at -= 3600

    said = read(database, settings, world, sessions)

    assert said == "read 1 devices, 0 not; closed 1 ghosts, 0 differ too much"
    assert connection.execute("SELECT username, ended_by::text FROM closed_session").fetchall() == [
        ("user0003", "not_on_device")
    ]
    assert [(one.username, one.problem) for one in load_unknown(connection)] == [("backdoor", "only on the device")]


def test_a_device_that_lets_nobody_in_is_said_so_and_nothing_is_closed(world, settings, database, connection):
    said = read(database, settings, world, table_of(), password=b"another")

    assert said == "read 0 devices, 1 not; closed 0 ghosts, 0 differ too much"
    reading = load_reading(connection, world.isp.nas)
    assert (reading.read_at, reading.problem != "") == (None, True)
    assert connection.execute("SELECT count(*) FROM session").fetchone() == (3,)


def test_an_api_password_that_does_not_open_is_the_devices_own_problem(
    world, settings, database, connection, monkeypatch
):
    monkeypatch.setenv("CORRENTE_SECRETS_KEY", base64.b64encode(bytes(32)).decode())
    give_access(world, port=1)

    with db.connect(database, name="job", autocommit=True) as job:
        said = read_devices(job, settings, datetime.now(UTC))

    assert said == "read 0 devices, 1 not; closed 0 ghosts, 0 differ too much"
    assert load_reading(connection, world.isp.nas).problem != ""


ODD_ROWS = (
    {"address": "999.1.1.1"},
    {"address": "1.2.3.4.5"},
    {"uptime": "9" * 30 + "w"},
    {"uptime": "1w" * 3},
    {"name": "a\x00b\x1b[2J"},
    {"name": "x" * 5000},
    {"caller-id": "not a MAC"},
)


@pytest.mark.parametrize("odd", ODD_ROWS, ids=[next(iter(row)) + str(number) for number, row in enumerate(ODD_ROWS)])
def test_a_row_that_no_device_should_list_costs_no_other_row(world, settings, database, odd):
    give_access(world, port=1)
    rows = [{".id": "*1", "session-id": "0x81a00009", "name": "guest", **odd}, {"session-id": "s1", "name": "user0001"}]
    with db.connect(database, name="job", autocommit=True) as connection:
        connection.execute("SET ROLE corrente_worker")
        said = read_devices(connection, settings, datetime.now(UTC), read=lambda _: read_sessions(rows))
    assert said.startswith("read 1 devices, 0 not")
    assert world.connection.execute("SELECT count(*) FROM device_session").fetchone() == (2,)


def test_a_list_that_the_database_refuses_keeps_no_other_device_from_being_read(world, settings, database):
    give_access(world, port=1)
    world.change(
        "INSERT INTO nas (name, source, vendor, sealed_secret, api_address, api_username, sealed_api_password) "
        "SELECT 'second', '192.0.2.2/32', vendor, sealed_secret, '127.0.45.2', 'corrente', sealed_api_password FROM nas"
    )
    world.change("UPDATE nas SET sealed_api_password = %s WHERE name = 'second'", sealed(world, "second"))
    world.change("ALTER TABLE device_session ADD CHECK (username <> 'poison')")
    lists = {"127.0.45.1": [{"session-id": "1", "name": "poison"}], "127.0.45.2": [{"session-id": "2", "name": "good"}]}
    with db.connect(database, name="job", autocommit=True) as connection:
        connection.execute("SET ROLE corrente_worker")
        said = read_devices(connection, settings, datetime.now(UTC), read=lambda a: read_sessions(lists[a.address]))
    assert said.startswith("read 1 devices, 1 not")
    assert world.connection.execute("SELECT username FROM device_session").fetchall() == [("good",)]
    assert "can't be kept" in load_reading(world.connection, world.isp.nas).problem


def test_a_list_that_we_stumble_over_keeps_no_other_device_from_being_read(world, settings, database):
    give_access(world, port=1)
    world.change(
        "INSERT INTO nas (name, source, vendor, sealed_secret, api_address, api_username, sealed_api_password) "
        "SELECT 'second', '192.0.2.2/32', vendor, sealed_secret, '127.0.45.2', 'corrente', sealed_api_password FROM nas"
    )
    world.change("UPDATE nas SET sealed_api_password = %s WHERE name = 'second'", sealed(world, "second"))
    lists = {"127.0.45.1": None, "127.0.45.2": [{"session-id": "2", "name": "good"}]}
    with db.connect(database, name="job", autocommit=True) as connection:
        connection.execute("SET ROLE corrente_worker")
        said = read_devices(connection, settings, datetime.now(UTC), read=lambda a: read_sessions(lists[a.address]))
    assert said.startswith("read 1 devices, 1 not")
    assert "NoneType" in load_reading(world.connection, world.isp.nas).problem


def test_names_on_a_device_have_no_power_over_the_terminal_that_lists_them(world, settings, database):
    give_access(world, port=1)
    rows = [{"session-id": "0x81a00009", "name": "guest\x1b]0;title\x07\u202eanna\n"}]
    with db.connect(database, name="job", autocommit=True) as connection:
        connection.execute("SET ROLE corrente_worker")
        read_devices(connection, settings, datetime.now(UTC), read=lambda _: read_sessions(rows))
    kept = world.connection.execute("SELECT username FROM device_session").fetchall()
    assert kept == [("guest\\x1b]0;title\\x07\\x202eanna\\x0a",)]


def sealed(world, name):
    """The password of that NAS, sealed for its row."""
    (number,) = world.connection.execute("SELECT id FROM nas WHERE name = %s", (name,)).fetchone()
    return Sealer([KEY]).seal(b"api password", row=nas_api_row(number))
