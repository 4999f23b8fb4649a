"""The next bank day: neither Saturday nor Sunday nor a public holiday of a country, or of a region of it.

A calendar is written as a country, or country and region: `IT`, `IT-TO`.

Source: billing model section 10 (due days); the holidays are billing/dunning/holidays_of.py's.

Next: billing/totals.py
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import date, timedelta
from functools import lru_cache
from typing import Final

from billing.dunning.holidays_of import UnknownCalendarError, holidays_of

_DAY: Final = timedelta(days=1)
_SATURDAY: Final = 5
# Any year does to know whether there is such a calendar.
_SOME_YEAR: Final = 2026


def read_calendar(text: str) -> str:
    """A calendar as it was typed.

    Raises: UnknownCalendarError with the names that are known.
    """
    country, dash, region = text.strip().partition("-")
    for name in (region, region.upper()):
        with suppress(UnknownCalendarError):
            _holidays(country.upper() + dash + name, _SOME_YEAR)
            return country.upper() + dash + name
    holidays_of(country.upper(), region or None, _SOME_YEAR)
    raise AssertionError(f"{text} is known and was not found")


def on_bank_days(days: Iterable[date], calendar: str | None) -> tuple[date, ...]:
    """Each day, or the first bank day after it; without a calendar the days as they are."""
    return tuple(days) if calendar is None else tuple(_next_bank_day(day, calendar) for day in days)


@lru_cache(maxsize=1024)
def _next_bank_day(day: date, calendar: str) -> date:
    while day.weekday() >= _SATURDAY or day in _holidays(calendar, day.year):
        day += _DAY
    return day


def _holidays(calendar: str, year: int) -> frozenset[date]:
    country, _, region = calendar.partition("-")
    return holidays_of(country, region or None, year)
