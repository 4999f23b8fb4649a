"""Changes on their way to live sessions of a simulated device: sent, refused, ignored, lost, proven."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial

import pytest
from support.enforcement_world import enforcement_world
from support.radius_server import SEALER

from control_plane import db
from control_plane.enforcer import Enforcer
from control_plane.store.guard import guard_rules, may_send
from control_plane.verification import Verifier
from nas_drivers.simulated.traffic import Rates

pytestmark = [pytest.mark.radius, pytest.mark.db]


@contextmanager
def enforcing(world, *, worker="worker-1", verify=True):
    """A worker that sends and looks, until the block ends."""
    stop = threading.Event()
    rules = guard_rules(world.settings)
    enforcer = Enforcer(
        world.settings,
        SEALER,
        worker=worker,
        may_send=lambda connection, ids, now: may_send(connection, ids, now, rules),
    )
    failures = []

    def run(work):
        try:
            work(stop)
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=run, args=(enforcer.run,))]
    if verify:
        threads.append(threading.Thread(target=run, args=(partial(look, world),)))
    for thread in threads:
        thread.start()
    try:
        yield enforcer
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
        assert failures == []


def look(world, stop):
    with db.connect(world.conninfo, name="verifier", autocommit=True) as connection:
        verifier = Verifier(connection, world.settings)
        while not stop.wait(0.05):
            verifier.turn(datetime.now(UTC))


STATES = "SELECT state::text, method::text, attempt, alarmed_at IS NOT NULL FROM enforcement ORDER BY id"
CLOSED = "SELECT count(*) > 0 AND bool_and(closed_at IS NOT NULL) FROM enforcement"
FULL, SLOW, WALLED = Rates(100_000_000, 20_000_000), Rates(2_000_000, 1_000_000), Rates(512_000, 256_000)
DRIFT = "SELECT count(*) FROM session s JOIN desired_policy d USING (account_id) LEFT JOIN profile_revision p USING (profile_id) WHERE coalesce(s.applied_version, s.policy_version) IS DISTINCT FROM p.revision || d.account_revision"


def test_a_throttled_session_is_changed_live_and_its_next_record_proves_it(database):
    with enforcement_world(database) as world, enforcing(world):
        world.dial("anna", "bruno")
        world.place("anna", "throttle")
        world.reconcile()
        world.wait_for(CLOSED)
        assert world.execute(STATES) == [("verified", "coa", 1, False)]
        assert (world.session("anna").rates, world.session("bruno").rates) == (SLOW, FULL)
        assert world.execute(DRIFT) == [(0,)]
        packets = world.execute("SELECT direction, code, attributes FROM enforcement_packet ORDER BY at, code")
        assert [(way, code) for way, code, _ in packets] == [("sent", 43), ("received", 44)]
        assert "Filter-Id = 2000/1000" in packets[0][2]
        assert "Message-Authenticator = ***" in packets[0][2]


def test_a_blocked_session_is_ended_and_its_stop_proves_it(database):
    with enforcement_world(database) as world, enforcing(world):
        world.dial("anna", "bruno")
        world.place("anna", "blocked")
        world.reconcile()
        world.wait_for(CLOSED)
        assert world.execute(STATES) == [("verified", "disconnect", 1, False)]
        assert len(world.nas.sessions.of("anna")) == 0
        assert world.execute("SELECT username FROM session") == [("bruno",)]
