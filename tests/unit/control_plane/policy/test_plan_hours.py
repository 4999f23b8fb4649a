"""Clock times to instants: values worked out by hand, and a reader that looks at the clock every minute."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control_plane.policy.plan_hours import PlanWindow, Span, clock_instant, spans_around

ROME = ZoneInfo("Europe/Rome")
NIGHT = PlanWindow(time(22), time(6), 9)


def utc(*when):
    return datetime(*when, tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "at", "instant"),
    [
        # Rome is one hour ahead in winter and two in summer.
        (date(2026, 1, 15), time(22), utc(2026, 1, 15, 21)),
        (date(2026, 7, 15), time(22), utc(2026, 7, 15, 20)),
        # On 29 March 2026 the clock goes from 02:00 to 03:00, at 01:00 UTC.
        (date(2026, 3, 29), time(1, 59), utc(2026, 3, 29, 0, 59)),
        (date(2026, 3, 29), time(2), utc(2026, 3, 29, 1)),
        (date(2026, 3, 29), time(2, 30), utc(2026, 3, 29, 1)),
        (date(2026, 3, 29), time(3), utc(2026, 3, 29, 1)),
        (date(2026, 3, 29), time(3, 1), utc(2026, 3, 29, 1, 1)),
        # On 25 October 2026 it shows 02:00 to 03:00 twice, the first time from 00:00 UTC on.
        (date(2026, 10, 25), time(2, 30), utc(2026, 10, 25, 0, 30)),
        (date(2026, 10, 25), time(3), utc(2026, 10, 25, 2)),
    ],
)
def test_a_clock_time_is_the_first_moment_of_the_day_that_shows_it_or_a_later_one(day, at, instant):
    assert clock_instant(day, at, ROME) == instant


def test_the_night_before_a_change_of_the_clock_is_an_hour_shorter_or_longer():
    spring = spans_around((NIGHT,), utc(2026, 3, 28, 12), ROME)
    autumn = spans_around((NIGHT,), utc(2026, 10, 24, 12), ROME)
    # 22:00 to 06:00: seven hours of 28 to 29 March, nine of 24 to 25 October, eight else.
    assert [span.end - span.start for span in spring] == [timedelta(hours=h) for h in (8, 7, 8, 8)]
    assert [span.end - span.start for span in autumn] == [timedelta(hours=h) for h in (8, 9, 8, 8)]
    assert spring[1] == Span(utc(2026, 3, 28, 21), utc(2026, 3, 29, 4), NIGHT)


def test_a_window_that_the_clock_skips_does_not_occur_that_day():
    skipped = PlanWindow(time(2, 10), time(2, 50), 9)
    spans = spans_around((skipped,), utc(2026, 3, 28, 12), ROME)
    assert [span.start.date() for span in spans] == [date(2026, 3, 27), date(2026, 3, 28), date(2026, 3, 30)]


ZONES = [ZoneInfo(n) for n in ("Europe/Rome", "America/Havana", "Africa/Cairo", "Australia/Lord_Howe", "Asia/Kolkata")]
# The days on which one of those clocks changes, and an ordinary one.
DAYS = [date(2023, *day) for day in ((3, 12), (3, 26), (4, 2), (4, 28), (10, 1), (10, 27), (10, 29), (11, 5), (7, 7))]


def first_minute_that_shows(day, at, zone):
    """Look at the clock every minute of the day, and of the beginning of the next one."""
    minute = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=15)
    while True:
        shown = minute.astimezone(zone).replace(tzinfo=None)
        if shown >= datetime.combine(day, at):
            return minute
        minute += timedelta(minutes=1)


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(DAYS), st.integers(0, 1439), st.sampled_from(ZONES))
def test_a_reader_of_the_clock_sees_the_same_moment(day, minutes, zone):
    at = time(minutes // 60, minutes % 60)
    assert clock_instant(day, at, zone) == first_minute_that_shows(day, at, zone)


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(DAYS), st.lists(st.integers(0, 1439), min_size=2, max_size=5, unique=True), st.sampled_from(ZONES)
)
def test_windows_that_follow_each_other_round_the_clock_leave_no_moment_without_one_and_none_with_two(day, cuts, zone):
    times = [time(cut // 60, cut % 60) for cut in cuts]
    times.sort()
    windows = tuple(
        PlanWindow(a, b, number) for number, (a, b) in enumerate(zip(times, times[1:] + times[:1], strict=True))
    )
    spans = spans_around(windows, datetime.combine(day, time(12), tzinfo=UTC), zone)
    assert all(before.end == after.start for before, after in pairwise(spans))
