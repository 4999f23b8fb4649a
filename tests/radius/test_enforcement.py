"""Changes on their way to live sessions of a simulated device: sent, refused, ignored, lost, proven."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import REGISTRY
from support.enforcement_world import ADDRESS, DRIFT, FULL, SLOW, enforcement_world, working
from support.radius_server import KEY, SEALER
from support.routeros_api_stand_in import StandInRouterOsApi
from support.worker_process import WorkerProcess

from control_plane import db
from control_plane.control_loop.device_reading import read_devices
from control_plane.control_loop.reconcile import reconcile_all
from nas_drivers.simulated.faults import Fault, FaultKind, Traffic
from nas_drivers.simulated.traffic import Rates
from radius_hooks.sealing import nas_api_row

pytestmark = [pytest.mark.radius, pytest.mark.db]


STATES = "SELECT state::text, method::text, attempt, alarmed_at IS NOT NULL FROM enforcement ORDER BY id"
CLOSED = "SELECT count(*) > 0 AND bool_and(closed_at IS NOT NULL) FROM enforcement"


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


def faulty(world, kind, *, on=frozenset({Traffic.COA, Traffic.DISCONNECT}), **given):
    world.tell(lambda: world.nas.faults.add(Fault(kind, on=on, **given)))


def test_a_cut_that_is_acknowledged_and_ignored_is_tried_again_and_ends_in_an_alarm(database):
    with enforcement_world(database) as world, working(world):
        world.dial("anna")
        faulty(world, FaultKind.ACK_ONLY)
        world.place("anna", "blocked")
        # Twice, each looked after for ten seconds, and accel-ppp has no other way.
        for attempt in (1, 2):
            world.wait_for("SELECT count(*) = 1 FROM enforcement WHERE state = 'acked' AND attempt = %s", attempt)
            assert world.execute("SELECT next_at - answered_at FROM enforcement") == [(timedelta(seconds=10),)]
            world.let_time_pass()
        world.wait_for("SELECT count(*) = 1 FROM enforcement WHERE state = 'gave_up'")
        ((state, method, attempt, alarmed),) = world.execute(STATES)
        assert (state, method, attempt, alarmed) == ("gave_up", "disconnect", 2, True)
        assert world.execute("SELECT problem FROM enforcement") == [
            ("still online 10 s after the acknowledged disconnect",)
        ]


def test_an_answer_made_with_another_secret_is_counted_and_the_true_one_behind_it_holds(database):
    def discarded():
        name, labels = "corrente_change_answers_discarded_total", {"reason": "wrong authenticator"}
        return REGISTRY.get_sample_value(name, labels) or 0

    before = discarded()
    with enforcement_world(database) as world, working(world):
        world.dial("anna")
        faulty(world, FaultKind.WRONG_AUTHENTICATOR, times=1, then_genuine=True)
        world.place("anna", "throttle")
        world.wait_for(CLOSED)
        assert world.execute(STATES) == [("verified", "coa", 1, False)]
    assert discarded() == before + 1


MANY = tuple(f"user{number}" for number in range(40))
SENT_TWICE = (
    "SELECT count(*) FROM (SELECT enforcement_id FROM enforcement_packet WHERE direction = 'sent' "
    "GROUP BY 1 HAVING count(*) > 1) AS twice"
)


def place_all(world, level):
    world.execute(
        "INSERT INTO restriction (contract_id, origin, level, reason, placed_by) SELECT id, 'dunning', %s, 'test', 'maria' FROM contract",
        level,
    )


def test_of_two_workers_each_change_is_sent_by_one(database):
    with enforcement_world(database, usernames=MANY) as world, working(world), working(world):
        world.dial(*MANY)
        place_all(world, "throttle")
        world.wait_for("SELECT count(*) = 40 FROM enforcement WHERE state = 'verified'")
        world.settles(dict.fromkeys(MANY, SLOW), within_s=30)
        assert world.execute(SENT_TWICE) == [(0,)]
        assert world.execute("SELECT count(*), max(attempt) FROM enforcement") == [(40, 1)]


@pytest.mark.slow
def test_what_a_killed_worker_had_in_its_hands_is_taken_up_by_the_next_one(database, tmp_path):
    with enforcement_world(database, usernames=MANY, change_delay_s=1.0) as world:
        world.dial(*MANY)
        world.execute("UPDATE nas SET coa_window = 5")
        first = WorkerProcess(tmp_path / "first", database, key=KEY)
        try:
            first.wait_for("desired.rebuilt")
            place_all(world, "throttle")
            world.wait_for("SELECT count(*) > 0 FROM enforcement WHERE state = 'sent'")
        finally:
            first.kill()
        world.let_time_pass()
        with working(world):
            world.settles(dict.fromkeys(MANY, SLOW), within_s=60)
        assert world.execute("SELECT count(DISTINCT session_key), max(attempt) FROM enforcement") == [(40, 2)]


@contextmanager
def api_of(world):
    """The device's API, known to the control plane; where our word is proven by it."""
    stand_in = StandInRouterOsApi(world.nas.sessions, lambda session: hang_up(world, session))
    over, up = threading.Event(), threading.Event()

    async def serve():
        async with stand_in.listening(ADDRESS):
            up.set()
            while not over.is_set():
                await asyncio.sleep(0.02)

    task = asyncio.run_coroutine_threadsafe(serve(), world.loop)
    assert up.wait(90)
    world.execute(
        "UPDATE nas SET api_port = %s, api_tls = false, api_username = 'corrente', sealed_api_password = %s, verification = 'routeros_api'",
        stand_in.port,
        SEALER.seal(b"api password", row=nas_api_row(1)),
    )
    try:
        yield stand_in
    finally:
        over.set()
        task.result(90)


def hang_up(world, session):
    return asyncio.ensure_future(world.nas.hang_up([session]))


def test_a_router_that_keeps_its_class_is_taken_at_its_word_and_the_reason_is_said(database):
    with enforcement_world(database, vendor="mikrotik") as world, working(world):
        world.dial("anna")
        world.place("anna", "throttle")
        world.wait_for(CLOSED)
        assert world.execute("SELECT state::text, problem FROM enforcement") == [
            ("unverifiable", "acknowledged; this device does not echo a new Class, and is not read")
        ]
        assert world.session("anna").rates == SLOW
        time.sleep(1)
        assert world.execute("SELECT count(*) FROM enforcement") == [(1,)]


def test_a_router_with_an_api_is_read_and_proves_the_change(database):
    with enforcement_world(database, vendor="mikrotik") as world, api_of(world) as api, working(world):
        world.dial("anna")
        world.place("anna", "throttle")
        world.wait_for(CLOSED)
        assert world.execute(STATES) == [("verified", "coa", 1, False)]
        assert any("/queue/simple" in command for command in api.commands)
        world.settles({"anna": SLOW}, within_s=30)


def test_what_no_disconnect_can_end_is_ended_by_the_api(database):
    with enforcement_world(database, vendor="mikrotik") as world, api_of(world), working(world):
        world.dial("anna", "bruno")
        faulty(world, FaultKind.NAK, on={Traffic.DISCONNECT})
        world.place("anna", "blocked")
        world.wait_for(CLOSED)
        assert world.execute(STATES) == [("verified", "routeros_api", 2, False)]
        assert world.execute("SELECT username FROM session") == [("bruno",)]
        assert world.execute("SELECT direction, attributes FROM enforcement_packet WHERE code = 0 ORDER BY at")[1] == (
            "received",
            "answer = removed",
        )


@pytest.mark.slow
def test_a_change_that_waits_long_for_its_turn_stays_with_its_worker_and_is_sent_once(database):
    # One at a time and a second and a half each: the last ones are in hand for longer than a lease of 15 s.
    names = MANY[:14]
    with enforcement_world(database, usernames=names, change_delay_s=1.5) as world:
        world.dial(*names)
        world.execute("UPDATE nas SET coa_window = 1")
        place_all(world, "throttle")
        with working(world), working(world):
            world.wait_for("SELECT count(*) = 14 FROM enforcement WHERE answered_at IS NOT NULL")
        assert world.execute(SENT_TWICE) == [(0,)]
        assert world.execute("SELECT DISTINCT attempt FROM enforcement") == [(1,)]


def fall_back(world, session, classes):
    """As a device does that gets its configuration of this morning back."""
    session.classes = classes
    session.meter.change(FULL, world.loop.time())


@contextmanager
def reconciling(world):
    """What the worker does each minute, and each five, is done now."""
    with db.connect(world.conninfo, name="sweep", autocommit=True) as connection:
        yield connection


def test_a_device_whose_accounting_names_an_older_policy_again_is_changed_again(database):
    with enforcement_world(database) as world, working(world), reconciling(world) as connection:
        world.dial("anna")
        session = world.session("anna")
        given = session.classes
        world.place("anna", "throttle")
        world.settles({"anna": SLOW}, within_s=30)
        world.tell(lambda: fall_back(world, session, given))
        world.tell(world.nas.send_interims)
        world.wait_for(f"SELECT ({DRIFT}) = 1")

        assert reconcile_all(connection).opened == 1

        world.settles({"anna": SLOW}, within_s=30)
        assert (
            world.execute("SELECT state::text, method::text FROM enforcement ORDER BY id") == [("verified", "coa")] * 2
        )
        assert world.session("anna") is session


def test_a_router_that_is_read_and_shows_an_older_policy_is_changed_again(database):
    with (
        enforcement_world(database, vendor="mikrotik") as world,
        api_of(world),
        working(world),
        reconciling(world) as connection,
    ):
        world.dial("anna", "bruno")
        session = world.session("anna")
        world.place("anna", "throttle")
        world.settles({"anna": SLOW, "bruno": FULL}, within_s=30)
        # Its accounting names the policy of the login, before and after: only its own list tells.
        world.tell(lambda: fall_back(world, session, session.classes))

        assert read_devices(connection, world.settings, datetime.now(UTC)).startswith("read 1 devices")

        world.wait_for("SELECT count(*) = 2 FROM enforcement WHERE username = 'anna'")
        world.settles({"anna": SLOW, "bruno": FULL}, within_s=30)
        assert (
            world.execute("SELECT username, state::text, method::text FROM enforcement ORDER BY id")
            == [("anna", "verified", "coa")] * 2
        )
        assert world.session("anna") is session


def test_a_rate_of_the_accounts_own_comes_back_with_the_login_after_a_throttle(database):
    own = Rates(50_000_000, 10_000_000)
    with enforcement_world(database) as world:
        world.execute(
            "UPDATE subscriber_account SET own_attributes = "
            """'[{"reply": [["Filter-Id", ":=", "50000/10000"]]}]' WHERE username = 'anna'"""
        )
        world.wait_until_published()
        world.dial("anna", "bruno")
        assert world.session("anna").rates == own
        with working(world):
            for name in ("anna", "bruno"):
                world.place(name, "throttle")
            world.settles({"anna": SLOW, "bruno": SLOW}, within_s=60, reporting=True)
            for name in ("anna", "bruno"):
                world.lift(name)
            world.settles({"anna": own, "bruno": FULL}, within_s=60, reporting=True, dialling=True)

        # What her login gives no CoA can say; his profile one can.
        methods = world.execute("SELECT username, method::text FROM enforcement WHERE level = 'full' ORDER BY username")
        assert methods == [("anna", "disconnect"), ("bruno", "coa")]
