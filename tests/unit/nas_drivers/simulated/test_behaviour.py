"""Every vendor that there is a driver for can be simulated, and no other."""

import pytest

from nas_drivers.driver import vendor_names
from nas_drivers.simulated.behaviour import UnknownBehaviourError, behaviour_for, behaviour_names


def test_every_vendor_can_be_simulated() -> None:
    assert behaviour_names() == vendor_names()
    assert [behaviour_for(name).vendor for name in behaviour_names()] == list(behaviour_names())


def test_an_unknown_vendor_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(UnknownBehaviourError, match=r"accel_ppp, cisco_iosxe, .*generic, .*mikrotik"):
        behaviour_for("nobody")
