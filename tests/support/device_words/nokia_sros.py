"""How SR OS reads overrides, from its RADIUS Attributes Reference Guide 14.0.R4, table 3: kilobits per second, e = egress."""

from __future__ import annotations

import re

from support.shaping import Shaping, Words


def read_shaping(words: Words) -> Shaping | None:
    """One override a direction: egress is to the subscriber."""
    rates = {}
    for name, value in words:
        if name == "Alc-Subscriber-QoS-Override":
            match = re.fullmatch(r"([ie]):[qp]:\d+:pir=(\d+)(?:,cir=(\d+))?", value)
            assert match, f"SR OS reads no rate in {value!r}"
            assert match[1] not in rates
            assert match[3] in (None, match[2])
            rates[match[1]] = int(match[2]) * 1000
    return Shaping(rates["e"], rates["i"]) if rates else None
