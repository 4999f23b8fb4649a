"""What tshark says of a packet, out of its JSON.

It knows the vendors by dictionaries of its own (/usr/share/wireshark/radius).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

_UNKNOWN: Final = "VSA: t=Unknown-Attribute("


def faults(layers: dict[str, Any]) -> list[str]:
    """Everything that it found wrong: malformed parts, warnings, RFC attributes that it does not know."""
    found = [
        f"{name}: {value}"
        for name, value in _everything(layers)
        if name in {"_ws.malformed", "_ws.expert.message"} or "malformed" in name.lower() or "unknown" in name.lower()
    ]
    return found if "radius" in layers else [*found, f"no RADIUS: {', '.join(layers)}"]


def shown_attributes(layers: dict[str, Any]) -> list[str]:
    """The attributes that it took apart, as hex; a vendor's one is one."""
    shown = layers["radius"]["Attribute Value Pairs"]["radius.avp"]
    return [one.replace(":", "") for one in ([shown] if isinstance(shown, str) else shown)]


def unknown_vendor_attributes(layers: dict[str, Any]) -> set[tuple[int, int]]:
    """(vendor, number) of those that its dictionaries lack, which are of 2022 at the latest."""
    trees = layers["radius"]["Attribute Value Pairs"]["radius.avp_tree"]
    return {
        (int(one["radius.avp.vendor_id"]), int(inner["radius.avp.vendor_type"]))
        for one in ([trees] if isinstance(trees, dict) else trees)
        for name, inner in one.items()
        if name.startswith(_UNKNOWN)
    }


def authenticator_is_right(layers: dict[str, Any]) -> bool:
    """Whether it worked out the same authenticator; it does so for answers whose request it has seen."""
    return ("radius.authenticator.valid", "1") in _everything(layers["radius"])


def _everything(tree: dict[str, Any]) -> Iterator[tuple[str, object]]:
    """All names and values, but what stands in a vendor's attribute that it does not know."""
    for name, value in tree.items():
        if name.startswith(_UNKNOWN):
            continue
        yield name, value
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict):
                yield from _everything(one)
