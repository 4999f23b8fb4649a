"""How a NAS stands, by what was last heard of it."""

from datetime import UTC, datetime, timedelta

import pytest

from control_plane.nas_standing import Standing, standing_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATELY, LONG_AGO = NOW - timedelta(minutes=1), NOW - timedelta(minutes=21)


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({}, Standing.UP),
        ({"sessions": 0}, Standing.UP),
        ({"heard_at": LONG_AGO}, Standing.DOWN),
        ({"heard_at": LONG_AGO, "sessions": 0}, Standing.EMPTY),
        ({"heard_at": LONG_AGO, "sessions": 0, "silent_since": LATELY}, Standing.DOWN),
        ({"silent_since": LATELY}, Standing.DEAF),
        ({"heard_at": None, "sessions": 0}, Standing.UNHEARD),
        ({"heard_at": None, "sessions": 3}, Standing.DOWN),
        ({"heard_at": LONG_AGO, "maintained_since": LATELY}, Standing.MAINTENANCE),
        ({"heard_at": LONG_AGO, "maintained_since": LATELY, "enabled": False}, Standing.OFF),
    ],
)
def test_a_nas_stands_as_it_was_last_heard(known, expected):
    usual = {"enabled": True, "sessions": 5, "heard_at": LATELY, "silent_since": None, "maintained_since": None}
    assert standing_of(**{**usual, **known}, now=NOW) is expected
