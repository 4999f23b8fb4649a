"""`corrente sessions` as an operator types it."""

import json

import pytest
from support.accounting_world import NOON, add_network, detail, settings_for, ship, spool
from support.command_line import run, write_settings

pytestmark = pytest.mark.db


@pytest.fixture
def settings(connection, database, tmp_path):
    add_network(connection, nases=("127.0.0.1", "127.0.0.2"))
    world = settings_for(tmp_path / "edge", database)
    spool(
        world,
        detail(
            "Interim-Update", at=NOON + 600, time=600, octets=(75_000_000, 750_000_000), Framed_IP_Address="10.0.0.1"
        ),
        detail("Start", user="bruno", session="s2", source="127.0.0.2", at=NOON + 700, time=0),
    )
    ship(world)
    connection.execute("UPDATE session SET stale = true WHERE username = 'bruno'")
    connection.commit()
    return write_settings(tmp_path, database)


def test_who_is_online_is_shown_with_amounts_and_average_rates(settings):
    shown = run(settings, "sessions").output.splitlines()

    assert [line.split()[0] for line in shown] == ["username", "bruno", "anna"]
    for part in ("nas-1", "10.0.0.1", "10 min", "750 MB", "75.0 MB", "10.0 Mbit/s", "1.00 Mbit/s"):
        assert part in shown[2]
    assert shown[1].endswith("stale")


def test_sessions_are_chosen_by_user_nas_and_silence(settings):
    def names(*options):
        return [one["username"] for one in json.loads(run(settings, "sessions", "--json", *options).output)]

    assert names("--user", "anna") == ["anna"]
    assert names("--nas", "nas-2") == ["bruno"]
    assert names("--stale") == ["bruno"]
    assert names("--limit", "1") == ["bruno"]


def test_a_name_that_is_not_there_is_said_with_one_like_it(settings):
    for options, hint in ((("--user", "ana"), "did you mean anna?"), (("--nas", "nas-3"), "did you mean nas-")):
        refused = run(settings, "sessions", *options)
        assert (refused.exit_code, hint in refused.output) == (1, True), refused.output
