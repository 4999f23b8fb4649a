"""Expiration as FreeRADIUS 3.2.1 reads it: epoch seconds, or day, month name and year in either order, with a time.

Forms that it can't read (2026-12-31, 31/12/2026) make it refuse every login of that user.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAY_FIRST: Final = re.compile(r"(?P<day>[0-9]{1,2})[ -](?P<month>[A-Za-z]{3,9})[ -](?P<year>[0-9]{4})")
_MONTH_FIRST: Final = re.compile(r"(?P<month>[A-Za-z]{3,9}) +(?P<day>[0-9]{1,2}),? +(?P<year>[0-9]{4})")
_TIME: Final = re.compile(r"[ ,]+(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(:(?P<second>[0-9]{2}))?")
_EPOCH_MAX: Final = (1 << 32) - 1


def read_expiration(text: str, zone: ZoneInfo) -> datetime:
    """The instant that a value of Expiration means on a server in `zone`. Raises: ValueError."""
    text = text.strip()
    if text.isdecimal() and text.isascii() and 0 < int(text) <= _EPOCH_MAX:
        return datetime.fromtimestamp(int(text), UTC)
    found = _DAY_FIRST.match(text) or _MONTH_FIRST.match(text)
    if found is None or found["month"][:3].lower() not in _MONTHS:
        raise ValueError(f"{text!r} is no date as FreeRADIUS reads it, such as 31 Dec 2026 12:30:00")
    rest = text[found.end() :]
    clock = _TIME.fullmatch(rest)
    if rest and clock is None:
        raise ValueError(f"{text!r}: what stands behind the date is no time such as 12:30:00")
    month = _MONTHS.index(found["month"][:3].lower()) + 1
    day = datetime(int(found["year"]), month, int(found["day"]), tzinfo=zone)
    if clock is not None:
        # 24:00 is the next midnight, as the C library counts on.
        hours, minutes, seconds = int(clock["hour"]), int(clock["minute"]), int(clock["second"] or 0)
        if hours > 24 or minutes > 59 or seconds > 59:
            raise ValueError(f"{text!r}: no such time of day")
        day += timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return day.astimezone(UTC)
