"""RADIUS requests ready to be sent, and a check of the replies: what a load generator computes before its clock starts.

Everything that costs time (MD5, HMAC, hidden passwords) is computed here, once a packet. The requests look like those
of a RouterOS PPPoE server.

Source: RFC 2865 sections 3 and 5, RFC 2866 section 3, RFC 3579 section 3.2.
Next: load.py
"""

from __future__ import annotations

import hashlib
import hmac
import os
import struct
from dataclasses import dataclass
from enum import Enum
from typing import Final

ACCESS_REQUEST: Final = 1
ACCESS_ACCEPT: Final = 2
ACCESS_REJECT: Final = 3
ACCOUNTING_REQUEST: Final = 4
ACCOUNTING_RESPONSE: Final = 5
HEADER_OCTETS: Final = 20

_USER_NAME, _USER_PASSWORD, _CHAP_PASSWORD, _NAS_IP_ADDRESS, _NAS_PORT = 1, 2, 3, 4, 5
_SERVICE_TYPE, _FRAMED_PROTOCOL, _FRAMED_IP_ADDRESS, CLASS = 6, 7, 8, 25
_CALLED_STATION_ID, _CALLING_STATION_ID, _NAS_IDENTIFIER = 30, 31, 32
_ACCT_STATUS_TYPE, _ACCT_DELAY_TIME, _ACCT_INPUT_OCTETS, _ACCT_OUTPUT_OCTETS = 40, 41, 42, 43
_ACCT_SESSION_ID, _ACCT_AUTHENTIC, _ACCT_SESSION_TIME, _ACCT_TERMINATE_CAUSE = 44, 45, 46, 49
_EVENT_TIMESTAMP, _CHAP_CHALLENGE, _NAS_PORT_TYPE, _MESSAGE_AUTHENTICATOR, _NAS_PORT_ID = 55, 60, 61, 80, 87
_ETHERNET, _FRAMED_USER, _PPP, _RADIUS, _USER_REQUEST = 15, 2, 1, 1, 1


class AccountingStatus(Enum):
    """What an Accounting-Request tells. Source: RFC 2866 section 5.1."""

    START = 1
    STOP = 2
    INTERIM = 3


@dataclass(frozen=True, slots=True)
class Subscriber:
    """One account as the load generator and all servers under test know it; made from its number alone."""

    number: int

    @property
    def username(self) -> str:
        return f"user{self.number:07d}@bench.example"

    @property
    def password(self) -> str:
        return f"pw-{self.number:07d}-x"

    @property
    def mac(self) -> str:
        return "02:" + ":".join(f"{octet:02X}" for octet in self.number.to_bytes(5, "big"))

    @property
    def address(self) -> bytes:
        """An address of 100.64.0.0/10, of which there are four million."""
        return ((100 << 24) + (64 << 16) + self.number).to_bytes(4, "big")


def _attribute(code: int, value: bytes) -> bytes:
    return bytes((code, len(value) + 2)) + value


def _number(code: int, value: int) -> bytes:
    return struct.pack("!BBI", code, 6, value)


def _hidden(password: bytes, secret: bytes, authenticator: bytes) -> bytes:
    """User-Password as it travels. Source: RFC 2865 section 5.2."""
    padded = password + b"\0" * (-len(password) % 16)
    hidden, previous = b"", authenticator
    for start in range(0, len(padded), 16):
        mask = hashlib.md5(secret + previous, usedforsecurity=False).digest()
        previous = bytes(a ^ b for a, b in zip(padded[start : start + 16], mask, strict=True))
        hidden += previous
    return hidden


def access_request(subscriber: Subscriber, *, identifier: int, secret: bytes, chap: bool = False) -> bytes:
    """A login as a PPPoE server asks it, by PAP or CHAP, with Message-Authenticator first."""
    authenticator = os.urandom(16)
    if chap:
        chap_id = identifier.to_bytes(1, "big")
        answer = hashlib.md5(chap_id + subscriber.password.encode() + authenticator, usedforsecurity=False).digest()
        proof = _attribute(_CHAP_PASSWORD, chap_id + answer) + _attribute(_CHAP_CHALLENGE, authenticator)
    else:
        proof = _attribute(_USER_PASSWORD, _hidden(subscriber.password.encode(), secret, authenticator))
    rest = (
        _attribute(_USER_NAME, subscriber.username.encode())
        + proof
        + _line(subscriber)
        + _number(_SERVICE_TYPE, _FRAMED_USER)
        + _number(_FRAMED_PROTOCOL, _PPP)
    )
    length = HEADER_OCTETS + 18 + len(rest)
    head = struct.pack("!BBH", ACCESS_REQUEST, identifier, length) + authenticator
    unsigned = head + _attribute(_MESSAGE_AUTHENTICATOR, bytes(16)) + rest
    signature = hmac.digest(secret, unsigned, "md5")
    return head + _attribute(_MESSAGE_AUTHENTICATOR, signature) + rest


def _line(subscriber: Subscriber) -> bytes:
    return (
        _attribute(_NAS_IP_ADDRESS, b"\x7f\0\0\1")
        + _attribute(_NAS_IDENTIFIER, b"bras-1")
        + _number(_NAS_PORT, subscriber.number)
        + _number(_NAS_PORT_TYPE, _ETHERNET)
        + _attribute(_NAS_PORT_ID, b"sfp1.%d" % (subscriber.number % 4000))
        + _attribute(_CALLING_STATION_ID, subscriber.mac.encode())
        + _attribute(_CALLED_STATION_ID, b"internet")
    )


@dataclass(frozen=True, slots=True)
class AccountingWord:
    """What one Accounting-Request says. Units: epoch seconds, seconds, octets."""

    status: AccountingStatus
    session_id: str
    at: int
    session_time_s: int = 0
    octets_in: int = 0
    octets_out: int = 0
    class_value: bytes = b""


def accounting_request(subscriber: Subscriber, word: AccountingWord, *, identifier: int, secret: bytes) -> bytes:
    """One word about a session, as a PPPoE server sends it."""
    attributes = (
        _attribute(_USER_NAME, subscriber.username.encode())
        + _number(_ACCT_STATUS_TYPE, word.status.value)
        + _attribute(_ACCT_SESSION_ID, word.session_id.encode())
        + _line(subscriber)
        + _number(_SERVICE_TYPE, _FRAMED_USER)
        + _number(_FRAMED_PROTOCOL, _PPP)
        + _attribute(_FRAMED_IP_ADDRESS, subscriber.address)
        + _number(_ACCT_AUTHENTIC, _RADIUS)
        + _number(_EVENT_TIMESTAMP, word.at)
        + _number(_ACCT_DELAY_TIME, 0)
    )
    if word.class_value:
        attributes += _attribute(CLASS, word.class_value)
    if word.status is not AccountingStatus.START:
        attributes += (
            _number(_ACCT_SESSION_TIME, word.session_time_s)
            + _number(_ACCT_INPUT_OCTETS, word.octets_in)
            + _number(_ACCT_OUTPUT_OCTETS, word.octets_out)
        )
    if word.status is AccountingStatus.STOP:
        attributes += _number(_ACCT_TERMINATE_CAUSE, _USER_REQUEST)
    head = struct.pack("!BBH", ACCOUNTING_REQUEST, identifier, HEADER_OCTETS + len(attributes))
    authenticator = hashlib.md5(head + bytes(16) + attributes + secret, usedforsecurity=False).digest()
    return head + authenticator + attributes


def attributes_of(packet: bytes) -> list[tuple[int, bytes]]:
    """The attributes of a packet in order. Raises: ValueError when a length does not fit."""
    found, at = [], HEADER_OCTETS
    end = int.from_bytes(packet[2:4], "big")
    while at < end:
        length = packet[at + 1] if at + 1 < end else 0
        if length < 2 or at + length > end:
            raise ValueError(f"attribute at octet {at} does not fit into the packet")
        found.append((packet[at], packet[at + 2 : at + length]))
        at += length
    return found


def is_genuine(reply: bytes, request: bytes, secret: bytes) -> bool:
    """Whether the reply was made by someone who knows the secret, for this request.

    Checks the Response Authenticator and, where there is one, Message-Authenticator.
    """
    length = int.from_bytes(reply[2:4], "big")
    if length < HEADER_OCTETS or length > len(reply) or reply[1] != request[1]:
        return False
    reply = reply[:length]
    digest = hashlib.md5(reply[:4] + request[4:20] + reply[20:] + secret, usedforsecurity=False).digest()
    if digest != reply[4:20]:
        return False
    asked_with = bytes(16) if request[0] == ACCOUNTING_REQUEST else request[4:20]
    at = HEADER_OCTETS
    for code, value in attributes_of(reply):
        if code == _MESSAGE_AUTHENTICATOR:
            unsigned = reply[:4] + asked_with + reply[20 : at + 2] + bytes(16) + reply[at + 18 :]
            if hmac.digest(secret, unsigned, "md5") != value:
                return False
        at += len(value) + 2
    return True
