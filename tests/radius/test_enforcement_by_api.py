"""Where a Disconnect has no effect the session is ended by the device's API; the stand-in speaks for the simulated device."""

from __future__ import annotations

import pytest
from support.enforcement_world import ADDRESS, enforcement_world, working
from support.routeros_world import with_api

from nas_drivers.simulated.faults import Fault, FaultKind, Traffic

pytestmark = [pytest.mark.radius, pytest.mark.db]
CHANGES = frozenset({Traffic.COA, Traffic.DISCONNECT})
STATES = "SELECT state::text, method::text, alarmed_at IS NOT NULL FROM enforcement ORDER BY id"
CLOSED = "SELECT count(*) > 0 AND bool_and(closed_at IS NOT NULL) FROM enforcement"


def test_a_device_that_refuses_disconnects_is_told_by_its_api(database):
    with enforcement_world(database, vendor="mikrotik") as world, with_api(world) as stand_in, working(world):
        world.dial("anna", "bruno")
        world.tell(lambda: world.nas.faults.add(Fault(FaultKind.NAK, on=CHANGES, error_cause=406)))

        world.place("anna", "blocked")

        world.wait_for(CLOSED)
        assert world.execute(STATES) == [("verified", "routeros_api", True)]
        assert world.execute("SELECT username FROM session") == [("bruno",)]
        assert len(world.nas.sessions.of("bruno")) == 1
        assert stand_in.commands == ["/ppp/active/print", "/ppp/active/remove"]
        packets = world.execute(
            "SELECT direction, code, peer, attributes FROM enforcement_packet ORDER BY at, code DESC"
        )
        assert [(way, code) for way, code, _, _ in packets] == [
            ("sent", 40),
            ("received", 42),
            ("sent", 0),
            ("received", 0),
        ]
        assert packets[2][2:] == (f"{ADDRESS}:{stand_in.port}", "command = /ppp/active/remove\nname = anna")
        assert packets[3][3] == "answer = removed"


def test_a_wrong_password_for_the_api_is_tried_a_few_times_and_then_for_a_person(database):
    with enforcement_world(database, vendor="mikrotik") as world, with_api(world, password="another") as stand_in:
        with working(world):
            world.dial("anna")
            world.tell(lambda: world.nas.faults.add(Fault(FaultKind.NAK, on=CHANGES, error_cause=406)))
            world.place("anna", "blocked")
            world.wait_for("SELECT bool_or(problem ~ 'login refused') FROM enforcement")
        assert stand_in.commands == []
        assert world.execute("SELECT count(*) FROM session") == [(1,)]
        assert world.execute("SELECT count(*) FROM enforcement_packet WHERE code = 0 AND direction = 'received'") == [
            (0,)
        ]


def test_a_session_that_goes_on_after_acknowledged_disconnects_is_ended_by_the_api(database):
    with enforcement_world(database, vendor="mikrotik") as world, with_api(world), working(world):
        world.dial("anna")
        world.tell(lambda: world.nas.faults.add(Fault(FaultKind.ACK_ONLY, on=CHANGES)))

        world.place("anna", "blocked")

        # Its records go on, each second here.
        world.settles({"anna": None}, within_s=60, reporting=True)
        assert world.execute(STATES) == [("verified", "routeros_api", False)]
        assert len(world.nas.sessions) == 0
