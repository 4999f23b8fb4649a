"""Automation that goes wrong, on live sessions of a simulated device: held, let go by a person, and taken back."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace
from support.command_line import run, write_settings
from support.enforcement_world import DRIFT, FULL, WALLED, enforcement_world
from support.enforcement_world import working as at_work

from control_plane import db
from control_plane.settings import GuardSettings
from control_plane.store.automation import Wanted, place_for_run, start_run
from control_plane.store.guard import guard_rules

pytestmark = [pytest.mark.radius, pytest.mark.db]

NAMES = ("anna", "bruno", "carla", "dario", "elena")
# As a program that knows nothing of the guard would: one wrong statement.
BUG = (
    "WITH made AS (INSERT INTO automation_run (name, started_by) VALUES ('dunning', 'worker-1') RETURNING id)"
    " INSERT INTO restriction (contract_id, origin, level, reason, placed_by, run_id)"
    " SELECT c.id, 'dunning', 'walled', 'invoice 12', 'dunning', made.id FROM contract c, made"
)


@contextmanager
def working(world):
    """A worker's whole loop, which lets three cuts an hour go by themselves."""
    settings = replace(world.settings, guard=GuardSettings(share_percent=2.0, never_less_than=3))
    with at_work(world, settings):
        yield settings


def rates(world):
    return [world.session(name).rates for name in NAMES]


def test_more_than_the_share_is_cut_by_nobody_until_a_person_lets_it_go_and_one_command_takes_it_back(
    database, tmp_path
):
    commands = write_settings(tmp_path, database)
    with enforcement_world(database, usernames=NAMES) as world, working(world):
        world.dial(*NAMES)
        world.execute(BUG)
        world.wait_for("SELECT count(*) = 5 FROM enforcement WHERE held_since IS NOT NULL")

        assert rates(world) == [FULL] * 5
        assert world.execute("SELECT count(*) FROM enforcement_packet") == [(0,)]
        assert "waits for a person: 5 of 5 subscribers online" in run(commands, "guard", "status").output

        # One pays meanwhile, and is not cut with the others.
        world.lift("carla")
        world.wait_for("SELECT count(*) = 4 FROM enforcement WHERE closed_at IS NULL")
        done = run(commands, "guard", "release", "--reason", "checked", "--yes")
        assert "4 changes go" in done.output, done.output
        world.wait_for("SELECT count(*) = 4 FROM enforcement WHERE state = 'verified'")
        assert rates(world) == [WALLED, WALLED, FULL, WALLED, WALLED]

        done = run(commands, "undo", "1", "--reason", "wrong due dates", "--yes")
        assert "Lifted 4 restrictions" in done.output, done.output
        world.wait_for("SELECT count(*) = 8 FROM enforcement WHERE state = 'verified'")
        assert rates(world) == [FULL] * 5


def test_an_edited_timeout_sends_nothing_to_who_is_online_and_an_edited_pool_waits_for_a_person(database, tmp_path):
    """What the profile gave before is known in full: with a pool in it, nobody logs in anew for a timeout."""
    commands = write_settings(tmp_path, database)
    with enforcement_world(database, usernames=NAMES) as world, working(world):
        world.execute("UPDATE profile SET ipv4_pool = 'homes' WHERE name = 'Full'")
        world.wait_until_published()
        # The worker notes what a profile gives as it follows the changes, and not what was there between two looks of it.
        world.wait_for("SELECT count(*) > 0 FROM known_revision WHERE content ->> 'ipv4_pool' = 'homes'")
        world.dial(*NAMES)
        online = [world.session(name) for name in NAMES]

        world.execute("UPDATE profile SET session_timeout_s = 7200 WHERE name = 'Full'")
        world.wait_for("SELECT count(*) = 5 AND bool_and(state = 'superseded' AND sent_at IS NULL) FROM enforcement")
        assert world.execute("SELECT count(*) FROM session WHERE applied_by = 'same'") == [(5,)]
        assert world.execute(DRIFT) == [(0,)]

        world.execute("UPDATE profile SET ipv4_pool = 'others' WHERE name = 'Full'")
        world.wait_for("SELECT count(*) = 5 FROM enforcement WHERE held_since IS NOT NULL AND method = 'disconnect'")
        assert "waits for a person: 5 of 5 subscribers online" in run(commands, "guard", "status").output
        assert world.execute("SELECT count(*) FROM enforcement_packet") == [(0,)]
        assert [world.session(name) for name in NAMES] == online


def test_a_stop_and_maintenance_hold_everything_and_what_waited_goes_when_they_end(database, tmp_path):
    commands = write_settings(tmp_path, database)
    with enforcement_world(database, usernames=NAMES) as world, working(world):
        world.dial(*NAMES)
        for begin, end in (
            (("stop", "--reason", "wrong import"), ("resume",)),
            (("maintenance", "on", "tower", "--reason", "new software"), ("maintenance", "off", "tower")),
        ):
            assert run(commands, *begin, "--yes").exit_code == 0
            packets = world.execute("SELECT count(*) FROM enforcement_packet")
            world.place("anna", "walled")
            world.wait_for("SELECT count(*) = 1 FROM enforcement WHERE held_since IS NOT NULL")
            assert world.session("anna").rates == FULL
            assert world.execute("SELECT count(*) FROM enforcement_packet") == packets

            assert run(commands, *end, "--yes").exit_code == 0
            world.wait_for("SELECT bool_and(state = 'verified') FROM enforcement")
            assert world.session("anna").rates == WALLED
            world.lift("anna")
            world.wait_for("SELECT count(*) %% 2 = 0 AND bool_and(state = 'verified') FROM enforcement")
            assert world.session("anna").rates == FULL


def test_who_dials_while_a_run_waits_for_a_person_gets_what_was_paid_for(database):
    with enforcement_world(database, usernames=NAMES) as world, working(world) as settings:
        now = datetime.now(UTC)
        with db.connect(database, name="dunning") as connection:
            number = start_run(connection, "dunning", by="worker-1", now=now)
            wanted = [Wanted(contract, "dunning", "walled", "invoice 12") for contract in range(1, 6)]
            assert place_for_run(connection, number, wanted, now=now, limits=guard_rules(settings).limits).held
        world.dial(*NAMES)

        assert rates(world) == [FULL] * 5
        assert world.execute("SELECT count(*) FROM enforcement") == [(0,)]
