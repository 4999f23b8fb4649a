"""What a subscriber gets, as a reader in device_words/VENDOR.py makes it out of the attributes that the device is sent.

Such a reader is written from the vendor's manual and from nothing in nas_drivers: `read_shaping(words)`, where `words` are
(name, value) of the attributes; None when they hold no rate. test_vendor_contract.py finds it by its file name.
"""

from __future__ import annotations

from dataclasses import dataclass

Words = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Shaping:
    """What one subscriber gets. Units: bit/s, seconds."""

    down: int
    up: int
    burst_down: int = 0
    burst_up: int = 0
    threshold_down: int = 0
    threshold_up: int = 0
    burst_time_s: int = 0
    priority: int = 8
    minimum_down: int | None = None
    minimum_up: int | None = None
