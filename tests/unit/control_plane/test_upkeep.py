from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from control_plane.settings import RetentionSettings
from control_plane.upkeep import QuotaMonth, kept_from, months_wanted, next_month, quota_month


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
    assert found == QuotaMonth(date(2026, 4, 1), date(2026, 5, 1), datetime(2026, 4, 30, 22, 0, tzinfo=UTC))


def test_partitions_are_wanted_from_last_month_to_the_month_after_next():
    assert months_wanted(date(2026, 12, 31)) == (
        date(2026, 11, 1),
        date(2026, 12, 1),
        date(2027, 1, 1),
        date(2027, 2, 1),
    )
    assert months_wanted(date(2026, 1, 1))[0] == date(2025, 12, 1)


def test_each_table_is_kept_for_its_own_retention():
    found = kept_from(RetentionSettings(address_history_days=10, usage_day_days=365), date(2026, 3, 1))
    assert found["address_history"] == date(2026, 2, 19)
    assert found["usage_day"] == date(2025, 3, 1)
    assert set(found) == {
        "address_history",
        "closed_session",
        "login_attempt",
        "usage_hour",
        "usage_day",
        "enforcement_packet",
    }
