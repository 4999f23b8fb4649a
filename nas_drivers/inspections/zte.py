"""ZTE: how its clock is set (UNCONFIRMED). Its command line is not used, so nothing else is looked at.

Source: ZXR10 command manual, `ntp server`.
Next: ../inspection.py
"""

from __future__ import annotations

from typing import Final

from nas_drivers.inspection import Inspection

INSPECTION: Final = Inspection(ntp="ntp server NTP-SERVER")
