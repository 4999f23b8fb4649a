"""When a request is sent again."""

import random

from nas_drivers.simulated.retry import RetryPlan


def test_waits_double_up_to_the_longest_with_a_tenth_of_jitter() -> None:
    plan, chance = RetryPlan(first_s=2, factor=2, longest_s=16, jitter=0.1), random.Random(1)

    for sent, plain in ((1, 2), (2, 4), (3, 8), (4, 16), (5, 16), (1000, 16)):
        assert plain * 0.9 <= plan.wait_s(sent, chance) <= plain * 1.1


def test_without_jitter_and_factor_every_wait_is_the_same() -> None:
    plan, chance = RetryPlan(first_s=1.1, factor=1, longest_s=1.1, jitter=0), random.Random(1)

    assert [plan.wait_s(sent, chance) for sent in (1, 2, 3)] == [1.1, 1.1, 1.1]
