"""VyOS: the mode of authentication of its PPPoE server, and whether it obeys the rates of RADIUS.

Local users stay in the configuration and are not used while the mode is radius. UNCONFIRMED on a real VyOS: `date +%s` in its
operational mode, which hands what is no command of its own to the shell.

Source: VyOS documentation, PPPoE Server ("Configuring RADIUS authentication", mode local, radius and noauth, `rate-limit enable`).
Next: ../pppoe_server_settings.py
"""

from __future__ import annotations

from typing import Final

from nas_drivers.clock_text import read_epoch
from nas_drivers.inspection import BypassQuestion, ClockQuestion, Inspection, SetupFault
from nas_drivers.pppoe_server_settings import COMMAND, mode_faults, read_server

_RATES: Final = "authentication radius rate-limit enable"


def read_faults(output: str) -> tuple[SetupFault, ...]:
    """Another mode than radius, and rates that nothing reads. Raises: NotReadError."""
    server = read_server(output)
    found = mode_faults(server)
    if not any(line.startswith(_RATES) for line in server.lines):
        text = "it does not read the rates of RADIUS: nobody's plan has a rate there"
        found += (SetupFault(True, text, f"set service pppoe-server {_RATES}"),)
    return found


INSPECTION: Final = Inspection(
    ntp="set service ntp server NTP-SERVER (before 1.4: set system ntp server)",
    signs=False,
    clock=ClockQuestion("date +%s", read_epoch),
    bypass=BypassQuestion(COMMAND, read_faults, "its PPPoE server asks RADIUS alone and reads its rates"),
)
