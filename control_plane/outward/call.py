"""One HTTP request to somebody else's server, within limits: the name is resolved once, and what was looked at is called.

No redirect is followed: it could lead anywhere. What the other side does (silence, an octet a second, endless answers,
rubbish) ends at the limits, and comes back as a value.

Units: *_s seconds, octets.
Source: RFC 9110, RFC 9112.
"""

from __future__ import annotations

import http.client
import io
import queue
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from billing.plain_text import plain_text
from billing.sentence import Sentence
from control_plane.outward.target import Target, TargetError, may_reach, read_target

_PIECE: Final = 16384
# What this machine trusts is read anew after so long: its list changes with updates.
_TRUST_S: Final = 3600.0
# Beyond what is read of the content: status lines, headers, chunk sizes, and what is buffered ahead.
_HEAD_OCTETS: Final = 128 * 1024
# The longest pause that anybody is let ask for.
_MOST_WAIT_S: Final = 24 * 3600.0
_FORBIDDEN_IN_HEADERS: Final = ("\r", "\n", "\0")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a call may take in all, and how much of the answer is read."""

    connect_s: float = 5.0
    total_s: float = 10.0
    answer_octets: int = 65536


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of whom. Host, Content-Length and Connection are added."""

    url: str
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answered:
    """The server answered; `whole` is False where the body was longer than what is read. Header names are small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    address: str
    took_s: float
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Unanswered:
    """No answer. `sent`: something of the request may have arrived, so what it did is not known."""

    problem: str
    sent: bool
    address: str | None
    took_s: float


def call(
    request: Request,
    limits: Limits,
    *,
    allow_private: bool = False,
    trust: ssl.SSLContext | None = None,
) -> Answered | Unanswered:
    """Ask, and wait for the answer. `trust`: whose certificates are taken, if not those of this machine. Never raises for what the network does."""
    assert not any(bad in text for pair in request.headers.items() for text in pair for bad in _FORBIDDEN_IN_HEADERS)
    line = _Line(limits)
    try:
        target = read_target(request.url, allow_private=allow_private)
        address = line.resolve(target, allow_private=allow_private)
        line.open(target, address, trust)
        line.send(_head(request, target) + request.body)
        return line.answer(request.method)
    except (TargetError, UnicodeError) as error:
        return line.unanswered(str(error))
    except TimeoutError:
        return line.unanswered(f"no whole answer within {limits.total_s:g} s")
    except ssl.SSLCertVerificationError as error:
        return line.unanswered(f"its certificate is not taken: {error.verify_message}")
    except (http.client.HTTPException, ValueError) as error:
        return line.unanswered(f"what it answered is not HTTP: {type(error).__name__} {error}"[:300])
    except OSError as error:
        return line.unanswered(error.strerror or str(error))
    finally:
        line.close()


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """The pause that an answer asks for, a day at most; a date is not read (RFC 9110 section 10.2.3 has both)."""
    text = headers.get("retry-after", "")
    return min(float(text), _MOST_WAIT_S) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _addresses(target: Target, *, within_s: float) -> list[str]:
    """What the name stands for. Raises: OSError, UnicodeError; TimeoutError when nobody said within the time.

    A look-up can't be given up, so it has a thread of its own, which ends when the resolver has had enough.
    """
    came: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
            came.put(list(dict.fromkeys(str(one[4][0]) for one in found)))
        except (OSError, UnicodeError) as error:
            came.put(error)

    threading.Thread(target=look_up, name="look-up", daemon=True).start()
    try:
        said = came.get(timeout=within_s)
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(said, Exception):
        raise said
    return said


def _allowed(target: Target, addresses: list[str], *, allow_private: bool) -> tuple[str, int]:
    """The first of them that may be called. Raises: TargetError."""
    allowed = [one for one in addresses if may_reach(one, allow_private=allow_private)]
    if not allowed:
        raise TargetError(
            Sentence(
                "%(host)s is %(addresses)s: no public address, so it is not called; allow_private_addresses in the settings lets it be",
                host=target.host,
                addresses=", ".join(addresses),
            )
        )
    return allowed[0], target.port


def machine_trust() -> ssl.SSLContext:
    """Whose certificates this machine takes. Made once an hour and not for each call: reading them costs 20 ms."""
    return _trust_of_hour(int(time.monotonic() // _TRUST_S))


@lru_cache(maxsize=1)
def _trust_of_hour(_hour: int) -> ssl.SSLContext:
    return ssl.create_default_context()


def _head(request: Request, target: Target) -> bytes:
    lines = [
        f"{request.method} {target.path} HTTP/1.1",
        f"Host: {target.authority}",
        *(f"{name}: {value}" for name, value in request.headers.items()),
        f"Content-Length: {len(request.body)}",
        "Connection: close",
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


class _Line(io.RawIOBase):
    """A connection with one deadline for all that is done on it."""

    def __init__(self, limits: Limits) -> None:
        super().__init__()
        self._limits = limits
        self._began = time.monotonic()
        self._socket: socket.socket | None = None
        self._address: str | None = None
        self._sent = False
        self._read = 0

    def resolve(self, target: Target, *, allow_private: bool) -> tuple[str, int]:
        """Where the call goes, within what is left of the time. Raises: TargetError, OSError, UnicodeError."""
        return _allowed(target, _addresses(target, within_s=self._left_s()), allow_private=allow_private)

    def open(self, target: Target, address: tuple[str, int], trust: ssl.SSLContext | None) -> None:
        self._address = address[0]
        plain = socket.create_connection(address, min(self._limits.connect_s, self._left_s()))
        self._socket = plain
        if target.tls:
            # The name that was typed is what the certificate is for, whatever address it had.
            context = trust or machine_trust()
            self._socket = context.wrap_socket(plain, server_hostname=target.host)

    def send(self, octets: bytes) -> None:
        line, view = self._ready(), memoryview(octets)
        self._sent = True
        while view:
            line.settimeout(self._left_s())
            view = view[line.send(view[:_PIECE]) :]

    def answer(self, method: str) -> Answered:
        with http.client.HTTPResponse(self, method=method) as response:  # type: ignore[arg-type]  # it asks makefile() of it
            response.begin()
            most = self._limits.answer_octets
            body = response.read(most + 1)
            if len(body) <= most and response.length:
                raise http.client.IncompleteRead(body, response.length)
            headers = {name.lower(): value for name, value in response.getheaders()}
            assert self._address is not None, "it answered from there"
            return Answered(response.status, headers, body[:most], self._address, self._took_s(), len(body) <= most)

    def unanswered(self, problem: str) -> Unanswered:
        return Unanswered(plain_text(problem), self._sent, self._address, self._took_s())

    def makefile(self, _mode: str) -> io.BufferedReader:
        """What http.client reads the answer from."""
        return io.BufferedReader(self, _PIECE)

    def readable(self) -> bool:
        """As a file says it."""
        return True

    def readinto(self, into: memoryview) -> int:  # type: ignore[override]  # any buffer; io gives a memoryview
        """What has come, within what is left of the time."""
        line = self._ready()
        line.settimeout(self._left_s())
        count = line.recv_into(into)
        self._read += count
        if self._read > self._limits.answer_octets + _HEAD_OCTETS:
            raise http.client.HTTPException(f"it has more than {_HEAD_OCTETS} octets before its content")
        return count

    def close(self) -> None:
        """End the connection, answered or not; harmless twice."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        super().close()

    def _ready(self) -> socket.socket:
        assert self._socket is not None, "open() comes first"
        return self._socket

    def _took_s(self) -> float:
        return time.monotonic() - self._began

    def _left_s(self) -> float:
        left_s = self._limits.total_s - self._took_s()
        if left_s <= 0:
            raise TimeoutError
        return left_s
