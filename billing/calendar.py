"""Which day it is where the issuer bills, and when it begins."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo


def billing_day(now: datetime, zone: ZoneInfo) -> date:
    """The civil date of an instant in the billing zone. A run asks once and keeps the answer.

    Source: billing model section 19.
    """
    assert now.tzinfo is not None, f"{now} has no zone"
    return now.astimezone(zone).date()


def first_moment(day: date, zone: ZoneInfo) -> datetime:
    """The instant at which a civil date begins in the billing zone; where clocks skip midnight, when they have skipped it.

    A period lasts from the first moment of its start to that of its end; some of its days have 23 or 25 hours.
    """
    # With fold 0 this is the first of two midnights, and the hour after the gap where there is none.
    return datetime.combine(day, time.min, zone).astimezone(UTC)
