"""Two RADIUS servers asked the same question: are the answers the same, attribute by attribute? Pure.

What can't be equal is left aside, each for a reason that is said here, and nothing else is.

Next: shadow_asking.py
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Final

from control_plane.takeover.access_packet import AccessReply, Code, WireAttribute
from nas_drivers.dictionaries.reader import Dictionary

_REPLY_MESSAGE: Final = (0, 18)
_CLASS: Final = (0, 25)
_SESSION_TIMEOUT: Final = (0, 27)
_INTERIM: Final = (0, 85)
# Class names the session and is another at each login; a server repeats Proxy-State and makes State.
_OF_THE_PACKET: Final = frozenset({_CLASS, (0, 24), (0, 33)})
# Two servers count an expiry down from two moments.
_CLOCK_SECONDS: Final = 5
_SECONDS: Final = frozenset({_SESSION_TIMEOUT, _INTERIM})
_INTEGERS: Final = frozenset({"integer", "byte", "short", "date", "signed", "integer64"})


@dataclass(frozen=True, slots=True)
class Unanswered:
    """No usable reply, and why."""

    why: str


Reply = AccessReply | Unanswered


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which two replies differ, in words. `theirs` or `ours` is empty where there is nothing."""

    what: str
    theirs: str
    ours: str


def compare_replies(
    theirs: Reply, ours: Reply, dictionary: Dictionary, *, jitter_percent: int
) -> tuple[Difference, ...]:
    """The differences between two replies to one question; none when a subscriber would not notice.

    Left aside: Class, State and Proxy-State; the order of attributes of different names; Reply-Message in a refusal,
    which Corrente does not send; timeouts within the configured jitter, or within some seconds of an expiry.
    """
    if isinstance(theirs, Unanswered) or isinstance(ours, Unanswered):
        both_silent = isinstance(theirs, Unanswered) and isinstance(ours, Unanswered)
        return () if both_silent else (Difference("answer", _answer(theirs), _answer(ours)),)
    if theirs.code is not ours.code:
        return (Difference("answer", _answer(theirs), _answer(ours)),)
    aside = _OF_THE_PACKET | ({_REPLY_MESSAGE} if theirs.code is Code.ACCESS_REJECT else frozenset())
    there, here = _by_number(theirs), _by_number(ours)
    found: list[Difference] = []
    for number in sorted({*there, *here} - aside):
        left, right = there.get(number, ()), here.get(number, ())
        if left != right and not _within_jitter(number, left, right, jitter_percent):
            name, kind = _named(number, dictionary)
            found.append(Difference(name, _shown(left, kind), _shown(right, kind)))
    return tuple(found)


def _answer(reply: Reply) -> str:
    return f"no answer ({reply.why})" if isinstance(reply, Unanswered) else reply.code.name.replace("_", "-").title()


def _by_number(reply: AccessReply) -> Mapping[tuple[int, int], tuple[bytes, ...]]:
    found: dict[tuple[int, int], tuple[bytes, ...]] = {}
    for one in reply.attributes:
        number = (one.vendor, one.number)
        found[number] = (*found.get(number, ()), one.value)
    return found


def _within_jitter(
    number: tuple[int, int], left: tuple[bytes, ...], right: tuple[bytes, ...], jitter_percent: int
) -> bool:
    """Whether two times differ by no more than our jitter: a session may be shorter by it, an interval differs both ways."""
    if number not in _SECONDS or len(left) != 1 or len(right) != 1 or len(left[0]) != 4 or len(right[0]) != 4:
        return False
    theirs_s, ours_s = int.from_bytes(left[0], "big"), int.from_bytes(right[0], "big")
    jitter_s = theirs_s * jitter_percent / 100 + 1
    longest_s = theirs_s + (jitter_s if number == _INTERIM else _CLOCK_SECONDS)
    return theirs_s - jitter_s - _CLOCK_SECONDS <= ours_s <= longest_s


def _named(number: tuple[int, int], dictionary: Dictionary) -> tuple[str, str]:
    vendor, own = number
    name = f"Attr-26.{vendor}.{own}" if vendor else f"Attr-{own}"
    attribute = dictionary.attribute(name)
    return (name, "octets") if attribute is None else (attribute.name, attribute.kind)


def _shown(values: tuple[bytes, ...], kind: str) -> str:
    return ", ".join(show_value(value, kind) for value in values)


def show_value(value: bytes, kind: str) -> str:
    """A value for a person: text, number or address where its octets fit its kind, else hex."""
    if kind == "string":
        text = value.decode(errors="backslashreplace")
        return text if text.isprintable() else repr(text)
    if kind in _INTEGERS and 0 < len(value) <= 8:
        return str(int.from_bytes(value, "big"))
    if kind == "ipaddr" and len(value) == 4:
        return str(IPv4Address(value))
    if kind == "ipv6addr" and len(value) == 16:
        return str(IPv6Address(value))
    if kind == "ipv6prefix" and 2 <= len(value) <= 18 and value[1] <= 128:
        return str(IPv6Network((value[2:].ljust(16, b"\0"), value[1]), strict=False))
    return "0x" + value.hex()


def encode_attribute(name: str, text: str, dictionary: Dictionary) -> WireAttribute:
    """An attribute for a question, from its name and value as a person writes them. Raises: ValueError."""
    attribute = dictionary.attribute(name)
    if (
        attribute is None
        or not attribute.on_wire
        or len(attribute.path) != 1
        or attribute.tagged
        or attribute.encrypted
    ):
        raise ValueError(f"{name}: no attribute that can be put into a question")
    vendor = attribute.vendor.number if attribute.vendor else 0
    return WireAttribute(vendor, attribute.number, _encoded(attribute.kind, attribute.values, name, text))


def _encoded(kind: str, values: Mapping[str, int], name: str, text: str) -> bytes:
    if kind == "string":
        return text.encode()
    if kind == "octets":
        return bytes.fromhex(text[2:]) if text.startswith("0x") else text.encode()
    if kind == "integer":
        number = values.get(text.lower())
        return (int(text) if number is None else number).to_bytes(4, "big")
    if kind == "ipaddr":
        return IPv4Address(text).packed
    if kind == "ipv6addr":
        return IPv6Address(text).packed
    if kind == "ipv6prefix":
        network = IPv6Network(text)
        return bytes((0, network.prefixlen)) + network.network_address.packed
    raise ValueError(f"{name}: a value of type {kind} can't be put into a question")
