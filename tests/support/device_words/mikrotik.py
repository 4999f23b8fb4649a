"""How RouterOS reads the rates it is sent, written from its manual."""

from __future__ import annotations

import re

from support.shaping import Shaping, Words

_UNITS = {"": 1, "k": 1_000, "M": 1_000_000}
_WORD = r"(\d+)([kM]?)"


def read_shaping(words: Words) -> Shaping | None:
    """Mikrotik-Rate-Limit, which beats all others."""
    said = [value for name, value in words if name == "Mikrotik-Rate-Limit"]
    assert len(said) <= 1
    return read_routeros(said[0]) if said else None


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
