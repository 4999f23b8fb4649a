"""accel-ppp on a Linux host, with the settings of its page in docs/drivers. All of it is in ../accel_ppp.py, for VyOS runs it too."""

from __future__ import annotations

from typing import Final

from nas_drivers.simulated.accel_ppp import accel_ppp_as

BEHAVIOUR: Final = accel_ppp_as("accel_ppp")
