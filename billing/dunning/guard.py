"""When something disruptive may happen: hours of the day, and days that are neither closed nor the eve of a closed one.

Outside of them it waits for the next allowed moment, never comes earlier. The hours are those that the clock on the wall
shows: where the clock is set forward over their beginning they begin at that moment, where an hour comes twice it counts
twice. Restoring asks nobody here.

Units: instants are aware; hours and days are of the issuer's zone; weekdays count from Monday 0.
Source: billing model section 14.

Next: debt.py
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from billing.calendar import billing_day, first_moment
from billing.dunning.holidays_of import easter_monday, holidays_of

DAY: Final = timedelta(days=1)
SATURDAY_AND_SUNDAY: Final = frozenset({5, 6})
# Beyond a year without one open day a calendar is not a calendar; policies are refused long before.
LONGEST_WAIT_DAYS: Final = 400
_DAYS_KEPT: Final = 4096


@dataclass(frozen=True, slots=True)
class Hours:
    """From a clock time until before another of the same day."""

    begins: time
    ends: time


WORKING_HOURS: Final = (Hours(time(9), time(17)),)


@dataclass(frozen=True, slots=True)
class ClosedDays:
    """Days on which nothing is cut. `country` and `region` name a list of holidays, `days` are an issuer's own.

    The eve of a weekend is the day before its first day.
    """

    weekdays: frozenset[int] = SATURDAY_AND_SUNDAY
    country: str | None = None
    region: str | None = None
    easter_monday: bool = True
    days: frozenset[date] = frozenset()
    eves_of_weekends: bool = True
    eves_of_holidays: bool = True


@dataclass(frozen=True, slots=True)
class Guard:
    """Hours on the days that are open."""

    zone: ZoneInfo
    hours: tuple[Hours, ...] = WORKING_HOURS
    closed: ClosedDays = ClosedDays()


def is_open(guard: Guard, moment: datetime) -> bool:
    """Whether something disruptive may happen at this moment."""
    clock = moment.astimezone(guard.zone)
    return any(one.begins <= clock.time() < one.ends for one in guard.hours) and is_open_day(guard.closed, clock.date())


def next_open(guard: Guard, moment: datetime) -> datetime:
    """This moment if it is allowed, else the first one after it that is. In UTC."""
    if is_open(guard, moment):
        return moment.astimezone(UTC)
    first = billing_day(moment, guard.zone)
    for count in range(LONGEST_WAIT_DAYS):
        day = first + count * DAY
        if is_open_day(guard.closed, day):
            begins = [one for one in _beginnings(guard, day) if one >= moment and is_open(guard, one)]
            if begins:
                return min(begins)
    raise AssertionError(f"no day of {LONGEST_WAIT_DAYS} after {moment} is open: {guard}")


def open_until(guard: Guard, moment: datetime) -> datetime:
    """When the allowed time that an allowed moment lies in is over. In UTC."""
    assert is_open(guard, moment), f"{moment} is outside of {guard}"
    day = billing_day(moment, guard.zone)
    ends = [
        one
        for hours in guard.hours
        for one in (*_shown_at(day, hours.ends, guard.zone), first_moment(day + DAY, guard.zone))
    ]
    # What ends one of several hours may lie in another of them.
    return min(one for one in (*ends, *_changes(day, guard.zone)) if one > moment and not is_open(guard, one))


@lru_cache(maxsize=_DAYS_KEPT)
def is_open_day(closed: ClosedDays, day: date) -> bool:
    """Whether a day is neither closed nor the eve of a closed one."""
    tomorrow = day + DAY
    if day.weekday() in closed.weekdays or _is_holiday(closed, day):
        return False
    if closed.eves_of_weekends and tomorrow.weekday() in closed.weekdays:
        return False
    return not (closed.eves_of_holidays and _is_holiday(closed, tomorrow))


def _is_holiday(closed: ClosedDays, day: date) -> bool:
    return (
        day in closed.days
        or (closed.easter_monday and day == easter_monday(day.year))
        or (closed.country is not None and day in holidays_of(closed.country, closed.region, day.year))
    )


def _beginnings(guard: Guard, day: date) -> Iterator[datetime]:
    """The moments of a day at which its hours may begin: as the clock shows them, at midnight, and where it is changed."""
    for hours in guard.hours:
        yield from _shown_at(day, hours.begins, guard.zone)
    yield first_moment(day, guard.zone)
    yield from _changes(day, guard.zone)


def _shown_at(day: date, clock: time, zone: ZoneInfo) -> Iterator[datetime]:
    """The moments at which the clock shows a time of a day: one, two where an hour comes twice, none where it is skipped."""
    for fold in (0, 1):
        wanted = datetime.combine(day, clock.replace(fold=fold), zone)
        moment = wanted.astimezone(UTC)
        if moment.astimezone(zone).replace(tzinfo=None) == wanted.replace(tzinfo=None):
            yield moment


@lru_cache(maxsize=_DAYS_KEPT)
def _changes(day: date, zone: ZoneInfo) -> tuple[datetime, ...]:
    """The moment of a day at which its clock is set forward or back, to the second."""
    before, after = first_moment(day, zone), first_moment(day + DAY, zone)
    if before.astimezone(zone).utcoffset() == after.astimezone(zone).utcoffset():
        return ()
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        before, after = (middle, after) if middle.astimezone(zone).utcoffset() == offset else (before, middle)
    return (after,)
