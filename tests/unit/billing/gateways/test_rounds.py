"""A payment at a gateway, told in any order (latam.md section 10.2)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.gateways.acts import Booked, GiveBack, Record, Reverse, acts_for
from billing.gateways.charge_state import ChargeState, charge_state
from billing.gateways.events import EventKind, PaymentEvent
from billing.gateways.rounds import rounds_of
from billing.money import Money

START = datetime(2026, 3, 10, 8, tzinfo=UTC)


def event(kind, at, amount="30.00", *, part=None, payment="pi_1", key=None):
    """At minute `at` of the morning."""
    happened = START + timedelta(minutes=at)
    money = Money(int(amount.replace(".", "")), "EUR")
    return PaymentEvent(
        key or f"evt_{at}_{kind}", EventKind(kind), payment, money, happened, happened.date(), part_key=part
    )


PAID = event("paid", 1)
# What is told, how the charge stands, what is here at the end in cents.
STORIES = [
    ([], "presented", 0),
    ([event("pending", 0)], "pending", 0),
    ([event("pending", 0), event("failed", 1)], "failed", 0),
    ([event("failed", 0), event("pending", 1)], "pending", 0),
    ([event("expired", 5)], "expired", 0),
    ([event("pending", 0), PAID], "paid", 3000),
    ([PAID, event("paid", 2)], "paid", 3000),
    ([PAID, event("refunded", 2, "10.00", part="re_1")], "partly_refunded", 2000),
    ([PAID, event("refunded", 2, "10.00", part="re_1"), event("refunded", 3, "20.00", part="re_2")], "refunded", 0),
    (
        [PAID, event("refunded", 2, "10.00", part="re_1"), event("refunded", 3, "10.00", part="re_1")],
        "partly_refunded",
        2000,
    ),
    ([PAID, event("refunded", 2, "10.00", part="re_1"), event("refund_failed", 3, "10.00", part="re_1")], "paid", 3000),
    ([PAID, event("returned", 9)], "reversed", 0),
    ([PAID, event("failed", 9)], "reversed", 0),
    ([PAID, event("returned", 9), event("paid", 12)], "paid", 3000),
    ([PAID, event("disputed", 9, part="dp_1")], "disputed", 0),
    ([PAID, event("disputed", 9, part="dp_1"), event("dispute_won", 20, part="dp_1")], "paid", 3000),
    ([PAID, event("disputed", 9, "12.00", part="dp_1")], "disputed", 1800),
    ([PAID, event("refunded", 2, "10.00", part="re_1"), event("disputed", 9, "20.00", part="dp_1")], "disputed", 0),
    ([PAID, event("refunded", 1, "30.00", part="re_1")], "refunded", 0),
    # Two payments for one charge: the page was opened twice.
    ([PAID, event("paid", 2, payment="pi_2")], "paid", 6000),
    (
        [PAID, event("paid", 2, payment="pi_2"), event("refunded", 3, part="re_9", payment="pi_2")],
        "partly_refunded",
        3000,
    ),
    # What goes back without having come: nothing came.
    ([event("returned", 9)], "presented", 0),
    ([event("dispute_won", 9, part="dp_1")], "presented", 0),
]


def here(told):
    """What all payments have left, in cents."""
    payments = {one.payment_key for one in told}
    return sum(one.left.minor for key in payments for one in rounds_of(e for e in told if e.payment_key == key))


@pytest.mark.parametrize(("told", "state", "left"), STORIES)
def test_the_same_events_come_to_the_same_in_every_order(told, state, left):
    for order in permutations(told):
        assert charge_state(order, presented=True, withdrawn=False) == state
        assert here(order) == left


def test_a_link_that_was_withdrawn_and_paid_all_the_same_is_paid():
    assert charge_state([], presented=True, withdrawn=True) is ChargeState.WITHDRAWN
    assert charge_state([event("failed", 1)], presented=True, withdrawn=True) is ChargeState.WITHDRAWN
    assert charge_state([PAID], presented=True, withdrawn=True) is ChargeState.PAID
    assert charge_state([], presented=False, withdrawn=False) is ChargeState.OPEN


def test_a_debit_presented_again_is_another_payment_in_the_books():
    first, second = rounds_of([PAID, event("returned", 9), event("paid", 12)])
    assert (first.reference, second.reference) == ("pi_1", "pi_1 #2")
    assert first.whole.kind is EventKind.RETURNED
    assert second.whole is None


def booked_after(acts, booked):
    """The books once these acts are done."""
    books = dict(booked)
    for act in acts:
        if isinstance(act, Record):
            assert act.round.reference not in books
            books[act.round.reference] = Booked(len(books) + 1)
        elif isinstance(act, GiveBack):
            was = books[act.reference]
            assert not was.is_reversed
            assert act.why.reference not in was.refunds
            books[act.reference] = Booked(was.payment_id, False, was.refunds | {act.why.reference})
        else:
            assert isinstance(act, Reverse)
            was = books[act.reference]
            assert not was.is_reversed
            books[act.reference] = Booked(was.payment_id, True, was.refunds)
    return books


@pytest.mark.parametrize(("told", "state", "left"), STORIES)
def test_events_booked_one_by_one_as_they_come_end_where_all_at_once_end(told, state, left):
    # Of one payment; references of what went back are the same whatever was known when.
    mine = [one for one in told if one.payment_key == "pi_1"]
    at_once = booked_after(acts_for(rounds_of(mine), {}), {})
    for order in permutations(mine):
        books, known = {}, []
        for one in order:
            known.append(one)
            books = booked_after(acts_for(rounds_of(known), books), books)
        assert {key: one.is_reversed for key, one in books.items()} == {
            key: one.is_reversed for key, one in at_once.items()
        }
        assert acts_for(rounds_of(known), books) == []


KINDS = st.sampled_from([kind for kind in EventKind if kind is not EventKind.SETTLED])


@given(
    st.lists(st.tuples(KINDS, st.integers(0, 6), st.integers(1, 3000), st.sampled_from(["a", "b", None])), max_size=7),
    st.randoms(),
)
def test_no_set_of_events_keeps_less_than_nothing_or_more_than_came(raw, shuffle):
    told = [
        event(kind, at, f"{cents // 100}.{cents % 100:02}", part=part, key=f"e{n}")
        for n, (kind, at, cents, part) in enumerate(raw)
    ]
    rounds = rounds_of(told)
    for one in rounds:
        assert 0 <= one.left.minor <= one.amount.minor
    assert len({one.reference for one in rounds}) == len(rounds)
    shuffle.shuffle(told)
    assert rounds_of(told) == rounds
    books = booked_after(acts_for(rounds, {}), {})
    assert acts_for(rounds, books) == []
