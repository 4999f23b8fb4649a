"""What stand-ins of payment providers share: a server on loopback that keeps what it was told, and does wrong when it is asked to.

A stand-in is no provider: it is written from the provider's manual, and the provider's own client library is run against it
(tests/db/test_gateway_stand_ins.py). Its customers act by methods; each leaves events, which a test delivers as it likes.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Call:
    """A request as the stand-in reads it."""

    method: str
    path: str
    query: dict[str, str]
    fields: dict[str, Any]
    key: str | None
    token: str


Answer = tuple[int, dict[str, Any]]


@dataclass
class Fault:
    """What goes wrong with the next calls of a method and a path: `before` anything is done, or after it was."""

    method: str
    path: str
    kind: str
    times: int = 1
    meanwhile: Callable[[], None] | None = None

    def fits(self, call: Call) -> bool:
        return self.times > 0 and call.method == self.method and call.path.startswith(self.path)


@dataclass
class StandIn:
    """One provider. `url` is where it is asked; `faults` are used up in order."""

    secret: str
    webhook_secret: str
    url: str = ""
    faults: list[Fault] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    by_key: dict[str, Answer] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    made: int = 0

    def number(self, prefix: str) -> str:
        """A number that was not given before."""
        self.made += 1
        return f"{prefix}{self.made:08d}"

    def answer(self, call: Call) -> Answer:
        """What the provider answers."""
        raise AssertionError(f"a stand-in answers {call.path}")

    def notice(self, events: list[dict[str, Any]], **how: Any) -> tuple[dict[str, str], bytes]:
        """The request that tells of events: headers and body."""
        raise AssertionError(f"a stand-in tells {events}, {how}")

    def repeated(self, call: Call, make: Callable[[], Answer]) -> Answer:
        """The same key is the same call."""
        if call.key is None:
            return make()
        if call.key not in self.by_key:
            self.by_key[call.key] = make()
        return self.by_key[call.key]

    @contextmanager
    def listening(self) -> Iterator[StandIn]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        server.daemon_threads = True
        self.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def _handler(stand_in: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 10

        def _serve(self) -> None:
            call = _read(self)
            with stand_in.lock:
                fault = next((one for one in stand_in.faults if one.fits(call)), None)
                if fault is not None:
                    fault.times -= 1
                stand_in.calls.append(call)
                refused = call.token != stand_in.secret
            if fault is not None and fault.kind in ("maintenance", "busy", "closed before", "rubbish"):
                self._wrong(fault)
                return
            if refused:
                self._send(401, {"error": {"message": "no such key", "errors": []}})
                return
            with stand_in.lock:
                status, body = stand_in.answer(call)
            if fault is not None and fault.meanwhile is not None:
                fault.meanwhile()
            if fault is not None and fault.kind == "closed after":
                self.close_connection = True
                return
            if fault is not None and fault.kind == "slow":
                time.sleep(1.2)
            self._send(status, body)

        do_GET = do_POST = do_PUT = _serve  # the names that http.server calls

        def _wrong(self, fault: Fault) -> None:
            if fault.kind == "closed before":
                self.close_connection = True
                return
            if fault.kind == "rubbish":
                self.wfile.write(b"HTTP/1.1 2\x0000 x\r\n\r\n")
                self.close_connection = True
                return
            page = b"<html>Back in a moment</html>"
            self._write(200 if fault.kind == "maintenance" else 503, page, "text/html")

        def _send(self, status: int, body: dict[str, Any]) -> None:
            self._write(status, json.dumps(body).encode(), "application/json")

        def _write(self, status: int, content: bytes, kind: str) -> None:
            try:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            except OSError:
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is said."""

    return Handler


def _read(handler: BaseHTTPRequestHandler) -> Call:
    parts = urlsplit(handler.path)
    content = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
    if "json" in (handler.headers.get("Content-Type") or ""):
        fields = json.loads(content) if content else {}
    else:
        fields = unflattened(parse_qsl(content.decode(), keep_blank_values=True))
    token = (handler.headers.get("Authorization") or "").removeprefix("Bearer ")
    return Call(
        handler.command, parts.path, dict(parse_qsl(parts.query)), fields, handler.headers.get("Idempotency-Key"), token
    )


def unflattened(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """`a[b][0][c]=x` as nested dicts; lists are dicts by number."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        first, *rest = name.replace("]", "").split("[")
        here = found
        for step, following in zip([first, *rest], rest, strict=False):
            here = here.setdefault(step, {})
            assert isinstance(here, dict), (name, following)
        here[[first, *rest][-1]] = value
    return found
