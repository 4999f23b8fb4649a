"""How an EdgeRouter reads the rates it is sent: WISPr 1.0, maximum rates in bit/s, whole numbers of 32 bits."""

from __future__ import annotations

from support.shaping import Shaping, Words


def read_shaping(words: Words) -> Shaping | None:
    """Up is from the subscriber."""
    said = {name: int(value) for name, value in words if name.startswith("WISPr-")}
    if not said:
        return None
    assert all(0 < value < 2**32 for value in said.values())
    return Shaping(said["WISPr-Bandwidth-Max-Down"], said["WISPr-Bandwidth-Max-Up"])
