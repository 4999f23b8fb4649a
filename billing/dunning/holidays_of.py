"""The public holidays of a country and a region, by the library that keeps them up to date.

Source: the `holidays` package, whose lists are of the countries' laws; it knows the years up to 2100.

Next: guard.py
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from typing import Final

from billing.errors import BillingError
from billing.sentence import Sentence

# An issuer has a calendar or two, and a pass looks at this year and the next.
_YEARS_KEPT: Final = 256


class UnknownCalendarError(BillingError):
    """There is no list of holidays for this country or region."""


@lru_cache(maxsize=_YEARS_KEPT)
def holidays_of(country: str, region: str | None, year: int) -> frozenset[date]:
    """The public holidays of one year, those of the region among them.

    Raises: UnknownCalendarError with the names that are known.
    """
    import holidays  # noqa: PLC0415 - a tenth of a second, and most commands ask for none

    try:
        return frozenset(holidays.country_holidays(country, subdiv=region, years=year))
    except NotImplementedError as error:
        raise UnknownCalendarError(_told(country, region)) from error


@lru_cache(maxsize=_YEARS_KEPT)
def easter_monday(year: int) -> date:
    """The Monday after Easter, in countries too where it is no public holiday.

    Source: the Gregorian computus (Meeus, Astronomical Algorithms, chapter 8).
    """
    century, of_century = divmod(year, 100)
    epact = (19 * (year % 19) + century - century // 4 - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    weekday = (32 + 2 * (century % 4) + 2 * (of_century // 4) - epact - of_century % 4) % 7
    late = (year % 19 + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * late + 114, 31)
    return date(year, month, day + 1) + timedelta(days=1)


def _told(country: str, region: str | None) -> Sentence:
    """What is wrong with a country or its region, and what there is."""
    import holidays  # noqa: PLC0415 - as above

    try:
        known = holidays.country_holidays(country).subdivisions
    except NotImplementedError:
        return Sentence("no holidays are known of %(country)s: name a country by ISO 3166", country=repr(country))
    return Sentence(
        "%(country)s has no region %(region)s: there are %(known)s",
        country=country,
        region=repr(region),
        known=", ".join(known) or Sentence("none"),
    )
