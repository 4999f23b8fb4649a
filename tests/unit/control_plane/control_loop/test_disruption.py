"""What takes something away from a subscriber, for every pair of what was and what shall be."""

from __future__ import annotations

from itertools import product

import pytest

from control_plane.control_loop.disruption import Given, is_disruptive
from radius_hooks.policy_records import Level

FULL, THROTTLE, WALLED = Level.FULL, Level.THROTTLE, Level.WALLED
# Profile 1 is given in the end, whatever was before.
RATES = (None, 10_000, 20_000)


def given(level, *, profile=1, down=10_000, up=10_000, of_plan=False):
    return Given(profile, level, down, up, of_plan)


@pytest.mark.parametrize(
    ("before", "wanted", "takes"),
    [
        (FULL, THROTTLE, True),
        (FULL, WALLED, True),
        (THROTTLE, WALLED, True),
        (THROTTLE, FULL, False),
        (WALLED, FULL, False),
        (WALLED, THROTTLE, False),
    ],
)
def test_a_milder_level_gives_and_a_stricter_one_takes_whatever_the_rates(before, wanted, takes):
    for old_down, old_up, down, up, of_plan in product(RATES, RATES, RATES, RATES, (False, True)):
        was = given(before, profile=2, down=old_down, up=old_up, of_plan=of_plan)
        assert is_disruptive(was, given(wanted, down=down, up=up)) is takes, (was, down, up)


# The rate before, the one wanted: no rate is no limit.
LESS = {(None, 10_000), (None, 20_000), (20_000, 10_000)}


@pytest.mark.parametrize("level", [FULL, THROTTLE, WALLED])
def test_at_the_same_level_less_in_either_direction_takes(level):
    for down, up in product(product(RATES, RATES), product(RATES, RATES)):
        was = given(level, profile=2, down=down[0], up=up[0])
        takes = down in LESS or up in LESS
        assert is_disruptive(was, given(level, down=down[1], up=up[1])) is takes, (down, up)


@pytest.mark.parametrize(
    ("level", "profile", "of_plan", "takes"),
    [
        # Another of the plan's own profiles in full: the plan's hours.
        (FULL, 2, True, False),
        # The same profile, which was edited.
        (FULL, 1, True, True),
        # A profile of another plan.
        (FULL, 2, False, True),
        # Hours are of the plan in full alone.
        (THROTTLE, 2, True, True),
        (WALLED, 2, True, True),
    ],
)
def test_a_slower_profile_takes_unless_it_is_the_plan_s_own_of_another_hour(level, profile, of_plan, takes):
    was = given(level, profile=profile, down=20_000, up=20_000, of_plan=of_plan)
    assert is_disruptive(was, given(level)) is takes


@pytest.mark.parametrize(
    ("down", "up", "takes"),
    [
        # The same rate, and the connection is lost for it.
        (10_000, 10_000, True),
        (20_000, 10_000, False),
        (20_000, 20_000, False),
        (None, 10_000, False),
        (20_000, None, False),
        (5_000, 20_000, True),
    ],
)
@pytest.mark.parametrize("level", [FULL, THROTTLE, WALLED])
def test_a_new_login_that_brings_no_more_takes(level, down, up, takes):
    assert is_disruptive(given(level), given(level, down=down, up=up), logs_in_anew=True) is takes


def test_a_new_login_for_a_milder_level_or_another_hour_of_the_plan_takes_nothing():
    assert not is_disruptive(given(WALLED), given(THROTTLE), logs_in_anew=True)
    assert not is_disruptive(given(FULL, profile=2, of_plan=True), given(FULL), logs_in_anew=True)


def test_a_new_login_from_what_is_not_known_takes_since_nobody_can_say_that_it_brings_anything():
    assert is_disruptive(None, given(FULL), logs_in_anew=True)
    assert not is_disruptive(None, given(FULL), logs_in_anew=False)


@pytest.mark.parametrize(("level", "takes"), [(FULL, False), (THROTTLE, True), (WALLED, True)])
def test_of_what_is_not_known_only_the_whole_plan_takes_nothing(level, takes):
    assert is_disruptive(None, given(level)) is takes


@pytest.mark.parametrize("before", [None, given(FULL), given(THROTTLE), given(WALLED), given(FULL, of_plan=True)])
def test_an_end_always_takes(before):
    assert is_disruptive(before, None) is True
