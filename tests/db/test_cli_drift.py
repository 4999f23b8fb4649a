"""`corrente drift` as an operator types it."""

import json

import pytest
from support.command_line import run, write_settings
from support.drift_world import KEY, add_session, make_drift_world

from control_plane import db
from control_plane.control_loop.reconcile import reconcile_all

pytestmark = pytest.mark.db


@pytest.fixture
def world(connection):
    return make_drift_world(connection)


@pytest.fixture
def settings(world, database, tmp_path):
    return write_settings(tmp_path, database)


def reconcile(database):
    with db.connect(database, name="reconcile", autocommit=True) as loop:
        reconcile_all(loop)


def test_a_network_in_order_has_none(settings):
    assert run(settings, "drift").output == "no session in drift\n"


def test_a_session_in_drift_is_shown_with_what_it_runs_under_and_what_is_being_done(world, settings, database):
    world.want(world.isp.accounts[0], "walled", 2, reason="walled_garden")
    reconcile(database)
    world.want(world.isp.accounts[1], "blocked", 3, reason="blocked: abuse: open relay")

    lines = run(settings, "drift").output.splitlines()

    assert lines[0].split() == ["username", "NAS", "session", "runs", "under", "should", "run", "under", "for", "reason", "enforcement", "state"]  # fmt: skip
    walled, blocked = (next(line for line in lines if name in line) for name in ("user0001", "user0002"))
    for part in ("bras", " s1 ", " full ", "walled: pay", "other policy", "queued"):
        assert part in walled
    assert "blocked: abuse: open relay" in blocked
    assert "blocked: blocked" not in blocked
    assert "must end" in blocked
    assert len(lines) == 3


def test_what_may_not_go_is_held_here_as_in_the_list_of_changes_and_an_edited_profile_is_told_apart(
    world, settings, database
):
    world.connection.execute("UPDATE profile SET rate_down_bps = 7000000 WHERE id = %s", (world.isp.full,))
    world.give(world.isp.full, b"GGGG")
    reconcile(database)
    world.connection.execute("UPDATE enforcement SET held_since = now(), held_reason = 'waits for a person'")
    world.connection.commit()

    # All three accounts have that profile.
    _, *lines = run(settings, "drift").output.splitlines()
    assert len(lines) == 3
    line = lines[0]
    assert "full, before its change" in line
    assert "held" in line
    assert "queued" not in line
    assert "waits for a person" in line


def test_the_json_has_the_versions_and_the_enforcement(world, settings, database):
    world.want(world.isp.accounts[0], "walled", 2, reason="walled_garden")
    reconcile(database)

    (one,) = json.loads(run(settings, "drift", "--json").output)["sessions"]

    assert (one["session_key"], one["runs_under"], one["should_run_under"]) == (
        KEY.format(1),
        b"FFFF1111".hex(),
        b"WWWW2222".hex(),
    )
    assert (one["reason"], one["enforcement_state"], one["level"], one["level_reason"]) == (
        "other_policy",
        "queued",
        "walled",
        "walled_garden",
    )
    assert isinstance(one["enforcement"], int)


def test_the_last_attempt_of_a_change_that_came_to_nothing_is_shown_with_its_problem(world, settings, database):
    world.want(world.isp.accounts[0], "walled", 2)
    reconcile(database)
    world.sent("gave_up")

    (one,) = json.loads(run(settings, "drift", "--json").output)["sessions"]

    assert (one["enforcement"], one["enforcement_state"], one["problem"]) == (None, "gave_up", "test")


def test_drift_is_chosen_by_user_nas_and_reason(world, settings):
    world.want(world.isp.accounts[0], "walled", 2)
    world.run_under(2, None)

    def names(*options):
        return [one["username"] for one in json.loads(run(settings, "drift", "--json", *options).output)["sessions"]]

    assert sorted(names()) == ["user0001", "user0002"]
    assert names("--user", "user0001") == ["user0001"]
    assert names("--reason", "unknown") == ["user0002"]
    assert names("--limit", "1") in (["user0001"], ["user0002"])
    assert sorted(names("--nas", "bras")) == ["user0001", "user0002"]
    refused = run(settings, "drift", "--nas", "brass")
    assert (refused.exit_code, "did you mean bras?" in refused.output) == (1, True)


def test_a_live_session_of_a_username_without_account_is_nobodys(world, settings):
    add_session(world, 9, None)

    listed = json.loads(run(settings, "drift", "--json").output)

    assert [(one["username"], one["problem"]) for one in listed["nobodys"]] == [
        ("user0009", "no account has this username")
    ]
    assert listed["sessions"] == []
    assert run(settings, "drift", "cut", "bras", "s9", "--reason", "not ours").exit_code == 0
    assert world.enforcements("session_key::text", "level::text", "method::text") == [
        (KEY.format(9), "none", "disconnect")
    ]
