"""Which day it is where the issuer bills."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo


def billing_day(now: datetime, zone: ZoneInfo) -> date:
    """The civil date of an instant in the billing zone. A run asks once and keeps the answer.

    Source: billing model section 19.
    """
    assert now.tzinfo is not None, f"{now} has no zone"
    return now.astimezone(zone).date()
