"""What an answer makes of an e-invoice: each rule of the state machine, and histories of any answers in any order."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.einvoice.outcome import Answer, Handover, Manner, Message, Numbering, Outcome, Retry, State
from billing.einvoice.states import (
    CANCELLING,
    MOVING,
    REJECTED,
    TAKEN,
    Standing,
    answered,
    begin_sending,
    left_alone,
    pause_s,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MANNER = Manner(Numbering.SERIES, absent_apart_s=300)
OURS, OTHERS = b"o" * 32, b"x" * 32
PREPARED = Standing(State.PREPARED, digest=OURS, since=NOW)
SENDING = begin_sending(PREPARED, now=NOW, lease_s=120).standing
UNKNOWN = left_alone(SENDING, now=NOW).standing


def told(standing, answer, *, at=NOW, asked=False, **more):
    return answered(standing, Outcome(answer, **more), MANNER, now=at, asked=asked)


def test_what_is_sent_and_left_alone_is_in_doubt_and_asked_at_once():
    begun = begin_sending(PREPARED, now=NOW, lease_s=120)
    assert (begun.standing.state, begun.next_at) == (State.SENDING, NOW + timedelta(seconds=120))
    doubt = left_alone(begun.standing, now=NOW + timedelta(seconds=120))
    assert (doubt.standing.state, doubt.next_at) == (State.UNKNOWN, NOW + timedelta(seconds=120))


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (Answer.ACCEPTED, State.ACCEPTED),
        (Answer.ACCEPTED_NOTED, State.ACCEPTED_NOTED),
        (Answer.REJECTED_FIXABLE, State.REJECTED_FIXABLE),
        (Answer.REJECTED_FINAL, State.REJECTED_FINAL),
    ],
)
@pytest.mark.parametrize("standing", [SENDING, UNKNOWN, replace(UNKNOWN, state=State.PENDING), PREPARED])
def test_a_settled_answer_settles_it_wherever_it_stands_and_nothing_is_asked_any_more(standing, answer, state):
    change = told(standing, answer, authority_key="A1")
    assert (change.standing.state, change.next_at, change.standing.contradiction) == (state, None, "")


def test_silence_is_doubt_and_not_another_try_and_pauses_grow_up_to_six_hours():
    change = told(SENDING, Answer.UNKNOWN, retry=Retry.ASK_FIRST)
    assert (change.standing.state, change.next_at) == (State.UNKNOWN, NOW + timedelta(seconds=60))
    again = told(change.standing, Answer.UNKNOWN, retry=Retry.ASK_FIRST)
    assert again.next_at == NOW + timedelta(seconds=120)
    assert [pause_s(n) for n in (0, 1, 2, 3, 9, 10, 99)] == [60, 60, 120, 240, 15360, 21600, 21600]
    assert pause_s(1, spread=1.0) == 48


def test_who_says_that_it_did_not_take_it_gets_the_same_octets_later():
    change = told(SENDING, Answer.UNKNOWN, retry=Retry.SAME_BYTES)
    assert (change.standing.state, change.next_at) == (State.PREPARED, NOW + timedelta(seconds=60))
    # A question that nobody answered says nothing of what was sent before.
    assert told(UNKNOWN, Answer.UNKNOWN, retry=Retry.SAME_BYTES).standing.state is State.UNKNOWN


def test_only_two_answers_there_is_none_that_far_apart_let_it_be_sent_again():
    first = told(UNKNOWN, Answer.ABSENT, asked=True)
    assert (first.standing.state, first.next_at) == (State.UNKNOWN, NOW + timedelta(seconds=300))

    early = told(first.standing, Answer.ABSENT, at=NOW + timedelta(seconds=299), asked=True)
    assert early.standing.state is State.UNKNOWN
    silent = told(early.standing, Answer.UNKNOWN, at=NOW + timedelta(seconds=300), asked=True)
    assert silent.standing.state is State.UNKNOWN
    second = told(silent.standing, Answer.ABSENT, at=NOW + timedelta(seconds=301), asked=True)
    assert (second.standing.state, second.next_at) == (State.PREPARED, NOW + timedelta(seconds=301))

    found = told(first.standing, Answer.PENDING, at=NOW + timedelta(seconds=100), asked=True)
    assert (found.standing.state, found.standing.absent_at) == (State.PENDING, None)


def test_what_was_received_and_is_said_to_be_absent_is_in_doubt():
    pending = told(SENDING, Answer.PENDING).standing
    assert told(pending, Answer.ABSENT, asked=True).standing.state is State.UNKNOWN


def test_an_answer_waits_for_the_time_that_the_authority_names():
    late = NOW + timedelta(hours=2)
    assert told(SENDING, Answer.PENDING, not_before=late).next_at == late


def test_pending_counts_from_its_beginning_however_often_it_is_asked():
    first = told(SENDING, Answer.PENDING).standing
    again = told(first, Answer.PENDING, at=NOW + timedelta(hours=1), asked=True)
    assert (again.standing.since, again.standing.tries) == (NOW, 2)


def test_a_blocked_issuer_stops_the_account_with_the_reason():
    change = told(SENDING, Answer.BLOCKED, messages=(Message("600", "certificate expired"),))
    assert (change.standing.state, change.next_at, change.blocks) == (State.BLOCKED, None, "certificate expired")


def test_an_acceptance_is_never_taken_back_and_says_so_to_a_person():
    taken = told(SENDING, Answer.ACCEPTED, authority_key="A1").standing
    for answer in (Answer.REJECTED_FINAL, Answer.REJECTED_FIXABLE, Answer.ABSENT):
        change = told(taken, answer)
        assert (change.standing.state, change.next_at) == (State.ACCEPTED, None)
        assert f"it says {answer} after it was accepted" in change.standing.contradiction
    twice = told(told(taken, Answer.REJECTED_FINAL).standing, Answer.REJECTED_FINAL)
    assert twice.standing.contradiction == "it says rejected_final after it was accepted"
    assert told(taken, Answer.ACCEPTED, authority_key="A1").standing == taken
    assert (
        "accepted as A1 before, and now as A2"
        in told(taken, Answer.ACCEPTED, authority_key="A2").standing.contradiction
    )
    assert told(taken, Answer.UNKNOWN).standing == told(taken, Answer.PENDING).standing == taken


def test_an_acceptance_wins_over_an_earlier_refusal_and_is_a_contradiction():
    refused = told(SENDING, Answer.REJECTED_FINAL).standing
    change = told(refused, Answer.ACCEPTED, authority_key="A1")
    assert (change.standing.state, change.standing.contradiction) == (State.ACCEPTED, "it was rejected_final before")


def test_a_refusal_said_twice_or_of_octets_before_a_fix_changes_nothing():
    refused = told(SENDING, Answer.REJECTED_FIXABLE).standing
    assert told(refused, Answer.REJECTED_FIXABLE).standing == refused
    fixed = replace(PREPARED, digest=b"f" * 32)
    assert told(fixed, Answer.REJECTED_FIXABLE, about=OURS).standing.state is State.PREPARED
    assert told(fixed, Answer.REJECTED_FIXABLE, about=b"f" * 32).standing.state is State.REJECTED_FIXABLE
    taken = told(fixed, Answer.ACCEPTED, about=OURS)
    assert (taken.standing.state, taken.standing.contradiction) == (
        State.ACCEPTED,
        "it accepted octets that were sent before a fix",
    )


def test_who_has_only_what_it_refused_before_has_not_what_is_in_doubt():
    """Asked, that is; the same by a late message is no answer to a question."""
    asked = told(UNKNOWN, Answer.REJECTED_FIXABLE, about=OTHERS, asked=True)
    assert (asked.standing.state, asked.standing.absent_at) == (State.UNKNOWN, NOW)
    later = told(asked.standing, Answer.REJECTED_FIXABLE, about=OTHERS, asked=True, at=NOW + timedelta(seconds=300))
    assert later.standing.state is State.PREPARED
    by_itself = told(UNKNOWN, Answer.REJECTED_FIXABLE, about=OTHERS)
    assert (by_itself.standing.state, by_itself.standing.absent_at) == (State.UNKNOWN, None)


def test_the_receiver_s_word_goes_forward_and_a_late_delivery_wins():
    standing = told(SENDING, Answer.ACCEPTED, handover=Handover.UNDELIVERABLE).standing
    assert standing.handover is Handover.UNDELIVERABLE
    delivered = told(standing, Answer.ACCEPTED, handover=Handover.DELIVERED).standing
    assert delivered.handover is Handover.DELIVERED
    assert told(delivered, Answer.ACCEPTED, handover=Handover.UNDELIVERABLE).standing.handover is Handover.DELIVERED
    assert told(delivered, Answer.ACCEPTED, handover=Handover.REFUSED).standing.handover is Handover.REFUSED


def test_what_is_accepted_is_cancelled_in_its_own_time_and_nothing_else_is():
    taken = told(SENDING, Answer.ACCEPTED).standing
    asked = told(taken, Answer.CANCEL_REQUESTED)
    assert (asked.standing.state, asked.next_at) == (State.CANCEL_REQUESTED, NOW + timedelta(seconds=60))
    assert told(asked.standing, Answer.ACCEPTED).standing.state is State.CANCEL_REQUESTED
    assert told(asked.standing, Answer.UNKNOWN).next_at == NOW + timedelta(seconds=120)
    over = told(asked.standing, Answer.CANCELLED)
    assert (over.standing.state, over.next_at) == (State.CANCELLED, None)
    assert told(over.standing, Answer.CANCEL_REFUSED).standing.state is State.CANCELLED
    assert told(asked.standing, Answer.CANCEL_REFUSED).standing.state is State.CANCEL_REFUSED
    assert "cancelled of what was not accepted" in told(UNKNOWN, Answer.CANCELLED).standing.contradiction


OUTCOMES = st.builds(
    Outcome,
    st.sampled_from(Answer),
    st.sampled_from(Retry),
    authority_key=st.sampled_from([None, "A1", "A2"]),
    handover=st.sampled_from([None, *Handover]),
    about=st.sampled_from([None, OURS, OTHERS]),
)


@given(st.lists(st.tuples(OUTCOMES, st.booleans(), st.integers(0, 4000)), max_size=12))
def test_in_any_history_nothing_is_sent_in_doubt_nothing_taken_is_lost_and_nothing_waits_for_ever(history):
    standing, at = SENDING, NOW
    for outcome, asked, passed_s in history:
        at += timedelta(seconds=passed_s)
        before = standing
        change = answered(standing, outcome, MANNER, now=at, asked=asked)
        standing = change.standing
        assert (standing.state in MOVING) == (change.next_at is not None)
        assert standing.state is not State.SENDING or before.state is State.SENDING
        if before.state in TAKEN | CANCELLING:
            assert standing.state in TAKEN | CANCELLING
        if standing.state is State.PREPARED and before.state is State.UNKNOWN:
            assert before.absent_at is not None
            assert at - before.absent_at >= timedelta(seconds=300)
        if outcome.answer in (Answer.ACCEPTED, Answer.ACCEPTED_NOTED):
            assert standing.state in TAKEN | CANCELLING
        if before.state in REJECTED and standing.state not in REJECTED:
            assert standing.contradiction


def test_every_pair_of_state_and_answer_has_an_outcome():
    for state, answer, asked in product(State, Answer, (False, True)):
        standing = replace(UNKNOWN, state=state)
        if state is not State.DRAFT:
            told(standing, answer, asked=asked)
