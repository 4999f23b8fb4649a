"""What may be cut now and what waits: the rules, by numbers worked out by hand."""

from __future__ import annotations

import pytest

from control_plane.control_loop.guard import (
    Change,
    GuardLimits,
    Hour,
    Situation,
    Verdict,
    Wait,
    trip_words,
    verdict_apart_from_share,
    verdicts_by_share,
)

USUAL = GuardLimits(share_percent=2.0, never_less_than=20)


def cut(number: int, **changes) -> Change:
    return Change(enforcement_id=number, account_id=number, nas_id=1, disruptive=True, **changes)


@pytest.mark.parametrize(
    ("live", "share", "allowed"),
    [
        (5000, 2.0, 100),
        (5049, 2.0, 100),
        (5050, 2.0, 101),
        (1_000_000, 2.0, 20_000),
        # Under a thousand subscribers the twenty hold.
        (999, 2.0, 20),
        (1050, 2.0, 21),
        (0, 2.0, 20),
        # 0.29 of 10,000 is 29 exactly, and 28.999… as a float.
        (10_000, 0.29, 29),
        (300, 100.0, 300),
    ],
)
def test_the_share_is_of_those_online_and_never_less_than_the_few(live, share, allowed):
    assert GuardLimits(share, 20).allowed(live) == allowed


@pytest.mark.parametrize(("cut", "wanting", "goes"), [(0, 100, True), (0, 101, False), (60, 40, True), (60, 41, False)])
def test_up_to_the_share_all_goes_and_one_more_holds_all(cut, wanting, goes):
    verdicts, tripped = verdicts_by_share([Change(7, 9000, 1, True)], Hour(live=5000, cut=cut, wanting=wanting), USUAL)

    assert [verdict.goes for verdict in verdicts] == [goes]
    assert verdicts[0].counts is goes
    assert (tripped == "") is goes


def test_the_reason_names_the_numbers():
    assert trip_words(Hour(live=5000, cut=0, wanting=312), USUAL) == (
        "waits for a person: 312 of 5,000 subscribers online in an hour, more than 100 (2 %)"
    )
    assert trip_words(Hour(live=300, cut=15, wanting=10), USUAL) == (
        "waits for a person: 25 of 300 subscribers online in an hour, 15 of them already gone,"
        " more than 20 (the least that may always go)"
    )


def test_once_tripped_nothing_goes_whatever_the_hour_says():
    verdicts, tripped = verdicts_by_share(
        [cut(1)], Hour(live=5000, cut=0, wanting=1), USUAL, tripped="looked at by nobody"
    )

    assert verdicts == [Verdict(1, Wait.SHARE, "looked at by nobody")]
    assert tripped == "looked at by nobody"


def test_a_share_of_nothing_lets_nothing_go():
    verdicts, _ = verdicts_by_share([cut(1)], Hour(live=5000, cut=0, wanting=1), GuardLimits(0, 0))
    assert not verdicts[0].goes


def test_restoring_waits_for_nothing_but_the_stop_and_maintenance():
    restore = Change(1, 1, 1, disruptive=False, exempt="hospital", not_due="paid")

    assert verdict_apart_from_share(restore, Situation()) == Verdict(1)
    stopped = verdict_apart_from_share(restore, Situation(stop="stopped by maria"))
    assert stopped == Verdict(1, Wait.NETWORK_STOP, "stopped by maria")
    held = verdict_apart_from_share(restore, Situation(maintenance={1: "new software"}))
    assert held == Verdict(1, Wait.MAINTENANCE, "new software")
    assert verdict_apart_from_share(restore, Situation(maintenance={2: "new software"})) == Verdict(1)


@pytest.mark.parametrize(
    ("change", "wait"),
    [
        (cut(1, not_due="paid"), Wait.NO_LONGER_DUE),
        # What is no longer due goes by nobody's word, not even one given before.
        (cut(1, not_due="paid", by_person=True), Wait.NO_LONGER_DUE),
        (cut(1, not_due="paid", passed=True), Wait.NO_LONGER_DUE),
        (cut(1, exempt="hospital"), Wait.EXEMPT),
        (cut(1, exempt="hospital", passed=True), Wait.EXEMPT),
        (cut(1, exempt="hospital", by_person=True), None),
        (cut(1, by_person=True), None),
        (cut(1, passed=True), None),
    ],
)
def test_what_is_decided_about_a_cut_by_itself(change, wait):
    verdict = verdict_apart_from_share(change, Situation())

    assert verdict is not None
    assert verdict.wait is wait
    assert not verdict.counts


def test_a_cut_of_automation_alone_is_for_the_share_to_decide():
    assert verdict_apart_from_share(cut(1), Situation()) is None
