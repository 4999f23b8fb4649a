"""Turns a value into the text that FreeRADIUS parses to exactly that value, or refuses it.

FreeRADIUS 3.2.1 sends a value that does not parse as zero, cuts off what is too long and asks the DNS for what looks like
a host name, all without a word. So everything is checked here, before it is stored and again before it leaves.
What is said of FreeRADIUS's parser was seen on the wire: tests/radius/test_dictionary_values.py.

Source: RFC 2865 section 5, RFC 2868, RFC 8044.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from typing import Final

from nas_drivers.dictionaries.attribute import AttributeType

# Lowest and highest value of each whole-number type.
_RANGES: Final = {
    "byte": (0, 2**8 - 1),
    "short": (0, 2**16 - 1),
    "integer": (0, 2**32 - 1),
    "date": (0, 2**32 - 1),
    "signed": (-(2**31), 2**31 - 1),
    "integer64": (0, 2**64 - 1),
}
# RFC 2868 section 3.1: the tag takes the first of the four octets.
_TAGGED_INTEGER_MAX: Final = 2**24 - 1
_ETHER: Final = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}$")
_IFID: Final = re.compile(r"[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){3}$")


def canonical_value(attribute: AttributeType, text: str) -> str:
    r"""The text that FreeRADIUS parses to the value that `text` means.

    An enumerated name becomes its number, an address its shortest form, octets `0x` and hex digits. A string keeps its
    letters, with each backslash doubled, because FreeRADIUS undoes escapes in values from Python (`a\nb` would arrive as
    two lines): so call this once for each value, not on its own result.

    Raises: ValueError that names the attribute and the value.
    """
    check = _CHECKS.get(attribute.kind)
    if check is None:
        raise ValueError(f"{attribute.name}: values of type {attribute.kind} can't be set")
    if text == "" or "\0" in text:
        raise ValueError(f"{attribute.name}: {text!r} is empty or holds a NUL; RADIUS can't carry it")
    try:
        return check(attribute, text)
    except ValueError as error:
        raise ValueError(f"{attribute.name}: {text!r} is no {attribute.kind}: {error}") from error


def _whole_number(attribute: AttributeType, text: str) -> str:
    number = attribute.values.get(text.lower())
    if number is None:
        digits = text.strip()
        if re.fullmatch(r"[+-]?[0-9]+|0[xX][0-9a-fA-F]+", digits, re.ASCII) is None:
            named = f", nor one of its {len(attribute.values)} names" if attribute.values else ""
            raise ValueError(f"expected a whole number{named}")
        number = int(digits, 16) if digits[:2].lower() == "0x" else int(digits)
    low, high = _RANGES[attribute.kind]
    high = min(high, _TAGGED_INTEGER_MAX) if attribute.tagged else high
    if not low <= number <= high:
        raise ValueError(f"expected {low} to {high}")
    return str(number)


def _ipv4_address(_: AttributeType, text: str) -> str:
    if text.isdecimal():
        return str(IPv4Address(int(text)))
    return str(IPv4Address(text.removesuffix("/32")))


def _ipv6_address(_: AttributeType, text: str) -> str:
    if "%" in text:
        raise ValueError("a zone can't be carried")
    return str(IPv6Address(text.removesuffix("/128")))


def _either_address(attribute: AttributeType, text: str) -> str:
    return _ipv6_address(attribute, text) if ":" in text else _ipv4_address(attribute, text)


def _ipv4_prefix(_: AttributeType, text: str) -> str:
    # FreeRADIUS clears the host bits; a bare address is one host.
    return str(IPv4Interface(text).network)


def _ipv6_prefix(_: AttributeType, text: str) -> str:
    if "%" in text:
        raise ValueError("a zone can't be carried")
    return str(IPv6Interface(text).network)


def _interface_id(_: AttributeType, text: str) -> str:
    if _IFID.match(text.lower()) is None:
        raise ValueError("expected four groups of hex digits such as 0:0:0:1")
    return ":".join(f"{int(group, 16):x}" for group in text.split(":"))


def _ether(_: AttributeType, text: str) -> str:
    lower = text.lower().replace("-", ":")
    if _ETHER.match(lower) is None:
        raise ValueError("expected six octets such as 02:00:5e:00:53:01")
    return lower


def _fitting(attribute: AttributeType, octets: bytes) -> bytes:
    if attribute.fixed_octets and len(octets) != attribute.fixed_octets:
        raise ValueError(f"expected {attribute.fixed_octets} octets, not {len(octets)}")
    if len(octets) > attribute.max_octets and not attribute.concatenated:
        raise ValueError(f"expected {attribute.max_octets} octets at most, not {len(octets)}")
    return octets


def _string(attribute: AttributeType, text: str) -> str:
    _fitting(attribute, text.encode())
    return text.replace("\\", "\\\\")


def _octets(attribute: AttributeType, text: str) -> str:
    # As FreeRADIUS reads them: hex behind 0x, else the letters themselves.
    octets = bytes.fromhex(text[2:]) if text[:2].lower() == "0x" else text.encode()
    if not octets:
        raise ValueError("RADIUS carries no empty value")
    return "0x" + _fitting(attribute, octets).hex()


_CHECKS: Final[dict[str, Callable[[AttributeType, str], str]]] = {
    **dict.fromkeys(_RANGES, _whole_number),
    "ipaddr": _ipv4_address,
    "ipv6addr": _ipv6_address,
    "combo-ip": _either_address,
    "ipv4prefix": _ipv4_prefix,
    "ipv6prefix": _ipv6_prefix,
    "ifid": _interface_id,
    "ether": _ether,
    "string": _string,
    "octets": _octets,
}
