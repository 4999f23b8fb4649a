"""Ubiquiti EdgeRouter: the mode of authentication of its PPPoE server.

UNCONFIRMED on a real EdgeRouter: that EdgeOS prints its configuration so (its ancestor Vyatta does), that local users are not asked
while the mode is radius, and `date +%s` in its operational mode.

Source: EdgeOS user guide, `set service pppoe-server authentication mode`, `local-users`; Vyatta, `show configuration commands`.
Next: ../pppoe_server_settings.py
"""

from __future__ import annotations

from typing import Final

from nas_drivers.clock_text import read_epoch
from nas_drivers.inspection import BypassQuestion, ClockQuestion, Inspection, SetupFault
from nas_drivers.pppoe_server_settings import COMMAND, mode_faults, read_server


def read_faults(output: str) -> tuple[SetupFault, ...]:
    """Another mode than radius. Raises: NotReadError."""
    return mode_faults(read_server(output))


INSPECTION: Final = Inspection(
    ntp="set system ntp server NTP-SERVER",
    signs=False,
    clock=ClockQuestion("date +%s", read_epoch),
    bypass=BypassQuestion(COMMAND, read_faults, "its PPPoE server asks RADIUS alone"),
)
