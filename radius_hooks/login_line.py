"""One login attempt as a line of the login spool, written by the hook and read by the shipper.

Twelve fields, single spaces between them, a newline at the end:

    microseconds outcome reason source packet username mac line session version nas detail

In a field every byte but letters, digits and `.:/@_,+-` is written as `=XX` (two upper-case hexadecimal digits), and an
empty field as a single `=`. So no space, newline, quote or backslash is ever raw: nobody can forge a second line.

Units: microseconds since the epoch, UTC.
Next: login_spool.py
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

_FIELDS: Final = 12
_EMPTY: Final = "="
_SAFE: Final = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:/@_,+-")
_WRITTEN: Final = tuple(chr(octet) if octet in _SAFE else f"={octet:02X}" for octet in range(256))
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9.:/@_,+-]").search
_ESCAPE: Final = re.compile(rb"=([0-9A-F]{2})")
_FIELD: Final = re.compile(rb"=|(?:[A-Za-z0-9.:/@_,+-]|=[0-9A-F]{2})+")
# The longest field of RADIUS has 253 octets; a detail is ours.
_MAX_FIELD_OCTETS: Final = 300


class LoginLineError(Exception):
    """A line of the login spool can't be read; the message says which field is wrong."""


class LoginLine(msgspec.Struct, frozen=True, gc=False):
    """One login attempt. `username` are the octets that were sent; `nas_id` 0 is an unknown access device."""

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


def build_login_line(line: LoginLine) -> bytes:
    """The line with its newline."""
    username, port, detail = line.username.decode("latin-1"), line.line, line.detail
    # Nearly every login has nothing to escape: one look at all three says so.
    if _UNSAFE(username + port + detail):
        username, port, detail = (
            _written(octets)
            for octets in (line.username, port.encode(errors="replace"), detail.encode(errors="replace"))
        )
    return (
        f"{line.microseconds} {line.outcome} {line.reason} {line.source or _EMPTY} {line.packet_id}"
        f" {username or _EMPTY} {line.mac or _EMPTY} {port or _EMPTY}"
        f" {line.session_key.hex() or _EMPTY} {line.policy_version.hex() or _EMPTY} {line.nas_id} {detail or _EMPTY}\n"
    ).encode()


def read_login_line(raw: bytes) -> LoginLine:
    """The attempt in one line of the spool, with or without its newline. Raises: LoginLineError."""
    fields = raw.removesuffix(b"\n").split(b" ")
    if len(fields) != _FIELDS:
        raise LoginLineError(f"a login line has {len(fields)} fields instead of {_FIELDS}")
    for field in fields:
        if not _FIELD.fullmatch(field):
            raise LoginLineError(f"a field of a login line is not in its written form: {field[:80]!r}")
    words = [b"" if field == b"=" else _ESCAPE.sub(_octet, field) for field in fields]
    outcome = words[1].decode(errors="replace")
    if outcome not in ("accept", "reject"):
        raise LoginLineError(f"a login line has the outcome {outcome!r}")
    try:
        return LoginLine(
            microseconds=int(words[0]),
            outcome=outcome,
            reason=words[2].decode(),
            source=words[3].decode(),
            packet_id=int(words[4]),
            username=words[5],
            mac=words[6].decode(),
            line=words[7].decode(errors="replace"),
            session_key=bytes.fromhex(words[8].decode()),
            policy_version=bytes.fromhex(words[9].decode()),
            nas_id=int(words[10]),
            detail=words[11].decode(errors="replace"),
        )
    except ValueError as error:
        raise LoginLineError(f"a login line has a number or key that can't be read: {error}") from error


def _written(octets: bytes) -> str:
    return "".join([_WRITTEN[octet] for octet in octets[:_MAX_FIELD_OCTETS]])


def _octet(found: re.Match[bytes]) -> bytes:
    return bytes([int(found[1], 16)])
