"""The hours of the day in which a plan means another profile: from clock times of the billing zone to instants.

A window begins and ends at the first moment of its day at which the clock shows its time or a later one. So where the
clock is set forward over the time, it counts at the moment of the change; where a time comes twice, the first one counts.
Two windows that follow each other on the clock then neither overlap nor leave a gap on any day.

Units: instants are aware UTC; days and clock times are those of the billing zone.
Next: access_policy.py
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

# Windows are worked out that begin on these days: at least 48 hours are known ahead, whatever the hour. A record is
# rendered again long before (publisher.py), and beyond them a plan means its profile of the day.
DAYS_BEFORE: Final = 1
DAYS_AHEAD: Final = 2


class PlanWindow(msgspec.Struct, array_like=True, frozen=True):
    """Each day from `begins` until before `ends`, over midnight where that is not later, the plan means this profile."""

    begins: time
    ends: time
    profile_id: int

    def __str__(self) -> str:
        """The hours as the clock shows them: `22:00-06:00`."""
        return f"{self.begins:%H:%M}-{self.ends:%H:%M}"


class Span(msgspec.Struct, frozen=True):
    """One window of one day: in force within `[start, end)`."""

    start: datetime
    end: datetime
    window: PlanWindow


def spans_around(windows: tuple[PlanWindow, ...], now: datetime, zone: ZoneInfo) -> tuple[Span, ...]:
    """The windows from those that began yesterday on, in order, as far ahead as they are known."""
    return _spans_from(windows, now.astimezone(zone).date() - timedelta(days=DAYS_BEFORE), zone)


# As many as there are plans with windows, on the two days that renderings around a midnight may ask for.
@lru_cache(maxsize=1024)
def _spans_from(windows: tuple[PlanWindow, ...], first: date, zone: ZoneInfo) -> tuple[Span, ...]:
    days = [first + timedelta(days=count) for count in range(DAYS_BEFORE + DAYS_AHEAD + 1)]
    spans = [_span(window, day, zone) for window in windows for day in days]
    return tuple(sorted((span for span in spans if span.start < span.end), key=lambda span: span.start))


def _span(window: PlanWindow, day: date, zone: ZoneInfo) -> Span:
    last = day if window.begins < window.ends else day + timedelta(days=1)
    return Span(clock_instant(day, window.begins, zone), clock_instant(last, window.ends, zone), window)


def clock_instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    """The first moment of a day at which the clock shows `at` or a later time. Exact to the second."""
    wanted = datetime.combine(day, at)
    instant = wanted.replace(tzinfo=zone).astimezone(UTC)
    if _shown(instant, zone) == wanted:
        return instant
    # The clock skips that time. Read with the offset after the change it lies before it, with the one before, after it.
    before, after = wanted.replace(tzinfo=zone, fold=1).astimezone(UTC), instant
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=1) // 2)
        before, after = (before, middle) if _shown(middle, zone) >= wanted else (middle, after)
    return after


def _shown(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None)
