"""RFC 5080 section 2.2.1, by hand: 2 s, doubled up to 16 s, off by a tenth, five sends, thirty seconds."""

import random

import pytest

from nas_drivers.transport.patience import Patience


def test_without_jitter_the_waits_are_two_four_eight_and_sixteen_and_thirty_seconds_are_over():
    assert list(Patience(jitter=0).waits(lambda: 0.9)) == [2, 4, 8, 16]


@pytest.mark.parametrize(
    ("chance", "waits"),
    [
        # A tenth shorter: 1.8, then times 1.9 each (RFC 5080: 2 RTprev + RAND RTprev); the fifth takes the rest.
        (0.0, [1.8, 3.42, 6.498, 12.3462, 30 - 24.0642]),
        # A tenth longer: 2.2, 4.62, 9.702, then 17.6 (the cap and a tenth) is more than is left.
        (0.999999999, [2.2, 4.62, 9.702, 30 - 16.522]),
    ],
)
def test_the_jitter_is_a_tenth_to_both_sides(chance, waits):
    assert list(Patience().waits(lambda: chance)) == pytest.approx(waits, abs=1e-6)


def test_no_chance_makes_it_wait_longer_than_in_all_or_send_more_often():
    chance = random.Random(5)
    for _ in range(500):
        waits = list(Patience().waits(chance.random))
        assert 4 <= len(waits) <= 5
        assert sum(waits) <= 30 + 1e-9
        assert all(wait > 0 for wait in waits)


def test_the_number_of_sends_ends_it_before_the_time_does():
    assert list(Patience(first_s=1, longest_s=1, sends=3, total_s=30, jitter=0).waits(lambda: 0.5)) == [1, 1, 1]
