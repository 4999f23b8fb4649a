"""Nokia 7750 SR OS: how its clock is set. What lets subscribers past RADIUS (a local user database, a fallback of the
authentication policy) is not looked at: UNCONFIRMED how a user with few rights prints it.

Source: MD-CLI Command Reference 23.10, system time ntp.
Next: ../inspection.py
"""

from __future__ import annotations

from typing import Final

from nas_drivers.inspection import Inspection

INSPECTION: Final = Inspection(ntp='/configure system time ntp server NTP-SERVER router-instance "Base"')
