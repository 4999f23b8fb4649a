"""Ericsson SmartEdge: how its clock is set. Its command line is not used, so nothing else is looked at.

Source: SmartEdge OS command list, `ntp server`.
Next: ../inspection.py
"""

from __future__ import annotations

from typing import Final

from nas_drivers.inspection import Inspection

INSPECTION: Final = Inspection(ntp="ntp server NTP-SERVER")
