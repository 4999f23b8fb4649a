"""How VyOS reads the rates it is sent, written from its documentation (PPPoE Server, Bandwidth Shaping, For RADIUS users)."""

from __future__ import annotations

import re

from support.shaping import Shaping, Words


def read_shaping(words: Words) -> Shaping | None:
    """`Filter-Id=2000/3000` means 2000 kbit/s to the subscriber and 3000 kbit/s from it."""
    said = [value for name, value in words if name == "Filter-Id"]
    assert len(said) <= 1
    if not said:
        return None
    match = re.fullmatch(r"(\d+)/(\d+)", said[0])
    assert match, f"VyOS reads no rate in {said[0]!r}"
    return Shaping(int(match[1]) * 1000, int(match[2]) * 1000)
