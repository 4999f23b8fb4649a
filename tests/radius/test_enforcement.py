"""Changes on their way to live sessions of a simulated device: sent, refused, ignored, lost, proven."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import pytest
from support.enforcement_world import enforcement_world

from control_plane.leadership import Leadership
from control_plane.loop import ControlLoop
from nas_drivers.simulated.traffic import Rates

pytestmark = [pytest.mark.radius, pytest.mark.db]


@contextmanager
def working(world):
    """A whole worker but for its scheduled jobs, until the block ends."""
    stop = threading.Event()
    leadership = Leadership(world.settings)
    lease = threading.Thread(target=leadership.run, args=(stop,), name="lease")
    lease.start()
    try:
        with ControlLoop(world.settings, leadership, stop):
            yield
    finally:
        stop.set()
        lease.join(30)
        leadership.give_back()


STATES = "SELECT state::text, method::text, attempt, alarmed_at IS NOT NULL FROM enforcement ORDER BY id"
CLOSED = "SELECT count(*) > 0 AND bool_and(closed_at IS NOT NULL) FROM enforcement"
FULL, SLOW, WALLED = Rates(100_000_000, 20_000_000), Rates(2_000_000, 1_000_000), Rates(512_000, 256_000)
DRIFT = "SELECT count(*) FROM session s JOIN desired_policy d USING (account_id) LEFT JOIN profile_revision p USING (profile_id) WHERE coalesce(s.applied_version, s.policy_version) IS DISTINCT FROM p.revision || d.account_revision"


def test_a_throttled_session_is_changed_live_and_its_next_record_proves_it(database):
    with enforcement_world(database) as world, working(world):
        world.dial("anna", "bruno")
        world.place("anna", "throttle")
        world.wait_for(CLOSED)
        assert world.execute(STATES) == [("verified", "coa", 1, False)]
        assert (world.session("anna").rates, world.session("bruno").rates) == (SLOW, FULL)
        assert world.execute(DRIFT) == [(0,)]
        packets = world.execute("SELECT direction, code, attributes FROM enforcement_packet ORDER BY at, code")
        assert [(way, code) for way, code, _ in packets] == [("sent", 43), ("received", 44)]
        assert "Filter-Id = 2000/1000" in packets[0][2]
        assert "Message-Authenticator = ***" in packets[0][2]


def test_a_blocked_session_is_ended_and_its_stop_proves_it(database):
    with enforcement_world(database) as world, working(world):
        world.dial("anna", "bruno")
        world.place("anna", "blocked")
        world.wait_for(CLOSED)
        assert world.execute(STATES) == [("verified", "disconnect", 1, False)]
        assert len(world.nas.sessions.of("anna")) == 0
        assert world.execute("SELECT username FROM session") == [("bruno",)]
