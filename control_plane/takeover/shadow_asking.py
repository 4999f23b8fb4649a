"""Asks two servers the same questions over UDP, not faster than told, and compares the answers.

A question is asked of both at once and each has its own time limit: a refusal that a server holds back for a second
(FreeRADIUS's reject_delay) is waited for.

Units: seconds, questions a second.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from control_plane.takeover.access_packet import (
    PacketError,
    WireAttribute,
    build_access_request,
    chap_password,
    hide_password,
    read_access_reply,
)
from control_plane.takeover.shadow import Difference, Reply, Unanswered

_USER_NAME: Final = 1
_USER_PASSWORD: Final = 2
_CHAP_PASSWORD: Final = 3
_CHAP_CHALLENGE: Final = 60
_LARGEST_PACKET: Final = 4096
# RFC 5080 section 2.2.1: the same packet again, so that the server knows it for the same question.
_TRIES: Final = 3


@dataclass(frozen=True, slots=True)
class Server:
    """One RADIUS server and how long it may take."""

    host: str
    port: int
    secret: bytes = field(repr=False)
    timeout_s: float = 3.0


@dataclass(frozen=True, slots=True)
class Question:
    """One login. The password is never shown."""

    username: str
    password: bytes = field(repr=False)
    attributes: tuple[WireAttribute, ...] = ()
    chap: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """One question and in what the answers differ."""

    username: str
    differences: tuple[Difference, ...]


Compare = Callable[[Reply, Reply], tuple[Difference, ...]]


def ask(server: Server, question: Question) -> Reply:
    """What the server answers; sent again when it stays silent for a third of its time."""
    authenticator, identifier = os.urandom(16), os.urandom(1)[0]
    try:
        packet = build_access_request(
            _attributes(question, authenticator, server.secret),
            identifier=identifier,
            authenticator=authenticator,
            secret=server.secret,
        )
        family, kind, protocol, _, address = socket.getaddrinfo(server.host, server.port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, protocol) as opened:
            opened.connect(address)
            octets = _exchange(opened, packet, server.timeout_s)
        return read_access_reply(octets, identifier=identifier, authenticator=authenticator, secret=server.secret)
    except TimeoutError:
        return Unanswered(f"nothing within {server.timeout_s:g} s")
    except (OSError, PacketError) as error:
        return Unanswered(str(error))


def _exchange(opened: socket.socket, packet: bytes, timeout_s: float) -> bytes:
    opened.settimeout(timeout_s / _TRIES)
    for last in (False,) * (_TRIES - 1) + (True,):
        opened.send(packet)
        try:
            return opened.recv(_LARGEST_PACKET)
        except TimeoutError:
            if last:
                raise
    raise AssertionError("the last try returns or raises")


def _attributes(question: Question, authenticator: bytes, secret: bytes) -> tuple[WireAttribute, ...]:
    name = WireAttribute(0, _USER_NAME, question.username.encode())
    if question.chap:
        identifier, challenge = os.urandom(1)[0], os.urandom(16)
        answer = chap_password(question.password, identifier=identifier, challenge=challenge)
        proof = [WireAttribute(0, _CHAP_PASSWORD, answer), WireAttribute(0, _CHAP_CHALLENGE, challenge)]
    else:
        hidden = hide_password(question.password, authenticator=authenticator, secret=secret)
        proof = [WireAttribute(0, _USER_PASSWORD, hidden)]
    return (name, *proof, *question.attributes)


def ask_both(
    theirs: Server, ours: Server, questions: Sequence[Question], compare: Compare, *, rate: float, parallel: int
) -> Iterator[Asked]:
    """Each question and its differences, in the order of the questions, at most `rate` a second of them."""
    pace = _Pace(rate)

    def one(question: Question) -> Asked:
        pace.wait()
        return Asked(question.username, compare(ask(theirs, question), ask(ours, question)))

    with ThreadPoolExecutor(max_workers=parallel) as pool:
        yield from pool.map(one, questions)


class _Pace:
    """Lets callers through one by one, evenly."""

    def __init__(self, rate: float) -> None:
        self._every_s = 1 / rate
        self._next = time.monotonic()
        self._lock = threading.Lock()

    def wait(self) -> None:
        with self._lock:
            now = time.monotonic()
            self._next = max(self._next, now) + self._every_s
            wait_s = self._next - now - self._every_s
        if wait_s > 0:
            time.sleep(wait_s)
