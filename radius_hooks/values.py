"""Whether a value may leave: FreeRADIUS 3.2.1 sends one that it can't read as zero, and a zero can mean "no limit".

So each value is checked against the data type of its attribute, and written as FreeRADIUS reads it back unchanged.

Source: src/lib/value.c of release 3.2.1 (value_data_from_str with the quote `"`); RFC 2865 section 5.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

from radius_hooks.policy_store import ReplyItem

OPERATORS: Final = frozenset({":=", "=", "+="})
# RFC 2865 section 5: one attribute carries 253 octets; inside a vendor attribute six of them name vendor and type.
MAX_OCTETS: Final = 253
MAX_VENDOR_OCTETS: Final = 247
_TAG_OCTETS: Final = 1
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,127}(:(3[01]|[12]?[0-9]))?")
_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,19}")
_SIGNED: Final = re.compile(r"0|-?[1-9][0-9]{0,9}")
_HEX: Final = re.compile(r"0x([0-9a-fA-F]{2}){1,253}")
_IFID: Final = re.compile(r"[0-9a-fA-F]{1,4}(:[0-9a-fA-F]{1,4}){3}")
_ETHER: Final = re.compile(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}")
# Attributes of the RFCs that carry text; any other name is taken for a vendor's, which has less room.
_RFC_STRINGS: Final = frozenset(
    {
        "Callback-Id", "Callback-Number", "Connect-Info", "Delegated-IPv6-Prefix-Pool", "Filter-Id",
        "Framed-IPv6-Pool", "Framed-IPv6-Route", "Framed-Pool", "Framed-Route", "Login-LAT-Group",
        "Reply-Message", "Route-IPv6-Information", "Stateful-IPv6-Address-Pool", "User-Name",
    }
)  # fmt: skip
# Words in the names of attributes that keep a subscriber within limits, whatever the vendor.
_LIMITING_WORDS: Final = (
    "rate", "limit", "pool", "list", "filter", "policy", "qos", "bandwidth", "profile", "group", "avpair", "shap",
    "service-activate", "redirect", "acl",
)  # fmt: skip

Pair = tuple[str, str, str]


def checked(item: ReplyItem) -> Pair | None:
    """The item as FreeRADIUS takes it: name, operator, value. None when it must not leave.

    Only decimal numbers pass for numeric types: a name of an enumerated value is turned into its number where the
    dictionary is known, when the policy store is written. Text is taken as that step leaves it, its backslashes doubled.
    """
    if item.op not in OPERATORS or not _NAME.fullmatch(item.name):
        return None
    check = _CHECKS.get(item.kind)
    if check is None:
        return None
    value = check(item.name, item.value)
    return None if value is None else (item.name, item.op, value)


def limits(name: str) -> bool:
    """Whether an attribute holds a subscriber within what was bought; without it the line might be unlimited."""
    lowered = name.lower()
    return any(word in lowered for word in _LIMITING_WORDS)


def quoted(octets: bytes) -> str:
    """`octets` written so that FreeRADIUS reads back exactly them.

    It takes a value from Python for the inside of a double-quoted string, so a password `a\\n` would become a newline.
    """
    if not octets.translate(None, _PLAIN):
        return octets.decode()
    return "".join(_QUOTED[octet] for octet in octets)


def read_quoted(text: str) -> bytes:
    """The octets that FreeRADIUS makes of a value from Python. Raises: ValueError for one that it refuses."""
    octets = text.encode()
    if b"\\" not in octets:
        return octets
    if not _READABLE.fullmatch(octets):
        raise ValueError("a backslash at the end, or before three digits that are not octal, is read as something else")
    return _ESCAPE.sub(lambda found: _ESCAPED.get(found[1]) or bytes([int(found[1], 8) & 0xFF]), octets)


_READABLE: Final = re.compile(rb"(?:[^\\]|\\[0-7]{3}|\\(?![0-9]{3}).)*", re.DOTALL)
_ESCAPE: Final = re.compile(rb"\\([rnt\\\"]|[0-7]{3})")
_ESCAPED: Final = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"\\": b"\\", b'"': b'"'}
# All that is printable but the backslash.
_PLAIN: Final = bytes(octet for octet in range(0x20, 0x7F) if octet != 0x5C)
_QUOTED: Final = tuple(
    "\\\\" if octet == 0x5C else chr(octet) if 0x20 <= octet < 0x7F else f"\\{octet:03o}" for octet in range(256)
)


def _string(name: str, value: str) -> str | None:
    try:
        octets = read_quoted(value)
    except ValueError:
        return None
    room = MAX_OCTETS if name.partition(":")[0] in _RFC_STRINGS else MAX_VENDOR_OCTETS
    if ":" in name:
        room -= _TAG_OCTETS
    return value if 0 < len(octets) <= room and b"\x00" not in octets else None


def _octets(_: str, value: str) -> str | None:
    return value if _HEX.fullmatch(value) and len(value) <= 2 + 2 * MAX_VENDOR_OCTETS else None


def _unsigned(bits: int) -> Callable[[str, str], str | None]:
    def check(name: str, value: str) -> str | None:
        # A tag takes the highest of the four octets (RFC 2868 section 3.1).
        limit = bits - 8 if ":" in name else bits
        return value if _DECIMAL.fullmatch(value) and int(value) < 1 << limit else None

    return check


def _signed(_: str, value: str) -> str | None:
    return value if _SIGNED.fullmatch(value) and -(1 << 31) <= int(value) < 1 << 31 else None


def _ipv4(_: str, value: str) -> str | None:
    try:
        return str(IPv4Address(value.removesuffix("/32")))
    except ValueError:
        return None


def _ipv6(_: str, value: str) -> str | None:
    try:
        address = IPv6Address(value.removesuffix("/128"))
    except ValueError:
        return None
    return None if address.scope_id else str(address)


def _either_ip(name: str, value: str) -> str | None:
    return _ipv6(name, value) if ":" in value else _ipv4(name, value)


def _ipv4_prefix(_: str, value: str) -> str | None:
    try:
        return str(IPv4Network(value, strict=False)) if "/" in value else None
    except ValueError:
        return None


def _ipv6_prefix(_: str, value: str) -> str | None:
    # Without a length FreeRADIUS would make it a /128.
    try:
        return str(IPv6Network(value, strict=False)) if "/" in value else None
    except ValueError:
        return None


def _matching(pattern: re.Pattern[str]) -> Callable[[str, str], str | None]:
    def check(_: str, value: str) -> str | None:
        return value if pattern.fullmatch(value) else None

    return check


_CHECKS: Final[dict[str, Callable[[str, str], str | None]]] = {
    "string": _string,
    "octets": _octets,
    "byte": _unsigned(8),
    "short": _unsigned(16),
    "integer": _unsigned(32),
    "integer64": _unsigned(64),
    "date": _unsigned(32),
    "signed": _signed,
    "ipaddr": _ipv4,
    "combo-ip": _either_ip,
    "ipv6addr": _ipv6,
    "ipv4prefix": _ipv4_prefix,
    "ipv6prefix": _ipv6_prefix,
    "ifid": _matching(_IFID),
    "ether": _matching(_ETHER),
}
