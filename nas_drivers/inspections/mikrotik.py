"""MikroTik RouterOS: asked by its API (../routeros_setup.py), so that there is no question for a command line here.

Source: RouterOS manual, page NTP.
Next: ../inspection.py
"""

from __future__ import annotations

from typing import Final

from nas_drivers.inspection import Inspection

INSPECTION: Final = Inspection(
    ntp="/system ntp client set enabled=yes, and /system ntp client servers add address=NTP-SERVER"
)
