"""A rate is told in whole units, and nobody gets less than was sold."""

from __future__ import annotations

import pytest

from nas_drivers.policy import BitRate


@pytest.mark.parametrize(
    ("bps", "kbit"), [(1_000, 1), (1_001, 2), (1_999, 2), (2_000, 2), (400_000_000_000, 400_000_000)]
)
def test_a_rate_in_kilobits_is_rounded_up(bps: int, kbit: int) -> None:
    assert BitRate(bps).kbit == kbit


def test_a_unit_of_a_bit_loses_nothing() -> None:
    assert BitRate(15_728_641).in_units(1) == 15_728_641


@pytest.mark.parametrize("bps", [0, 999, 400_000_000_001])
def test_what_no_profile_may_have_is_no_rate(bps: int) -> None:
    with pytest.raises(ValueError, match="1 kbit/s to 400 Gbit/s"):
        BitRate(bps)
