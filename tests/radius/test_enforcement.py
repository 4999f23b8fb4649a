"""Changes on their way to live sessions of a simulated device: sent, refused, ignored, lost, proven."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import contextmanager

import pytest
from prometheus_client import REGISTRY
from support.enforcement_world import ADDRESS, enforcement_world
from support.own_postgres import own_postgres, start_again
from support.radius_server import KEY, SEALER
from support.routeros_api_stand_in import StandInRouterOsApi
from support.worker_process import WorkerProcess

from control_plane import db
from control_plane.control_loop.loop import ControlLoop
from control_plane.leadership import Leadership
from control_plane.machine.private_postgres import stop_cluster
from nas_drivers.simulated.faults import Fault, FaultKind, Traffic
from nas_drivers.simulated.traffic import Rates
from radius_hooks.sealing import nas_api_row

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


def faulty(world, kind, *, on=frozenset({Traffic.COA, Traffic.DISCONNECT}), **given):
    world.tell(lambda: world.nas.faults.add(Fault(kind, on=on, **given)))


def all_well(world):
    """No session in drift, and nothing left open."""
    world.wait_for(f"SELECT ({DRIFT}) = 0")
    world.wait_for("SELECT count(*) = 0 FROM enforcement WHERE closed_at IS NULL")


def test_acknowledged_and_ignored_is_seen_and_done_by_the_next_method(database):
    with enforcement_world(database) as world, working(world):
        world.dial("anna")
        faulty(world, FaultKind.ACK_ONLY, on=frozenset({Traffic.COA}))
        world.place("anna", "throttle")
        # The device never did it, and its next record says so.
        world.wait_for("SELECT count(*) > 0 FROM enforcement WHERE state = 'acked'")
        time.sleep(3)  # a record within two seconds of the answer may have been on its way
        for attempt in (1, 2):
            world.wait_for(
                "SELECT count(*) = 1 FROM enforcement WHERE attempt = %s AND state = 'acked'", attempt, seconds=40
            )
            time.sleep(3)
            world.tell(world.nas.send_interims)
        world.wait_for(CLOSED)
        assert world.execute(STATES) == [("verified", "disconnect", 3, False)]
        assert len(world.nas.sessions.of("anna")) == 0


def test_a_cut_that_is_acknowledged_and_ignored_is_tried_again_and_ends_in_an_alarm(database):
    with enforcement_world(database) as world, working(world):
        world.dial("anna")
        faulty(world, FaultKind.ACK_ONLY)
        world.place("anna", "blocked")
        # Twice, each looked after for ten seconds, and accel-ppp has no other way.
        world.wait_for("SELECT count(*) = 1 FROM enforcement WHERE state = 'gave_up'", seconds=60)
        ((state, method, attempt, alarmed),) = world.execute(STATES)
        assert (state, method, attempt, alarmed) == ("gave_up", "disconnect", 2, True)
        assert world.execute("SELECT problem FROM enforcement") == [
            ("still online 10 s after the acknowledged disconnect",)
        ]


def test_a_session_that_the_device_does_not_have_is_a_ghost_of_ours_and_closed(database):
    with enforcement_world(database) as world, working(world):
        world.dial("anna", "bruno")
        faulty(world, FaultKind.RECORD_LOST, on={Traffic.ACCOUNTING}, times=1)
        world.do(world.nas.hang_up([world.session("anna")]))
        world.place("anna", "blocked")
        world.wait_for(CLOSED)
        assert world.execute("SELECT state::text, attempt, error_cause, alarmed_at FROM enforcement") == [
            ("verified", 2, 503, None)
        ]
        world.wait_for("SELECT count(*) = 1 FROM session")
        assert world.execute("SELECT username, ended_by::text FROM closed_session") == [("anna", "not_on_device")]
        all_well(world)


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


def test_refused_without_a_cause_is_done_by_a_disconnect(database):
    with enforcement_world(database) as world, working(world):
        world.dial("anna")
        faulty(world, FaultKind.NAK, on={Traffic.COA})
        world.place("anna", "throttle")
        world.wait_for(CLOSED)
        assert world.execute(STATES) == [("verified", "disconnect", 2, False)]
        world.wait_until_published()
        world.dial("anna")
        assert world.session("anna").rates == SLOW
        all_well(world)


def test_a_lost_acknowledgement_and_a_session_not_found_behind_it_is_done(database):
    with enforcement_world(database) as world, working(world):
        world.dial("anna")
        # Its Stop is lost too: only the second answer tells.
        faulty(world, FaultKind.RECORD_LOST, on={Traffic.ACCOUNTING}, times=1)
        faulty(world, FaultKind.REPLY_LOST, times=1)
        faulty(world, FaultKind.NAK, error_cause=503)
        world.place("anna", "blocked")
        world.wait_for(CLOSED)
        assert world.execute("SELECT state::text, attempt, unsure FROM enforcement") == [("verified", 1, True)]
        sent = world.execute("SELECT code, identifier FROM enforcement_packet WHERE direction = 'sent'")
        assert len(sent) == 2
        assert len(set(sent)) == 1
        all_well(world)


def test_a_silent_device_is_asked_when_its_accounting_tells_that_it_is_back(database):
    with enforcement_world(database) as world, working(world):
        world.dial("anna", "bruno")
        faulty(world, FaultKind.SILENCE)
        world.place("anna", "throttle")
        world.place("bruno", "throttle")
        world.wait_for("SELECT count(*) = 1 FROM nas_silence", seconds=60)
        world.tell(world.nas.faults.clear)
        # By itself it would be asked tomorrow; and not within five seconds of the last time, whatever it says.
        world.execute("UPDATE nas_silence SET next_at = now() + interval '1 day', asked_at = now() - interval '6 s'")
        world.tell(world.nas.send_interims)
        world.wait_for(CLOSED)
        assert {row[0] for row in world.execute(STATES)} == {"verified"}
        assert (world.session("anna").rates, world.session("bruno").rates) == (SLOW, SLOW)
        assert world.execute("SELECT count(*) FROM nas_silence") == [(0,)]
        all_well(world)


def test_of_three_policies_in_a_second_only_the_last_matters(database):
    with enforcement_world(database) as world, working(world):
        world.dial("anna", "bruno")
        world.place("anna", "throttle")
        world.place("anna", "walled")
        world.lift("anna")
        world.place("anna", "throttle")
        world.wait_for("SELECT count(*) > 0 FROM enforcement WHERE state = 'verified'")
        all_well(world)
        assert world.session("anna").rates == SLOW
        assert world.execute("SELECT count(*) FROM enforcement WHERE username = 'bruno'") == [(0,)]


def test_who_pays_while_the_cut_is_being_sent_ends_up_online(database):
    with enforcement_world(database, change_delay_s=0.3, redial_after_s=0.3) as world, working(world):
        world.dial("anna", "bruno")
        world.place("anna", "blocked")
        world.wait_for("SELECT count(*) > 0 FROM enforcement_packet WHERE direction = 'sent'")
        world.lift("anna")
        # It has left, so the cut comes; only after that is it told who is online.
        world.wait_for("SELECT count(*) = 1 FROM closed_session WHERE username = 'anna'")
        world.wait_for("SELECT count(*) = 2 FROM session")
        all_well(world)
        assert world.session("anna").rates == FULL


def test_a_session_id_given_out_again_is_not_taken_for_the_old_session(database):
    with enforcement_world(database, announce_boot=False) as world, working(world):
        world.dial("anna")
        old = world.execute("SELECT session_key, acct_session_id FROM session")
        # Switched off and on without a word, and counting from the beginning again.
        world.do(world.nas.reboot(reuse_ids=True))
        world.execute("UPDATE nas SET coa_port = %s", world.nas.coa_port)
        world.dial("anna")
        world.wait_for("SELECT count(*) = 1 FROM closed_session WHERE session_key = %s", old[0][0])
        assert world.execute("SELECT acct_session_id FROM session") == [(old[0][1],)]
        world.place("anna", "throttle")
        world.wait_for(CLOSED)
        all_well(world)
        assert world.session("anna").rates == SLOW
        assert world.execute("SELECT session_key <> %s FROM enforcement", old[0][0]) == [(True,)]


def test_both_sessions_of_one_account_are_changed(database):
    with enforcement_world(database) as world, working(world):
        world.dial("anna", "anna")
        world.place("anna", "throttle")
        world.wait_for("SELECT count(*) = 2 FROM enforcement WHERE state = 'verified'")
        assert [session.rates for session in world.nas.sessions.of("anna")] == [SLOW, SLOW]
        all_well(world)


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
        world.wait_for("SELECT count(*) = 40 FROM enforcement WHERE state = 'verified'", seconds=60)
        all_well(world)
        assert world.execute(SENT_TWICE) == [(0,)]
        assert world.execute("SELECT count(*), max(attempt) FROM enforcement") == [(40, 1)]
        assert {world.session(name).rates for name in MANY} == {SLOW}


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
        with working(world):
            world.wait_for("SELECT count(*) >= 40 AND bool_and(closed_at IS NOT NULL) FROM enforcement", seconds=90)
            all_well(world)
        assert {world.session(name).rates for name in MANY} == {SLOW}
        assert world.execute("SELECT count(DISTINCT session_key), max(attempt) FROM enforcement") == [(40, 2)]


def test_postgresql_restarted_in_the_middle_loses_no_change():
    with own_postgres() as cluster:
        conninfo = cluster.conninfo("corrente")
        with db.connect(conninfo, name="test") as connection:
            connection.execute(
                "SELECT make_month((now() + make_interval(months => m))::date) FROM generate_series(-1, 1) AS m"
            )
        with enforcement_world(conninfo, usernames=MANY, change_delay_s=0.5) as world, working(world):
            world.dial(*MANY)
            world.execute("UPDATE nas SET coa_window = 5")
            place_all(world, "throttle")
            world.wait_for("SELECT count(*) > 0 FROM enforcement WHERE state = 'sent'")
            stop_cluster(cluster, mode="immediate")
            start_again(cluster)
            world.wait_for(
                "SELECT count(DISTINCT session_key) = 40 FROM enforcement WHERE state = 'verified'", seconds=90
            )
            all_well(world)
            assert {world.session(name).rates for name in MANY} == {SLOW}


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
    assert up.wait(10)
    world.execute(
        "UPDATE nas SET api_port = %s, api_tls = false, api_username = 'corrente', sealed_api_password = %s, verification = 'routeros_api'",
        stand_in.port,
        SEALER.seal(b"api password", row=nas_api_row(1)),
    )
    try:
        yield stand_in
    finally:
        over.set()
        task.result(10)


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
        all_well(world)


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
            world.wait_for("SELECT count(*) = 14 FROM enforcement WHERE answered_at IS NOT NULL", seconds=90)
        assert world.execute(SENT_TWICE) == [(0,)]
        assert world.execute("SELECT DISTINCT attempt FROM enforcement") == [(1,)]
