"""The vendors that can be simulated are the ones there are drivers for."""

import pytest

from nas_drivers.driver import vendor_names
from nas_drivers.simulated.behaviour import UnknownBehaviourError, behaviour_for, behaviour_names


def test_every_vendor_with_a_driver_can_be_simulated() -> None:
    assert set(vendor_names()) <= set(behaviour_names())
    assert [behaviour_for(name).vendor for name in behaviour_names()] == list(behaviour_names())


def test_an_unknown_vendor_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(UnknownBehaviourError, match="accel_ppp, generic, mikrotik"):
        behaviour_for("nobody")
