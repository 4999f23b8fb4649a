"""The hours and days in which something may be cut, against a clock looked at every quarter of an hour."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from billing.dunning.guard import ClosedDays, Guard, Hours, is_open, is_open_day, next_open, open_until

ROME = ZoneInfo("Europe/Rome")
NOTHING_CLOSED = ClosedDays(frozenset(), easter_monday=False, eves_of_weekends=False, eves_of_holidays=False)
ITALY = Guard(ROME, closed=ClosedDays(country="IT"))
QUARTER = timedelta(minutes=15)


def rome(text):
    return datetime.fromisoformat(text).replace(tzinfo=ROME)


# Read off a printed calendar of Italy; the feast of 4 October came back in 2026 (L. 151/2025).
@pytest.mark.parametrize(
    ("day", "open_"),
    [
        ("2026-03-02", True),  # a Monday
        ("2026-03-05", True),
        ("2026-03-06", False),  # Friday, the eve of Saturday
        ("2026-03-07", False),
        ("2026-03-08", False),
        ("2026-04-02", True),  # Maundy Thursday
        ("2026-04-05", False),
        ("2026-04-06", False),  # Easter Monday
        ("2026-04-07", True),
        ("2026-06-01", False),  # the eve of 2 June
        ("2026-06-02", False),
        ("2026-06-03", True),
        ("2026-12-24", False),
        ("2026-12-07", False),  # the eve of 8 December
        ("2026-12-31", False),  # the eve of a year's first day
        ("2027-10-04", False),  # a Monday
        ("2025-10-06", True),
    ],
)
def test_nothing_is_cut_on_a_closed_day_or_its_eve(day, open_):
    assert is_open_day(ITALY.closed, date.fromisoformat(day)) is open_


def test_a_region_has_holidays_of_its_own():
    milan, rome_ = ClosedDays(country="IT", region="MI"), ClosedDays(country="IT", region="RM")

    # Saint Ambrose, and Saints Peter and Paul (29 June 2027 is a Tuesday, 7 December too).
    assert [is_open_day(one, date(2027, 12, 7)) for one in (milan, rome_, ITALY.closed)] == [False, False, False]
    assert [is_open_day(one, date(2027, 12, 6)) for one in (milan, rome_)] == [False, True]
    assert [is_open_day(one, date(2027, 6, 29)) for one in (milan, rome_)] == [True, False]
    assert [is_open_day(one, date(2027, 6, 28)) for one in (milan, rome_)] == [True, False]


def test_easter_monday_is_closed_where_it_is_no_public_holiday_too():
    # Madrid works on it; 28 March 2016 and 21 April 2025 were Easter Mondays.
    for day in (date(2016, 3, 28), date(2025, 4, 21)):
        assert not is_open_day(ClosedDays(country="ES", region="MD"), day)
        assert is_open_day(ClosedDays(country="ES", region="MD", easter_monday=False), day)


def test_an_issuer_has_days_of_its_own_and_may_work_on_fridays():
    own = ClosedDays(country="IT", days=frozenset({date(2026, 3, 4)}))
    assert [is_open_day(own, date(2026, 3, day)) for day in (2, 3, 4, 5)] == [True, False, False, True]
    friday = ClosedDays(country="IT", eves_of_weekends=False)
    assert is_open_day(friday, date(2026, 3, 6))
    assert not is_open_day(friday, date(2026, 5, 31))
    eve = ClosedDays(country="IT", eves_of_holidays=False)
    assert is_open_day(eve, date(2026, 6, 1))
    friday_and_saturday = ClosedDays(frozenset({4, 5}), easter_monday=False)
    assert [is_open_day(friday_and_saturday, date(2026, 3, day)) for day in (4, 5, 6, 7, 8)] == [
        True,
        False,
        False,
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-03-03T11:20", "2026-03-03T11:20"),  # open
        ("2026-03-03T08:59", "2026-03-03T09:00"),
        ("2026-03-03T17:00", "2026-03-04T09:00"),
        ("2026-03-05T16:59:59", "2026-03-05T16:59:59"),
        ("2026-03-05T17:00", "2026-03-09T09:00"),  # Thursday evening: Friday is an eve, then the weekend
        ("2026-04-02T17:30", "2026-04-07T09:00"),  # Good Friday, Easter, its Monday
        ("2026-12-23T18:00", "2026-12-28T09:00"),  # 24 an eve, 25 and 26 holidays, 27 a Sunday
    ],
)
def test_what_comes_at_a_closed_moment_waits_for_the_next_open_one(moment, expected):
    assert next_open(ITALY, rome(moment)) == rome(expected)
    assert open_until(ITALY, rome(expected)) == rome(expected[:10] + "T17:00")


def test_where_the_clock_is_set_forward_over_the_beginning_the_hours_begin_at_that_moment():
    night = Guard(ROME, (Hours(time(2, 30), time(4)),), NOTHING_CLOSED)

    # 29 March 2026: at 2:00 the clock shows 3:00.
    opened = next_open(night, datetime(2026, 3, 29, 0, 10, tzinfo=UTC))
    assert opened == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    assert open_until(night, opened) == datetime(2026, 3, 29, 2, 0, tzinfo=UTC)
    skipped = Guard(ROME, (Hours(time(2, 10), time(2, 50)),), NOTHING_CLOSED)
    assert next_open(skipped, datetime(2026, 3, 29, 0, 0, tzinfo=UTC)) == datetime(2026, 3, 30, 0, 10, tzinfo=UTC)


def test_an_hour_that_comes_twice_is_allowed_twice_and_the_clock_set_back_closes_what_was_open():
    night = Guard(ROME, (Hours(time(2, 30), time(4)),), NOTHING_CLOSED)

    # 25 October 2026: at 3:00 the clock shows 2:00 again.
    first = next_open(night, datetime(2026, 10, 24, 23, 0, tzinfo=UTC))
    assert first == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert open_until(night, first) == datetime(2026, 10, 25, 1, 0, tzinfo=UTC)
    assert not is_open(night, datetime(2026, 10, 25, 1, 15, tzinfo=UTC))
    again = next_open(night, datetime(2026, 10, 25, 1, 0, tzinfo=UTC))
    assert again == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert open_until(night, again) == datetime(2026, 10, 25, 3, 0, tzinfo=UTC)


# Clocks that change by an hour at two, at midnight, at one, by half an hour, and never.
ZONES = st.sampled_from(
    ["Europe/Rome", "America/Santiago", "America/Havana", "Australia/Lord_Howe", "America/Guayaquil"]
).map(ZoneInfo)
# Around the changes of those zones' clocks, and any day.
STARTS = st.one_of(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 20)),
    st.sampled_from(
        [datetime(2026, 3, 8), datetime(2026, 3, 29), datetime(2026, 4, 5), datetime(2026, 9, 6), datetime(2026, 10, 4),
         datetime(2026, 10, 25), datetime(2026, 11, 1)]
    ),
)  # fmt: skip


@st.composite
def some_hours(draw):
    edges = sorted(draw(st.sets(st.integers(0, 95), min_size=2, max_size=4)))
    edges = edges[: len(edges) // 2 * 2]
    clock = [time(edge // 4, edge % 4 * 15) for edge in edges]
    return tuple(Hours(*clock[place : place + 2]) for place in range(0, len(clock), 2))


@given(
    ZONES,
    some_hours(),
    st.sets(st.integers(0, 6), max_size=3),
    st.booleans(),
    st.booleans(),
    STARTS,
    st.integers(0, 95),
    st.sets(st.integers(0, 6), max_size=2),
)
@example(ZoneInfo("America/Santiago"), (Hours(time(0), time(1)),), set(), False, False, datetime(2026, 9, 6), 0, set())
def test_the_next_open_moment_is_the_first_that_a_clock_looked_at_every_quarter_shows(
    zone, hours, weekdays, weekend_eves, holiday_eves, start, quarters, own
):
    moment = start.replace(minute=0, second=0, microsecond=0, tzinfo=UTC) + quarters * QUARTER
    closed = {moment.date() + timedelta(days=count) for count in own}
    guard = Guard(
        zone,
        hours,
        ClosedDays(
            frozenset(weekdays),
            easter_monday=False,
            days=frozenset(closed),
            eves_of_weekends=weekend_eves,
            eves_of_holidays=holiday_eves,
        ),
    )

    # The oracle: a clock and a calendar, nothing else.
    def shows_open(at):
        shown = at.astimezone(zone)
        today, tomorrow = shown.date(), shown.date() + timedelta(days=1)
        if today in closed or today.isoweekday() - 1 in weekdays:
            return False
        if (weekend_eves and tomorrow.isoweekday() - 1 in weekdays) or (holiday_eves and tomorrow in closed):
            return False
        clock = shown.hour * 60 + shown.minute
        return any(
            one.begins.hour * 60 + one.begins.minute <= clock < one.ends.hour * 60 + one.ends.minute for one in hours
        )

    expected = moment
    while not shows_open(expected):
        expected += QUARTER

    got = next_open(guard, moment)
    assert got == expected
    assert is_open(guard, got)
    end = open_until(guard, got)
    while shows_open(expected):
        expected += QUARTER
    assert end == expected
