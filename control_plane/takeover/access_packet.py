"""Access-Requests as bytes, and their replies read back: what `corrente shadow` sends and compares.

Every attribute of a reply is kept as its octets, so that two replies are compared on the wire and not in anybody's
dictionary. Names are only for people.

Source: RFC 2865 sections 3, 5.2 and 5.3, RFC 3579 section 3.2.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

_HEADER: Final = struct.Struct("!BBH16s")
_VENDOR_SPECIFIC: Final = 26
_MESSAGE_AUTHENTICATOR: Final = 80
MAX_PACKET_OCTETS: Final = 4096
MAX_VALUE_OCTETS: Final = 253


class Code(IntEnum):
    """The packet codes of authentication. Source: RFC 2865 section 3, RFC 5997 section 2."""

    ACCESS_REQUEST = 1
    ACCESS_ACCEPT = 2
    ACCESS_REJECT = 3
    ACCESS_CHALLENGE = 11
    STATUS_SERVER = 12


class PacketError(Exception):
    """A reply is not a RADIUS packet, or is not signed with our secret."""


@dataclass(frozen=True, slots=True, order=True)
class WireAttribute:
    """One attribute by its numbers; `vendor` 0 for those of the RFCs."""

    vendor: int
    number: int
    value: bytes


@dataclass(frozen=True, slots=True)
class AccessReply:
    """What a server answered, with the Message-Authenticator checked and left out."""

    code: Code
    attributes: tuple[WireAttribute, ...]


def build_access_request(
    attributes: tuple[WireAttribute, ...],
    *,
    identifier: int,
    authenticator: bytes,
    secret: bytes,
    code: Code = Code.ACCESS_REQUEST,
) -> bytes:
    """An Access-Request, or a Status-Server, signed with a Message-Authenticator.

    Raises: PacketError when a value or the packet is too long.
    """
    body = bytearray()
    for attribute in attributes:
        body += _encode(attribute)
    body += bytes((_MESSAGE_AUTHENTICATOR, 18)) + bytes(16)
    length = _HEADER.size + len(body)
    if length > MAX_PACKET_OCTETS:
        raise PacketError(f"the request has {length} octets, {MAX_PACKET_OCTETS} are allowed")
    packet = bytearray(_HEADER.pack(code, identifier, length, authenticator)) + body
    packet[-16:] = hmac.digest(secret, bytes(packet), "md5")
    return bytes(packet)


def _encode(attribute: WireAttribute) -> bytes:
    limit = MAX_VALUE_OCTETS if attribute.vendor == 0 else MAX_VALUE_OCTETS - 6
    if len(attribute.value) > limit:
        raise PacketError(f"a value of attribute {attribute.number} has {len(attribute.value)} octets, {limit} fit")
    inner = bytes((attribute.number, len(attribute.value) + 2)) + attribute.value
    if attribute.vendor == 0:
        return inner
    return bytes((_VENDOR_SPECIFIC, len(inner) + 6)) + attribute.vendor.to_bytes(4, "big") + inner


def hide_password(password: bytes, *, authenticator: bytes, secret: bytes) -> bytes:
    """User-Password as PAP sends it. Source: RFC 2865 section 5.2."""
    padded = password + bytes(-len(password) % 16) or bytes(16)
    hidden, previous = b"", authenticator
    for start in range(0, len(padded), 16):
        pad = hashlib.md5(secret + previous, usedforsecurity=False).digest()
        previous = bytes(a ^ b for a, b in zip(padded[start : start + 16], pad, strict=True))
        hidden += previous
    return hidden


def chap_password(password: bytes, *, identifier: int, challenge: bytes) -> bytes:
    """CHAP-Password. Source: RFC 2865 section 5.3, RFC 1994 section 4.1."""
    answer = hashlib.md5(bytes((identifier,)) + password + challenge, usedforsecurity=False).digest()
    return bytes((identifier,)) + answer


def read_access_reply(packet: bytes, *, identifier: int, authenticator: bytes, secret: bytes) -> AccessReply:
    """The reply in `packet`, with both its signatures checked.

    Raises: PacketError that says what does not hold; a wrong secret is the usual cause.
    """
    if len(packet) < _HEADER.size:
        raise PacketError(f"a reply of {len(packet)} octets is no RADIUS packet")
    number, replied_to, length, response = _HEADER.unpack_from(packet)
    if not _HEADER.size <= length <= len(packet) or replied_to != identifier:
        raise PacketError("the reply's length or identifier does not fit the request")
    packet = packet[:length]
    expected = hashlib.md5(packet[:4] + authenticator + packet[20:] + secret, usedforsecurity=False).digest()
    if not hmac.compare_digest(expected, response):
        raise PacketError("the reply is not signed with this secret")
    try:
        code = Code(number)
    except ValueError as error:
        raise PacketError(f"a reply of code {number} to an Access-Request") from error
    attributes = _read_attributes(packet)
    _check_message_authenticator(packet, authenticator, secret)
    return AccessReply(code, attributes)


def _read_attributes(packet: bytes) -> tuple[WireAttribute, ...]:
    found: list[WireAttribute] = []
    for number, value in _split(packet[_HEADER.size :]):
        if number == _MESSAGE_AUTHENTICATOR:
            continue
        inner = _vendor_parts(value) if number == _VENDOR_SPECIFIC else ()
        found.extend(inner or (WireAttribute(0, number, value),))
    return tuple(found)


def _vendor_parts(value: bytes) -> tuple[WireAttribute, ...]:
    """The attributes in a Vendor-Specific one; none when the vendor lays them out in a way of its own."""
    if len(value) <= 6:
        return ()
    try:
        parts = _split(value[4:])
    except PacketError:
        return ()
    return tuple(WireAttribute(int.from_bytes(value[:4], "big"), number, part) for number, part in parts)


def _split(octets: bytes) -> list[tuple[int, bytes]]:
    parts: list[tuple[int, bytes]] = []
    at = 0
    while at < len(octets):
        length = octets[at + 1] if at + 1 < len(octets) else 0
        if length < 2 or at + length > len(octets):
            raise PacketError("an attribute of the reply is cut off")
        parts.append((octets[at], octets[at + 2 : at + length]))
        at += length
    return parts


def _check_message_authenticator(packet: bytes, authenticator: bytes, secret: bytes) -> None:
    at = _HEADER.size
    while at < len(packet):
        if packet[at] == _MESSAGE_AUTHENTICATOR:
            unsigned = bytearray(packet)
            unsigned[4:20] = authenticator
            unsigned[at + 2 : at + 18] = bytes(16)
            signature = hmac.digest(secret, bytes(unsigned), "md5")
            if not hmac.compare_digest(signature, packet[at + 2 : at + 18]):
                raise PacketError("the reply's Message-Authenticator does not hold")
        at += packet[at + 1]
