"""Usage by hour and by day of the billing zone: octets of a period shared out at the borders, none lost, none twice.

An hour is a civil hour of the billing zone (in a zone half an hour off, it begins at :30 UTC) and is named by the
instant it begins; a day is a civil day, of 23 or 25 hours where the clocks change. Each hour lies in one day, so the
day is the sum of its hours.

Units: octets; instants in whole epoch seconds UTC; days as dates of the billing zone.
Next: store/session_reads.py
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

# Every offset in use is a multiple of a quarter of an hour, so a quarter lies in one hour and one day.
QUARTER_S: Final = 900
# About three months of quarters; when more are asked for, all are worked out again.
_CACHE_MAX: Final = 10_000


class CivilHours:
    """Which civil hour and day an instant lies in, for one zone, remembered by quarters of an hour."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._hours: dict[int, tuple[int, date]] = {}

    def at(self, instant: int) -> tuple[int, date]:
        """The instant at which the hour of `instant` begins, and its day."""
        quarter = instant // QUARTER_S
        known = self._hours.get(quarter)
        if known is None:
            if len(self._hours) >= _CACHE_MAX:
                self._hours.clear()
            known = self._hours[quarter] = self._work_out(quarter * QUARTER_S)
        return known

    def _work_out(self, instant: int) -> tuple[int, date]:
        local = datetime.fromtimestamp(instant, self._zone)
        return instant - (local.minute * 60 + local.second), local.date()

    def shares(self, octets: int, *, since: int, until: int) -> Iterator[tuple[int, date, int]]:
        """The octets used in [since, until], shared by time over the hours: (hour, day, octets), summing exactly."""
        hour, day = self.at(until)
        if since >= hour or since >= until:
            if octets:
                yield hour, day, octets
            return
        given, begin = 0, since
        while begin < until:
            hour, day = self.at(begin)
            begin = min(self._after(begin), until)
            share = octets * (begin - since) // (until - since) - given
            given += share
            if share:
                yield hour, day, share

    def _after(self, instant: int) -> int:
        """The first instant that is in another hour than `instant`."""
        hour = self.at(instant)[0]
        border = (instant // QUARTER_S + 1) * QUARTER_S
        while self.at(border)[0] == hour:
            border += QUARTER_S
        return border


def months_between(since: int, until: int) -> Iterator[tuple[date, int, int]]:
    """A period cut at UTC months: (first day of the month, from, to). A period of no length lies in one month."""
    begin = since
    while True:
        first = datetime.fromtimestamp(begin, UTC).date().replace(day=1)
        following = (first + timedelta(days=32)).replace(day=1)
        border = int(datetime(following.year, following.month, 1, tzinfo=UTC).timestamp())
        yield first, begin, min(border, until)
        if until <= border:
            return
        begin = border
