"""Changes of which a device would be told nothing: no packet leaves, and the session follows as it is. No socket."""

from __future__ import annotations

import pytest
from support.drift_world import KEY
from support.lone_enforcer import desk, everything, settings_for
from support.radius_server import SEALER

from control_plane import db
from control_plane.control_loop.outgoing import Outgoing
from control_plane.control_loop.reconcile import reconcile_all
from control_plane.control_loop.turn import News, Turns
from control_plane.policy.profile import PROFILE_COLUMNS

pytestmark = pytest.mark.db
NOTHING = frozenset()
SAME = "a CoA would tell this device nothing new: the session follows as it is, and no packet was sent"


def revisions(one):
    """Give each profile the revision of its content; sessions run under the full one's."""
    for (profile,) in one.execute("SELECT id FROM profile"):
        one.world.give(profile)
    one.execute(
        "UPDATE session SET policy_version = r.revision || '1111'::bytea FROM profile_revision r WHERE r.profile_id = %s",
        one.world.isp.full,
    )


def only_the_timeout_differs(one):
    """The throttled profile gives what the full one does, but for its session timeout."""
    columns = ", ".join(name for name in PROFILE_COLUMNS if name != "session_timeout_s")
    one.execute(
        f"UPDATE profile SET ({columns}, session_timeout_s) = (SELECT {columns}, 7200 FROM profile WHERE id = %s) WHERE id = %s",
        one.world.isp.full,
        one.world.isp.throttle,
    )


def turn(one, conninfo):
    """What leaves in one turn, when all that follows without a packet has been written."""
    turns = Turns(settings_for(conninfo), SEALER, worker="worker", may_send=everything, chance=lambda: 0.5)
    made = turns.transact(News(), {}, NOTHING)
    turns.settle()
    turns.disconnect()
    return [outgoing for _, _, outgoing in made.outgoing]


def reconciled(conninfo):
    with db.connect(conninfo, name="reconcile", autocommit=True) as loop:
        return reconcile_all(loop)


def applied(one):
    return one.execute(
        "SELECT s.applied_by::text, s.applied_version = r.revision || '1111'::bytea FROM session s, profile_revision r "
        "WHERE s.session_key = %s AND r.profile_id = %s",
        KEY.format(1),
        one.world.isp.throttle,
    )


@pytest.mark.parametrize("vendor", ["cisco_iosxe", "juniper_mx", "mikrotik", "accel_ppp", "generic"])
def test_another_session_timeout_takes_no_packet_and_the_session_follows(database, vendor):
    with desk(database, "127.66.31.1", vendor=vendor) as one:
        only_the_timeout_differs(one)
        revisions(one)
        one.world.want(one.world.isp.accounts[0], "throttle", 1)
        assert reconciled(database).opened == 1

        assert turn(one, database) == []

        assert one.rows("state::text, problem, sent_at, attempt") == [("superseded", SAME, None, 0)]
        assert applied(one) == [("same", True)]
        # Nothing is left to do, now or later.
        assert (reconciled(database).in_drift, turn(one, database)) == (0, [])


def test_what_was_sent_in_between_is_taken_back_though_the_session_is_held_to_run_under_it(database):
    with desk(database, "127.66.31.2") as one:
        revisions(one)
        account = one.world.isp.accounts[0]
        one.world.want(account, "walled", 1)
        reconciled(database)
        assert len(turn(one, database)) == 1
        one.execute(
            "UPDATE enforcement SET taken_by = NULL, taken_until = NULL, state = 'unanswered', problem = 'no answer'"
        )
        one.world.want(account, "full", 1)
        reconciled(database)

        (outgoing,) = turn(one, database)

        assert isinstance(outgoing, Outgoing)
        assert "Filter-Id" in {attribute.name for attribute in outgoing.request.attributes}
        assert one.rows("state::text")[-1] == ("sent",)


def test_a_change_of_the_account_s_own_tells_again_all_that_can_be_told(database):
    with desk(database, "127.66.31.3") as one:
        revisions(one)
        one.world.want(one.world.isp.accounts[0], "full", 2)
        reconciled(database)

        assert len(turn(one, database)) == 1


def test_a_change_of_the_account_s_own_is_left_to_the_next_login_by_a_device_that_can_be_told_nothing(database):
    with desk(database, "127.66.31.4", vendor="cisco_iosxe") as one:
        revisions(one)
        one.world.want(one.world.isp.accounts[0], "full", 2)
        reconciled(database)

        assert turn(one, database) == []
        assert one.rows("state::text, problem") == [("superseded", SAME)]


@pytest.mark.parametrize(
    ("edited", "kept"),
    [(False, True), (True, True), (True, False)],
    ids=["known", "edited meanwhile", "edited, and noted by a release that kept rates alone"],
)
def test_a_second_try_is_a_login_only_where_nobody_knows_what_the_session_runs_under(database, edited, kept):
    """Junos adds services up: one that begins takes the place of no other, so it must be told which one ends."""
    with desk(database, "127.66.31.9", vendor="juniper_mx") as one:
        one.execute("UPDATE profile SET device_policy = 'home' WHERE id = %s", one.world.isp.full)
        one.execute("UPDATE profile SET device_policy = 'slow' WHERE id = %s", one.world.isp.throttle)
        revisions(one)
        one.world.want(one.world.isp.accounts[0], "throttle", 1)
        reconciled(database)
        assert [outgoing.request.code for outgoing in turn(one, database)] == [43]
        one.execute(
            "UPDATE enforcement SET taken_by = NULL, taken_until = NULL, state = 'nacked', answered_at = now(), next_at = now(), "
            "error_cause = 506, problem = 'resources unavailable'"
        )
        if edited:
            one.execute("UPDATE profile SET device_policy = 'home2' WHERE id = %s", one.world.isp.full)
        if not kept:
            one.execute("UPDATE known_revision SET content = NULL")

        (again,) = turn(one, database)

        ended = [one.value for one in again.request.attributes if one.name.startswith("ERX-Service-Deactivate")]
        assert (again.request.code, ended) == ((43, ["home"]) if kept else (40, []))


def test_what_was_sent_in_between_and_is_as_good_as_what_is_wanted_now_is_told_again(database):
    """Whether it began is not known: that nothing more is to be said to who runs under it proves nothing."""
    with desk(database, "127.66.31.10", vendor="juniper_mx") as one:
        one.execute("UPDATE profile SET device_policy = 'home' WHERE id = %s", one.world.isp.full)
        one.execute("UPDATE profile SET device_policy = 'slow' WHERE id = %s", one.world.isp.throttle)
        revisions(one)
        account = one.world.isp.accounts[0]
        one.world.want(account, "throttle", 1)
        reconciled(database)
        turns = Turns(settings_for(database), SEALER, worker="worker", may_send=everything, chance=lambda: 0.5)
        assert len(turns.transact(News(), {}, NOTHING).outgoing) == 1
        # Within the second in which profiles are not read again.
        one.execute("UPDATE profile SET rate_down_bps = 3000000 WHERE id = %s", one.world.isp.throttle)
        one.execute("UPDATE enforcement SET taken_by = NULL, taken_until = NULL, state = 'unanswered', problem = 'x'")
        one.world.give(one.world.isp.throttle)
        reconciled(database)

        ((_, _, outgoing),) = turns.transact(News(), {}, NOTHING).outgoing
        turns.disconnect()

        said = {one.name.partition(":")[0]: one.value for one in outgoing.request.attributes}
        assert outgoing.request.code == 43
        assert (said["ERX-Service-Deactivate"], said["ERX-Service-Activate"]) == ("home", "slow")
