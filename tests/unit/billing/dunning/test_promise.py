"""Promises to pay: 48 hours on the clock, limits, kept and broken, and proofs of payment that somebody looks at."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.dunning_policies import ITALY, policy_of

from billing.dunning.guard import is_open
from billing.dunning.promise import (
    Promise,
    PromiseState,
    RefusedPromise,
    ReviewError,
    after_payment,
    decide_promise,
    review_proof,
)
from billing.dunning.reasons import Why
from billing.money import Money, zero
from control_plane.policy.access_policy import (
    AccessFacts,
    ContractStatus,
    Origin,
    PlanProfiles,
    Relief,
    Restriction,
    Severity,
    policy_steps,
)
from radius_hooks.policy_store import Level

ROME = ZoneInfo("Europe/Rome")
NOTHING = zero("EUR")
OWED = Money(3000, "EUR")
THRESHOLD = Money(500, "EUR")
POLICY = policy_of(ITALY, min_debt={"EUR": "5.00"}, promise={"max_debt": {"EUR": "100"}})


def rome(text):
    return datetime.fromisoformat(text).replace(tzinfo=ROME)


def made(text, **more):
    promise = decide_promise(OWED, (), POLICY, case_id=1, now=rome(text), has_proof=more.pop("has_proof", False))
    assert isinstance(promise, Promise)
    return replace(promise, **more)


def told(past, at, *, owed=OWED, case=1, policy=POLICY):
    answer = decide_promise(owed, past, policy, case_id=case, now=rome(at))
    return answer.reason.why if isinstance(answer, RefusedPromise) else answer.state


@pytest.mark.parametrize(
    ("at", "until", "respite_until"),
    [
        ("2026-05-04T10:00", "2026-05-06T10:00", "2026-05-06T10:00"),  # Monday to Wednesday
        ("2026-05-05T22:00", "2026-05-07T22:00", "2026-05-11T09:00"),  # ends on a Thursday night
        ("2026-03-27T10:00", "2026-03-29T11:00", "2026-03-30T09:00"),  # an hour is skipped meanwhile
        ("2026-10-24T10:00", "2026-10-26T09:00", "2026-10-26T09:00"),  # an hour comes twice
    ],
)
def test_forty_eight_hours_elapse_and_the_line_is_limited_when_somebody_answers(at, until, respite_until):
    promise = made(at)

    assert promise.until == rome(until)
    assert promise.respite_until == rome(respite_until)
    assert promise.respite.holds_at(rome(at))
    assert not promise.respite.holds_at(rome(respite_until))


@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)), st.integers(1, 720))
def test_a_respite_lasts_its_hours_and_ends_where_something_may_be_cut(moment, hours):
    policy = policy_of(ITALY, promise={"hours": hours})
    promise = decide_promise(OWED, (), policy, case_id=1, now=moment.replace(tzinfo=UTC))

    assert isinstance(promise, Promise)
    assert promise.until - promise.made_at == timedelta(hours=hours)
    assert promise.respite_until >= promise.until
    assert is_open(policy.guard, promise.respite_until)


@settings(max_examples=30)
@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)), st.integers(1, 100), st.sampled_from(Severity))
def test_the_network_lets_it_run_out_by_itself_and_limits_the_line_again_as_before(moment, hours, severity):
    """I26: the steps that an access device is given end the respite at its second, with nobody looking."""
    policy = policy_of(ITALY, promise={"hours": hours})
    now = moment.replace(tzinfo=UTC, microsecond=0)
    made_ = decide_promise(OWED, (), policy, case_id=1, now=now)
    assert isinstance(made_, Promise)
    placed = now - timedelta(days=1)
    facts = AccessFacts(
        ContractStatus.ACTIVE,
        PlanProfiles(1, 2, 3),
        restrictions=(Restriction(Origin.DUNNING, severity, "owes", placed),),
        reliefs=(Relief(made_.respite.start, made_.respite.end),),
    )

    first, then = policy_steps(facts, now=now, zone=ROME)

    assert (first.level, first.until) == (Level.FULL, int(made_.respite_until.timestamp()))
    assert then.level.name == severity.name
    abuse = (Restriction(Origin.ABUSE, severity, "spam", placed),)
    limited = policy_steps(msgspec.structs.replace(facts, restrictions=abuse), now=now, zone=ROME)
    assert [one.level.name for one in limited] == [severity.name]


def test_what_is_paid_within_the_hours_keeps_it_and_what_is_not_breaks_it():
    promise, within, after = made("2026-05-04T10:00"), rome("2026-05-06T09:59"), rome("2026-05-06T10:00")

    def state(owed, received, now):
        stands = after_payment(promise, owed=owed, received=received, threshold=THRESHOLD, now=now)
        return stands.state, stands.ended_at

    assert state(OWED, NOTHING, within) == (PromiseState.OPEN, None)
    assert state(Money(501, "EUR"), Money(2499, "EUR"), within) == (PromiseState.OPEN, None)
    assert state(THRESHOLD, Money(2500, "EUR"), within) == (PromiseState.KEPT, within)
    # Another invoice fell due meanwhile: what was promised was paid.
    assert state(Money(2000, "EUR"), OWED, within) == (PromiseState.KEPT, within)
    assert state(OWED, NOTHING, after) == (PromiseState.BROKEN, promise.until)
    # Paid in time and looked at later; paid too late.
    assert state(NOTHING, OWED, rome("2026-05-08T10:00")) == (PromiseState.KEPT, promise.until)
    assert state(NOTHING, NOTHING, after) == (PromiseState.BROKEN, promise.until)
    broken = replace(promise, state=PromiseState.BROKEN, ended_at=promise.until)
    assert after_payment(broken, owed=NOTHING, received=OWED, threshold=THRESHOLD, now=within) == broken


def test_a_promise_is_refused_beyond_each_limit_and_taken_just_within_it():
    kept = made("2026-05-04T10:00", state=PromiseState.KEPT, ended_at=rome("2026-05-05T10:00"))

    assert told([], "2026-05-06T10:00", owed=THRESHOLD) is Why.NOT_PURSUED
    assert told([], "2026-05-06T10:00", owed=NOTHING) is Why.NOTHING_OWED
    assert told([], "2026-05-06T10:00", owed=Money(501, "EUR")) is PromiseState.OPEN
    assert told([], "2026-05-06T10:00", owed=Money(10000, "EUR")) is PromiseState.OPEN
    assert told([], "2026-05-06T10:00", owed=Money(10001, "EUR")) is Why.TOO_MUCH
    assert told([made("2026-05-04T10:00")], "2026-05-05T10:00", case=2) is Why.PROMISED
    assert told([kept], "2026-05-06T10:00") is Why.PROMISES_OF_CASE
    assert told([kept], "2026-05-06T10:00", case=2) is PromiseState.OPEN
    assert told([kept, kept], "2026-05-31T23:59", case=2) is Why.PROMISES_OF_MONTH
    assert told([kept, kept], "2026-06-01T00:00", case=2) is PromiseState.OPEN
    free = policy_of(ITALY, promise={"per_case": "none", "per_month": "none"})
    assert told([kept] * 9, "2026-05-06T10:00", policy=free) is PromiseState.OPEN


def test_a_month_is_the_issuer_s():
    # At 23:30 of 31 May in UTC it is June in Rome.
    in_june = made("2026-06-01T01:30", state=PromiseState.KEPT, ended_at=rome("2026-06-01T02:00"))

    assert told([in_june, in_june], "2026-06-30T23:00", case=2) is Why.PROMISES_OF_MONTH
    assert told([in_june, in_june], "2026-05-31T23:00", case=2) is PromiseState.OPEN


def test_after_a_broken_one_the_next_is_refused_for_its_days():
    broken = made("2026-05-04T10:00", state=PromiseState.BROKEN, ended_at=rome("2026-05-06T10:00"))
    unseen = made("2026-05-04T10:00")

    for past in (broken, unseen):
        assert told([past], "2026-06-05T09:59", case=2) is Why.PROMISE_BROKEN
        assert told([past], "2026-06-05T10:00", case=2) is PromiseState.OPEN
    # Of two that were broken, the later one.
    later = made("2026-05-10T10:00", state=PromiseState.BROKEN, ended_at=rome("2026-05-12T10:00"))
    assert told([later, broken], "2026-06-11T09:59", case=2) is Why.PROMISE_BROKEN
    assert told([broken, later], "2026-06-11T10:00", case=2) is PromiseState.OPEN
    # When its hours are over it runs no more.
    assert told([unseen], "2026-05-06T10:00", case=2) is Why.PROMISE_BROKEN
    refused = decide_promise(OWED, [broken], POLICY, case_id=2, now=rome("2026-05-10T10:00"))
    assert isinstance(refused, RefusedPromise)
    assert refused.until == rome("2026-06-05T10:00")


def test_a_proof_found_valid_keeps_the_promise_however_late_and_one_that_is_not_ends_it():
    proof = made("2026-05-04T20:00", has_proof=True)

    valid = review_proof(proof, valid=True, guard=POLICY.guard, now=rome("2026-05-05T08:00"))
    assert (valid.state, valid.reviewed, valid.respite_until) == (PromiseState.KEPT, True, proof.respite_until)
    false = review_proof(proof, valid=False, guard=POLICY.guard, now=rome("2026-05-05T08:00"))
    assert (false.state, false.reviewed) == (PromiseState.BROKEN, False)
    # Cut again, but not before nine.
    assert false.respite_until == rome("2026-05-05T09:00")
    assert review_proof(proof, valid=False, guard=POLICY.guard, now=rome("2026-05-05T11:20")).respite_until == rome("2026-05-05T11:20")  # fmt: skip
    lapsed = replace(proof, state=PromiseState.BROKEN, ended_at=proof.until)
    assert review_proof(lapsed, valid=True, guard=POLICY.guard, now=rome("2026-05-11T08:00")).state is PromiseState.KEPT
    late = review_proof(lapsed, valid=False, guard=POLICY.guard, now=rome("2026-05-20T08:00"))
    assert (late.ended_at, late.respite_until) == (proof.until, proof.respite_until)


def test_a_proof_is_looked_at_once_and_a_promise_without_one_never():
    proof = made("2026-05-04T20:00", has_proof=True)
    for was, word in ((True, "found valid before"), (False, "found not valid before")):
        seen = review_proof(proof, valid=was, guard=POLICY.guard, now=rome("2026-05-05T08:00"))
        with pytest.raises(ReviewError, match=word):
            review_proof(seen, valid=True, guard=POLICY.guard, now=rome("2026-05-05T09:00"))
    with pytest.raises(ReviewError, match="no proof"):
        review_proof(made("2026-05-04T20:00"), valid=True, guard=POLICY.guard, now=rome("2026-05-05T09:00"))


def test_a_proof_may_be_given_more_hours_than_a_word():
    policy = policy_of(ITALY, promise={"proof_hours": 120})
    proof = decide_promise(OWED, (), policy, case_id=1, now=rome("2026-05-04T10:00"), has_proof=True)

    assert isinstance(proof, Promise)
    assert proof.until == rome("2026-05-09T10:00")
