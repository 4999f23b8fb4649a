"""The enforcement log against what devices heard and answered: whether it explains every packet, and has none beside.

The log says of each packet when, to whom, its code, identifier and attributes; a device says the octets. Both are brought to
the same few facts, by a reader of RADIUS that is part of neither.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from support.fleet import Device

_USER_NAME, _ACCT_SESSION_ID, _EVENT_TIMESTAMP, _ERROR_CAUSE, _VENDOR = 1, 44, 55, 101, 26
REQUESTS = (40, 43)
LOG = """
SELECT p.enforcement_id, extract(epoch FROM p.at)::float8, p.direction, p.code, p.identifier, p.peer, p.attributes, p.error_cause,
       e.username, e.acct_session_id, e.reason, e.level::text, e.nas_id
FROM enforcement_packet p LEFT JOIN enforcement e ON e.id = p.enforcement_id WHERE p.code > 0 ORDER BY p.at
"""


@dataclass(frozen=True)
class Request:
    """A change request as anybody can tell it from another: who it went to, what it is, about which session, made when."""

    peer: str
    code: int
    identifier: int
    username: str
    session_id: str
    stamp: str
    attributes: int


@dataclass(frozen=True)
class Reply:
    """An answer: from whom, what, to which identifier, with which Error-Cause."""

    peer: str
    code: int
    identifier: int
    error_cause: int | None


@dataclass
class Ledger:
    """What does not add up. `unlogged` by the other end's port: heard, and not in the log; `unheard` the other way round."""

    heard: int = 0
    logged: int = 0
    answers: int = 0
    unlogged: list[tuple[float, int, Request]] = field(default_factory=list)
    unheard: list[tuple[float, Request]] = field(default_factory=list)
    unsaid: list[Reply] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)
    users: set[str] = field(default_factory=set)
    made: Counter[tuple[str, str]] = field(default_factory=Counter)

    def made_for(self, request: Request) -> int:
        """How many different requests devices heard about the session that one is about."""
        return self.made[(request.username, request.session_id)]


def attributes_of(octets: bytes) -> list[tuple[int, bytes]]:
    """Number and value of each attribute. Source: RFC 2865 section 5."""
    found, at = [], 20
    while at < len(octets):
        found.append((octets[at], octets[at + 2 : at + octets[at + 1]]))
        at += octets[at + 1]
    return found


def request_in(octets: bytes, peer: str) -> Request:
    """What a device heard."""
    attributes = attributes_of(octets)
    values = dict(attributes)
    stamp = values.get(_EVENT_TIMESTAMP)
    return Request(
        peer,
        octets[0],
        octets[1],
        values[_USER_NAME].decode(),
        values[_ACCT_SESSION_ID].decode(),
        "" if stamp is None else str(int.from_bytes(stamp, "big")),
        len(attributes),
    )


def request_logged(code: int, identifier: int, peer: str, text: str) -> Request:
    """What the log says was sent."""
    said = dict(re.findall(r"^([^ ]+) = (.*)$", text, re.MULTILINE))
    return Request(
        peer,
        code,
        identifier,
        said.get("User-Name", "?"),
        said.get("Acct-Session-Id", "?"),
        said.get("Event-Timestamp", ""),
        len(text.splitlines()),
    )


def reply_in(octets: bytes, peer: str) -> Reply:
    """What a device answered."""
    cause = dict(attributes_of(octets)).get(_ERROR_CAUSE)
    return Reply(peer, octets[0], octets[1], None if cause is None else int.from_bytes(cause, "big"))


def compare(devices: list[Device], log: list[Any]) -> Ledger:
    """Every packet of both sides against the other; `log` are the rows of LOG."""
    ledger = Ledger()
    asked: dict[Request, list[tuple[float, int]]] = {}
    said: Counter[Reply] = Counter()
    for device in devices:
        peer = f"{device.nas.address}:{device.nas.coa_port}"
        for one in device.wire:
            if one.came:
                asked.setdefault(request_in(one.octets, peer), []).append((one.at, one.other_end[1]))
                ledger.heard += 1
            else:
                said[reply_in(one.octets, peer)] += 1
    logged: dict[Request, list[float]] = {}
    for row in log:
        _note(ledger, logged, said, row)
    for request, times in asked.items():
        ledger.made[(request.username, request.session_id)] += 1
        have = len(logged.get(request, ()))
        ledger.unlogged += [(at, port, request) for at, port in times[have:]]
    for request, moments in logged.items():
        have = len(asked.get(request, ()))
        ledger.unheard += [(at, request) for at in moments[have:]]
    return ledger


def _note(ledger: Ledger, logged: dict[Request, list[float]], said: Counter[Reply], row: Any) -> None:
    """One row of the log: whose packet it is and why there was one, and whether the device has its side of an answer."""
    number, at, direction, code, identifier, peer, text, cause, username, session_id, reason, level, nas_id = row
    if direction == "received":
        ledger.answers += 1
        reply = Reply(peer, code, identifier, cause)
        if said[reply] == 0:
            ledger.unsaid.append(reply)
        said[reply] -= 1
        return
    request = request_logged(code, identifier, peer, text)
    logged.setdefault(request, []).append(at)
    ledger.logged += 1
    ledger.users.add(request.username)
    if (request.username, request.session_id) != (username, session_id) or not reason or not level or nas_id is None:
        ledger.unexplained.append(f"enforcement {number} does not say who and why: {row}")
