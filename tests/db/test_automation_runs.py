"""Runs of automation: what they restrict goes by the share as well, at a login too, and is undone together."""

from __future__ import annotations

from datetime import timedelta

import pytest
from support.guarded_isp import NOW, RULES, go_online, restricted_by_a_run
from support.small_isp import make_isp, one

from control_plane.control_loop.guard import GuardLimits
from control_plane.policy.policy_source import load_accounts
from control_plane.store.automation import Wanted, end_run, load_run, place_for_run, start_run, undo_run
from control_plane.store.guard import load_levels_now, may_send
from radius_hooks.policy_records import Level

pytestmark = pytest.mark.db


@pytest.fixture
def isp(connection):
    """Ten subscribers online; three may be restricted in an hour."""
    made = make_isp(connection, accounts=10)
    go_online(connection, made.accounts)
    return made


def place(connection, isp, numbers, *, now=NOW, limits=RULES.limits):
    run = start_run(connection, "dunning", by="worker-1", now=now)
    wanted = [Wanted(isp.contracts[number], "dunning", "walled", f"invoice {number}") for number in numbers]
    placed = place_for_run(connection, run, wanted, now=now, limits=limits)
    end_run(connection, run, now=now)
    return run, placed


def levels(connection, isp):
    return load_levels_now(connection, isp.accounts, NOW, RULES.zone)


def test_a_run_within_the_share_restricts(connection, isp):
    run, placed = place(connection, isp, range(3))

    assert (placed.restrictions, placed.held, placed.exempt) == (3, "", [])
    assert sorted(level.name for level in levels(connection, isp).values()) == ["FULL"] * 7 + ["WALLED"] * 3
    assert one(connection, "SELECT DISTINCT placed_by FROM restriction") == f"dunning run {run}"


def test_a_run_beyond_the_share_restricts_nobody_not_even_at_a_login_and_trips_the_guard(connection, isp):
    _, placed = place(connection, isp, range(4))

    words = "waits for a person: 4 of 10 subscribers online in an hour, more than 3 (the least that may always go)"
    assert (placed.restrictions, placed.held) == (4, words)
    assert set(levels(connection, isp).values()) == {Level.FULL}
    assert [row.restrictions for row in load_accounts(connection, ids=isp.accounts)] == [None] * 10
    assert one(connection, "SELECT tripped_reason FROM guard_state") == words
    # And everything else that automation wants waits with it.
    [change] = restricted_by_a_run(connection, isp, range(9, 10))
    assert not may_send(connection, [change], NOW, RULES)[change].goes


def test_the_worker_s_role_may_do_all_of_it(connection, isp):
    connection.execute("SET ROLE corrente_worker")
    assert place(connection, isp, range(3))[1].restrictions == 3


def test_two_runs_in_an_hour_share_it_and_a_run_of_the_hour_before_does_not_count(connection, isp):
    place(connection, isp, range(2))
    with connection.transaction(force_rollback=True):
        _, second = place(connection, isp, range(2, 4), now=NOW + timedelta(minutes=59))
        assert second.held.startswith(
            "waits for a person: 4 of 10 subscribers online in an hour, 2 of them already gone"
        )

    _, later = place(connection, isp, range(2, 4), now=NOW + timedelta(minutes=60))
    assert later.held == ""


def test_the_same_contract_restricted_further_takes_no_second_place(connection, isp):
    place(connection, isp, range(3))
    _, again = place(connection, isp, range(3))
    assert again.held == ""


def test_an_exempt_contract_is_left_alone_by_a_run(connection, isp):
    connection.execute(
        "INSERT INTO guard_exemption (contract_id, reason, placed_by, since, until) VALUES (%s, 'hospital', 'maria', %s, %s)",
        (isp.contracts[1], NOW, NOW + timedelta(days=1)),
    )

    _, placed = place(connection, isp, range(4))

    assert (placed.restrictions, placed.held, placed.exempt) == (3, "", [isp.contracts[1]])


def test_undoing_a_run_lifts_all_of_it_and_nothing_else(connection, isp):
    first, _ = place(connection, isp, range(2))
    second, _ = place(connection, isp, range(1, 4), limits=GuardLimits(100, 20))
    before = load_run(connection, second, now=NOW)
    assert (before.placed, before.in_force, before.contracts, before.online) == (3, 3, 3, 3)

    assert undo_run(connection, second, by="maria", reason="wrong due dates", now=NOW) == 3

    after = load_run(connection, second, now=NOW)
    assert (after.in_force, after.undone_at, after.undone_by) == (0, NOW, "maria")
    assert load_run(connection, first, now=NOW).in_force == 2
    assert [levels(connection, isp)[account].name for account in isp.accounts[:3]] == ["WALLED", "WALLED", "FULL"]


def test_undoing_a_run_that_waits_leaves_nothing_to_let_go(connection, isp):
    run, _ = place(connection, isp, range(5))
    assert load_run(connection, run, now=NOW).waiting == 5

    undo_run(connection, run, by="maria", reason="wrong due dates", now=NOW)

    assert load_run(connection, run, now=NOW).waiting == 0
