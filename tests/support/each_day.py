"""The days of a time, one by one: what tests that count day by day go by."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from billing.periods import Period


def days_of(period: Period) -> Iterator[date]:
    """Each day, in order."""
    day = period.start
    while day < period.end:
        yield day
        day += timedelta(days=1)
