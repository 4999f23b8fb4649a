"""How accel-ppp's shaper reads the rates it is sent, written from its source."""

from __future__ import annotations

import re

from support.shaping import Shaping, Words


def read_shaping(words: Words) -> Shaping | None:
    """Filter-Id, which its shaper reads unless told otherwise."""
    said = [value for name, value in words if name == "Filter-Id"]
    assert len(said) <= 1
    return read_accel_ppp(said[0]) if said else None


def read_accel_ppp(text: str) -> Shaping:
    """accel-ppp's shaper: `down/up`, kbit when there is no unit."""
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    assert match, f"accel-ppp reads no rate in {text!r}"
    return Shaping(int(match[1]) * 1000, int(match[2]) * 1000)
