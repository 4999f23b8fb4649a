"""The PPPoE server's settings as EdgeOS is taken to show them."""

import pytest

from nas_drivers.inspection import NotReadError
from nas_drivers.inspections.edgerouter import read_faults

RADIUS = """set service pppoe-server authentication mode radius
set service pppoe-server authentication radius-server 192.0.2.10 key SECRET
"""


def test_only_the_mode_counts_for_its_rates_come_by_their_own_attributes():
    assert read_faults(RADIUS) == ()
    local = "set service pppoe-server authentication local-users username anna password SECRET\n"
    (fault,) = read_faults(local + RADIUS.replace("mode radius", "mode local"))
    assert (fault.grave, fault.text) == (
        True,
        "its PPPoE server asks local users instead of RADIUS (mode local): anna",
    )


def test_what_is_no_such_configuration_is_never_taken_for_clean():
    with pytest.raises(NotReadError):
        read_faults("Invalid command\n")
