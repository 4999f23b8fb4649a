"""The way from the server to the pages: what is sent is taken in whole before a thread is given to it.

Pages are plain calls in threads, and there are so many of those. Whoever sends half a form and then nothing, or reads a page and then
stops, would hold one for as long as they like, and a hundred such senders all of them. So a request waits here, where waiting costs
no thread; one that does not go on in time is answered 408, and who stops reading is let go.

Source: ASGI 3.0; PEP 3333; RFC 9110 sections 15.5.9 (408), 15.5.14 (413).

Next: app.py
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Final, TypeAlias
from urllib.parse import unquote_to_bytes

from control_plane import telemetry
from web.app import create_app

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Pages: TypeAlias = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Headers: TypeAlias = list[tuple[str, str]]

# More than the streams that may be open (web/live.py), so that pages go on while all of those are taken.
THREADS: Final = 96
# More than any page takes: which takes how much is the page's own word.
MOST_OCTETS: Final = 32 * 1024 * 1024
# Of all that is on its way at one moment.
MOST_ON_THE_WAY: Final = 512 * 1024 * 1024
# What is longer than this lies in a file meanwhile.
_IN_MEMORY: Final = 1024 * 1024
_MOST_DIGITS: Final = 15
# Between two parts of what is sent; and for all of it: so long, and a second more for each so many octets.
SILENCE_S: Final = 10.0
_FIRST_S: Final = 20.0
_OCTETS_A_S: Final = 16 * 1024
# No status: who has gone is told nothing.
_GONE: Final = -1
# For a part that is told to be taken.
_TELL_S: Final = 20.0
# An answer that says it is no longer is told at once.
_AT_ONCE: Final = 4 * 1024 * 1024
_WORDS: Final = {
    408: b"What was sent did not come in time; nothing was done.\n",
    413: b"What was sent is too large; nothing was done.\n",
    500: b"A fault of ours: it stands in the log of the web process.\n",
    503: b"Too much is being sent at this moment: try again later.\n",
}


class ClientGoneError(Exception):
    """Nobody takes what is told."""


def create_entrance() -> Entrance:
    """What the server is given."""
    return Entrance(create_app())


class Entrance:
    """The ASGI application that leads to the pages."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="page")
        self._on_the_way = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Take a request in and answer it."""
        if scope["type"] != "http":
            return
        with SpooledTemporaryFile(max_size=_IN_MEMORY) as file:
            body = _Body(file)
            try:
                refusal = await self._take_in(scope, receive, body)
                if refusal is None:
                    file.seek(0)
                    await self._lead_in(environ_of(scope, file, body.length), receive, send)
                elif refusal != _GONE:
                    await _say(send, refusal)
            finally:
                self._on_the_way -= body.length

    async def _take_in(self, scope: Message, receive: Receive, body: _Body) -> int | None:
        """None once the body is there whole; else the status of its refusal, or that its sender has gone."""
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if not declared.isdigit() or len(declared) > _MOST_DIGITS or int(declared) > MOST_OCTETS:
            return 413
        began, more = time.monotonic(), True
        while more:
            left_s = _FIRST_S + body.length / _OCTETS_A_S - (time.monotonic() - began)
            heard = asyncio.ensure_future(_heard(receive))
            done, _ = await asyncio.wait({heard}, timeout=max(0.0, min(SILENCE_S, left_s)))
            if not done:
                heard.cancel()
                return 408
            message = heard.result()
            if message["type"] != "http.request":
                return _GONE
            part = message.get("body", b"")
            body.length += len(part)
            self._on_the_way += len(part)
            if body.length > MOST_OCTETS:
                return 413
            if self._on_the_way > MOST_ON_THE_WAY:
                return 503
            try:
                body.file.write(part)
            except OSError as error:
                # The disk is full: what is small goes on meanwhile.
                telemetry.logger().error("page.not_taken_in", path=scope["path"], problem=str(error))
                return 503
            more = message.get("more_body", False)
        return None

    async def _lead_in(self, environ: dict[str, Any], receive: Receive, send: Send) -> None:
        # After its body the next thing that is heard of a request is that nobody waits for its answer any more.
        gone = asyncio.ensure_future(_heard(receive))
        told = _Told(asyncio.get_running_loop(), send, gone)
        whole = await told.loop.run_in_executor(self._threads, self._page, environ, told)
        if whole is not None:
            status, headers, content = whole
            await send(_begin(status, headers))
            await send({"type": "http.response.body", "body": content, "more_body": False})
        gone.cancel()

    def _page(self, environ: dict[str, Any], told: _Told) -> tuple[int, Headers, bytes] | None:
        """The answer where it is short; a long one, or one that has no end, is told from here."""
        try:
            return _asked(self._pages, environ, told)
        except ClientGoneError:
            return None
        except Exception:  # noqa: BLE001 - pages explain their own faults; what comes here is one of explaining
            telemetry.logger().exception("page.unexplained", path=environ["PATH_INFO"])
            if told.begun:
                return None
            return 500, [("Content-Type", "text/plain")], _WORDS[500]


@dataclass(slots=True)
class _Body:
    """What has come of a body."""

    file: IO[bytes]
    length: int = 0


class _Told:
    """What a thread tells in parts. It waits for each to be taken, and learns that nobody takes it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, send: Send, gone: asyncio.Future[Message]) -> None:
        self.loop = loop
        self.begun = False
        self._send, self._gone = send, gone

    def begin(self, status: int, headers: Headers) -> None:
        self.begun = True
        self._tell(_begin(status, headers))

    def part(self, content: bytes) -> None:
        self._tell({"type": "http.response.body", "body": content, "more_body": True})

    def end(self) -> None:
        self._tell({"type": "http.response.body", "body": b"", "more_body": False})

    def _tell(self, message: Message) -> None:
        if not asyncio.run_coroutine_threadsafe(self._taken(message), self.loop).result():
            raise ClientGoneError

    async def _taken(self, message: Message) -> bool:
        if self._gone.done():
            return False
        telling = asyncio.ensure_future(_said(self._send, message))
        either: set[asyncio.Future[Any]] = {telling, self._gone}
        await asyncio.wait(either, timeout=_TELL_S, return_when=asyncio.FIRST_COMPLETED)
        if not telling.done():
            telling.cancel()
            return False
        return telling.exception() is None


def _asked(pages: Pages, environ: dict[str, Any], told: _Told) -> tuple[int, Headers, bytes] | None:
    begun: list[tuple[int, Headers]] = []

    def start_response(status: str, headers: Headers, exc_info: object = None) -> None:
        del exc_info
        begun[:] = [(int(status[:3]), headers)]

    parts = pages(environ, start_response)
    try:
        status, headers = begun[0]
        declared = next((value for name, value in headers if name.lower() == "content-length"), None)
        if declared is not None and int(declared) <= _AT_ONCE:
            return status, headers, b"".join(parts)
        told.begin(status, headers)
        for part in parts:
            told.part(part)
        told.end()
        return None
    finally:
        if close := getattr(parts, "close", None):
            close()


def environ_of(scope: Message, body: IO[bytes], length: int) -> dict[str, Any]:
    """A request as WSGI has it. Header names with an underscore are left out: they would read as another's."""
    server, client = scope.get("server") or ("", ""), scope.get("client") or ("", "")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": str(server[0]),
        "SERVER_PORT": str(server[1]),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": str(client[0]).strip("[]"),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": body,
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for raw, value in scope["headers"]:
        name = raw.decode("latin-1").upper()
        if "_" in name or name in ("TRANSFER-ENCODING", "CONTENT-LENGTH"):
            continue
        key = "CONTENT_TYPE" if name == "CONTENT-TYPE" else f"HTTP_{name.replace('-', '_')}"
        text = value.decode("latin-1")
        environ[key] = f"{environ[key]}{'; ' if name == 'COOKIE' else ','}{text}" if key in environ else text
    if length or scope["method"] in ("POST", "PUT", "PATCH"):
        environ["CONTENT_LENGTH"] = str(length)
    return environ


def _begin(status: int, headers: Headers) -> Message:
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    return {"type": "http.response.start", "status": status, "headers": raw}


async def _say(send: Send, status: int) -> None:
    """A word of the entrance's own, after which the connection ends: what was sent may still be under way."""
    words = _WORDS[status]
    headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(words))), ("Connection", "close")]
    await send(_begin(status, headers))
    await send({"type": "http.response.body", "body": words, "more_body": False})


async def _heard(receive: Receive) -> Message:
    return await receive()


async def _said(send: Send, message: Message) -> None:
    await send(message)
