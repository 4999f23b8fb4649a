from datetime import date

from control_plane.jobs.upkeep import kept_from, months_wanted
from control_plane.settings import RetentionSettings


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
