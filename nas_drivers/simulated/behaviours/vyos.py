"""VyOS: accel-ppp, as VyOS writes its settings. What a RADIUS client sees of it is in ../accel_ppp.py.

Source: VyOS documentation, PPPoE Server; vyos-1x, data/templates/accel-ppp/config_chap_secrets_radius.j2.
"""

from __future__ import annotations

from typing import Final

from nas_drivers.simulated.accel_ppp import accel_ppp_as

BEHAVIOUR: Final = accel_ppp_as("vyos")
