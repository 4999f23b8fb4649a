"""When a job is due next; what a run does to its row is in tests/db/test_worker.py."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from control_plane.jobs.job import DailyAt, next_run

ROME = ZoneInfo("Europe/Rome")


def test_a_job_of_every_so_many_seconds_is_due_that_long_after_its_run():
    ended = datetime(2026, 3, 10, 12, 0, 7, tzinfo=UTC)
    assert next_run(90, after=ended, zone=ROME) == datetime(2026, 3, 10, 12, 1, 37, tzinfo=UTC)


@pytest.mark.parametrize(
    ("after", "due"),
    [
        ("2026-01-10 02:19", "2026-01-10 02:20"),  # Rome is an hour ahead in winter
        ("2026-01-10 02:20", "2026-01-11 02:20"),
        ("2026-07-10 01:19", "2026-07-10 01:20"),  # and two in summer
        ("2026-07-09 23:30", "2026-07-10 01:20"),  # the day has begun in Rome
        ("2026-12-31 12:00", "2027-01-01 02:20"),
    ],
)
def test_a_daily_job_is_due_at_its_time_of_the_billing_zone(after, due):
    found = next_run(DailyAt(time(3, 20)), after=datetime.fromisoformat(f"{after}+00:00"), zone=ROME)
    assert found == datetime.fromisoformat(f"{due}+00:00")


def test_a_time_that_the_change_to_summer_time_skips_is_an_hour_later_and_one_that_comes_twice_is_taken_once():
    skipped = DailyAt(time(2, 30))
    # On 29 March 2026 Rome goes from 02:00 to 03:00, at 01:00 UTC.
    assert next_run(skipped, after=datetime(2026, 3, 28, 12, tzinfo=UTC), zone=ROME) == datetime(
        2026, 3, 29, 1, 30, tzinfo=UTC
    )
    # On 25 October 02:30 is at 00:30 UTC and again at 01:30 UTC.
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert next_run(skipped, after=datetime(2026, 10, 24, 12, tzinfo=UTC), zone=ROME) == first
    assert next_run(skipped, after=first, zone=ROME) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)
