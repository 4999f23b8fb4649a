"""Why a line is limited, as its customer is told it. Pure.

What staff wrote about a restriction stays with staff: a customer is told the kind.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Final

_IN_SERVICE: Final = frozenset({"trial", "active", "free"})


class Limited(StrEnum):
    """What a customer is told of a line that has less than its plan, or nothing."""

    OVERDUE = "overdue"
    PAUSED = "paused"
    OFFICE = "office"
    ABUSE = "abuse"
    TECHNICAL = "technical"
    QUOTA = "quota"
    ENDED = "ended"
    NOT_YET = "not_yet"


_BY_ORIGIN: Final = {
    "dunning": Limited.OVERDUE,
    "customer_pause": Limited.PAUSED,
    "admin": Limited.OFFICE,
    "legal": Limited.OFFICE,
    "abuse": Limited.ABUSE,
    "technical": Limited.TECHNICAL,
}


def limited_by(
    *,
    status: str,
    ends_on: date | None,
    origin: str | None,
    quota_exhausted_until: datetime | None,
    now: datetime,
    today: date,
) -> Limited | None:
    """Why; None: it has what its plan gives. A contract that is over comes before a debt, a debt before a quota."""
    if status == "ended" or (ends_on is not None and ends_on <= today):
        return Limited.ENDED
    if status not in _IN_SERVICE:
        return Limited.NOT_YET
    if origin is not None:
        return _BY_ORIGIN[origin]
    if quota_exhausted_until is not None and quota_exhausted_until > now:
        return Limited.QUOTA
    return None
