"""Whether a message may go now: consents, addresses that bounced, news that is old, and quiet hours.

What the law or the contract asks for goes at any hour and whatever was declined; what the customer is waiting for at any hour;
the rest in the hours of the issuer's day, and marketing on no Sunday or holiday and with a consent alone. It goes later, never
earlier.

Units: instants are aware; hours and days are of the issuer's zone.
Next: texts.py
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from billing.dunning.guard import ClosedDays, Guard, Hours, is_open, next_open
from billing.dunning.holidays_of import UnknownCalendarError, holidays_of
from billing.messages.message import Purpose

# A calendar is known for all years or for none.
_ANY_YEAR: Final = 2026
_SUNDAY: Final = frozenset({6})
_NEVER_CLOSED: Final = ClosedDays(
    weekdays=frozenset(), easter_monday=False, eves_of_weekends=False, eves_of_holidays=False
)


@dataclass(frozen=True, slots=True)
class Go:
    """It may go."""


@dataclass(frozen=True, slots=True)
class Wait:
    """It may go then."""

    until: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Withhold:
    """It may not go at all."""

    why: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What counts: why it goes, the newest word on consent for that purpose and channel (None: never asked), since when its
    address is known not to exist, and until when it is news.
    """

    purpose: Purpose
    at_once: bool = False
    consent: bool | None = None
    undeliverable: str | None = None
    expires_at: datetime | None = None


def may_go(asked: Asked, *, hours: Hours, zone: ZoneInfo, country: str | None, now: datetime) -> Go | Wait | Withhold:
    """In this order: old news, an address that does not exist, the customer's word, the hour."""
    if asked.expires_at is not None and now >= asked.expires_at:
        return Withhold("it is too late for it")
    if asked.undeliverable is not None:
        return Withhold(f"the address does not exist: {asked.undeliverable}")
    if asked.purpose is Purpose.MARKETING and asked.consent is not True:
        return Withhold("declined" if asked.consent is False else "there is no consent to marketing")
    if asked.purpose is Purpose.SERVICE and asked.consent is False:
        return Withhold("declined")
    guard = Guard(zone, (hours,), _closed(asked.purpose, country))
    if asked.purpose is Purpose.LEGAL or (asked.at_once and asked.purpose is Purpose.SERVICE) or is_open(guard, now):
        return Go()
    until = next_open(guard, now)
    if asked.expires_at is not None and until >= asked.expires_at:
        return Withhold("it would be too late when it may go")
    return Wait(until, "quiet hours")


def _closed(purpose: Purpose, country: str | None) -> ClosedDays:
    if purpose is not Purpose.MARKETING:
        return _NEVER_CLOSED
    return ClosedDays(weekdays=_SUNDAY, country=_with_holidays(country), eves_of_weekends=False, eves_of_holidays=False)


def _with_holidays(country: str | None) -> str | None:
    """The country, where there is a list of its holidays."""
    if country is None:
        return None
    try:
        holidays_of(country, None, _ANY_YEAR)
    except UnknownCalendarError:
        return None
    return country
