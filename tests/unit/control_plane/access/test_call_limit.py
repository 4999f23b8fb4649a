"""What a token has left of its calls."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from control_plane.access.call_limit import Allowance, allowance_of
from control_plane.store.sign_in_attempts import Turns

BEGAN = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("count", "after_s", "expected"),
    [
        (1, 0.0, Allowance(limit=3, left=2, over_in_s=60, is_too_much=False)),
        (3, 20.5, Allowance(limit=3, left=0, over_in_s=40, is_too_much=False)),
        (4, 59.9, Allowance(limit=3, left=0, over_in_s=1, is_too_much=True)),
        # Another process's clock is ahead of this one's: its window is over at once, and never in no time.
        (4, 75.0, Allowance(limit=3, left=0, over_in_s=1, is_too_much=True)),
    ],
)
def test_what_is_left_and_when_it_is_over(count, after_s, expected):
    now = BEGAN + timedelta(seconds=after_s)
    assert allowance_of(Turns(count, BEGAN), 3, now=now) == expected
