"""Desired against applied on a real PostgreSQL: which enforcements are opened, superseded, and left alone."""

import threading
import time

import psycopg
import pytest
from support.drift_world import KEY, OPEN, add_session, make_drift_world

from control_plane import db
from control_plane.control_loop.reconcile import reconcile_accounts, reconcile_all
from control_plane.store import drift
from control_plane.store.drift import DriftReason
from nas_drivers.driver import Drivers
from nas_drivers.vendors import mikrotik

pytestmark = pytest.mark.db


@pytest.fixture
def world(connection):
    return make_drift_world(connection)


@pytest.fixture
def loop(database):
    """The connection that the reconciler works on."""
    with db.connect(database, name="reconcile", autocommit=True) as opened:
        yield opened


def test_nothing_is_opened_while_every_session_runs_under_what_it_should(world, loop):
    done = reconcile_all(loop)

    assert (done.opened, done.superseded, done.in_drift) == (0, 0, 0)
    assert world.enforcements("id") == []


def test_a_changed_account_s_session_gets_one_enforcement_with_all_that_it_takes(world, loop):
    account = world.isp.accounts[1]
    world.want(account, "walled", 2, reason="walled_garden")

    done = reconcile_accounts(loop, [account, account, world.isp.accounts[0]])

    assert done.opened == 1
    assert world.enforcements(
        "session_key::text", "nas_id", "account_id", "acct_session_id", "username", "level::text", "reason",
        "from_version", "desired_version", "profile_id", "disruptive", "method::text", "state::text",
    ) == [
        (KEY.format(2), world.isp.nas, account, "s2", "user0002", "walled", "walled_garden", "FFFF1111", "WWWW2222",
         world.isp.walled, True, "coa", "queued"),
    ]  # fmt: skip
    assert world.connection.execute(
        "SELECT e.wanted_at = d.changed_at FROM enforcement e JOIN desired_policy d USING (account_id)"
    ).fetchall() == [(True,)]
    assert (reconcile_accounts(loop, [account]).opened, reconcile_all(loop).opened) == (0, 0)


def test_accounts_that_are_not_named_wait_for_the_sweep(world, loop):
    for account in world.isp.accounts:
        world.want(account, "walled", 2)

    assert reconcile_accounts(loop, world.isp.accounts[:1]).opened == 1
    swept = reconcile_all(loop)

    assert (swept.opened, swept.in_drift) == (2, 3)
    assert {(one.state, one.to_change, one.sessions) for one in swept.figures} == {("queued", False, 1), ("", True, 2)}


@pytest.mark.parametrize("level", ["blocked", "none"])
def test_a_session_that_must_end_is_disconnected(world, loop, level):
    world.want(world.isp.accounts[0], level, 3)

    reconcile_all(loop)

    assert world.enforcements("level::text", "desired_version", "profile_id", "disruptive", "method::text") == [
        (level, None, None, True, "disconnect")
    ]


def test_what_was_verified_or_read_from_the_device_counts_before_what_the_login_gave(world, loop):
    world.change(
        "UPDATE session SET applied_version = 'WWWW2222', applied_by = 'device', applied_at = now() WHERE session_key = %s",
        KEY.format(1),
    )
    world.want(world.isp.accounts[1], "walled", 2)
    world.change(
        "UPDATE session SET applied_version = 'WWWW2222', applied_by = 'verified', applied_at = now() WHERE session_key = %s",
        KEY.format(2),
    )

    reconcile_all(loop)

    assert world.enforcements("session_key::text", "from_version", "desired_version", "disruptive") == [
        (KEY.format(1), "WWWW2222", "FFFF1111", False)
    ]


def test_a_session_whose_device_echoes_no_class_is_acted_on_only_while_its_account_is_restricted(world, loop):
    for number in (1, 2):
        world.run_under(number, None)
    world.want(world.isp.accounts[1], "throttle", 2)

    done = reconcile_all(loop)

    assert world.enforcements("session_key::text", "from_version", "disruptive") == [(KEY.format(2), None, True)]
    assert [(one.reason, one.to_change, one.sessions) for one in done.figures if not one.to_change] == [
        (DriftReason.UNKNOWN, False, 1)
    ]


def test_stale_sessions_and_policies_that_are_not_worked_out_are_left_alone(world, loop):
    world.want(world.isp.accounts[0], "walled", 2)
    world.change("UPDATE session SET stale = true WHERE session_key = %s", KEY.format(1))
    world.want(world.isp.accounts[1], "throttle", 2)
    world.change("DELETE FROM profile_revision WHERE profile_id = %s", world.isp.throttle)
    world.change("DELETE FROM desired_policy WHERE account_id = %s", world.isp.accounts[2])
    add_session(world, 4, None, version="AAAA9999")

    done = reconcile_all(loop)

    assert (done.opened, done.in_drift) == (0, 0)


def test_an_edited_profile_puts_its_sessions_into_drift_without_a_row_of_theirs_being_touched(world, loop):
    world.want(world.isp.accounts[2], "walled", 3)
    world.run_under(3, "WWWW3333")
    reconcile_all(loop)
    before = world.connection.execute("SELECT xmin, account_id FROM desired_policy").fetchall()
    world.connection.execute("UPDATE profile SET rate_down_bps = 50000000 WHERE id = %s", (world.isp.full,))
    world.give(world.isp.full, b"GGGG")

    done = reconcile_all(loop)

    assert done.opened == 2
    # 50 Mbit/s instead of 100: less than before.
    assert world.enforcements("from_version", "desired_version", "disruptive") == [("FFFF1111", "GGGG1111", True)] * 2
    assert world.connection.execute("SELECT xmin, account_id FROM desired_policy").fetchall() == before


@pytest.mark.parametrize(
    ("runs", "level", "disruptive"),
    [
        ("WWWW9999", "full", False),
        ("WWWW9999", "throttle", False),
        ("TTTT9999", "full", False),
        ("TTTT9999", "walled", True),
        ("FFFF9999", "throttle", True),
        ("FFFF9999", "full", False),
        ("XXXX9999", "full", False),
        ("XXXX9999", "throttle", True),
    ],
)
def test_a_change_is_disruptive_when_it_takes_something_away(world, loop, runs, level, disruptive):
    reconcile_accounts(loop, world.isp.accounts)
    world.run_under(1, runs)
    world.want(world.isp.accounts[0], level, 2)

    reconcile_all(loop)

    assert world.enforcements("from_version", "disruptive") == [(runs, disruptive)]


@pytest.mark.parametrize(
    ("edit", "method", "disruptive"),
    [
        # What is there is said by nobody's CoA, and costs nobody the connection.
        ("session_timeout_s = 7200", "coa", False),
        ("rate_down_bps = 120000000, session_timeout_s = 7200", "coa", False),
        ("rate_down_bps = 90000000", "coa", True),
        ("ipv4_pool = 'others'", "disconnect", True),
        ("ipv4_pool = 'others', rate_down_bps = 120000000", "disconnect", False),
    ],
)
def test_of_an_edited_profile_only_what_differs_decides(world, loop, edit, method, disruptive):
    world.change("UPDATE profile SET ipv4_pool = 'homes' WHERE id = %s", world.isp.full)
    world.give(world.isp.full, b"PPPP")
    world.run_under(1, "PPPP1111")
    world.change(f"UPDATE profile SET {edit} WHERE id = %s", world.isp.full)
    world.give(world.isp.full, b"QQQQ")

    reconcile_accounts(loop, world.isp.accounts[:1])

    assert world.enforcements("from_version", "desired_version", "method::text", "disruptive") == [
        ("PPPP1111", "QQQQ1111", method, disruptive)
    ]


def test_an_edited_rate_is_told_a_router_that_has_policies_by_name_and_takes_rates_live(world, loop):
    """A SmartEdge: the names of QoS policies need a login, the rates on top of them do not."""
    world.change("UPDATE nas SET vendor = 'ericsson'")
    world.change("UPDATE profile SET device_policy = 'home-300' WHERE id = %s", world.isp.full)
    world.give(world.isp.full, b"PPPP")
    world.run_under(1, "PPPP1111")
    world.change("UPDATE profile SET rate_down_bps = 120000000 WHERE id = %s", world.isp.full)
    world.give(world.isp.full, b"QQQQ")

    reconcile_accounts(loop, world.isp.accounts[:1])

    assert world.enforcements("method::text", "disruptive") == [("coa", False)]


@pytest.mark.parametrize(("has_api", "method", "disruptive"), [(True, "coa", False), (False, "disconnect", True)])
def test_other_lists_are_a_new_login_and_the_guards_only_where_no_api_changes_them(
    world, loop, has_api, method, disruptive
):
    world.change(
        "UPDATE nas SET vendor = 'mikrotik', api_username = %s, sealed_api_password = %s",
        *(("corrente", bytes(40)) if has_api else (None, None)),
    )
    world.change("UPDATE profile SET address_lists = '{no-mail}' WHERE id = %s", world.isp.full)
    world.give(world.isp.full, b"QQQQ")

    reconcile_accounts(loop, world.isp.accounts[:1], drivers=Drivers({"mikrotik": mikrotik.Options(lists_by_api=True)}))

    assert world.enforcements("method::text", "disruptive") == [(method, disruptive)]


def test_what_a_release_noted_that_kept_the_rates_alone_is_not_known_and_a_new_login_for_it_is_disruptive(world, loop):
    world.change("UPDATE profile SET ipv4_pool = 'homes' WHERE id = %s", world.isp.full)
    world.change("UPDATE known_revision SET content = NULL")
    world.give(world.isp.full, b"QQQQ")

    reconcile_accounts(loop, world.isp.accounts[:1])

    assert world.enforcements("method::text", "disruptive") == [("disconnect", True)]


def test_a_new_login_from_an_edit_that_the_worker_never_noted_is_disruptive(world, loop):
    """Edited twice while it was away: who logged in between runs under what nobody here knows."""
    world.change("UPDATE profile SET ipv4_pool = 'homes' WHERE id = %s", world.isp.full)
    world.give(world.isp.full, b"QQQQ")
    world.run_under(1, "ZZZZ1111")

    reconcile_accounts(loop, world.isp.accounts[:1])

    assert world.enforcements("from_version", "method::text", "disruptive") == [("ZZZZ1111", "disconnect", True)]


def test_a_payer_is_restored_though_the_walled_garden_has_no_rate_limit(world, loop):
    world.change("UPDATE profile SET rate_down_bps = NULL, rate_up_bps = NULL WHERE id = %s", world.isp.walled)
    world.give(world.isp.walled, b"VVVV")
    world.run_under(1, "VVVV2222")

    reconcile_all(loop)

    assert world.enforcements("desired_version", "disruptive") == [("FFFF1111", False)]


def test_the_plan_s_own_profile_of_another_hour_takes_nothing_away(world, loop):
    night = world.connection.execute(
        "INSERT INTO profile (name, rate_down_bps, rate_up_bps) VALUES ('night', 200000000, 40000000) RETURNING id"
    ).fetchone()[0]
    world.give(night, b"NNNN")
    world.change(
        "INSERT INTO plan_window (plan_id, begins, ends, profile_id) VALUES (%s, '22:00', '06:00', %s)",
        world.isp.plan,
        night,
    )
    world.run_under(1, "NNNN1111")

    reconcile_all(loop)

    assert world.enforcements("from_version", "desired_version", "disruptive") == [("NNNN1111", "FFFF1111", False)]


def test_a_newer_policy_supersedes_one_that_is_not_sent_and_only_the_last_of_three_stays(world, loop):
    account = world.isp.accounts[0]
    for level, digit in (("walled", 2), ("throttle", 3), ("walled", 4)):
        world.want(account, level, digit)
        reconcile_accounts(loop, [account])

    assert world.enforcements("desired_version") == [("WWWW4444",)]
    superseded = world.enforcements("desired_version", "problem", "settled_at IS NOT NULL", states=("superseded",))
    assert superseded == [
        ("WWWW2222", "another policy is wanted now: throttle, because", True),
        ("TTTT3333", "another policy is wanted now: walled, because", True),
    ]


def test_a_policy_that_came_back_before_anything_was_sent_leaves_nothing_to_do(world, loop):
    account = world.isp.accounts[0]
    world.want(account, "walled", 2)
    reconcile_accounts(loop, [account])
    world.want(account, "full", 1)

    done = reconcile_accounts(loop, [account])

    assert (done.opened, done.superseded) == (0, 1)
    assert (world.enforcements("id"), reconcile_all(loop).in_drift) == ([], 0)


@pytest.mark.parametrize("state", ["sent", "acked", "unanswered"])
def test_who_pays_while_the_cut_is_on_its_way_is_told_the_full_policy_again(world, loop, state):
    account = world.isp.accounts[0]
    world.want(account, "walled", 2)
    reconcile_accounts(loop, [account])
    world.sent(state)
    world.want(account, "full", 1)

    # The session's row still says FFFF1111, the device may well have obeyed: it is told how to come back from that.
    done = reconcile_accounts(loop, [account])

    assert (done.opened, done.superseded) == (1, 1)
    assert world.enforcements("from_version", "desired_version", "disruptive") == [("WWWW2222", "FFFF1111", False)]
    world.change(
        "UPDATE enforcement SET state = 'verified', sent_at = now(), closed_at = now() WHERE closed_at IS NULL"
    )
    world.change(
        "UPDATE session SET applied_version = 'FFFF1111', applied_by = 'verified', applied_at = now() WHERE session_key = %s",
        KEY.format(1),
    )
    assert (reconcile_all(loop).in_drift, world.enforcements("id")) == (0, [])
    assert world.enforcements("desired_version", states=("superseded",)) == [("WWWW2222",)]
    assert world.enforcements("settled_at IS NOT NULL", states=("superseded",)) == [(True,)]


def test_a_disconnect_on_its_way_leaves_the_session_that_goes_on_what_it_was(world, loop):
    account = world.isp.accounts[0]
    world.want(account, "walled", 2)
    reconcile_accounts(loop, [account])
    world.change("UPDATE enforcement SET method = 'disconnect'")
    world.sent("unanswered")
    world.want(account, "full", 1)

    reconcile_accounts(loop, [account])

    assert world.enforcements("from_version", "desired_version") == [("FFFF1111", "FFFF1111")]


@pytest.mark.parametrize(
    ("cause", "unsure", "problem", "from_version"),
    [
        ("402", "false", "missing attribute", "FFFF1111"),
        ("402", "true", "missing attribute", "TTTT2222"),
        ("NULL", "false", "the device, when read, shows another policy", "TTTT2222"),
        ("NULL", "false", "refused without a cause", "FFFF1111"),
        ("NULL", "true", "refused without a cause", "TTTT2222"),
    ],
    ids=[
        "refused",
        "refused after a packet without an answer",
        "acknowledged in vain",
        "refused without a cause",
        "refused without a cause after a packet without an answer",
    ],
)
def test_what_was_given_up_is_where_the_next_change_starts_unless_the_device_refused_it(
    world, loop, cause, unsure, problem, from_version
):
    account = world.isp.accounts[0]
    world.want(account, "throttle", 2)
    reconcile_accounts(loop, [account])
    world.sent("gave_up")
    world.change(f"UPDATE enforcement SET error_cause = {cause}, unsure = {unsure}, problem = '{problem}'")
    world.want(account, "walled", 3)

    reconcile_accounts(loop, [account])

    # A device that adds services up must be told to end the one that it has, and not one that it never began.
    assert world.enforcements("from_version", "desired_version") == [(from_version, "WWWW3333")]


def test_a_change_that_was_refused_leaves_no_doubt(world, loop):
    account = world.isp.accounts[0]
    world.want(account, "walled", 2)
    reconcile_accounts(loop, [account])
    world.sent("nacked")
    world.want(account, "full", 1)

    assert reconcile_accounts(loop, [account]).opened == 0
    assert reconcile_all(loop).in_drift == 0


def test_who_pays_after_a_change_that_nothing_could_verify_is_told_the_full_policy_again(world, loop):
    account = world.isp.accounts[0]
    world.want(account, "walled", 2)
    reconcile_accounts(loop, [account])
    world.sent("unverifiable")
    assert reconcile_accounts(loop, [account]).opened == 0
    assert [(one.reason, one.to_change) for one in reconcile_all(loop).figures] == [(DriftReason.UNVERIFIED, False)]

    world.want(account, "full", 1)

    assert reconcile_accounts(loop, [account]).opened == 1
    assert world.enforcements("desired_version") == [("FFFF1111",)]


@pytest.mark.parametrize(
    ("came", "from_version"), [("sent", "WWWW2222"), ("unanswered", "WWWW2222"), ("unverifiable", "FFFF1111")]
)
def test_who_promises_and_then_pays_is_told_again_unless_the_first_telling_was_acknowledged(
    world, loop, came, from_version
):
    # Walled, which nothing could verify; full by a promise, of which no answer came; full for good, which says the same.
    account = world.isp.accounts[0]
    world.want(account, "walled", 2)
    reconcile_accounts(loop, [account])
    world.sent("unverifiable")
    world.want(account, "full", 3)
    reconcile_accounts(loop, [account])
    world.sent(came)
    world.want(account, "full", 4)

    reconcile_accounts(loop, [account])

    # The device may be in the garden still; from what the login gave there would be nothing to say.
    assert world.enforcements("from_version", "desired_version", "disruptive") == [(from_version, "FFFF4444", False)]


@pytest.mark.parametrize("came", ["sent", "unanswered", "acked"])
def test_who_is_walled_and_pays_twice_within_a_telling_is_told_again(world, loop, came):
    # Walled, which nothing could verify; full, and not heard of; walled again before that, and full before anything of it
    # was sent. What is wanted is what was sent last and what the login gave: the device may be in the garden all the same.
    account = world.isp.accounts[0]
    world.want(account, "walled", 2)
    reconcile_accounts(loop, [account])
    world.sent("unverifiable")
    world.want(account, "full", 1)
    reconcile_accounts(loop, [account])
    world.sent(came)
    world.want(account, "walled", 2)
    reconcile_accounts(loop, [account])
    world.want(account, "full", 1)

    reconcile_accounts(loop, [account])

    told = ("WWWW2222", "FFFF1111", "queued")
    assert world.enforcements("from_version", "desired_version", "state") == [told]
    # It stays open however often it is looked at, and a word of it ends the doubt.
    assert [(one.reason, one.to_change) for one in reconcile_all(loop).figures] == [(DriftReason.IN_DOUBT, False)]
    assert world.enforcements("from_version", "desired_version", "state") == [told]
    world.sent("unverifiable")
    assert [(one.reason, one.to_change) for one in reconcile_all(loop).figures] == [(DriftReason.UNVERIFIED, False)]


def test_who_was_not_heard_of_and_whose_profile_is_edited_is_told_from_what_was_sent_before(world, loop):
    # Walled, which nothing could verify; full, and not heard of; then full is something else, by the same name on the device.
    account = world.isp.accounts[0]
    world.want(account, "walled", 2)
    reconcile_accounts(loop, [account])
    world.sent("unverifiable")
    world.want(account, "full", 3)
    reconcile_accounts(loop, [account])
    world.sent("unanswered")
    world.give(world.isp.full, b"GGGG")

    reconcile_accounts(loop, [account])

    assert world.enforcements("from_version", "desired_version") == [("WWWW2222", "GGGG3333")]


def test_a_new_login_that_was_called_off_does_not_hide_what_was_sent_before_it(world, loop):
    # Walled, and not heard of. Then throttled, which the device refused live: a new login was to bring it, and was called off in the
    # middle. The plan in full is what the session began with, so without that first change there would be nothing to tell.
    account = world.isp.accounts[0]
    world.want(account, "walled", 2)
    reconcile_accounts(loop, [account])
    world.sent("unanswered")
    world.want(account, "throttle", 2)
    reconcile_accounts(loop, [account])
    world.sent()
    world.change("UPDATE enforcement SET method = 'disconnect' WHERE closed_at IS NULL")
    world.want(account, "full", 1)

    reconcile_accounts(loop, [account])

    assert world.enforcements("from_version", "desired_version") == [("WWWW2222", "FFFF1111")]


def test_a_change_whose_last_way_was_a_new_login_may_have_been_done_by_the_way_before(world, loop):
    account = world.isp.accounts[0]
    world.want(account, "walled", 2)
    reconcile_accounts(loop, [account])
    world.sent("unanswered")
    world.change("UPDATE enforcement SET method = 'disconnect', unsure = true WHERE closed_at IS NULL")
    world.want(account, "full", 1)

    reconcile_accounts(loop, [account])

    assert world.enforcements("from_version", "desired_version") == [("WWWW2222", "FFFF1111")]


def test_a_change_that_was_given_up_is_tried_anew_after_a_quarter_of_an_hour(world, loop):
    account = world.isp.accounts[0]
    world.want(account, "walled", 2)
    reconcile_accounts(loop, [account])
    world.sent("gave_up")
    assert (reconcile_accounts(loop, [account]).opened, reconcile_all(loop).opened) == (0, 0)

    world.change(
        "UPDATE enforcement SET closed_at = now() - interval '15 minutes 1 second', sent_at = sent_at - interval '1 hour'"
    )

    assert reconcile_accounts(loop, [account]).opened == 1


def test_what_was_given_up_and_is_wanted_again_after_something_else_was_is_tried_at_once(world, loop):
    account = world.isp.accounts[0]
    world.want(account, "walled", 2)
    reconcile_accounts(loop, [account])
    world.sent("gave_up")
    world.change("UPDATE enforcement SET error_cause = 407, problem = 'the device knows no such policy'")
    world.want(account, "full", 1)
    reconcile_accounts(loop, [account])

    world.want(account, "walled", 2)

    assert reconcile_accounts(loop, [account]).opened == 1
    assert world.enforcements("desired_version") == [("WWWW2222",)]


def test_a_cut_that_nothing_confirms_is_tried_anew_while_the_session_goes_on(world, loop):
    account = world.isp.accounts[0]
    world.want(account, "blocked", 2)
    reconcile_accounts(loop, [account])
    world.sent("unverifiable")
    assert reconcile_all(loop).opened == 0

    world.change(
        "UPDATE enforcement SET closed_at = now() - interval '15 minutes 1 second', sent_at = sent_at - interval '1 hour'"
    )

    assert reconcile_all(loop).opened == 1


def test_what_was_queued_for_a_session_that_ended_is_closed_and_what_was_sent_waits_for_its_verification(world, loop):
    for account in world.isp.accounts[:2]:
        world.want(account, "blocked", 2)
    reconcile_accounts(loop, world.isp.accounts[:1])
    world.sent()
    reconcile_accounts(loop, world.isp.accounts[1:2])
    world.change("DELETE FROM session")

    done = reconcile_all(loop)

    assert done.ended == 1
    assert world.enforcements("state::text", "username") == [("sent", "user0001")]
    assert world.enforcements("username", "problem", states=("superseded",)) == [
        ("user0002", "the session ended before anything was sent")
    ]


def test_two_sessions_of_one_account_get_one_enforcement_each(world, loop):
    add_session(world, 9, world.isp.accounts[0])
    world.want(world.isp.accounts[0], "walled", 2)

    assert reconcile_accounts(loop, world.isp.accounts).opened == 2
    assert {key for (key,) in world.enforcements("session_key::text")} == {KEY.format(1), KEY.format(9)}


def test_two_reconcilers_at_once_open_one_enforcement_a_session(world, loop, database):
    reconcile_all(loop)  # so that neither waits for the other before it opens something
    for account in world.isp.accounts:
        world.want(account, "walled", 2)
    opened = []

    def other():
        with db.connect(database, name="second", autocommit=True) as connection:
            opened.append(reconcile_all(connection).opened)

    with loop.transaction():
        assert reconcile_accounts_in(loop, world.isp.accounts) == 3
        thread = threading.Thread(target=other)
        thread.start()
        _until_someone_waits(database)
    thread.join(120)

    assert opened == [0]
    assert len(world.enforcements("id")) == 3


def test_two_reconcilers_that_both_supersede_leave_one_open(world, loop, database):
    for digit in (2, 3):
        for account in world.isp.accounts:
            world.want(account, "walled", digit)
        if digit == 2:
            reconcile_all(loop)
    threads = [threading.Thread(target=_reconcile_alone, args=(database, world.isp.accounts)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)

    assert [version for (version,) in world.enforcements("desired_version")] == ["WWWW3333"] * 3
    assert len(world.enforcements("id", states=("superseded",))) == 3


def test_a_reconciler_killed_in_the_middle_leaves_nothing_and_the_next_one_does_it_all(world, loop, database):
    for account in world.isp.accounts:
        world.want(account, "walled", 2)
    with db.connect(database, name="victim", autocommit=True) as victim, pytest.raises(psycopg.OperationalError):
        _reconcile_and_die(victim, world.isp.accounts, killer=loop)
    assert world.enforcements("id", states=OPEN) == []

    assert reconcile_all(loop).opened == 3


def test_a_large_drift_is_opened_in_portions(world, loop, monkeypatch):
    monkeypatch.setattr("control_plane.control_loop.reconcile.OPENED_AT_ONCE", 2)
    for account in world.isp.accounts:
        world.want(account, "walled", 2)

    assert reconcile_all(loop).opened == 3
    assert len(world.enforcements("id")) == 3


def test_the_worker_s_role_suffices(world, cluster_role_loop):
    for account in world.isp.accounts:
        world.want(account, "walled", 2)

    assert reconcile_all(cluster_role_loop).opened == 3


@pytest.fixture
def cluster_role_loop(database):
    with db.connect(database, name="reconcile", autocommit=True) as opened:
        opened.execute("SET ROLE corrente_worker")
        yield opened


def reconcile_accounts_in(connection, accounts):
    """One step of it, left open: the caller holds the transaction."""
    drift.supersede_open(connection, accounts)
    return reconcile_accounts(connection, accounts).opened


def _reconcile_and_die(connection, accounts, *, killer):
    with connection.transaction():
        assert reconcile_accounts_in(connection, accounts) == len(accounts)
        killer.execute("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))
        connection.execute("SELECT 1")


def _reconcile_alone(database, accounts):
    with db.connect(database, name="one of four", autocommit=True) as connection:
        reconcile_accounts(connection, accounts)


def _until_someone_waits(database):
    until = time.monotonic() + 240
    with db.connect(database, name="watch", autocommit=True) as connection:
        while not connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        ).fetchone():
            assert time.monotonic() < until, "the second reconciler never came to wait"
            time.sleep(0.01)


def test_what_a_session_runs_under_carries_no_index_so_that_writing_it_stays_on_its_page(world):
    indexed = world.connection.execute(
        "SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) "
        "WHERE i.indrelid = 'session'::regclass"
    ).fetchall()

    assert not {"applied_version", "applied_by", "applied_at"} & {name for (name,) in indexed}
