"""Periods against a calendar written day by day: no day billed twice, none forgotten, parts that add up to the price."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from support.each_day import days_of

from billing.errors import BillingError
from billing.money import Money, total
from billing.periods import (
    Alignment,
    Basis,
    Cycle,
    Period,
    Segment,
    Timing,
    due_date,
    first_boundary,
    gaps,
    merged,
    segments_between,
    segments_due,
    telescoped,
)

DAYS = st.dates(date(1999, 1, 1), date(2041, 12, 31))
MONTHS = st.sampled_from([1, 2, 3, 4, 5, 6, 12])
PRICES = st.builds(Money, st.integers(0, 10**9), st.just("EUR"))
DAY = timedelta(days=1)


@st.composite
def cycles(draw) -> Cycle:
    """Anchors of every wanted day 1 to 31 in every month, leap Februaries among them."""
    month, wanted = draw(DAYS), draw(st.integers(1, 31))
    anchor = month.replace(day=min(wanted, monthrange(month.year, month.month)[1]))
    return Cycle(anchor, wanted, draw(MONTHS))


@st.composite
def served_times(draw, longest_days=1500) -> Period:
    start = draw(DAYS)
    return Period(start, start + timedelta(days=draw(st.integers(1, longest_days))))


def calendar_of(cycle: Cycle, first: date, last: date) -> list[date]:
    """The oracle's boundaries: every day of the years is looked at, and is one when its month and its day say so."""
    found = []
    day = date(first.year - 2, 1, 1)
    while day <= date(last.year + 2, 12, 31):
        months = (day.year - cycle.anchor.year) * 12 + day.month - cycle.anchor.month
        last_of_month = (day + DAY).month != day.month
        if months % cycle.months == 0 and (
            day.day == cycle.wanted_day or (last_of_month and day.day < cycle.wanted_day)
        ):
            found.append(day)
        day += DAY
    return found


@given(cycles(), st.integers(-60, 60))
def test_boundaries_grow_and_depend_on_anchor_length_and_number_alone(cycle, k):
    here, after = cycle.boundary(k), cycle.boundary(k + 1)

    assert here < after
    assert (after.year - here.year) * 12 + after.month - here.month == cycle.months
    assert here.day == min(cycle.wanted_day, monthrange(here.year, here.month)[1])
    assert cycle.boundary(0) == cycle.anchor


@given(cycles(), DAYS)
def test_a_day_lies_in_the_period_that_the_calendar_says(cycle, day):
    boundaries = calendar_of(cycle, day, day)

    period = cycle.period_of(day)

    assert period.start == max(one for one in boundaries if one <= day)
    assert period.end == min(one for one in boundaries if one > day)


@given(cycles(), served_times())
def test_no_day_is_charged_twice_and_none_is_forgotten(cycle, served):
    pieces = list(segments_between(cycle, served, Basis.ACTUAL))

    charged = [day for piece in pieces for day in days_of(piece.part)]
    assert charged == list(days_of(served))
    for piece in pieces:
        holding = {cycle.period_of(day) for day in days_of(piece.part)}
        assert len(holding) == 1
        assert piece.units == (piece.part.end - piece.part.start).days
        assert piece.of == (holding.pop().end - cycle.period_of(piece.part.start).start).days


@given(cycles(), served_times(700), st.sampled_from(Basis), st.sampled_from(Timing), st.data())
def test_billing_in_any_number_of_runs_gives_what_one_run_gives(cycle, served, basis, timing, data):
    last = served.end + timedelta(days=400)
    at_once = segments_due(cycle, billed_through=served.start, end=served.end, through=last, timing=timing, basis=basis)
    stops = sorted(data.draw(st.lists(st.dates(served.start - DAY, last), max_size=12)))

    in_runs: list[Segment] = []
    for through in [*stops, last]:
        stand = in_runs[-1].part.end if in_runs else served.start
        in_runs += segments_due(
            cycle, billed_through=stand, end=served.end, through=through, timing=timing, basis=basis
        )

    assert tuple(in_runs) == at_once
    assert [piece.part.start for piece in at_once] == [served.start, *(piece.part.end for piece in at_once[:-1])]
    assert at_once[-1].part.end == served.end


@given(cycles(), DAYS, st.integers(0, 500), st.sampled_from(Timing))
def test_nothing_is_billed_before_it_is_due_and_all_that_is_due_is(cycle, start, days, timing):
    through = start + timedelta(days=days)

    due = segments_due(cycle, billed_through=start, end=None, through=through, timing=timing, basis=Basis.ACTUAL)

    stand = due[-1].part.end if due else start
    if timing is Timing.ANTICIPATED:
        assert all(piece.part.start <= through for piece in due)
        assert stand > through
    else:
        assert all(piece.part.end <= through for piece in due)
        assert cycle.period_of(stand).end > through


@given(cycles(), DAYS, PRICES, st.sampled_from(Basis), st.data())
def test_parts_of_one_period_add_up_to_its_price_and_a_longer_part_is_never_cheaper(cycle, day, price, basis, data):
    whole = cycle.period_of(day)
    cuts = (
        sorted(data.draw(st.sets(st.dates(whole.start + DAY, whole.end - DAY), max_size=6)))
        if (whole.end - whole.start).days > 1
        else []
    )
    edges = [whole.start, *cuts, whole.end]
    pieces = tuple(
        Segment(Period(start, end), *cycle.units(Period(start, end), basis)) for start, end in pairwise(edges)
    )

    assert sum(piece.units for piece in pieces) == pieces[0].of
    told = [sum(piece.units for piece in pieces[:count]) for count in range(len(pieces) + 1)]
    parts = [telescoped(price, start, end, pieces[0].of) for start, end in pairwise(told)]
    assert total(parts, "EUR") == price
    assert all(Money(0, "EUR") <= part for part in parts)
    nets = [
        Segment(Period(whole.start, end), *cycle.units(Period(whole.start, end), basis)).net(price) for end in edges[1:]
    ]
    assert nets == sorted(nets, key=lambda one: one.minor)
    assert nets[-1] == price
    assert all(Money(0, "EUR") <= net <= price for net in nets)


@given(cycles(), DAYS, PRICES)
def test_a_part_costs_its_days_rounded_once(cycle, day, price):
    whole = cycle.period_of(day)
    assume(day > whole.start)
    piece = next(segments_between(cycle, Period(day, whole.end), Basis.ACTUAL))

    exact = Fraction(price.minor * (whole.end - day).days, (whole.end - whole.start).days)

    assert abs(piece.net(price).minor - exact) <= Fraction(1, 2)


@given(DAYS, st.sampled_from([1, 2, 3, 4, 6, 12]), st.sampled_from(Alignment), st.integers(1, 31))
def test_the_first_boundary_is_the_first_such_day_from_the_start_on(start, months, alignment, day):
    boundary, wanted = first_boundary(
        start, alignment, months=months, day=day if alignment is Alignment.DAY_OF_MONTH else None
    )

    looked_at = start
    while not _is_boundary(looked_at, start, alignment, months, day):
        looked_at += DAY
    assert boundary == looked_at
    assert Cycle(boundary, wanted, months).boundary(0) == boundary


@pytest.mark.parametrize(
    ("start", "alignment", "months", "day", "boundary"),
    [
        ("2026-02-10", "anniversary", 1, None, "2026-02-10"),
        ("2026-03-05", "day_of_month", 1, 5, "2026-03-05"),
        ("2026-03-06", "day_of_month", 1, 5, "2026-04-05"),
        ("2026-12-06", "day_of_month", 1, 5, "2027-01-05"),
        ("2026-02-01", "day_of_month", 1, 31, "2026-02-28"),
        # Natural months, pairs of them, quarters, thirds, halves and years begin with January.
        ("2026-02-01", "calendar", 1, None, "2026-02-01"),
        ("2026-02-10", "calendar", 1, None, "2026-03-01"),
        ("2026-02-01", "calendar", 2, None, "2026-03-01"),
        ("2026-03-01", "calendar", 2, None, "2026-03-01"),
        ("2026-05-02", "calendar", 3, None, "2026-07-01"),
        ("2026-05-02", "calendar", 4, None, "2026-09-01"),
        ("2026-02-10", "calendar", 6, None, "2026-07-01"),
        ("2026-01-01", "calendar", 12, None, "2026-01-01"),
        ("2026-01-02", "calendar", 12, None, "2027-01-01"),
    ],
)
def test_first_boundaries_of_a_calendar_at_hand(start, alignment, months, day, boundary):
    got, wanted = first_boundary(date.fromisoformat(start), Alignment(alignment), months=months, day=day)

    assert got == date.fromisoformat(boundary)
    assert wanted == (day or got.day)


@pytest.mark.parametrize(
    ("timing", "fixed_day", "due"),
    [
        ("anticipated", None, "2026-01-20"),
        ("posticipated", None, "2026-02-20"),
        ("anticipated", 20, "2026-01-20"),
        ("anticipated", 31, "2026-01-31"),
        ("anticipated", 19, "2026-02-19"),
        ("posticipated", 20, "2026-02-20"),
        ("posticipated", 31, "2026-02-28"),
        ("posticipated", 5, "2026-03-05"),
    ],
)
def test_a_part_is_due_on_its_start_or_end_or_the_first_such_day_from_there(timing, fixed_day, due):
    part = Period(date(2026, 1, 20), date(2026, 2, 20))

    assert due_date(part, Timing(timing), fixed_day) == date.fromisoformat(due)


@pytest.mark.parametrize(
    ("times", "together", "between"),
    [
        ([], [], [(1, 31)]),
        ([(5, 9), (3, 5)], [(3, 9)], [(1, 3), (9, 31)]),  # they touch, and come in any order
        ([(3, 9), (5, 7)], [(3, 9)], [(1, 3), (9, 31)]),  # one inside the other
        ([(3, 7), (5, 9), (11, 12)], [(3, 9), (11, 12)], [(1, 3), (9, 11), (12, 31)]),
        ([(3, 4), (5, 6), (6, 8)], [(3, 4), (5, 8)], [(1, 3), (4, 5), (8, 31)]),
        ([(1, 31)], [(1, 31)], []),
    ],
)
def test_times_together_have_each_day_once_and_gaps_have_the_others(times, together, between):
    def of_january(days):
        return tuple(Period(date(2026, 1, start), date(2026, 1, end)) for start, end in days)

    within = Period(date(2026, 1, 1), date(2026, 1, 31))

    assert merged(of_january(times), within=within) == of_january(together)
    assert gaps(of_january(times), within=within) == of_january(between)


def test_of_times_that_reach_beyond_only_the_days_inside_count():
    within = Period(date(2026, 1, 10), date(2026, 1, 20))
    times = [
        Period(date(2025, 12, 1), date(2026, 1, 10)),
        Period(date(2026, 1, 1), date(2026, 1, 12)),
        Period(date(2026, 1, 18), date(2026, 2, 1)),
        Period(date(2026, 1, 20), date(2026, 2, 1)),
    ]

    assert merged(times, within=within) == (
        Period(date(2026, 1, 10), date(2026, 1, 12)),
        Period(date(2026, 1, 18), date(2026, 1, 20)),
    )
    assert gaps(times, within=within) == (Period(date(2026, 1, 12), date(2026, 1, 18)),)


def _is_boundary(looked_at: date, start: date, alignment: Alignment, months: int, day: int) -> bool:
    last_of_month = (looked_at + DAY).month != looked_at.month
    if alignment is Alignment.ANNIVERSARY:
        return looked_at == start
    if alignment is Alignment.DAY_OF_MONTH:
        return looked_at.day == day or (last_of_month and looked_at.day < day)
    return looked_at.day == 1 and (looked_at.month - 1) % months == 0


@pytest.mark.parametrize(
    ("start", "end", "units"),
    [
        # 30/360 as bonds count it: a month that a short February moved is still thirty.
        ("2026-01-31", "2026-02-28", 30),
        ("2026-01-31", "2026-02-01", 1),
        ("2026-02-28", "2026-03-01", 1),
        ("2026-02-28", "2026-03-30", 30),
        ("2026-02-28", "2026-03-31", 30),
        ("2026-03-31", "2026-04-15", 15),
    ],
)
def test_thirty_day_months_around_the_end_of_february(start, end, units):
    cycle = Cycle(date(2026, 1, 31), 31, 1)

    assert cycle.units(Period(date.fromisoformat(start), date.fromisoformat(end)), Basis.THIRTY) == (units, 30)


def test_what_a_cycle_refuses_it_names():
    with pytest.raises(BillingError, match="a period of 13 months: 1 to 12"):
        Cycle(date(2026, 1, 1), 1, 13)
    with pytest.raises(BillingError, match="a period of 0 months: 1 to 12"):
        Cycle(date(2026, 1, 1), 1, 0)
    with pytest.raises(BillingError, match="billing day 0: 1 to 31"):
        Cycle(date(2026, 1, 1), 0, 1)
    with pytest.raises(BillingError, match="billing day 32: 1 to 31"):
        Cycle(date(2026, 1, 31), 32, 1)
    with pytest.raises(BillingError, match="the anchor 2026-01-30 is not on billing day 31"):
        Cycle(date(2026, 1, 30), 31, 1)
    with pytest.raises(BillingError, match="a calendar period of 5 months does not divide the year"):
        first_boundary(date(2026, 1, 1), Alignment.CALENDAR, months=5)
    with pytest.raises(BillingError, match="alignment day_of_month needs billing day"):
        first_boundary(date(2026, 1, 1), Alignment.DAY_OF_MONTH, months=1)
    with pytest.raises(BillingError, match="alignment anniversary takes no billing day"):
        first_boundary(date(2026, 1, 1), Alignment.ANNIVERSARY, months=1, day=3)
