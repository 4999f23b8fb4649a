"""The time as devices print it, to an instant in UTC. Pure.

Next: inspection.py
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

_EPOCH: Final = re.compile(r"^[ \t]*(\d{9,11})[ \t\r]*$", re.MULTILINE)
# `*06:29:28.123 UTC Sun Nov 22 2026`: `*` not set by anybody, `.` set once and no longer synchronised.
_TIME_FIRST: Final = re.compile(
    r"^[ \t]*[*.#]?(\d{1,2}:\d\d:\d\d)(?:\.\d+)?[ \t]+(\S+)[ \t]+[A-Z][a-z]{2}[ \t]+([A-Z][a-z]{2})[ \t]+(\d{1,2})[ \t]+(\d{4})[ \t\r]*$",
    re.MULTILINE,
)
_DATE_FIRST: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.\d+)?[ \t]*(?:([+-]\d\d:\d\d)|(UTC|GMT|Z)\b|([A-Z]{2,5}\b))?"
)
_ZERO: Final = frozenset({"UTC", "GMT", "Z"})


def read_epoch(output: str) -> datetime | None:
    """A line with seconds since 1970, as `date +%s` prints them."""
    match = _EPOCH.search(output)
    return None if match is None else datetime.fromtimestamp(int(match[1]), UTC)


def read_time_first(output: str) -> datetime | None:
    """Time, zone, weekday, month, day and year; None in another zone than UTC, whose name tells no offset."""
    match = _TIME_FIRST.search(output)
    if match is None or match[2] not in _ZERO:
        return None
    time, _, month, day, year = match.groups()
    return _instant(f"{year} {month} {day} {time}", "%Y %b %d %H:%M:%S", timedelta())


def read_date_first(output: str, *, offset: str | None = None) -> datetime | None:
    """An ISO date and time with its offset or UTC behind it, else with `offset`, `+hh:mm`; None when neither is there."""
    match = _DATE_FIRST.search(output)
    if match is None or match[5]:
        return None
    shown = "+00:00" if match[4] else match[3] or offset
    if shown is None:
        return None
    ahead = timedelta(hours=int(shown[1:3]), minutes=int(shown[4:6])) * (-1 if shown[0] == "-" else 1)
    return _instant(f"{match[1]} {match[2]}", "%Y-%m-%d %H:%M:%S", ahead)


def _instant(text: str, form: str, ahead: timedelta) -> datetime | None:
    try:
        return datetime.strptime(text, form).replace(tzinfo=timezone(ahead)).astimezone(UTC)
    except (ValueError, OverflowError):  # the latter of the year 1, east of Greenwich
        return None
