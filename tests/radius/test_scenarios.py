"""The twelve scenarios that must hold on live sessions. Each ends the same way, within the time stated for it: no session in
drift, no change open, every payer online at what was paid for, nobody blocked online (`world.settles`).

The times are those of docs/operations.md; they count from the moment when what went wrong is over.
"""

from __future__ import annotations

import pytest
from support.command_line import run, write_settings
from support.enforcement_world import FULL, SLOW, WALLED, Patience, enforcement_world, working
from support.own_postgres import own_postgres, start_again

from control_plane import db
from control_plane.machine.private_postgres import stop_cluster
from nas_drivers.simulated.faults import Fault, FaultKind, Traffic

pytestmark = [pytest.mark.radius, pytest.mark.db]

THREE = ("anna", "bruno", "carla")
FORTY = tuple(f"user{number:02}" for number in range(40))
FIVE_THOUSAND = tuple(f"user{number}" for number in range(5000))
STATED_S, AFTER_REBOOT_S = 30, 60
# A device that is silent is taken for silent after two seconds instead of thirty.
# As it comes: what is lost on the way is sent again after two seconds.
AS_IT_COMES = Patience()
IMPATIENT = Patience(first_s=0.5, longest_s=1, sends=3, total_s=2)
CLOSED = "SELECT count(*) > 0 AND bool_and(closed_at IS NOT NULL) FROM enforcement"


def faulty(world, kind, *, on=frozenset({Traffic.COA, Traffic.DISCONNECT}), **given):
    world.tell(lambda: world.nas.faults.add(Fault(kind, on=on, **given)))


def test_acknowledged_and_ignored_is_seen_and_done_by_the_next_method(database):
    with enforcement_world(database, usernames=THREE) as world, working(world):
        world.dial(*THREE)
        faulty(world, FaultKind.ACK_ONLY, on={Traffic.COA})
        faulty(world, FaultKind.ACK_ONLY, on={Traffic.DISCONNECT}, times=1)
        world.place("anna", "throttle")
        world.place("bruno", "blocked")
        world.wait_until_published()

        # The device did nothing, and its records say so.
        world.settles({"anna": SLOW, "bruno": None, "carla": FULL}, within_s=STATED_S, reporting=True, dialling=True)

        assert world.execute("SELECT username, state::text, method::text FROM enforcement ORDER BY 1") == [
            ("anna", "verified", "disconnect"),
            ("bruno", "verified", "disconnect"),
        ]
        assert world.execute("SELECT max(attempt) >= 3 FROM enforcement WHERE username = 'anna'") == [(True,)]


def test_a_session_that_the_device_does_not_have_is_a_ghost_of_ours_and_closed(database):
    with enforcement_world(database, usernames=THREE) as world, working(world):
        world.dial(*THREE)
        faulty(world, FaultKind.RECORD_LOST, on={Traffic.ACCOUNTING}, times=2)
        world.do(world.nas.hang_up([world.session("anna"), world.session("bruno")]))
        world.place("anna", "blocked")
        world.place("bruno", "throttle")
        world.wait_for(CLOSED)
        # A cut is what was wanted; of the other one nothing was left to change.
        assert world.execute(
            "SELECT state::text, attempt, error_cause, alarmed_at FROM enforcement ORDER BY username"
        ) == [
            ("verified", 2, 503, None),
            ("superseded", 2, 503, None),
        ]

        world.settles({"anna": None, "bruno": SLOW, "carla": FULL}, within_s=STATED_S, dialling=True)

        assert world.execute("SELECT username, ended_by::text FROM closed_session ORDER BY 1") == [
            ("anna", "not_on_device"),
            ("bruno", "not_on_device"),
        ]


def test_refused_without_a_cause_is_done_by_a_disconnect(database):
    with enforcement_world(database, usernames=THREE) as world, working(world):
        world.dial(*THREE)
        faulty(world, FaultKind.NAK, on={Traffic.COA})
        world.place("anna", "throttle")
        world.place("bruno", "blocked")

        world.settles({"anna": SLOW, "bruno": None, "carla": FULL}, within_s=STATED_S, dialling=True)

        assert world.execute(
            "SELECT state::text, method::text, attempt, alarmed_at FROM enforcement WHERE username = 'anna' ORDER BY id LIMIT 1"
        ) == [("verified", "disconnect", 2, None)]


def test_a_silent_device_is_asked_when_its_accounting_tells_that_it_is_back(database):
    with enforcement_world(database, usernames=THREE) as world, working(world, patience=IMPATIENT):
        world.dial(*THREE)
        faulty(world, FaultKind.SILENCE)
        world.place("anna", "throttle")
        world.place("bruno", "blocked")
        world.wait_for("SELECT count(*) = 1 FROM nas_silence")
        world.wait_for("SELECT bool_and(state = 'unanswered') FROM enforcement")
        world.tell(world.nas.faults.clear)

        world.settles({"anna": SLOW, "bruno": None, "carla": FULL}, within_s=STATED_S, reporting=True)

        assert world.execute("SELECT DISTINCT state::text FROM enforcement") == [("verified",)]
        assert world.execute("SELECT count(*) FROM nas_silence") == [(0,)]


def test_a_lost_acknowledgement_and_a_session_not_found_behind_it_is_done(database):
    with enforcement_world(database, usernames=THREE) as world, working(world, patience=AS_IT_COMES):
        world.dial(*THREE)
        # Its Stop is lost too: only the second answer tells.
        faulty(world, FaultKind.RECORD_LOST, on={Traffic.ACCOUNTING}, times=1)
        faulty(world, FaultKind.REPLY_LOST, times=1)
        faulty(world, FaultKind.NAK, error_cause=503)
        world.place("anna", "blocked")

        world.settles({"anna": None, "bruno": FULL, "carla": FULL}, within_s=STATED_S)

        assert world.execute("SELECT state::text, attempt, unsure FROM enforcement") == [("verified", 1, True)]
        sent = world.execute("SELECT code, identifier FROM enforcement_packet WHERE direction = 'sent'")
        assert len(sent) >= 2
        assert len(set(sent)) == 1


# Of the changes that count as proven, all were acknowledged, and the session's last Class names the policy.
PROVEN = """
SELECT count(*), count(*) FILTER (WHERE s.policy_version = e.desired_version AND e.answered_at IS NOT NULL AND e.error_cause IS NULL)
FROM enforcement e
JOIN (SELECT session_key, policy_version FROM session UNION ALL SELECT session_key, policy_version FROM closed_session) s USING (session_key)
WHERE e.state = 'verified'
"""


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("announced", "usernames"),
    [(True, FIVE_THOUSAND), (False, FIVE_THOUSAND[:1500])],
    ids=["five thousand, with Accounting-On", "1,500, without a word"],
)
def test_a_nas_that_reboots_in_the_middle_of_thousands_of_changes(database, announced, usernames):
    changing, refused = 9 * len(usernames) // 10, len(usernames) // 10
    middle = len(usernames) // 15
    with (
        enforcement_world(database, usernames=usernames, announce_boot=announced) as world,
        working(world, patience=AS_IT_COMES),
    ):
        # A hundred a second, or thirty: the middle lasts for forty seconds, and the reboot meets it on a busy machine too.
        world.execute("UPDATE nas SET coa_window = 64, coa_rate_per_s = %s", len(usernames) // 50)
        world.dial(*usernames)
        world.execute(
            "INSERT INTO restriction (contract_id, origin, level, reason, placed_by) "
            "SELECT id, 'dunning', (CASE WHEN id %% 10 = 0 THEN 'blocked' ELSE 'throttle' END)::restriction_level, 'test', 'maria' "
            "FROM contract WHERE id %% 10 < 9"
        )
        world.wait_for(
            "SELECT count(*) = %s AND count(*) FILTER (WHERE state = 'verified') >= %s FROM enforcement",
            changing,
            middle,
        )
        done_before = world.tell(lambda: sum(world.nas.statistics.changes_answered.values()))
        world.do(world.nas.reboot(down_s=1))
        assert middle <= done_before < changing - 100
        world.wait_until_published()
        world.execute("UPDATE nas SET coa_rate_per_s = 1000")
        world.redial(*usernames, refused=refused)
        wanted = {
            name: FULL if number % 10 == 9 else None if number % 10 == 0 else SLOW
            for number, name in enumerate(usernames, start=1)
        }

        world.settles(wanted, within_s=AFTER_REBOOT_S, ghosts=not announced)

        # Each session had its change, and it ended: with a proof, or with the session.
        assert world.execute(
            "SELECT count(DISTINCT session_key), count(*) FILTER (WHERE state NOT IN ('verified', 'superseded') OR alarmed_at IS NOT NULL) "
            "FROM enforcement"
        ) == [(changing, 0)]
        ((proven, truly),) = world.execute(PROVEN + " AND e.profile_id IS NOT NULL")
        assert proven == truly
        assert proven <= world.nas.statistics.changes_answered["coa ack"]


def test_a_session_id_given_out_again_is_not_taken_for_the_old_session(database):
    with enforcement_world(database, usernames=THREE, announce_boot=False) as world, working(world):
        world.dial(*THREE)
        old = dict(world.execute("SELECT acct_session_id, session_key FROM session"))
        # Switched off and on without a word, and counting from the beginning again: the same ids for the same three.
        world.do(world.nas.reboot(reuse_ids=True))
        world.dial(*THREE)
        world.wait_for("SELECT count(*) = 3 FROM closed_session")
        new = dict(world.execute("SELECT acct_session_id, session_key FROM session"))
        assert new.keys() == old.keys()
        assert set(new.values()).isdisjoint(old.values())
        world.place("anna", "throttle")
        world.place("bruno", "blocked")

        world.settles({"anna": SLOW, "bruno": None, "carla": FULL}, within_s=STATED_S)

        changed = {key for (key,) in world.execute("SELECT session_key FROM enforcement")}
        assert len(changed) == 2
        assert changed <= set(new.values())


def test_both_sessions_of_one_account_are_changed(database):
    with enforcement_world(database, usernames=THREE) as world, working(world):
        world.dial("anna", "anna", "bruno", "bruno", "carla")
        world.place("anna", "throttle")
        world.place("bruno", "blocked")

        world.settles({"anna": SLOW, "bruno": None, "carla": FULL}, within_s=STATED_S)

        assert [session.rates for session in world.nas.sessions.of("anna")] == [SLOW, SLOW]
        assert world.execute(
            "SELECT username, count(*) FROM enforcement WHERE state = 'verified' GROUP BY 1 ORDER BY 1"
        ) == [
            ("anna", 2),
            ("bruno", 2),
        ]


def test_who_pays_while_the_cut_is_being_sent_ends_up_online(database):
    with (
        enforcement_world(database, usernames=THREE, change_delay_s=0.3) as world,
        working(world),
    ):
        world.dial(*THREE)
        for name in ("bruno", "anna"):
            world.place(name, "blocked")
        world.wait_for("SELECT count(*) = 1 FROM enforcement WHERE username = 'anna' AND sent_at IS NOT NULL")
        world.lift("anna")

        world.settles({"anna": FULL, "bruno": None, "carla": FULL}, within_s=STATED_S, dialling=True)


def test_of_three_policies_in_a_second_only_the_last_matters(database):
    with enforcement_world(database, usernames=THREE) as world, working(world):
        world.dial(*THREE)
        world.place("anna", "throttle")
        world.place("anna", "walled")
        world.lift("anna")
        world.place("anna", "throttle")
        world.place("bruno", "throttle")
        world.place("bruno", "walled")
        world.lift("bruno")

        world.settles({"anna": SLOW, "bruno": FULL, "carla": FULL}, within_s=STATED_S)

        assert world.execute("SELECT count(*) FROM enforcement WHERE username = 'carla'") == [(0,)]


HOUR = 3600


@pytest.mark.parametrize("off_s", [-HOUR, HOUR], ids=["behind", "ahead"])
def test_a_nas_whose_clock_is_an_hour_off_is_changed_as_any_other(database, off_s):
    """By its Event-Timestamp alone, as of a device that sends no Acct-Delay-Time, everything happened an hour off."""
    with enforcement_world(database, usernames=THREE, clock_off_s=off_s) as world, working(world):
        world.dial(*THREE)
        world.place("anna", "throttle")
        world.place("bruno", "blocked")
        world.place("carla", "walled")
        world.settles({"anna": SLOW, "bruno": None, "carla": WALLED}, within_s=STATED_S)

        for name in THREE:
            world.lift(name)

        world.settles(dict.fromkeys(THREE, FULL), within_s=STATED_S, dialling=True)
        assert world.execute("SELECT DISTINCT state::text, attempt FROM enforcement") == [("verified", 1)]


@pytest.mark.parametrize("off_s", [-HOUR, HOUR], ids=["behind", "ahead"])
@pytest.mark.parametrize("way_out", ["the stamp is left out", "the clock is set"])
def test_a_nas_that_refuses_our_time_is_changed_when_it_gets_none_or_has_the_right_one(
    database, tmp_path, off_s, way_out
):
    commands = write_settings(tmp_path, database)
    strict = {"event_timestamp_window_s": 300, "event_timestamp_required": way_out == "the clock is set"}
    with (
        enforcement_world(database, usernames=THREE, clock_off_s=off_s, **strict) as world,
        working(world, patience=IMPATIENT),
    ):
        world.dial(*THREE)
        world.place("anna", "throttle")
        world.place("bruno", "blocked")
        world.wait_for("SELECT count(*) = 1 FROM nas_silence")
        assert set(world.nas.statistics.changes_dropped) == {"event timestamp outside the window"}
        if way_out == "the clock is set":
            world.nas.clock_skew_s = 0
        else:
            assert run(commands, "nas", "set", "tower", "--no-coa-event-timestamp").exit_code == 0

        world.settles({"anna": SLOW, "bruno": None, "carla": FULL}, within_s=STATED_S, reporting=True)

        (stamped,) = world.execute(
            "SELECT bool_or(asked.attributes ~ 'Event-Timestamp') FROM enforcement_packet AS got, LATERAL (SELECT attributes "
            "FROM enforcement_packet AS sent WHERE direction = 'sent' AND sent.enforcement_id = got.enforcement_id "
            "AND sent.identifier = got.identifier AND sent.at <= got.at ORDER BY sent.at DESC LIMIT 1) AS asked "
            "WHERE got.direction = 'received'"
        )
        assert stamped == (way_out == "the clock is set",)


def test_postgresql_restarted_in_the_middle_loses_no_change():
    with own_postgres() as cluster:
        conninfo = cluster.conninfo("corrente")
        with db.connect(conninfo, name="test") as connection:
            connection.execute(
                "SELECT make_month((now() + make_interval(months => m))::date) FROM generate_series(-1, 1) AS m"
            )
        with enforcement_world(conninfo, usernames=FORTY, change_delay_s=0.5) as world, working(world):
            world.dial(*FORTY)
            world.execute("UPDATE nas SET coa_window = 5")
            slow, blocked = FORTY[:30], FORTY[30:35]
            for names, level in ((slow, "throttle"), (blocked, "blocked")):
                for name in names:
                    world.place(name, level)
            world.wait_for("SELECT count(*) > 0 FROM enforcement WHERE sent_at IS NOT NULL")
            stop_cluster(cluster, mode="immediate")
            start_again(cluster)

            world.settles(
                dict.fromkeys(FORTY, FULL) | dict.fromkeys(slow, SLOW) | dict.fromkeys(blocked), within_s=STATED_S
            )
            assert world.execute("SELECT count(DISTINCT session_key) FROM enforcement WHERE state = 'verified'") == [
                (35,)
            ]
