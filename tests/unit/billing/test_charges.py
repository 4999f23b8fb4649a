"""Charges: due on their day, once, with discounts and stops where they belong, whatever the runs were like."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from support.billing_oracle import ToldCharge, told_charges
from support.each_day import days_of

from billing.charges import (
    Charge,
    Discount,
    DiscountKind,
    Item,
    ItemKind,
    Opening,
    Rated,
    Terms,
    credit_for,
    discount_total,
    next_due,
    rate,
)
from billing.money import Money, currency_places
from billing.periods import Basis, Cycle, Period, Timing

DAY = timedelta(days=1)
STARTS = st.dates(date(2019, 12, 1), date(2024, 4, 30))
PERCENT, FIXED = DiscountKind.PERCENT, DiscountKind.FIXED


def item(start="2026-01-01", end=None, *, price="30.00", months=1, anchor="2026-01-01", number=1, kind=ItemKind.PLAN):
    first = date.fromisoformat(anchor)
    begins = date.fromisoformat(start)
    return Item(
        id=number,
        kind=kind,
        family="access" if kind is ItemKind.PLAN else "tv",
        quantity=Decimal(1),
        period_price=Decimal(price),
        cycle=Cycle(first, first.day, months),
        starts_on=begins,
        ends_on=end and date.fromisoformat(end),
        billed_through=begins,
    )


def shown(rated: Rated) -> list[str]:
    return [
        f"{one.item_id} {one.part.start} {one.part.end} {one.full.amount} {one.net.amount}" for one in rated.charges
    ]


def through(day: str) -> dict[str, date]:
    return {"through": date.fromisoformat(day)}


@st.composite
def items(draw, number=1) -> Item:
    start, wanted = draw(STARTS), draw(st.integers(1, 31))
    length = draw(st.none() | st.integers(1, 900))
    month = start + timedelta(days=draw(st.integers(0, 365)))
    return Item(
        id=number,
        kind=ItemKind.PLAN if number == 1 else ItemKind.ADD_ON,
        family=draw(st.sampled_from(["access", "tv"])),
        quantity=Decimal(draw(st.integers(1, 3))),
        period_price=draw(st.decimals("0", "200", places=4)),
        cycle=Cycle(
            month.replace(day=min(wanted, monthrange(month.year, month.month)[1])),
            wanted,
            draw(st.sampled_from([1, 2, 3, 6, 12])),
        ),
        starts_on=start,
        ends_on=None if length is None else start + timedelta(days=length),
        billed_through=start,
    )


@st.composite
def discounts(draw, number: int) -> Discount:
    start = draw(STARTS)
    kind = draw(st.sampled_from(DiscountKind))
    return Discount(
        id=number,
        kind=kind,
        value=draw(st.decimals("0.01", "100", places=2)),
        starts_on=start,
        ends_on=draw(st.none() | st.integers(1, 700).map(lambda days: start + timedelta(days=days))),
        priority=draw(st.integers(1, 3)),
        **draw(st.sampled_from([{}, {"item_id": 1}, {"item_id": 2}, {"family": "access"}, {"family": "tv"}])),
    )


TERMS = st.builds(
    Terms,
    currency=st.sampled_from(["EUR", "CLP", "TND"]),
    timing=st.sampled_from(Timing),
    basis=st.sampled_from(Basis),
    opening=st.sampled_from(Opening),
    fixed_day=st.none() | st.integers(1, 31),
    lead_days=st.integers(0, 20),
)
CONTRACTS = st.tuples(items(1), items(2))
SOME_DISCOUNTS = st.tuples(discounts(1), discounts(2)) | st.just(())


def billed_on(contract, terms, days, given, stops):
    """Everything that runs on these days charge and leave out, each going on from the one before."""
    charges, left_out = [], []
    for day in days:
        rated = rate(contract, terms, through=day, discounts=given, stops=stops)
        charges += rated.charges
        left_out += rated.stopped
        contract = [
            replace(one, billed_through=rated.billed_through.get(one.id, one.billed_through)) for one in contract
        ]
    return sorted(charges, key=lambda one: (one.item_id, one.part.start)), sorted(left_out, key=str), contract


@given(CONTRACTS, TERMS, SOME_DISCOUNTS, st.lists(st.dates(date(2019, 12, 1), date(2026, 1, 1)), max_size=8))
def test_runs_in_any_number_of_pieces_charge_what_one_run_charges(contract, terms, given, days):
    stops = ((date(2021, 3, 10), date(2021, 9, 2)),)
    last = date(2026, 1, 1)

    at_once = billed_on(contract, terms, [last], given, stops)

    assert billed_on(contract, terms, [*sorted(days), last], given, stops) == at_once
    assert billed_on(at_once[2], terms, [last], given, stops)[:2] == ([], [])


@given(CONTRACTS, TERMS, SOME_DISCOUNTS)
def test_every_day_is_charged_once_or_left_out_as_recorded(contract, terms, given):
    charges, left_out, stand = billed_on(
        contract, terms, [date(2026, 1, 1)], given, ((date(2021, 3, 10), date(2021, 9, 2)), (date(2023, 1, 1), None))
    )

    for before, after in zip(contract, stand, strict=True):
        told = [day for one in charges if one.item_id == before.id for day in days_of(one.part)]
        told += [day for number, part in left_out if number == before.id for day in days_of(part)]
        through_day = after.billed_through
        assert sorted(told) == (
            [] if through_day == before.starts_on else list(days_of(Period(before.starts_on, through_day)))
        )


@given(CONTRACTS, TERMS, SOME_DISCOUNTS)
def test_a_discount_is_never_more_than_the_price_and_pieces_of_a_period_cost_the_period(contract, terms, given):
    with_discounts = rate(contract, terms, through=date(2026, 1, 1), discounts=given)
    without = rate(contract, terms, through=date(2026, 1, 1))

    assert all(0 <= one.discounted.minor <= one.full.minor for one in with_discounts.charges)
    by_period = {}
    for one in with_discounts.charges:
        whole = next(of for of in contract if of.id == one.item_id).cycle.period_of(one.part.start)
        key = (one.item_id, whole.start)
        by_period[key] = by_period.get(key, 0) + one.full.minor
    for one in without.charges:
        whole = next(of for of in contract if of.id == one.item_id).cycle.period_of(one.part.start)
        assert by_period[one.item_id, whole.start] == one.full.minor


@given(items(), TERMS)
def test_the_day_that_is_told_as_next_is_the_first_one_on_which_something_is_due(one, terms):
    day = next_due(one, terms)

    assert day is not None
    assert rate([one], terms, through=day - DAY).charges == ()
    assert rate([one], terms, through=day).charges != ()


def test_a_discount_that_ends_inside_a_period_cuts_it():
    half = Discount(1, PERCENT, Decimal(50), date(2026, 1, 1), date(2026, 4, 16))

    rated = rate([item("2026-03-01")], Terms("EUR"), discounts=[half], **through("2026-04-01"))

    assert shown(rated) == [
        "1 2026-03-01 2026-04-01 30.00 15.00",
        "1 2026-04-01 2026-04-16 15.00 7.50",
        "1 2026-04-16 2026-05-01 15.00 15.00",
    ]


def taken_off(**scope) -> list[str]:
    """What ten off January, on these items, leaves: a plan of 30.00, one add-on of the family tv of 15.00, one of 8.00."""
    contract = [
        item(),
        item(price="15.00", number=2, kind=ItemKind.ADD_ON),
        item(price="8.00", number=3, kind=ItemKind.ADD_ON),
    ]
    rated = rate(
        contract,
        Terms("EUR"),
        discounts=[Discount(1, FIXED, Decimal(10), date(2026, 1, 1), **scope)],
        **through("2026-01-31"),
    )
    return [str(one.net.amount) for one in rated.charges]


def test_a_fixed_discount_is_taken_off_the_item_it_names_each_item_of_its_family_or_the_plan():
    assert taken_off(item_id=2) == ["30.00", "5.00", "8.00"]
    assert taken_off(family="tv") == ["30.00", "5.00", "0.00"]
    assert taken_off(family="voice") == ["30.00", "15.00", "8.00"]
    assert taken_off() == ["20.00", "15.00", "8.00"]


def test_a_percent_on_the_contract_is_taken_off_each_item_before_what_comes_later():
    contract = [item(), item(price="15.00", number=2, kind=ItemKind.ADD_ON)]
    half = Discount(2, PERCENT, Decimal(50), date(2026, 1, 1), priority=1)
    ten_off = Discount(1, FIXED, Decimal(10), date(2026, 1, 1), family="tv")

    rated = rate(contract, Terms("EUR"), discounts=[ten_off, half], **through("2026-01-31"))

    assert shown(rated) == ["1 2026-01-01 2026-02-01 30.00 15.00", "2 2026-01-01 2026-02-01 15.00 0.00"]


def test_discounts_of_one_priority_come_in_order_of_their_ids_and_without_one_it_is_a_hundred():
    half = Discount(1, PERCENT, Decimal(50), date(2026, 1, 1))
    ten_off = Discount(2, FIXED, Decimal(10), date(2026, 1, 1), priority=100)

    rated = rate([item()], Terms("EUR"), discounts=[ten_off, half], **through("2026-01-31"))

    # Half of 30.00 first, then 10.00; the other way round 10.00 would be left.
    assert shown(rated) == ["1 2026-01-01 2026-02-01 30.00 5.00"]


def test_a_discount_of_another_item_cuts_nothing():
    of_the_other = Discount(1, PERCENT, Decimal(50), date(2026, 1, 16), item_id=2)

    rated = rate([item()], Terms("EUR"), discounts=[of_the_other], **through("2026-01-31"))

    assert shown(rated) == ["1 2026-01-01 2026-02-01 30.00 30.00"]


@given(CONTRACTS, TERMS, SOME_DISCOUNTS, st.dates(date(2019, 12, 1), date(2026, 1, 1)))
def test_what_an_item_is_charged_does_not_depend_on_what_is_billed_with_it(contract, terms, given, day):
    stops = ((date(2021, 3, 10), date(2021, 9, 2)),)

    together = rate(contract, terms, through=day, discounts=given, stops=stops)

    apart = [rate([one], terms, through=day, discounts=given, stops=stops) for one in contract]
    assert together.charges == tuple(charge for one in apart for charge in one.charges)
    assert together.stopped == tuple(stop for one in apart for stop in one.stopped)
    assert together.billed_through == {item_id: stand for one in apart for item_id, stand in one.billed_through.items()}


@given(CONTRACTS, TERMS, SOME_DISCOUNTS)
def test_every_charge_is_what_its_days_say_one_by_one(contract, terms, given):
    thirty = terms.basis is Basis.THIRTY
    if thirty:
        contract = [_on_day_28_at_most(one) for one in contract]
    terms = replace(terms, opening=Opening.PRORATE)

    rated = rate(contract, terms, through=date(2024, 6, 1), discounts=given)

    told = [
        charge
        for one in contract
        for charge in told_charges(
            one,
            through=rated.billed_through.get(one.id, one.starts_on),
            places=currency_places(terms.currency),
            thirty=thirty,
            discounts=given,
        )
    ]
    assert [
        ToldCharge(one.item_id, one.part.start, one.part.end, one.full.minor, one.net.minor) for one in rated.charges
    ] == told


def _on_day_28_at_most(one: Item) -> Item:
    day = min(one.cycle.wanted_day, 28)
    return replace(one, cycle=Cycle(one.cycle.anchor.replace(day=day), day, one.cycle.months))


@given(items(), TERMS, SOME_DISCOUNTS, st.integers(1, 400))
def test_an_item_whose_end_is_taken_back_after_it_was_billed_costs_what_one_without_it_costs(one, terms, given, days):
    assume(terms.opening in (Opening.PRORATE, Opening.FREE))
    ending = replace(one, ends_on=one.starts_on + timedelta(days=days))
    first = rate([ending], terms, through=date(2026, 1, 1), discounts=given)
    going_on = replace(one, billed_through=first.billed_through[one.id], ends_on=None)

    charged = [*first.charges, *rate([going_on], terms, through=date(2026, 1, 1), discounts=given).charges]

    straight = rate([replace(one, ends_on=None)], terms, through=date(2026, 1, 1), discounts=given)
    # A percent is of what each piece costs, so a piece that is billed in two may differ by a cent.
    assert sum(charge.full.minor for charge in charged) == sum(charge.full.minor for charge in straight.charges)
    if all(discount.kind is FIXED for discount in given) and len(given) < 2:
        assert sum(charge.net.minor for charge in charged) == sum(charge.net.minor for charge in straight.charges)


def test_a_full_opening_that_was_billed_to_an_end_is_not_charged_again_when_the_end_is_taken_back():
    one = replace(item("2026-06-11", anchor="2026-07-01"), billed_through=date(2026, 6, 21))

    rated = rate([one], Terms("EUR", opening=Opening.FULL), **through("2026-07-01"))

    assert shown(rated) == ["1 2026-06-21 2026-07-01 0.00 0.00", "1 2026-07-01 2026-08-01 30.00 30.00"]


def test_a_fixed_discount_that_starts_inside_a_period_gives_the_share_of_its_days():
    six_off = Discount(1, FIXED, Decimal(6), date(2026, 4, 21))

    rated = rate([item()], Terms("EUR"), discounts=[six_off], **through("2026-05-31"))

    # Ten of April's thirty days: 2.00 off.
    assert shown(rated)[-3:] == [
        "1 2026-04-01 2026-04-21 20.00 20.00",
        "1 2026-04-21 2026-05-01 10.00 8.00",
        "1 2026-05-01 2026-06-01 30.00 24.00",
    ]


@pytest.mark.parametrize(
    ("opening", "charged"),
    [
        (Opening.PRORATE, ["1 2026-06-11 2026-07-01 20.00 20.00"]),
        (Opening.FULL, ["1 2026-06-11 2026-07-01 30.00 30.00"]),
        (Opening.FREE, ["1 2026-06-11 2026-07-01 0.00 0.00"]),
        (Opening.JOIN, []),
    ],
)
def test_the_days_before_the_first_boundary_cost_what_their_rule_says(opening, charged):
    one = item("2026-06-11", anchor="2026-07-01")

    assert shown(rate([one], Terms("EUR", opening=opening), **through("2026-06-30"))) == charged
    both = shown(rate([one], Terms("EUR", opening=opening), **through("2026-07-01")))
    assert both[1:] == ["1 2026-07-01 2026-08-01 30.00 30.00"]
    assert both[0].startswith("1 2026-06-11 2026-07-01")


def test_a_full_opening_of_one_day_that_thirty_day_months_do_not_count_costs_the_period():
    one = item("2019-12-30", anchor="2019-12-31")

    rated = rate([one], Terms("EUR", basis=Basis.THIRTY, opening=Opening.FULL), **through("2019-12-30"))

    assert shown(rated) == ["1 2019-12-30 2019-12-31 30.00 30.00"]
    day = Period(date(2019, 12, 30), date(2019, 12, 31))
    given = credit_for(rated.charges[0], day, cycle=one.cycle, basis=Basis.THIRTY, credited=Money(0, "EUR"))
    assert given == Money(3000, "EUR")


def test_an_item_that_ends_before_its_first_boundary_is_billed_though_its_opening_would_join():
    one = item("2026-06-11", "2026-06-21", anchor="2026-07-01")

    rated = rate([one], Terms("EUR", opening=Opening.JOIN), **through("2026-06-11"))

    assert shown(rated) == ["1 2026-06-11 2026-06-21 10.00 10.00"]


def test_an_item_that_starts_on_a_boundary_has_no_opening_that_could_join():
    rated = rate([item("2026-06-01")], Terms("EUR", opening=Opening.JOIN), **through("2026-06-01"))

    assert shown(rated) == ["1 2026-06-01 2026-07-01 30.00 30.00"]


def test_a_fixed_day_moves_what_is_due_and_lead_days_prepare_it_earlier():
    one = item("2026-01-20", anchor="2026-01-20")
    fixed = Terms("EUR", fixed_day=5)

    assert rate([one], fixed, **through("2026-02-04")).charges == ()
    due = rate([one], fixed, **through("2026-02-05")).charges
    assert [(str(each.part.start), str(each.due_on)) for each in due] == [("2026-01-20", "2026-02-05")]
    early = Terms("EUR", fixed_day=5, lead_days=10)
    assert next_due(one, early) == date(2026, 1, 26)
    assert shown(rate([one], early, **through("2026-01-26"))) == ["1 2026-01-20 2026-02-20 30.00 30.00"]


def test_a_whole_period_inside_a_stop_is_left_out_for_good_and_a_part_of_one_is_not():
    stop = [(date(2026, 2, 15), date(2026, 4, 1))]

    rated = rate([item()], Terms("EUR"), stops=stop, **through("2026-04-30"))

    assert [one.split()[1] for one in shown(rated)] == ["2026-01-01", "2026-02-01", "2026-04-01"]
    assert rated.stopped == ((1, Period(date(2026, 3, 1), date(2026, 4, 1))),)


MARCH = Charge(
    1, Period(date(2026, 3, 1), date(2026, 4, 1)), 31, 31, Money(5000, "EUR"), Money(0, "EUR"), date(2026, 3, 1)
)
MONTHLY = Cycle(date(2026, 1, 1), 1, 1)


def credit(start: str, end: str, credited=0, charge=MARCH) -> int:
    unused = Period(date.fromisoformat(start), date.fromisoformat(end))
    return credit_for(charge, unused, cycle=MONTHLY, basis=Basis.ACTUAL, credited=Money(credited, "EUR")).minor


def test_days_not_used_are_given_back_and_never_more_than_is_left():
    assert credit("2026-03-15", "2026-04-01") == 2742  # 17 of 31 days of 50.00
    assert credit("2026-02-01", "2026-05-01") == 5000
    assert credit("2026-03-15", "2026-04-01", credited=4000) == 1000
    assert credit("2026-03-15", "2026-04-01", credited=6000) == 0
    assert credit("2026-04-01", "2026-05-01") == 0


@given(st.integers(0, 10**6), st.lists(st.integers(1, 31), min_size=2, max_size=12, unique=True))
def test_credits_of_a_charge_together_are_never_more_than_it(price, cuts):
    charge = Charge(1, MARCH.part, 31, 31, Money(price, "EUR"), Money(0, "EUR"), MARCH.part.start)
    given_back = 0
    edges = sorted(cuts)
    for start, end in pairwise(edges):
        given_back += credit(f"2026-03-{start:02}", f"2026-03-{end:02}", given_back, charge)

    assert 0 <= given_back <= price


def test_discounts_in_order_each_take_from_what_is_left():
    base = Money(10_000, "EUR")

    assert discount_total(base, [(FIXED, Decimal(10)), (PERCENT, Decimal(20))]).minor == 2800
    assert discount_total(base, [(PERCENT, Decimal(20)), (FIXED, Decimal(10))]).minor == 3000
    assert discount_total(base, [(FIXED, Decimal(150)), (PERCENT, Decimal(20))]).minor == 10_000


def test_an_item_that_is_billed_to_its_end_or_beyond_is_never_due_again():
    ended = item(end="2026-02-10")
    for stands, due in (("2026-02-09", "2026-02-09"), ("2026-02-10", None), ("2026-03-01", None)):
        day = next_due(replace(ended, billed_through=date.fromisoformat(stands)), Terms("EUR"))
        assert day == (due and date.fromisoformat(due))


def test_the_pieces_of_a_period_each_say_their_own_days_of_it():
    # Half price for the first ten days of January: 9.68 (9.677) less 4.84, then the 21 days of 20.32.
    half = Discount(1, PERCENT, Decimal(50), date(2025, 12, 1), date(2026, 1, 11))

    first, second = rate([item()], Terms("EUR"), **through("2026-01-01"), discounts=[half]).charges

    assert [(one.units, one.of, one.full.minor, one.net.minor) for one in (first, second)] == [
        (10, 31, 968, 484),
        (21, 31, 2032, 2032),
    ]
