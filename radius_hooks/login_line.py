"""One login attempt as a line of the login spool, written by the hook and read by the shipper.

Twelve fields, single spaces between them, a newline at the end:

    microseconds outcome reason source packet username mac line session version nas detail

In a field every byte but letters, digits and `.:/@_,+-` is written as `=XX` (two upper-case hexadecimal digits), and an
empty field as `-`. So no space, newline, quote or backslash is ever raw: nobody can forge a second line, and no program
on the way changes one. A line that begins with `refused ` was accepted by the hook and refused by the module that checked
the password after it.

Units: microseconds since the epoch, UTC.
Next: module.py
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from radius_hooks.decision import RejectReason

_FIELDS: Final = 12
_REFUSED: Final = b"refused "
_SAFE: Final = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:/@_,+-")
_WRITTEN: Final = tuple(chr(octet) if octet in _SAFE else f"={octet:02X}" for octet in range(256))
_SAFE_TEXT: Final = re.compile(r"[A-Za-z0-9.:/@_,+-]+")
_ESCAPE: Final = re.compile(rb"=([0-9A-F]{2})")
_RAW: Final = re.compile(rb"(?:[A-Za-z0-9.:/@_,+-]|=[0-9A-F]{2})+")
# The longest field of RADIUS has 253 octets; a detail is ours.
_MAX_FIELD_OCTETS: Final = 300


class LoginLineError(Exception):
    """A line of the login spool can't be read; the message says which field is wrong."""


@dataclass(frozen=True, slots=True)
class LoginLine:
    """One login attempt. Bytes where the device may have sent anything; `nas_id` 0 is an unknown one."""

    microseconds: int
    outcome: str
    reason: str
    source: str
    packet_id: int
    username: bytes
    mac: str
    line: str
    session_key: bytes
    policy_version: bytes
    nas_id: int
    detail: str


def build_login_line(line: LoginLine) -> str:
    """The line without its newline."""
    return (
        f"{line.microseconds} {line.outcome} {line.reason} {line.source or '-'} {line.packet_id}"
        f" {_written_octets(line.username)} {line.mac or '-'} {_written(line.line)} {line.session_key.hex() or '-'}"
        f" {line.policy_version.hex() or '-'} {line.nas_id} {_written(line.detail)}"
    )


def read_login_line(raw: bytes) -> LoginLine:
    """The attempt in one line of the spool, with or without its newline. Raises: LoginLineError."""
    text = raw.removesuffix(b"\n")
    refused = text.startswith(_REFUSED)
    fields = text.removeprefix(_REFUSED).split(b" ")
    if len(fields) != _FIELDS:
        raise LoginLineError(f"a login line has {len(fields)} fields instead of {_FIELDS}")
    for field in fields:
        if not _RAW.fullmatch(field):
            raise LoginLineError(f"a field of a login line is not in its written form: {field[:80]!r}")
    words = [_read(field) for field in fields]
    outcome = words[1].decode()
    if outcome not in ("accept", "reject"):
        raise LoginLineError(f"a login line has the outcome {outcome!r}")
    try:
        return LoginLine(
            microseconds=int(words[0]),
            outcome="reject" if refused else outcome,
            reason=RejectReason.WRONG_PASSWORD.value if refused else words[2].decode(),
            source=words[3].decode(),
            packet_id=int(words[4]),
            username=words[5],
            mac=words[6].decode(),
            line=words[7].decode(errors="replace"),
            # A session key that was never given out names no session.
            session_key=b"" if refused else bytes.fromhex(words[8].decode()),
            policy_version=b"" if refused else bytes.fromhex(words[9].decode()),
            nas_id=int(words[10]),
            detail="the password does not match" if refused else words[11].decode(errors="replace"),
        )
    except ValueError as error:
        raise LoginLineError(f"a login line has a number or key that can't be read: {error}") from error


def _written(text: str) -> str:
    if _SAFE_TEXT.fullmatch(text) and len(text) <= _MAX_FIELD_OCTETS and text != "-":
        return text
    return _written_octets(text.encode(errors="replace"))


def _written_octets(octets: bytes) -> str:
    if octets == b"-":
        return "=2D"
    return "".join(map(_WRITTEN.__getitem__, octets[:_MAX_FIELD_OCTETS])) or "-"


def _read(field: bytes) -> bytes:
    if field == b"-":
        return b""
    return _ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), field)
