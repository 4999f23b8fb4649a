"""A live session walled in and let out by CoA and API together, without a drop: FreeRADIUS and database real, the router a
simulated one with a stand-in for its API."""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace
from support.enforcement_world import FULL, WALLED, enforcement_world, working
from support.radius_server import KEY
from support.routeros_world import with_api
from support.worker_process import WorkerProcess

from control_plane import db
from control_plane.control_loop.list_entries import tend_list_entries
from nas_drivers.vendors.mikrotik import Options

pytestmark = [pytest.mark.radius, pytest.mark.db]
STATES = "SELECT state::text, method::text, attempt FROM enforcement ORDER BY id"
CLOSED = "SELECT count(*) = %s AND bool_and(closed_at IS NOT NULL) FROM enforcement"
LISTS = "/ip/firewall/address-list"


@contextmanager
def world_with_lists(database):
    """A router whose address lists change by its API, and the settings that say so."""
    with enforcement_world(database, vendor="mikrotik") as world, with_api(world) as stand_in:
        world.execute("UPDATE nas SET verification = 'routeros_api'")
        world.execute("UPDATE profile SET address_lists = '{walled}' WHERE name = 'Walled'")
        world.wait_until_published()
        yield world, stand_in, replace(world.settings, drivers={"mikrotik": Options(lists_by_api=True)})


def listed(stand_in):
    return [(one.list, one.address, one.comment) for one in stand_in.entries]


def entry_of(session):
    return ("walled", str(session.address), f"Corrente session {session.session_id}")


def test_a_live_session_is_walled_in_and_let_out_without_a_drop(database):
    with world_with_lists(database) as (world, stand_in, settings), working(world, settings):
        world.dial("anna", "bruno")
        anna = world.session("anna")

        world.place("anna", "walled")
        world.wait_for(CLOSED, 1)
        assert world.execute(STATES) == [("verified", "coa", 1)]
        assert (world.session("anna"), anna.rates, listed(stand_in)) == (anna, WALLED, [entry_of(anna)])
        packets = world.execute(
            "SELECT direction, code, attributes FROM enforcement_packet ORDER BY at, code DESC, direction DESC"
        )
        assert [(way, code) for way, code, _ in packets] == [
            ("sent", 43), ("received", 44), ("sent", 0), ("received", 0),
        ]  # fmt: skip
        assert packets[2][2] == (
            f"command = {LISTS}/add\nlist = walled\naddress = {anna.address}\n"
            f"comment = Corrente session {anna.session_id}\ntimeout = 3600s"
        )
        assert packets[3][2] == "answer = holds"

        world.lift("anna")
        world.wait_for(CLOSED, 2)
        assert world.execute(STATES)[1] == ("verified", "coa", 1)
        assert (world.session("anna"), anna.rates, listed(stand_in)) == (anna, FULL, [])
        world.settles({"anna": FULL, "bruno": FULL}, within_s=30)


def test_a_session_that_logged_in_walled_is_let_out_without_a_drop(database):
    with world_with_lists(database) as (world, _, settings), working(world, settings):
        world.place("anna", "walled")
        world.wait_until_published()
        world.dial("anna")
        anna = world.session("anna")
        assert (anna.address_lists, anna.rates) == (("walled",), WALLED)

        world.lift("anna")

        world.wait_for(CLOSED, 1)
        assert world.execute(STATES) == [("verified", "coa", 1)]
        assert (world.session("anna"), anna.address_lists, anna.rates) == (anna, (), FULL)


def test_where_only_the_list_differs_no_coa_goes_out(database):
    with world_with_lists(database) as (world, stand_in, settings), working(world, settings):
        world.execute("UPDATE profile SET rate_down_bps = %s, rate_up_bps = %s", FULL.down_bps, FULL.up_bps)
        world.wait_until_published()
        world.dial("anna")
        anna = world.session("anna")
        world.place("anna", "walled")
        world.wait_for(CLOSED, 1)
        assert world.execute(STATES) == [("verified", "coa", 1)]
        assert world.execute("SELECT DISTINCT code FROM enforcement_packet") == [(0,)]
        assert (world.session("anna"), listed(stand_in)) == (anna, [entry_of(anna)])


def test_an_api_that_breaks_in_the_middle_leaves_it_to_a_new_login(database):
    with world_with_lists(database) as (world, stand_in, settings), working(world, settings):
        world.dial("anna")
        stand_in.meanwhile = lambda command: command != f"{LISTS}/add"

        world.place("anna", "walled")

        world.wait_for(CLOSED, 1)
        # Twice by CoA and API, then the cut.
        assert world.execute(STATES) == [("verified", "disconnect", 3)]
        assert stand_in.entries == []
        world.redial("anna")
        assert (world.session("anna").address_lists, world.session("anna").rates) == (("walled",), WALLED)


def test_a_nas_without_an_api_access_gets_its_lists_by_a_new_login(database):
    with world_with_lists(database) as (world, stand_in, settings):
        world.execute("UPDATE nas SET api_username = NULL, sealed_api_password = NULL, verification = 'accounting'")
        with working(world, settings):
            world.dial("anna")
            world.place("anna", "walled")
            world.wait_for(CLOSED, 1)
        assert world.execute(STATES) == [("verified", "disconnect", 1)]
        assert stand_in.commands == []


def test_a_worker_that_is_killed_between_coa_and_api_is_followed_by_one_that_finishes(database, tmp_path):
    with world_with_lists(database) as (world, stand_in, settings):
        world.dial("anna")
        anna = world.session("anna")
        more = "[drivers.mikrotik]\nlists_by_api = true\n"
        first = WorkerProcess(tmp_path / "first", database, key=KEY, more=more)

        def killed(command):
            # A slow one may still be reading the lists that there were when it began.
            if not command.endswith("/add"):
                return True
            first.kill()
            return False

        try:
            first.wait_for("desired.rebuilt")
            stand_in.meanwhile = killed
            world.place("anna", "walled")
            world.wait_for("SELECT count(*) = 1 FROM enforcement WHERE state = 'sent'")
            first.process.wait(120)
        finally:
            if first.process.poll() is None:
                first.kill()
        assert (anna.rates, stand_in.entries) == (WALLED, [])
        stand_in.meanwhile = None
        world.let_time_pass()

        with working(world, settings):
            world.wait_for(CLOSED, 1)
        assert world.execute(STATES) == [("verified", "coa", 2)]
        assert (world.session("anna"), listed(stand_in)) == (anna, [entry_of(anna)])


def test_a_session_that_ends_between_coa_and_api_leaves_no_entry(database):
    with world_with_lists(database) as (world, stand_in, settings), working(world, settings):
        world.dial("anna")

        def hang_up(_command):
            for session in world.nas.sessions.of("anna"):
                world.nas.sessions.remove(session)
            return True

        stand_in.meanwhile = hang_up
        world.place("anna", "walled")
        world.wait_for(CLOSED, 1)
        assert stand_in.entries == []


def tended(database, settings):
    with db.connect(database, name="test", autocommit=True) as connection:
        return tend_list_entries(connection, settings, datetime.now(UTC)).partition("; ")[2]


def test_an_entry_is_renewed_while_its_session_stays_walled_and_never_outlives_it(database):
    with world_with_lists(database) as (world, stand_in, settings):
        world.dial("anna", "bruno")
        with working(world, settings):
            world.place("anna", "walled")
            world.wait_for(CLOSED, 1)
        (entry,) = stand_in.entries
        assert tended(database, settings) == "renewed 0, took away 0"

        entry.until = time.monotonic() + 1700
        assert tended(database, settings) == "renewed 1, took away 0"
        assert entry.until > time.monotonic() + 3500

        # The session is over and Bruno has its address, before any accounting of that has come.
        anna, bruno = world.session("anna"), world.session("bruno")
        world.tell(lambda: world.nas.sessions.remove(anna))
        bruno.address = anna.address
        entry.until = time.monotonic() + 1700
        world.execute("INSERT INTO network_stop (placed_by, reason) VALUES ('maria', 'new core router')")
        assert (tended(database, settings), len(stand_in.entries)) == ("", 1)
        world.execute("UPDATE network_stop SET ended_at = now(), ended_by = 'maria'")
        assert tended(database, settings) == "renewed 0, took away 1"
        assert stand_in.entries == []
        assert tended(database, settings) == "renewed 0, took away 0"


def test_an_entry_whose_session_said_stop_is_taken_away_at_once(database):
    with world_with_lists(database) as (world, stand_in, settings):
        world.dial("anna", "bruno")
        with working(world, settings):
            world.place("anna", "walled")
            world.wait_for(CLOSED, 1)
        world.do(world.nas.hang_up([world.session("anna")]))
        world.wait_for("SELECT count(*) = 1 FROM session")
        assert len(stand_in.entries) == 1

        assert tended(database, settings) == "renewed 0, took away 1"
        assert stand_in.entries == []
