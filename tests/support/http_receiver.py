"""A stand-in for somebody else's HTTP server: keeps what it was sent, and answers as a script says.

Its answers are written octet by octet by the test, so that it can be slow, cut off, endless or wrong.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

# What a step of the script does with the connection once the request is read; bytes are sent as they stand.
Step = bytes | Callable[[socket.socket], None]
OK: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def answer(status: int, *headers: str, body: bytes = b"no") -> bytes:
    """A whole answer."""
    lines = [f"HTTP/1.1 {status} x", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@dataclass
class Received:
    """One request as it came."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """`script` has what is answered next; when it is over, `otherwise`."""

    port: int
    script: list[Step] = field(default_factory=list)
    otherwise: Step = OK
    received: list[Received] = field(default_factory=list)
    hold: threading.Event = field(default_factory=threading.Event)

    def url(self, scheme: str = "http", host: str = "127.0.0.1") -> str:
        """Where it listens."""
        return f"{scheme}://{host}:{self.port}/in"


@contextmanager
def receiver(trust: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Listen on a free port of this machine until the block ends; with `trust`, over TLS."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        made = Receiver(listening.getsockname()[1])
        threads: list[threading.Thread] = []

        def accept() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                threads.append(threading.Thread(target=_serve, args=(connection, made, trust), daemon=True))
                threads[-1].start()

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        try:
            yield made
        finally:
            made.hold.set()
            listening.shutdown(socket.SHUT_RDWR)
            accepting.join(60)
            for thread in threads:
                thread.join(60)


def _serve(connection: socket.socket, made: Receiver, trust: ssl.SSLContext | None) -> None:
    try:
        connection.settimeout(5)
        line = connection if trust is None else trust.wrap_socket(connection, server_side=True)
        with connection, line:
            made.received.append(_read(line))
            step = made.script.pop(0) if made.script else made.otherwise
            if isinstance(step, bytes):
                line.sendall(step)
            else:
                step(line)
    except (OSError, ValueError):
        connection.close()  # the caller gave up, or did not trust us


def _read(line: socket.socket) -> Received:
    head = b""
    while b"\r\n\r\n" not in head:
        piece = line.recv(4096)
        if not piece:
            raise ValueError("nothing was asked")
        head += piece
    head, _, body = head.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in rest)}
    while len(body) < int(headers.get("content-length", 0)):
        body += line.recv(65536)
    return Received(first, headers, body)
