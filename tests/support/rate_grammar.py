"""How a device reads the rates it is sent, written from the vendors' manuals and from nothing in nas_drivers.

Each reader returns the directions as the subscriber knows them, in bit/s.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_UNITS = {"": 1, "k": 1_000, "M": 1_000_000}
_WORD = r"(\d+)([kM]?)"


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


def _rx_tx(word: str) -> tuple[int, int]:
    """`rx[/tx]`: a missing tx repeats rx."""
    match = re.fullmatch(rf"{_WORD}(?:/{_WORD})?", word)
    assert match, f"RouterOS reads no rate in {word!r}"
    rx = int(match[1]) * _UNITS[match[2]]
    tx = int(match[3]) * _UNITS[match[4]] if match[3] else rx
    return rx, tx


def read_routeros(text: str) -> Shaping:
    """RouterOS manual, page RADIUS: rx is from the subscriber; groups in a fixed order; defaults for those left out."""
    groups = text.split(" ")
    assert 1 <= len(groups) <= 6, text
    up, down = _rx_tx(groups[0])
    burst_up, burst_down = _rx_tx(groups[1]) if len(groups) > 1 else (0, 0)
    threshold_up, threshold_down = _rx_tx(groups[2]) if len(groups) > 2 else ((up, down) if burst_up else (0, 0))
    time_rx, time_tx = _rx_tx(groups[3]) if len(groups) > 3 else ((1, 1) if burst_up else (0, 0))
    assert time_rx == time_tx
    priority = int(groups[4]) if len(groups) > 4 else 8
    assert 1 <= priority <= 8
    minimum_up, minimum_down = _rx_tx(groups[5]) if len(groups) > 5 else (None, None)
    return Shaping(
        down, up, burst_down, burst_up, threshold_down, threshold_up, time_rx, priority, minimum_down, minimum_up
    )


def read_accel_ppp(text: str) -> Shaping:
    """accel-ppp's shaper: `down/up`, kbit when there is no unit."""
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    assert match, f"accel-ppp reads no rate in {text!r}"
    return Shaping(int(match[1]) * 1000, int(match[2]) * 1000)
