"""Any history of wishes, packets and deaths on devices of every vendor ends with what is wanted on each."""

import os

import pytest
from support.quick_fleet import QuickFleet

pytestmark = [pytest.mark.radius, pytest.mark.db]
SEEDS = [int(one) for one in os.environ.get("QUICK_SEEDS", "1,2").split(",")]


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_happened_each_session_ends_under_what_is_wanted(connection, database, seed):
    world = QuickFleet(connection, database, subscribers=108, seed=seed)
    try:
        world.live(rounds=20)
        world.settle()
        wrong = world.wrong()
        assert not wrong, "\n".join(
            f"{number} {what}\n    " + "\n    ".join(world.history.get(number, []))
            for number, what in list(wrong.items())[:5]
        )
    finally:
        world.close()
