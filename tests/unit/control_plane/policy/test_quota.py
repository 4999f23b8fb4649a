"""The month in which quotas count, and which of its days are closed."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from control_plane.policy.quota import QuotaMonth, next_month, quota_month


@pytest.mark.parametrize(
    ("day", "after"),
    [
        (date(2026, 1, 31), date(2026, 2, 1)),
        (date(2026, 2, 28), date(2026, 3, 1)),
        (date(2028, 2, 29), date(2028, 3, 1)),
        (date(2026, 12, 1), date(2027, 1, 1)),
    ],
)
def test_the_month_after(day, after):
    assert next_month(day) == after


def test_a_quota_month_begins_at_midnight_of_the_billing_zone():
    rome = ZoneInfo("Europe/Rome")
    # Half past eleven in the evening UTC is already April in Rome.
    found = quota_month(datetime(2026, 3, 31, 22, 30, tzinfo=UTC), rome)
    reset = datetime(2026, 4, 30, 22, 0, tzinfo=UTC)
    assert found == QuotaMonth(date(2026, 4, 1), date(2026, 5, 1), reset, date(2026, 4, 1))


def test_the_day_before_yesterday_and_what_follows_it_are_open_within_the_month():
    rome = ZoneInfo("Europe/Rome")
    assert quota_month(datetime(2026, 3, 10, 12, tzinfo=UTC), rome).open_from == date(2026, 3, 8)
    assert quota_month(datetime(2026, 3, 2, 12, tzinfo=UTC), rome).open_from == date(2026, 3, 1)
