"""What tshark says of a packet, out of its JSON.

It knows the vendors by dictionaries of its own (/usr/share/wireshark/radius).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def faults(layers: dict[str, Any]) -> list[str]:
    """Everything that it found wrong: malformed parts, warnings, attributes that it does not know."""
    found = [
        f"{name}: {value}"
        for name, value in _everything(layers)
        if name in {"_ws.malformed", "_ws.expert.message"} or "unknown" in name.lower() or "malformed" in name.lower()
    ]
    return found if "radius" in layers else [*found, f"no RADIUS: {', '.join(layers)}"]


def shown_attributes(layers: dict[str, Any]) -> list[str]:
    """The attributes that it took apart, as hex; a vendor's one is one."""
    shown = layers["radius"]["Attribute Value Pairs"]["radius.avp"]
    return [one.replace(":", "") for one in ([shown] if isinstance(shown, str) else shown)]


def authenticator_is_right(layers: dict[str, Any]) -> bool:
    """Whether it worked out the same authenticator; it does so for answers whose request it has seen."""
    return ("radius.authenticator.valid", "1") in _everything(layers["radius"])


def _everything(tree: dict[str, Any]) -> Iterator[tuple[str, object]]:
    for name, value in tree.items():
        yield name, value
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict):
                yield from _everything(one)
