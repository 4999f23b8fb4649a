"""The instants were read from FreeRADIUS 3.2.1: the Session-Timeout that it gave told what it took the date for."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from control_plane.takeover.freeradius_dates import read_expiration

UTC_ZONE = ZoneInfo("UTC")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("31 Dec 2026", datetime(2026, 12, 31, tzinfo=UTC)),
        ("Dec 31 2026", datetime(2026, 12, 31, tzinfo=UTC)),
        ("31 Dec 2026 12:30:00", datetime(2026, 12, 31, 12, 30, tzinfo=UTC)),
        ("December 31 2026 12:30", datetime(2026, 12, 31, 12, 30, tzinfo=UTC)),
        ("1 jan 2027 24:00", datetime(2027, 1, 2, tzinfo=UTC)),
        ("1798675200", datetime(2026, 12, 31, tzinfo=UTC)),
    ],
)
def test_a_date_is_what_freeradius_takes_it_for(text, meant):
    assert read_expiration(text, UTC_ZONE) == meant


def test_a_day_begins_in_the_zone_of_the_server():
    assert read_expiration("1 Jul 2026", ZoneInfo("Europe/Rome")) == datetime(2026, 6, 30, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["2026-12-31", "2026-12-31T00:00:00", "31/12/2026", "soon", "", "0", "31 Foo 2026", "31 Feb 2026", "31 Dec 2026 25:00", "31 Dec 2026 noon"]
)  # fmt: skip
def test_what_freeradius_cannot_read_is_no_date(text):
    with pytest.raises(ValueError, match=r".+"):
        read_expiration(text, UTC_ZONE)
