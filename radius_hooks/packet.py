"""Between the pairs of FreeRADIUS and the values of the decision: a request read, a reply written.

Every value of a reply was checked by values.py. Which attributes a login gets is put together here and nowhere else.

Next: policy_store.py
"""

from __future__ import annotations

import re
import struct
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import msgspec

from radius_hooks.decision import NO_TIME_LIMIT
from radius_hooks.line import line_of
from radius_hooks.own_attributes import OwnOutcome, merge_reply
from radius_hooks.policy_records import Level, ProfileRecord, ReplyItem
from radius_hooks.values import Pair, checked, limits

CLASS_PREFIX: Final = b"CO1"
SESSION_KEY_OCTETS: Final = 16
# RFC 2869 section 5.16: the interval must not be smaller.
SHORTEST_INTERIM_S: Final = 60
_MAC: Final = re.compile(r"\s*" + r"[:.-]?".join([r"([0-9A-Fa-f]{2})"] * 6) + r"(?![0-9A-Fa-f])")
# How nearly every device writes it: what stands between the pairs of digits.
_USUAL_SEPARATORS: Final = frozenset({":::::", "-----"})
_USUAL_MAC_CHARACTERS: Final = 17
_MAC_OCTETS: Final = 6
# Two numbers of 16 bits at the end of the session key decide the jitter; the whole of one, in per cent.
_PARTS: Final = struct.Struct("!HH")
_WHOLE: Final = 65535 * 100
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")

# What an access device takes rather than an address of the pool, then what it lets through beside it; by every name that a
# vendor file has for a pool.
_IPV4: Final = ("Framed-IP-Address", "Framed-Route")
_IPV6: Final = ("Framed-IPv6-Prefix", "Framed-IPv6-Route")
_IPV6_ADDRESS: Final = ("Framed-IPv6-Address", "Framed-IPv6-Route")
_DELEGATED: Final = ("Delegated-IPv6-Prefix", "Framed-IPv6-Route")
_INSTEAD_OF_POOL: Final = {
    "Framed-Pool": _IPV4,
    "Huawei-Framed-Pool": _IPV4,
    "Ip-Address-Pool-Name": _IPV4,
    "Cisco-AVPair=ip:addr-pool": _IPV4,
    "Framed-IPv6-Pool": _IPV6,
    "Alc-SLAAC-IPv6-Pool": _IPV6,
    "ERX-IPv6-NdRa-Pool-Name": _IPV6,
    "Stateful-IPv6-Address-Pool": _IPV6_ADDRESS,
    "Delegated-IPv6-Prefix-Pool": _DELEGATED,
    "Alc-Delegated-IPv6-Pool": _DELEGATED,
    "ERX-IPv6-Delegated-Pool-Name": _DELEGATED,
    "Huawei-Delegated-IPv6-Prefix-Pool": _DELEGATED,
    "Mikrotik-Delegated-IPv6-Pool": _DELEGATED,
}

Attributes = Mapping[str, str]


class Incoming(msgspec.Struct, frozen=True, gc=False):
    """One Access-Request as far as it can be read without knowing the account.

    `username` is None when there is none, or none that can belong to an account; `username_octets` is what was sent.
    """

    attributes: Attributes
    pairs: tuple[tuple[str, str], ...]
    source: str
    packet_id: int
    username: str | None
    username_octets: bytes
    mac: str
    circuit_id: str
    line: str


def read_request(pairs: tuple[tuple[str, str], ...]) -> Incoming:
    """The request in the pairs that rlm_python3 hands over.

    Of an attribute that is there several times the first counts, as it does for FreeRADIUS's own modules. Attributes
    under `Corrente-Raw-…` stand for those whose bytes Python can't be given as text; see policy.d/corrente.
    """
    attributes = dict(pairs[::-1])
    find = attributes.get
    source, _, packet_id = attributes["Corrente-Source"].partition(" ")
    username: str | None = find("User-Name", "")
    if "Corrente-Raw-User-Name" in attributes:
        octets, username = _restore_text(attributes)
        # What an account's own check items look at is found under its name as in any other request.
        pairs = tuple(attributes.items())
    else:
        octets = username.encode() if username else b""
    # No control character is printable, and nearly every username is: the cheaper question first.
    if not username or (not username.isprintable() and _CONTROL.search(username)):
        username = None
    circuit_id = find("ADSL-Agent-Circuit-Id", "")
    if circuit_id:
        circuit_id = normal_circuit_id(circuit_id)
    mac = normal_mac(find("Calling-Station-Id", ""))
    line = line_of(circuit_id, find("NAS-Port-Id", ""), find("NAS-Port", ""))
    return Incoming(attributes, pairs, source, int(packet_id), username, octets, mac, circuit_id, line)


def normal_mac(text: str) -> str:
    """The MAC address at the beginning of `text` as twelve lower-case digits, in any usual spelling; else empty."""
    if len(text) == _USUAL_MAC_CHARACTERS and text[2::3] in _USUAL_SEPARATORS:
        try:
            octets = bytes.fromhex(text.replace(text[2], ""))
        except ValueError:
            return ""
        # A space among the digits would have been passed over.
        if len(octets) == _MAC_OCTETS:
            return octets.hex()
    found = _MAC.match(text)
    return "".join(found.groups()).lower() if found else ""


def normal_circuit_id(value: str) -> str:
    """A circuit id from FreeRADIUS's `0x…`: its text when it is printable, else its digits in lower case."""
    if value[:2] != "0x":
        return value
    text = _text(bytes.fromhex(value[2:]))
    return text if text is not None and text.isprintable() else value[2:].lower()


def class_value(session_key: bytes, policy_version: bytes) -> str:
    """The Class attribute that the access device repeats in accounting: prefix, session key, policy version."""
    return "0x" + (CLASS_PREFIX + session_key + policy_version).hex()


class CheckedItems(msgspec.Struct, frozen=True, gc=False):
    """Items that may leave, and those that may not; `broken_limit` names one of the latter that would have limited."""

    pairs: tuple[Pair, ...]
    refused: tuple[ReplyItem, ...]
    broken_limit: str


def check_items(items: Iterable[ReplyItem], *, limiting: Collection[str] = ()) -> CheckedItems:
    """Sort items by whether their values may leave. The names in `limiting` limit whatever they are called."""
    answers = [(item, checked(item)) for item in items]
    refused = tuple(item for item, pair in answers if pair is None)
    broken = next((item.name for item in refused if item.name in limiting or limits(item.name)), "")
    return CheckedItems(tuple(pair for _, pair in answers if pair is not None), refused, broken)


def instead_of_pools(reply: Iterable[ReplyItem]) -> frozenset[str]:
    """The attributes by which a subscriber would get around the pools in a reply: a pool may be the walled garden."""
    return frozenset(other for item in reply for other in _INSTEAD_OF_POOL.get(_pool_name(item.name, item.value), ()))


def without_idle_pools(pairs: Iterable[Pair], own: Collection[str]) -> tuple[Pair, ...]:
    """What is left of a profile when the account's `own` attributes have an address: the pool that would have given one goes.

    Source: Nokia RADIUS Attributes Reference Guide 14.0.R4, table 2: Framed-Pool beside Framed-IP-Address, or Alc-Delegated-IPv6-Pool
    beside Delegated-IPv6-Prefix, is a failed host setup. Elsewhere the address wins (RouterOS manual, RADIUS Client).
    """
    return tuple(pair for pair in pairs if _INSTEAD_OF_POOL.get(_pool_name(pair[0], pair[2]), ("",))[0] not in own)


def _pool_name(name: str, value: str) -> str:
    """Cisco's pools stand in the value."""
    return f"{name}={value.strip(chr(34)).partition('=')[0]}" if name == "Cisco-AVPair" else name


def timeouts(profile: ProfileRecord, session_key: bytes, *, jitter_percent: int) -> list[Pair]:
    """Session-Timeout, Idle-Timeout and Acct-Interim-Interval of one login, those that the profile sets.

    The first gets shorter by up to the jitter, so that a cohort that logged in together does not redial together. The
    interval moves both ways, so that records do not arrive in combs. An idle timeout starts with each subscriber's last
    packet and needs no jitter. The session key decides the jitter: the same login always gets the same answer.

    Units: seconds.
    """
    session_part, interim_part = _PARTS.unpack_from(session_key, SESSION_KEY_OCTETS - _PARTS.size)
    found = []
    session_s, interim_s = profile.session_timeout_s, profile.interim_interval_s
    if session_s:
        session_s -= session_s * jitter_percent * session_part // _WHOLE
        found.append(("Session-Timeout", ":=", str(session_s or 1)))
    if profile.idle_timeout_s:
        found.append(("Idle-Timeout", ":=", str(profile.idle_timeout_s)))
    if interim_s:
        interim_s += interim_s * jitter_percent * (2 * interim_part - 65535) // _WHOLE
        found.append(("Acct-Interim-Interval", ":=", str(max(interim_s, SHORTEST_INTERIM_S))))
    return found


def within_expiry(pairs: list[Pair], time_left_s: int) -> list[Pair]:
    """The reply with no session that outlives its account. Units: seconds, NO_TIME_LIMIT for no expiry."""
    if time_left_s == NO_TIME_LIMIT:
        return pairs
    granted = [int(value) for name, _, value in pairs if name == "Session-Timeout"]
    timeout_s = min([time_left_s, *(seconds for seconds in granted if seconds)])
    rest = [pair for pair in pairs if pair[0] != "Session-Timeout"]
    return [*rest, ("Session-Timeout", ":=", str(timeout_s))]


def merge_own(
    base: Sequence[ReplyItem], outcome: OwnOutcome, *, level: Level, protected: frozenset[str]
) -> tuple[ReplyItem, ...]:
    """The whole reply with the account's own attributes in it.

    In full service an own attribute wins. Throttled or walled it must not undo the restriction: what the restricted
    profile sets (`protected`) stays as it is.
    """
    if level is not Level.FULL:
        kept = tuple(
            tuple(item for item in items if item.name.partition(":")[0] not in protected) for items in outcome.merges
        )
        outcome = replace(outcome, merges=kept)
    return merge_reply(base, outcome)


def _text(octets: bytes) -> str | None:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return None


def _restore_text(attributes: dict[str, str]) -> tuple[bytes, str | None]:
    """Give the raw attributes their names back; the octets of the username, and its text when it is one.

    What is no text is replaced in the others: good enough to name a line by.
    """
    for name in ("Calling-Station-Id", "NAS-Port-Id", "NAS-Identifier", "Called-Station-Id"):
        octets = bytes.fromhex(attributes.pop(f"Corrente-Raw-{name}", "0x")[2:])
        if octets:
            attributes[name] = octets.decode(errors="backslashreplace")
    octets = bytes.fromhex(attributes["Corrente-Raw-User-Name"][2:])
    text = _text(octets)
    if text:
        attributes["User-Name"] = text
    return octets, text
