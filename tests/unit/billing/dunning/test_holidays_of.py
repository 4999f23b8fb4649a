"""Which days are holidays, by lists read elsewhere, and Easter against its tables."""

from __future__ import annotations

from datetime import date

import pytest
from dateutil.easter import easter

from billing.country_data import known_countries
from billing.dunning.holidays_of import UnknownCalendarError, easter_monday, holidays_of


def test_italy_has_its_thirteen_days_of_2026():
    """L. 260/1949 as it stands, with 4 October again from 2026 (L. 151/2025)."""
    days = "01-01 01-06 04-05 04-06 04-25 05-01 06-02 08-15 10-04 11-01 12-08 12-25 12-26"

    assert holidays_of("IT", None, 2026) == {date.fromisoformat(f"2026-{day}") for day in days.split()}


@pytest.mark.parametrize("country", known_countries())
def test_there_is_a_list_for_every_country_that_can_invoice(country):
    assert len(holidays_of(country, None, 2026)) >= 5


def test_easter_monday_is_that_of_the_tables():
    # Of the tables in use: the earliest and latest of this century, and two years between.
    assert [easter_monday(year) for year in (2008, 2038, 2026, 2027)] == [
        date(2008, 3, 24),
        date(2038, 4, 26),
        date(2026, 4, 6),
        date(2027, 3, 29),
    ]
    assert all((easter_monday(year) - easter(year)).days == 1 for year in range(1990, 2120))


def test_an_unknown_country_or_region_is_refused_with_what_to_do():
    with pytest.raises(UnknownCalendarError, match="ISO 3166"):
        holidays_of("ZZ", None, 2026)
    with pytest.raises(UnknownCalendarError, match=r"IT has no region 'XX': there are AG"):
        holidays_of("IT", "XX", 2026)
    with pytest.raises(UnknownCalendarError, match="there are none"):
        holidays_of("EC", "P", 2026)
