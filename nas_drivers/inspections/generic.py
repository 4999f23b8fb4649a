"""A device of which nothing is known but that it speaks RADIUS: nothing is looked at.

Source: RFC 5176 section 6.3.
Next: ../inspection.py
"""

from __future__ import annotations

from typing import Final

from nas_drivers.inspection import Inspection

INSPECTION: Final = Inspection(ntp="by NTP, as its manual says")
