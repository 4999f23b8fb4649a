"""The time as devices print it."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_drivers.clock_text import read_date_first, read_epoch, read_time_first

# date --date='2026-11-22 06:29:28 UTC' +%s
AT = datetime(2026, 11, 22, 6, 29, 28, tzinfo=UTC)


@pytest.mark.parametrize(
    ("read", "printed", "found"),
    [
        (read_epoch, "1795328968\n", AT),
        (read_epoch, "-bash: date: command not found", None),
        (read_time_first, "06:29:28.123 UTC Sun Nov 22 2026", AT),
        # Not set by anybody, and set once: the words in front do not change what it says.
        (read_time_first, "*06:29:28.123 UTC Sun Nov 22 2026\n", AT),
        (read_time_first, ".06:29:28 GMT Sun Nov 22 2026\n", AT),
        (read_time_first, "Thu Jan  1 00:00:00.000 UTC\n06:29:28.001 UTC Sun Nov 22 2026\n", AT),
        (read_time_first, "07:29:28.123 CET Sun Nov 22 2026", None),
        (read_time_first, "26:29:28.123 UTC Sun Nov 22 2026", None),
        (read_time_first, "% Invalid input detected", None),
        (read_date_first, "Current time: 2026-11-22 06:29:28 UTC", AT),
        (read_date_first, "2026-11-22 07:29:28+01:00", AT),
        (read_date_first, "2026-11-22T01:29:28-05:00", AT),
        (read_date_first, "Current time: 2026-11-22 07:29:28 CET", None),
        (read_date_first, "2026-11-22 06:29:28", None),
        (read_date_first, "2026-13-22 06:29:28 UTC", None),
    ],
)
def test_a_printed_time_is_an_instant_only_where_its_offset_is_told(read, printed, found):
    assert read(printed) == found


def test_an_offset_that_stands_elsewhere_is_taken_where_none_stands_behind_the_time():
    assert read_date_first("2026-11-22 14:29:28\nSunday", offset="+08:00") == AT


@given(st.text())
def test_no_text_is_an_error(text):
    for read in (read_epoch, read_time_first, read_date_first):
        read(text)


def test_the_first_hours_there_are_have_no_name_in_utc_and_are_not_told() -> None:
    assert read_date_first("0001-01-01 00:00:00 +14:00") is None
