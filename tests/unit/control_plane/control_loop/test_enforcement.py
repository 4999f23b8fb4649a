"""What comes next in a change's life: each Error-Cause, silence, an ACK without effect, and any sequence of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.control_loop.enforcement import (
    ATTEMPTS_MAX,
    BEST,
    FEWEST,
    FULLER,
    Outcome,
    Progress,
    Reply,
    Sight,
    State,
    after_look,
    after_lost_worker,
    after_outcome,
    begun,
)
from nas_drivers.policy import Method

FULL = (Method.COA, Method.DISCONNECT, Method.ROUTEROS_API)
QUEUED = Progress(State.QUEUED, Method.COA)


def nak(cause):
    return Outcome(Reply.NAK, cause)


def one(outcome, *, start=QUEUED, ladder=FULL, chance=0.5):
    return after_outcome(begun(start), outcome, ladder, chance=chance)


def test_an_acknowledged_change_waits_for_its_proof():
    found = one(Outcome(Reply.ACK))
    assert found.progress.state is State.ACKED
    assert (found.progress.attempt, found.progress.tries) == (1, 1)
    assert not found.gone


def test_residual_context_removed_means_the_session_is_gone():
    assert one(Outcome(Reply.ACK, 201)).gone


def test_a_refusal_that_announces_a_login_is_waited_for_only_where_it_would_show():
    seen = one(nak(507))
    assert (seen.progress.state, seen.progress.method) == (State.ACKED, Method.COA)
    # Nothing was acknowledged: what nobody would see is not taken on trust.
    unseen = after_outcome(begun(QUEUED), nak(507), FULL, chance=0.5, provable=False)
    assert (unseen.progress.state, unseen.progress.method) == (State.NACKED, Method.DISCONNECT)


def test_session_not_found_is_asked_once_more_by_the_fewest_names_and_then_done():
    first = one(nak(503))
    assert (first.progress.state, first.progress.identity_detail, first.pause_s) == (State.NACKED, FEWEST, 0)
    second = one(nak(503), start=first.progress)
    # There was no session to prove the change by; a cut is proven by just that.
    assert (second.progress.state, second.gone, second.alarm) == (State.SUPERSEDED, True, False)
    cut = one(nak(503), start=replace(first.progress, method=Method.DISCONNECT))
    assert (cut.progress.state, cut.gone, cut.alarm) == (State.VERIFIED, True, False)


@pytest.mark.parametrize("method", [Method.CLI, Method.ROUTEROS_API])
def test_a_session_that_the_devices_own_list_does_not_have_is_cut_and_the_list_is_not_asked_twice(method):
    found = one(nak(503), start=replace(QUEUED, method=method))
    assert (found.progress.state, found.gone, found.alarm) == (State.VERIFIED, True, False)


def test_session_not_found_after_a_lost_answer_is_done_at_once():
    lost = one(Outcome(Reply.NONE))
    assert (lost.progress.state, lost.progress.unsure) == (State.UNANSWERED, True)
    found = one(nak(503), start=lost.progress)
    assert (found.progress.state, found.gone) == (State.SUPERSEDED, True)


def test_session_not_found_on_a_retransmission_is_done_at_once_for_the_first_one_may_have_been_carried_out():
    found = one(Outcome(Reply.NAK, 503, sends=2), start=replace(QUEUED, method=Method.DISCONNECT))
    assert (found.progress.state, found.gone) == (State.VERIFIED, True)


def test_what_never_left_leaves_no_doubt():
    assert not one(Outcome(Reply.NONE, sends=0)).progress.unsure


def test_session_not_found_by_a_worker_that_follows_a_dead_one_is_done_at_once():
    left = after_lost_worker(begun(QUEUED))
    assert (left.progress.state, left.pause_s) == (State.UNANSWERED, 0)
    assert one(nak(503), start=left.progress).progress.state is State.SUPERSEDED


def test_one_attribute_too_many_is_tried_again_with_fewer_and_then_by_disconnect():
    fewer = one(nak(401))
    assert (fewer.progress.method, fewer.progress.identity_detail, fewer.pause_s) == (Method.COA, FEWEST, 0)
    onward = one(nak(401), start=fewer.progress)
    assert (onward.progress.method, onward.progress.identity_detail) == (Method.DISCONNECT, BEST)


@pytest.mark.parametrize("cause", [402, 508])
def test_a_missing_name_is_tried_again_with_more_of_them(cause):
    found = one(nak(cause))
    assert (found.progress.method, found.progress.identity_detail) == (Method.COA, FULLER)


def test_several_matches_that_more_names_do_not_tell_apart_end_in_a_disconnect():
    assert one(nak(508), start=one(nak(508)).progress).progress.method is Method.DISCONNECT


@pytest.mark.parametrize("cause", [404, 407])
def test_a_fault_of_configuration_stops_and_alarms(cause):
    found = one(nak(cause), ladder=(Method.COA, Method.DISCONNECT))
    assert (found.progress.state, found.alarm) == (State.GAVE_UP, True)


def test_what_stays_missing_stops_and_alarms():
    found = one(nak(402), start=one(nak(402)).progress, ladder=(Method.COA, Method.DISCONNECT))
    assert (found.progress.state, found.alarm) == (State.GAVE_UP, True)


def test_a_fault_of_configuration_leaves_only_a_way_without_radius():
    found = one(nak(404))
    assert (found.progress.method, found.alarm) == (Method.ROUTEROS_API, True)


def test_the_wrong_device_is_left_alone_by_every_method():
    found = one(nak(403))
    assert (found.progress.state, found.alarm) == (State.GAVE_UP, True)


@pytest.mark.parametrize("cause", [405, 406, None])
def test_what_coa_can_not_do_is_done_by_a_disconnect(cause):
    assert one(nak(cause)).progress.method is Method.DISCONNECT


def test_a_disconnect_refused_without_a_cause_falls_back_once():
    start = Progress(State.QUEUED, Method.DISCONNECT)
    assert one(nak(None), start=start).progress.method is Method.ROUTEROS_API
    given_up = one(nak(None), start=start, ladder=(Method.DISCONNECT,))
    assert (given_up.progress.state, given_up.alarm) == (State.GAVE_UP, True)


@pytest.mark.parametrize("cause", [501, 505, 506, 599])
def test_a_busy_device_is_asked_later_each_time_twice_as_much_later(cause):
    pauses, now = [], QUEUED
    while True:
        found = one(nak(cause), start=now)
        now = found.progress
        if now.method is not Method.COA:
            break
        pauses.append(found.pause_s)
    assert pauses == [2, 4, 8, 16]


def test_pauses_are_spread_by_a_fifth_either_way():
    assert one(nak(506), chance=0.0).pause_s == pytest.approx(1.6)
    assert one(nak(506), chance=1.0).pause_s == pytest.approx(2.4)


def test_a_silent_device_is_asked_again_with_pauses_that_end_at_a_quarter_of_an_hour():
    pauses, now = [], QUEUED
    while now.method is Method.COA:
        found = one(Outcome(Reply.NONE), start=now)
        now = found.progress
        pauses.append(found.pause_s)
    assert pauses[:7] == [30, 60, 120, 240, 480, 900, 900]
    assert len(pauses) == 30
    # Its change port is of no use, so the disconnect is left out.
    assert (now.method, found.alarm) == (Method.ROUTEROS_API, True)


def test_forty_exchanges_are_the_most_whatever_each_method_may_take_for_itself():
    now, outcomes = QUEUED, [Outcome(Reply.NONE)] * 29 + [nak(None)] + [Outcome(Reply.NONE)] * 100
    while not now.state.closed:
        now = one(outcomes[now.attempt], start=now).progress
    assert (now.state, now.method, now.attempt) == (State.GAVE_UP, Method.DISCONNECT, 40)


ACKED = Progress(State.ACKED, Method.COA, tries=1, attempt=1)


def look(sight, start=ACKED, ladder=FULL):
    return after_look(start, sight, ladder, problem="still online", chance=0.5)


def test_what_the_second_source_confirms_is_verified():
    assert look(Sight.HOLDS).progress.state is State.VERIFIED


def test_what_no_source_can_confirm_says_why():
    found = look(Sight.CANNOT)
    assert (found.progress.state, found.problem, found.alarm) == (State.UNVERIFIABLE, "still online", False)


def test_a_session_that_ends_meanwhile_leaves_nothing_to_do():
    assert look(Sight.OVER).progress.state is State.SUPERSEDED


def test_acknowledged_and_not_done_is_sent_again_then_by_the_next_method_then_alarmed():
    again = look(Sight.IGNORED)
    assert (again.progress.state, again.progress.method, again.pause_s) == (State.NACKED, Method.COA, 2)

    second = one(Outcome(Reply.ACK), start=again.progress).progress
    onward = look(Sight.IGNORED, start=second)
    assert (onward.progress.state, onward.progress.method, onward.alarm) == (State.NACKED, Method.DISCONNECT, False)

    last = Progress(State.ACKED, Method.ROUTEROS_API, tries=2, attempt=6)
    given_up = look(Sight.IGNORED, start=last)
    assert (given_up.progress.state, given_up.alarm, given_up.problem) == (State.GAVE_UP, True, "still online")


LADDERS = [
    (Method.COA,),
    (Method.COA, Method.DISCONNECT),
    FULL,
    (Method.DISCONNECT,),
    (Method.DISCONNECT, Method.ROUTEROS_API),
    (Method.ROUTEROS_API, Method.DISCONNECT),
    (Method.COA, Method.DISCONNECT, Method.ROUTEROS_API, Method.CLI),
]
OUTCOMES = st.one_of(
    st.sampled_from(
        [Outcome(Reply.ACK), Outcome(Reply.ACK, 201), Outcome(Reply.NONE), Outcome(Reply.FAILED, problem="x")]
    ),
    st.builds(nak, st.one_of(st.none(), st.integers(400, 409), st.integers(500, 510), st.integers(0, 65535))),
)
LOOKS = st.lists(st.sampled_from([Sight.NOT_YET, Sight.IGNORED]), max_size=3)
# What keeps a change open the longest, so that the bound is met and not only stayed below.
STUBBORN = st.sampled_from([Outcome(Reply.NONE), nak(506), nak(505), Outcome(Reply.ACK)])
EVENTS = st.tuples(st.one_of(OUTCOMES, STUBBORN), st.booleans(), LOOKS)


@given(
    ladder=st.sampled_from(LADDERS),
    events=st.one_of(st.lists(EVENTS, min_size=1), st.lists(EVENTS, min_size=1, max_size=1)),
    chance=st.floats(0, 1, exclude_max=True),
)
def test_any_sequence_of_outcomes_ends_within_a_bounded_number_of_sends_by_methods_of_the_ladder(
    ladder, events, chance
):
    now = Progress(State.QUEUED, ladder[0])
    sends, at = 0, 0
    while not now.state.closed:
        outcome, worker_dies, looks = events[at % len(events)]
        at += 1
        assert now.state in (State.QUEUED, State.NACKED, State.UNANSWERED)
        assert now.method in ladder
        now = begun(now)
        sends += 1
        found = after_lost_worker(now) if worker_dies else after_outcome(now, outcome, ladder, chance=chance)
        assert 0 <= found.pause_s <= 900 * 1.2
        assert ladder.index(found.progress.method) >= ladder.index(now.method)
        now = found.progress
        for sight in [*looks, Sight.IGNORED]:
            if now.state is State.ACKED:
                found = after_look(now, sight, ladder, problem="x", chance=chance)
                now = found.progress
        assert sends <= ATTEMPTS_MAX
    assert now.attempt == sends
