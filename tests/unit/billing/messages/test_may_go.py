"""What may go when: the law's at any hour, the rest by the issuer's day, marketing with a consent and on no holiday."""

from __future__ import annotations

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from billing.dunning.guard import Hours
from billing.messages.may_go import Asked, Go, Wait, Withhold, may_go
from billing.messages.message import Purpose

ROME = ZoneInfo("Europe/Rome")
LEGAL, SERVICE, MARKETING = Purpose.LEGAL, Purpose.SERVICE, Purpose.MARKETING
# Rome is an hour ahead of UTC; 2 March 2026 is a Monday.
NOON, NIGHT = datetime(2026, 3, 2, 11, tzinfo=UTC), datetime(2026, 3, 2, 20, tzinfo=UTC)
MORNING = datetime(2026, 3, 3, 7, tzinfo=UTC)


def ask(asked, now=NOON, country="IT"):
    return may_go(asked, hours=Hours(time(8), time(20)), zone=ROME, country=country, now=now)


@pytest.mark.parametrize(
    ("asked", "at_night"),
    [
        (Asked(LEGAL), Go()),
        (Asked(LEGAL, consent=False), Go()),
        (Asked(SERVICE), Wait(MORNING, "quiet hours")),
        (Asked(SERVICE, at_once=True), Go()),
        (Asked(MARKETING, at_once=True, consent=True), Wait(MORNING, "quiet hours")),
        (Asked(SERVICE, consent=False, at_once=True), Withhold("declined")),
        (Asked(MARKETING), Withhold("there is no consent to marketing")),
        (Asked(MARKETING, consent=False), Withhold("declined")),
        (Asked(LEGAL, undeliverable="5.1.1"), Withhold("the address does not exist: 5.1.1")),
        (Asked(LEGAL, expires_at=NIGHT), Withhold("it is too late for it")),
        (Asked(SERVICE, expires_at=MORNING), Withhold("it would be too late when it may go")),
        (Asked(SERVICE, expires_at=MORNING.replace(minute=1)), Wait(MORNING, "quiet hours")),
    ],
)
def test_at_ten_in_the_evening(asked, at_night):
    # Twenty hours UTC are nine in the evening in Rome.
    assert ask(asked, NIGHT) == at_night


@pytest.mark.parametrize(("hour", "minute", "goes"), [(6, 59, False), (7, 0, True), (18, 59, True), (19, 0, False)])
def test_the_hours_are_those_of_the_issuers_zone(hour, minute, goes):
    assert (ask(Asked(SERVICE), NOON.replace(hour=hour, minute=minute)) == Go()) is goes


@pytest.mark.parametrize(
    ("day", "next_day"),
    [
        (datetime(2026, 3, 1, 11, tzinfo=UTC), datetime(2026, 3, 2, 7, tzinfo=UTC)),  # a Sunday
        (datetime(2026, 4, 6, 10, tzinfo=UTC), datetime(2026, 4, 7, 6, tzinfo=UTC)),  # Easter Monday, in summer time
        (datetime(2026, 6, 2, 10, tzinfo=UTC), datetime(2026, 6, 3, 6, tzinfo=UTC)),  # the republic's day
        (
            datetime(2026, 12, 25, 11, tzinfo=UTC),
            datetime(2026, 12, 28, 7, tzinfo=UTC),
        ),  # two of Christmas, then a Sunday
    ],
)
def test_marketing_rests_on_sundays_and_holidays_and_service_does_not(day, next_day):
    assert ask(Asked(MARKETING, consent=True), day) == Wait(next_day, "quiet hours")
    assert ask(Asked(SERVICE), day) == Go()


def test_a_saturday_and_a_holiday_of_a_country_without_a_list_are_working_days():
    saturday = datetime(2026, 3, 7, 11, tzinfo=UTC)
    assert ask(Asked(MARKETING, consent=True), saturday) == Go()
    assert ask(Asked(MARKETING, consent=True), datetime(2026, 6, 2, 10, tzinfo=UTC), "ZZ") == Go()
    assert ask(Asked(MARKETING, consent=True), datetime(2026, 6, 2, 10, tzinfo=UTC), None) == Go()
