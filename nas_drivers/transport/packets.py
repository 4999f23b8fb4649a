"""CoA- and Disconnect-Requests to bytes, answers back to values. Pure; alone in importing pyrad.

pyrad encodes, signs and verifies. What it leaves open is done here: values are checked against our dictionary before it
sees them (it would take octets that begin with `0x` for hex digits), and an answer's code must fit its request.

Source: RFC 5176 sections 2.3, 3.4, 3.5; RFC 2869 section 5.14.
Next: pacing.py
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from pyrad.dictionary import Dictionary as PyradDictionary
from pyrad.packet import CoAPacket, PacketError

from nas_drivers.dictionaries import canonical, reader
from nas_drivers.errors import NasError, printable
from nas_drivers.policy import Attribute

MAX_PACKET_OCTETS: Final = 4096
_DICTIONARY: Final = Path(reader.__file__).with_name("dictionary.changes")
_WHOLE_NUMBERS: Final = frozenset({"integer", "date", "short", "byte"})
_REPLY_MESSAGE: Final = 18
_ERROR_CAUSE: Final = 101
# Four octets on the wire; the registry's values have three digits. What is beyond says nothing that anybody knows.
_LARGEST_CAUSE: Final = 65_535
# Request code -> the code that acknowledges it, the one that refuses it.
_ANSWERS: Final = {40: (41, 42), 43: (44, 45)}
# No attribute of ours is a secret; one that speaks of one is never shown all the same.
_SECRET_NUMBERS: Final = frozenset({"attr-2", "attr-3", "attr-69"})
_MICROSOFT: Final = "attr-26.311."
_SECRET_WORDS: Final = ("password", "secret", "authenticator", "mppe", "ms-chap", "mschap")


class UnsendableError(NasError):
    """A request can't be written as a packet; the message names the attribute and the value."""


@dataclass(frozen=True, slots=True)
class Written:
    """A request as it goes on the wire; every retransmission is these same octets."""

    raw: bytes
    attributes: str
    packet: Any


@dataclass(frozen=True, slots=True)
class Answer:
    """A genuine answer. `attributes` is one `Name = value` a line."""

    code: int
    acknowledged: bool
    error_cause: int | None
    message: str
    attributes: str


def check_attributes(attributes: Iterable[Attribute]) -> tuple[tuple[str, int | str], ...]:
    """The attributes as pyrad takes them. Raises: UnsendableError."""
    known = reader.load_dictionary(_DICTIONARY)
    checked: list[tuple[str, int | str]] = []
    for attribute in attributes:
        kind = known.attribute(attribute.name)
        if kind is None:
            raise UnsendableError(f"{attribute.name} is not in {_DICTIONARY.name}: add it there to send it")
        try:
            text = canonical.canonical_value(kind, attribute.value)
        except ValueError as error:
            raise UnsendableError(str(error)) from error
        # canonical_value doubles backslashes for FreeRADIUS's parser; pyrad has none.
        value = attribute.value if kind.kind == "string" else text
        name = kind.name if kind.tag is None else f"{kind.name}:{kind.tag}"
        checked.append((name, int(text) if kind.kind in _WHOLE_NUMBERS else value))
    return tuple(checked)


def write_request(
    code: int,
    identifier: int,
    checked: Sequence[tuple[str, int | str]],
    *,
    secret: bytes,
    timestamp: int | None,
    sign: bool,
) -> Written:
    """A signed request. `timestamp` is the Event-Timestamp in epoch seconds. Raises: UnsendableError."""
    packet = CoAPacket(code=code, id=identifier, secret=secret, dict=_dictionary())
    try:
        for name, value in checked:
            packet.AddAttribute(name, value)
        if timestamp is not None:
            packet.AddAttribute("Event-Timestamp", timestamp)
        if sign:
            packet.add_message_authenticator()
        raw: bytes = packet.RequestPacket()
    except (KeyError, TypeError, ValueError) as error:
        raise UnsendableError(f"a request of code {code} can't be written: {error}") from error
    if len(raw) > MAX_PACKET_OCTETS:
        raise UnsendableError(f"a request of code {code} has {len(raw)} octets, RADIUS takes {MAX_PACKET_OCTETS}")
    return Written(raw, _request_lines(checked, timestamp, sign=sign), packet)


def read_answer(raw: bytes, request: Written) -> Answer | str:
    """The answer in a datagram, or why it is none: not RADIUS, not made with the secret, or of another exchange."""
    try:
        reply = CoAPacket(packet=raw, secret=request.packet.secret, dict=_dictionary())
        genuine = request.packet.VerifyReply(reply, raw)
    except (PacketError, ValueError, IndexError) as error:
        return f"malformed: {error}"
    if not genuine:
        return "wrong authenticator"
    codes = _ANSWERS[request.packet.code]
    if reply.code not in codes:
        return "wrong code"
    causes = [int.from_bytes(value, "big") for value in reply.get(_ERROR_CAUSE, []) if len(value) == 4]
    cause = causes[0] if causes and causes[0] <= _LARGEST_CAUSE else None
    messages = [value.decode("utf-8", "replace") for value in reply.get(_REPLY_MESSAGE, [])]
    return Answer(
        code=reply.code,
        acknowledged=reply.code == codes[0],
        error_cause=cause,
        message=printable(" ".join(messages)),
        attributes=_lines(reply),
    )


def _request_lines(checked: Sequence[tuple[str, int | str]], timestamp: int | None, *, sign: bool) -> str:
    """One `Name = value` a line, in the order they go on the wire."""
    lines = ["Message-Authenticator = ***"] if sign else []
    lines += [f"{name} = {'***' if _is_secret(name) else printable(str(value))}" for name, value in checked]
    if timestamp is not None:
        lines.append(f"Event-Timestamp = {timestamp}")
    return "\n".join(lines)


def _lines(packet: Any) -> str:
    """One `Name = value` a line, as on the wire; values of one line, what is signed or secret as ***."""
    return "\n".join(f"{_name(key)} = {shown}" for key in packet for shown in _shown(packet, key))


def _shown(packet: Any, key: int | tuple[int, int]) -> list[str]:
    """The values of an attribute as text; those that are not in our dictionary, or break its type, as hex digits."""
    name = _name(key)
    raws: list[bytes] = packet[key]
    if _is_secret(name):
        return ["***"] * len(raws)
    if name.startswith("Attr-"):
        return ["0x" + raw.hex() for raw in raws]
    try:
        values = packet[name]
    except (ValueError, TypeError, IndexError, struct.error):
        return ["0x" + raw.hex() for raw in raws]
    return ["0x" + value.hex() if isinstance(value, bytes) else printable(str(value)) for value in values]


@lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    lower = name.lower()
    return lower in _SECRET_NUMBERS or lower.startswith(_MICROSOFT) or any(word in lower for word in _SECRET_WORDS)


@lru_cache(maxsize=1024)
def _name(key: int | tuple[int, int]) -> str:
    number = f"Attr-26.{key[0]}.{key[1]}" if isinstance(key, tuple) else f"Attr-{key}"
    known = reader.load_dictionary(_DICTIONARY).attribute(number)
    return number if known is None else known.name


@lru_cache(maxsize=1)
def _dictionary() -> Any:
    return PyradDictionary(str(_DICTIONARY))
