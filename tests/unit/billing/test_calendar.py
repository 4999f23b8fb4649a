"""Which day it is in the billing zone, and when it begins."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.calendar import billing_day, first_moment
from billing.periods import Alignment, Basis, Cycle, Timing, first_boundary, segments_due


@pytest.mark.parametrize(
    ("instant", "day"),
    [
        (datetime(2026, 3, 28, 23, 30, tzinfo=UTC), date(2026, 3, 29)),  # the day of 23 hours
        (datetime(2026, 3, 29, 21, 59, tzinfo=UTC), date(2026, 3, 29)),
        (datetime(2026, 3, 29, 22, 0, tzinfo=UTC), date(2026, 3, 30)),
        (datetime(2026, 10, 25, 22, 59, tzinfo=UTC), date(2026, 10, 25)),  # the day of 25 hours
        (datetime(2026, 10, 25, 23, 0, tzinfo=UTC), date(2026, 10, 26)),
    ],
)
def test_a_day_ends_at_local_midnight_whatever_its_length(instant, day):
    assert billing_day(instant, ZoneInfo("Europe/Rome")) == day


@pytest.mark.parametrize(
    ("zone", "day", "begins"),
    [
        ("Europe/Rome", date(2026, 3, 29), datetime(2026, 3, 28, 23, tzinfo=UTC)),
        ("Europe/Rome", date(2026, 3, 30), datetime(2026, 3, 29, 22, tzinfo=UTC)),
        ("Europe/Rome", date(2026, 10, 26), datetime(2026, 10, 25, 23, tzinfo=UTC)),
        ("America/Santiago", date(2026, 9, 6), datetime(2026, 9, 6, 4, tzinfo=UTC)),  # midnight is skipped
        ("America/Havana", date(2026, 11, 1), datetime(2026, 11, 1, 4, tzinfo=UTC)),  # midnight comes twice
        ("Asia/Kolkata", date(2026, 3, 1), datetime(2026, 2, 28, 18, 30, tzinfo=UTC)),
    ],
)
def test_a_day_begins_at_its_first_instant(zone, day, begins):
    where = ZoneInfo(zone)

    assert first_moment(day, where) == begins
    assert billing_day(begins, where) == day
    assert billing_day(begins - timedelta(microseconds=1), where) == day - timedelta(days=1)


# Clocks that change by an hour at two, at midnight, at one, by half an hour, and never.
ZONES = st.sampled_from(
    ["Europe/Rome", "America/Santiago", "America/Havana", "Africa/Cairo", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]
).map(ZoneInfo)
DAYS = st.dates(date(2015, 1, 1), date(2035, 12, 31))


@given(ZONES, DAYS)
def test_days_follow_each_other_without_a_gap_and_none_is_far_from_a_day_long(zone, day):
    begins, ends = first_moment(day, zone), first_moment(day + timedelta(days=1), zone)

    assert billing_day(begins, zone) == billing_day(ends - timedelta(microseconds=1), zone) == day
    assert timedelta(hours=23) <= ends - begins <= timedelta(hours=25)


@given(ZONES, DAYS, st.timedeltas(timedelta(0), timedelta(days=70)), st.integers(1, 31), st.sampled_from(Timing))
def test_a_part_is_due_from_the_first_instant_of_its_day_on_whatever_the_clocks_do(zone, start, later, wanted, timing):
    anchor, _ = first_boundary(start, Alignment.DAY_OF_MONTH, months=1, day=wanted)
    cycle, instant = Cycle(anchor, wanted, 1), first_moment(start, zone) + later

    due = segments_due(
        cycle,
        billed_through=start,
        end=None,
        through=billing_day(instant, zone),
        timing=timing,
        basis=Basis.ACTUAL,
    )

    expected = 0
    while first_moment(_due_on(cycle, start, expected, timing), zone) <= instant:
        expected += 1
    assert len(due) == expected
    # Neither the boundaries nor the days between them know of a zone.
    assert all(one.units == (one.part.end - one.part.start).days for one in due)


def _due_on(cycle, start, number, timing):
    """When the n-th part from a start is due, by the boundaries alone."""
    boundaries = [cycle.boundary(k) for k in range(-1, 5) if cycle.boundary(k) > start]
    starts = [start, *boundaries]
    return starts[number] if timing is Timing.ANTICIPATED else boundaries[number]
