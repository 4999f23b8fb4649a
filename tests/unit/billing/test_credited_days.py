"""Days not served are given back once, when they are over, and what is left is the price of the days served."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.billing_oracle import days_from, nearest, weight

from billing.charges import Charge, Item, ItemKind, Opening, Terms, rate
from billing.credited_days import Charged, Credit, DaysNotPaid, after_credits, credits_due, give_back
from billing.money import Money
from billing.periods import Basis, Cycle, Period, Timing

DAY = timedelta(days=1)
FIRST, LAST = date(2023, 12, 1), date(2025, 6, 1)


def day(text: str) -> date:
    return date.fromisoformat(text)


def plan(end: str | None = None, *, price="31.00", number=1, months=1, billed="2026-01-01") -> Item:
    return Item(
        id=number,
        kind=ItemKind.PLAN if number == 1 else ItemKind.ADD_ON,
        family="access",
        quantity=Decimal(1),
        period_price=Decimal(price),
        cycle=Cycle(date(2026, 1, 1), 1, months),
        starts_on=date(2026, 1, 1),
        ends_on=end and day(end),
        billed_through=day(billed),
    )


def billed(item: Item, through: str, terms: Terms) -> tuple[Item, list[Charged]]:
    """The item after a run, and what it was charged; ids of charges in order."""
    rated = rate([item], terms, through=day(through))
    charged = [Charged(100 * item.id + at, one, Money(0, "EUR")) for at, one in enumerate(rated.charges)]
    return replace(item, billed_through=rated.billed_through.get(item.id, item.billed_through)), charged


def shown(credits: tuple[Credit, ...]) -> list[str]:
    return [
        f"{one.charge_id} {one.part.start} {one.part.end} {one.units}/{one.of} {one.amount.amount}" for one in credits
    ]


AHEAD = Terms("EUR")


def test_a_restriction_inside_a_paid_period_is_given_back_when_it_ends_and_not_before():
    item, charged = billed(plan(), "2026-01-01", AHEAD)
    time = DaysNotPaid(7, day("2026-01-10"), day("2026-01-20"))

    assert credits_due(charged, [time], [item], AHEAD, through=day("2026-01-19")).credits == ()
    settled = credits_due(charged, [time], [item], AHEAD, through=day("2026-01-20"))

    assert shown(settled.credits) == ["100 2026-01-10 2026-01-20 10/31 10.00"]
    assert settled.settled_through == {7: day("2026-01-20")}


def test_a_restriction_that_lasts_is_given_back_period_by_period():
    item, charged = billed(plan(), "2026-02-15", AHEAD)
    lasting = DaysNotPaid(7, day("2026-01-10"))

    settled = credits_due(charged, [lasting], [item], AHEAD, through=day("2026-02-15"))

    assert shown(settled.credits) == ["100 2026-01-10 2026-02-01 22/31 22.00"]
    assert settled.settled_through == {7: day("2026-02-01")}
    # Lifted on 20 February: the rest, 19 of 28 days of 31.00.
    lifted = replace(lasting, end=day("2026-02-20"), settled_through=day("2026-02-01"))
    rest = credits_due(charged, [lifted], [item], AHEAD, through=day("2026-02-20"))
    assert shown(rest.credits) == ["101 2026-02-01 2026-02-20 19/28 21.04"]


def test_in_arrears_the_days_are_given_back_in_the_run_that_charges_the_period():
    behind = Terms("EUR", timing=Timing.POSTICIPATED)
    time = DaysNotPaid(7, day("2026-01-10"), day("2026-01-20"))
    item, charged = billed(plan(), "2026-01-25", behind)

    early = credits_due(charged, [time], [item], behind, through=day("2026-01-25"))
    item, charged = billed(plan(), "2026-02-01", behind)
    settled = credits_due(charged, [time], [item], behind, through=day("2026-02-01"))

    assert (early.credits, early.settled_through) == ((), {})
    assert shown(settled.credits) == ["100 2026-01-10 2026-01-20 10/31 10.00"]
    assert settled.settled_through == {7: day("2026-01-20")}


def test_a_time_is_settled_only_as_far_as_every_item_is():
    month, charged = billed(plan(), "2026-01-01", AHEAD)
    quarter, charged_quarter = billed(plan(number=2, months=3, price="90.00"), "2026-01-01", AHEAD)
    lasting = DaysNotPaid(7, day("2026-01-10"))

    settled = credits_due([*charged, *charged_quarter], [lasting], [month, quarter], AHEAD, through=day("2026-02-01"))

    # The quarter's days are given back in April: until then the time stands at its beginning.
    assert shown(settled.credits) == ["100 2026-01-10 2026-02-01 22/31 22.00"]
    assert settled.settled_through == {}
    again = [after_credits(one, [each for each in settled.credits if each.charge_id == one.id]) for one in charged]
    april = credits_due([*again, *charged_quarter], [lasting], [month, quarter], AHEAD, through=day("2026-04-01"))
    assert shown(april.credits) == ["200 2026-01-10 2026-04-01 81/90 81.00"]


def test_days_behind_the_end_of_an_item_are_given_back_by_its_end_alone():
    item, charged = billed(plan(), "2026-01-01", AHEAD)
    ending = replace(item, ends_on=day("2026-01-21"))
    lasting = DaysNotPaid(7, day("2026-01-11"))

    settled = credits_due(charged, [lasting], [ending], AHEAD, through=day("2026-01-21"))

    assert shown(settled.credits) == ["100 2026-01-11 2026-01-21 10/31 10.00"]
    rest = give_back(
        after_credits(charged[0], settled.credits),
        Period(day("2026-01-21"), day("2026-02-01")),
        cycle=item.cycle,
        basis=Basis.ACTUAL,
    )
    assert shown(tuple(rest)) == ["100 2026-01-21 2026-02-01 11/31 11.00"]


def test_no_day_is_given_back_twice_whoever_asks():
    item, charged = billed(plan(), "2026-01-01", AHEAD)
    changed = replace(
        charged[0], credited=Money(1100, "EUR"), given_back=(Period(day("2026-01-21"), day("2026-02-01")),)
    )
    time = DaysNotPaid(7, day("2026-01-11"), day("2026-01-26"))

    settled = credits_due([changed], [time], [item], AHEAD, through=day("2026-02-01"))

    assert shown(settled.credits) == ["100 2026-01-11 2026-01-21 10/31 10.00"]


def test_days_given_back_in_the_middle_leave_a_credit_on_each_side():
    item, charged = billed(plan(), "2026-01-01", AHEAD)
    middle = replace(charged[0], credited=Money(500, "EUR"), given_back=(Period(day("2026-01-11"), day("2026-01-16")),))

    given = give_back(middle, Period(day("2025-12-01"), day("2026-03-01")), cycle=item.cycle, basis=Basis.ACTUAL)

    assert shown(tuple(given)) == ["100 2026-01-01 2026-01-11 10/31 10.00", "100 2026-01-16 2026-02-01 16/31 16.00"]


def test_never_more_is_given_back_than_is_left():
    item, charged = billed(plan(), "2026-01-01", AHEAD)
    time = DaysNotPaid(7, day("2026-01-01"), day("2026-02-01"))

    kindness = replace(charged[0], credited=Money(2500, "EUR"))
    settled = credits_due([kindness], [time], [item], AHEAD, through=day("2026-02-01"))
    assert shown(settled.credits) == ["100 2026-01-01 2026-02-01 31/31 6.00"]
    beyond = replace(charged[0], credited=Money(3100, "EUR"))
    assert credits_due([beyond], [time], [item], AHEAD, through=day("2026-02-01")).credits == ()


def test_three_stretches_of_a_price_that_thirds_do_not_divide_give_back_all_of_it():
    item = replace(plan(price="10.00"), cycle=Cycle(day("2026-04-01"), 1, 1), starts_on=day("2026-04-01"))
    charge = Charge(
        1, Period(day("2026-04-01"), day("2026-05-01")), 30, 30, Money(1000, "EUR"), Money(0, "EUR"), day("2026-04-01")
    )
    one, amounts = Charged(1, charge, Money(0, "EUR")), []
    for start, end in (("2026-04-01", "2026-04-11"), ("2026-04-11", "2026-04-21"), ("2026-04-21", "2026-05-01")):
        given = tuple(give_back(one, Period(day(start), day(end)), cycle=item.cycle, basis=Basis.ACTUAL))
        amounts += [str(credit.amount.amount) for credit in given]
        one = after_credits(one, given)

    # Each alone would be 3.33, and a cent would stay charged for a month without service.
    assert amounts == ["3.33", "3.34", "3.33"]


def test_days_of_a_full_opening_are_counted_as_it_was_charged_by_its_days():
    item = replace(plan(), starts_on=day("2026-02-27"), billed_through=day("2026-02-27"))
    terms = Terms("EUR", basis=Basis.THIRTY, opening=Opening.FULL)
    item, charged = billed(item, "2026-02-27", terms)

    given = give_back(charged[0], Period(day("2026-02-28"), day("2026-03-01")), cycle=item.cycle, basis=terms.basis)

    # On months of thirty the last of February counts three; of the two days that were charged it is one.
    assert shown(tuple(given)) == ["100 2026-02-28 2026-03-01 1/2 15.50"]


@st.composite
def plans(draw, number: int) -> Item:
    start = draw(st.dates(FIRST, date(2024, 6, 1)))
    wanted = draw(st.integers(1, 28))
    length = draw(st.none() | st.integers(1, 400))
    return Item(
        id=number,
        kind=ItemKind.PLAN if number == 1 else ItemKind.ADD_ON,
        family="access",
        quantity=Decimal(1),
        period_price=draw(st.decimals("0", "200", places=2)),
        cycle=Cycle(start.replace(day=wanted), wanted, draw(st.sampled_from([1, 2, 3, 6, 12]))),
        starts_on=start,
        ends_on=None if length is None else start + timedelta(days=length),
        billed_through=start,
    )


@st.composite
def times_not_paid(draw) -> list[DaysNotPaid]:
    """Disjoint times, some of a day, some of many months."""
    edges = sorted(draw(st.sets(st.dates(FIRST, date(2025, 3, 1)), max_size=8)))
    pairs = zip(edges[::2], edges[1::2], strict=False)
    return [DaysNotPaid(number, start, end) for number, (start, end) in enumerate(pairs, start=1)]


TERMS = st.builds(
    Terms, st.just("EUR"), timing=st.sampled_from(Timing), basis=st.sampled_from(Basis), lead_days=st.integers(0, 10)
)


def lives(items, times, terms, days, known_ahead):
    """What runs on these days charge and give back: the charges as they stand at last, the credits with their run's day."""
    charged: dict[int, Charged] = {}
    credits: list[tuple[date, Credit]] = []
    stand = {time.id: time for time in times}
    for today in days:
        rated = rate(items, terms, through=today)
        for charge in rated.charges:
            charged[len(charged) + 1] = Charged(len(charged) + 1, charge, Money(0, "EUR"))
        items = [replace(one, billed_through=rated.billed_through.get(one.id, one.billed_through)) for one in items]
        begun = [
            one if known_ahead or one.end <= today else replace(one, end=None)
            for one in stand.values()
            if one.start <= today or known_ahead
        ]
        reaching = [
            one
            for one in charged.values()
            if any(one.charge.part.end > (time.settled_through or time.start) for time in begun)
        ]
        settled = credits_due(reaching, begun, items, terms, through=today)
        for number, until in settled.settled_through.items():
            stand[number] = replace(stand[number], settled_through=until)
        for credit in settled.credits:
            credits.append((today, credit))
            charged[credit.charge_id] = after_credits(charged[credit.charge_id], [credit])
    return charged, credits, stand


RUN_DAYS = st.lists(st.dates(FIRST, LAST), max_size=30).map(sorted)


@given(st.tuples(plans(1), plans(2)), times_not_paid(), TERMS, RUN_DAYS, st.booleans())
def test_charges_less_credits_are_the_price_of_the_days_served(items, times, terms, days, known_ahead):
    charged, credits, stand = lives(items, times, terms, [*days, LAST], known_ahead)

    by_id = {one.id: one for one in items}
    thirty = terms.basis is Basis.THIRTY
    for one in charged.values():
        charge, item = one.charge, by_id[one.charge.item_id]
        lost = [
            each
            for each in days_from(charge.part.start, charge.part.end)
            if any(time.start <= each < time.end for time in times)
        ]
        told = sum(weight(each, thirty=thirty) for each in days_from(charge.part.start, charge.part.end))
        gone = nearest(Fraction(charge.net.minor * sum(weight(each, thirty=thirty) for each in lost), told or 1))
        assert one.credited.minor == gone, (item, charge)
    for today, credit in credits:
        assert credit.part.end <= today
    if terms.timing is Timing.ANTICIPATED:
        assert {number: time.settled_through for number, time in stand.items()} == {time.id: time.end for time in times}


@given(st.tuples(plans(1), plans(2)), times_not_paid(), TERMS, RUN_DAYS)
def test_what_is_given_back_does_not_depend_on_the_runs(items, times, terms, days):
    def amounts(run_days, known_ahead):
        charged, _, stand = lives(items, times, terms, [*run_days, LAST], known_ahead)
        return sorted((one.charge.item_id, one.charge.part.start, one.credited.minor) for one in charged.values()), {
            number: time.settled_through for number, time in stand.items()
        }

    assert amounts(days, known_ahead=True) == amounts([], known_ahead=True)
    assert amounts(days, known_ahead=False) == amounts([], known_ahead=False) == amounts([], known_ahead=True)


@pytest.mark.parametrize(
    ("credited", "given"),
    [
        # 10.00 over 31 days: 2 days are 0.65 (0.645), 4 are 1.29 and 7 are 2.26 (2.258), so what follows is 0.64 and 0.97.
        (65, [(8, 10, 2, 64), (12, 15, 3, 97)]),
        # A line's credit beside them leaves 1.00, or 0.50, and no more than that is given.
        (900, [(8, 10, 2, 64), (12, 15, 3, 36)]),
        (950, [(8, 10, 2, 50)]),
    ],
)
def test_stretches_around_days_given_back_before_are_rounded_together_up_to_what_is_left(credited, given):
    def january(start, end):
        return Period(date(2026, 1, start), date(2026, 1, end))

    cycle = Cycle(date(2026, 1, 1), 1, 1)
    whole = Charge(1, cycle.period_of(date(2026, 1, 1)), 31, 31, Money(1000, "EUR"), Money(0, "EUR"), date(2026, 1, 1))
    charged = Charged(9, whole, Money(credited, "EUR"), (january(10, 12),))

    found = give_back(charged, january(8, 15), cycle=cycle, basis=Basis.ACTUAL)

    assert [(one.part.start.day, one.part.end.day, one.units, one.amount.minor) for one in found] == given
