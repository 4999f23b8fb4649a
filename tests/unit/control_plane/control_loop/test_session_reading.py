"""Whether a session, as its device shows it, runs under a policy that it was given live."""

from __future__ import annotations

import pytest

from control_plane.control_loop.session_reading import runs_under
from nas_drivers.device_session import DeviceSession
from nas_drivers.policy import BitRate, RatePair, SessionPolicy

RATE = RatePair(BitRate(8_000_000), BitRate(1_000_000))
FULL = SessionPolicy(rate=RATE)
WALLED = SessionPolicy(rate=RATE, address_lists=("walled",))


@pytest.mark.parametrize(
    ("shown", "policy", "before", "holds"),
    [
        (("walled",), WALLED, FULL, True),
        ((), WALLED, FULL, False),
        # Let out, and still in there.
        (("walled",), FULL, WALLED, False),
        ((), FULL, WALLED, True),
        # What was in no policy is somebody else's.
        (("vip",), FULL, WALLED, True),
        (("walled",), FULL, None, True),
        (None, FULL, WALLED, True),
    ],
)
def test_a_session_is_in_its_lists_and_in_none_that_it_was_to_leave(shown, policy, before, holds):
    session = DeviceSession("81a00001", "anna", rate_down_bps=8_000_000, rate_up_bps=1_000_000, address_lists=shown)
    assert runs_under(session, policy, before=before).holds is holds
