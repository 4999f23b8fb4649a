"""Octets shared out over hours and days, against a walk through every minute."""

from datetime import UTC, date, datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.accounting.usage import CivilHours, months_between


def instant(text):
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def shares(zone, octets, since, until):
    return list(CivilHours(ZoneInfo(zone)).shares(octets, since=instant(since), until=instant(until)))


def test_half_before_midnight_and_half_after_are_two_days():
    # 23:30 to 00:30 in Rome, one hour ahead of UTC in winter.
    assert shares("Europe/Rome", 1000, "2026-01-10T22:30", "2026-01-10T23:30") == [
        (instant("2026-01-10T22:00"), date(2026, 1, 10), 500),
        (instant("2026-01-10T23:00"), date(2026, 1, 11), 500),
    ]


def test_what_can_not_be_shared_evenly_is_still_all_given():
    assert [octets for _, _, octets in shares("UTC", 10, "2026-01-10T00:00", "2026-01-10T03:00")] == [3, 3, 4]


def test_an_hour_begins_at_half_past_where_the_zone_is_half_an_hour_off():
    # Kolkata is UTC+5:30: its midnight is 18:30 UTC.
    assert shares("Asia/Kolkata", 100, "2026-01-10T18:00", "2026-01-10T19:00") == [
        (instant("2026-01-10T17:30"), date(2026, 1, 10), 50),
        (instant("2026-01-10T18:30"), date(2026, 1, 11), 50),
    ]


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-10", 24)])
def test_a_day_has_the_hours_its_clocks_give_it(day, hours):
    rome = ZoneInfo("Europe/Rome")
    start = int(datetime.fromisoformat(day).replace(tzinfo=rome).timestamp())

    found = list(CivilHours(rome).shares(hours * 7, since=start, until=start + hours * 3600))

    assert [octets for _, _, octets in found] == [7] * hours
    assert {day for _, day, _ in found} == {date.fromisoformat(day)}


def test_a_period_of_no_length_is_used_in_the_hour_it_lies_in():
    assert shares("UTC", 9, "2026-01-10T05:00", "2026-01-10T05:00") == [
        (instant("2026-01-10T05:00"), date(2026, 1, 10), 9)
    ]


@given(
    st.sampled_from(["Europe/Rome", "America/Sao_Paulo", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns"]),
    st.integers(instant("2026-03-01T00:00"), instant("2026-11-20T00:00")),
    st.integers(0, 3 * 86400),
    st.integers(0, 10**15),
)
def test_every_octet_is_given_once_to_the_hour_in_which_its_second_lies(zone, since, length_s, octets):
    until = since + length_s
    found = list(CivilHours(ZoneInfo(zone)).shares(octets, since=since, until=until))

    assert sum(share for _, _, share in found) == octets
    seconds = {}
    for second in range(since, until, 60):
        end = min(second + 60, until)
        # No zone changes within a minute, but a minute may hold a border.
        for at in range(second, end) if second // 900 != (end - 1) // 900 else [second]:
            local = datetime.fromtimestamp(at, ZoneInfo(zone))
            key = (at - local.minute * 60 - local.second, local.date())
            seconds[key] = seconds.get(key, 0) + (1 if second // 900 != (end - 1) // 900 else end - second)
    for hour, day, share in found:
        if length_s:
            assert abs(share - Fraction(octets * seconds[hour, day], length_s)) <= 1


def test_a_period_is_cut_at_utc_months_without_gap_or_overlap():
    cut = list(months_between(instant("2026-01-15T00:00"), instant("2026-03-02T00:00")))

    assert cut == [
        (date(2026, 1, 1), instant("2026-01-15T00:00"), instant("2026-02-01T00:00")),
        (date(2026, 2, 1), instant("2026-02-01T00:00"), instant("2026-03-01T00:00")),
        (date(2026, 3, 1), instant("2026-03-01T00:00"), instant("2026-03-02T00:00")),
    ]


def test_a_period_that_ends_with_the_month_is_in_one_month():
    assert list(months_between(instant("2026-01-15T00:00"), instant("2026-02-01T00:00"))) == [
        (date(2026, 1, 1), instant("2026-01-15T00:00"), instant("2026-02-01T00:00"))
    ]
    at = instant("2026-02-01T00:00")
    assert list(months_between(at, at)) == [(date(2026, 2, 1), at, at)]
