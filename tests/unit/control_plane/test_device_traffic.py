"""Rates between two countings of a session."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from control_plane.device_traffic import Counters, Sample, sample_between

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
FIRST = Counters("s1", NOON, octets_in=1_000, octets_out=10_000)


def test_rates_are_the_bits_counted_between_two_countings():
    # In 4 s 500 octets up and 25,000 down: 1,000 bit/s and 50,000 bit/s.
    later = Counters("s1", NOON + timedelta(seconds=4), octets_in=1_500, octets_out=35_000)
    assert sample_between(FIRST, later) == Sample(later.at, down_bps=50_000, up_bps=1_000)


@pytest.mark.parametrize(
    "changed",
    [{"session": "s2"}, {"octets_out": 9_999}, {"octets_in": 0}, {"at": NOON}],
    ids=["another session", "down counted back", "up counted back", "the same moment"],
)
def test_nothing_follows_from_what_is_not_the_same_count_going_on(changed):
    later = Counters("s1", NOON + timedelta(seconds=4), octets_in=1_500, octets_out=35_000)
    assert sample_between(FIRST, replace(later, **changed)) is None
