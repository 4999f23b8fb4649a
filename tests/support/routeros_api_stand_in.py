"""A stand-in for the API of a RouterOS device: the protocol of the manual over the sessions of a simulated one.

It is no RouterOS: it knows the few paths that are asked for, and prints what the manual says they print. Faults are
switched on by name. Proved by librouteros, a client that shares no code with ours.

Source: RouterOS manual, page API.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from nas_drivers.simulated.session import Session, SessionTable

Sentence = list[str]


@dataclass
class StandInRouterOsApi:
    """`end` is told which session a client removes. `fault`: cut, silence, drip, fatal, trap, garbage or none."""

    sessions: SessionTable
    end: Callable[[Session], None]
    username: str = "corrente"
    password: str = "api password"
    fault: str = ""
    has_empty: bool = True
    logins: int = 0
    commands: list[str] = field(default_factory=list)
    # Rows of other paths, such as /ppp/secret, as they are printed.
    settings: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    port: int = 0

    @asynccontextmanager
    async def listening(self, address: str, tls: ssl.SSLContext | None = None) -> Any:
        """Serve clients until the block ends."""
        server = await asyncio.start_server(self._serve, address, 0, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        known = False
        try:
            while sentence := await _read_sentence(reader):
                tag = [word for word in sentence if word.startswith(".tag=")]
                if sentence[0] == "/login":
                    known = self._is_known(sentence)
                    replies = (
                        [["!done"]] if known else [["!trap", "=message=invalid user name or password (6)"], ["!done"]]
                    )
                elif not known:
                    replies = [["!trap", "=message=not logged in"], ["!done"]]
                else:
                    self.commands.append(sentence[0])
                    if not await self._spoil(writer, tag):
                        return
                    replies = list(self._answer(sentence))
                for reply in replies:
                    writer.write(_encoded([reply[0], *tag, *reply[1:]]))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def _is_known(self, sentence: Sentence) -> bool:
        self.logins += 1
        given = _arguments(sentence)
        return (given.get("name"), given.get("password")) == (self.username, self.password)

    async def _spoil(self, writer: asyncio.StreamWriter, tag: list[str]) -> bool:
        """Do what the fault says; False when the connection is over."""
        match self.fault:
            case "cut":
                writer.write(_encoded(["!re", *tag, "=name=anna"])[:9])
                await writer.drain()
                return False
            case "fatal":
                writer.write(_encoded(["!fatal", "session terminated on request"]))
                await writer.drain()
                return False
            case "garbage":
                writer.write(b"\xff\xff\xff\xff\xff\xff")
                await writer.drain()
                return False
            case "drip":
                for octet in _encoded(["!re", *tag, "=name=" + "a" * 100]):
                    writer.write(bytes([octet]))
                    await writer.drain()
                    await asyncio.sleep(0.05)
                return False
            case "silence":
                await asyncio.sleep(3600)
        return True

    def _answer(self, sentence: Sentence) -> Iterator[Sentence]:
        if self.fault == "trap":
            yield ["!trap", "=category=4", "=message=interrupted"]
            yield ["!done"]
            return
        path, _, command = sentence[0].rpartition("/")
        match path, command:
            case "/ppp/active" | "/queue/simple" | "/ip/firewall/address-list", "print":
                yield from self._printed(path, sentence)
            case _, "print" if path in self.settings:
                yield from self._printed(path, sentence)
            case "/ppp/active", "remove":
                yield from self._removed_session(_arguments(sentence)[".id"])
            case _:
                yield from _trap("no such command")

    def _printed(self, path: str, sentence: Sentence) -> Iterator[Sentence]:
        asked = [word[1:].partition("=") for word in sentence if word.startswith("?")]
        wanted = next(
            (word.removeprefix("=.proplist=").split(",") for word in sentence if word.startswith("=.proplist=")), None
        )
        rows = [row for row in self._rows(path) if all(row.get(name) == value for name, _, value in asked)]
        for row in rows:
            shown = {name: value for name, value in row.items() if wanted is None or name in wanted}
            yield ["!re", *(f"={name}={value}" for name, value in shown.items())]
        if not rows and self.has_empty:
            yield ["!empty"]
        yield ["!done"]

    def _rows(self, path: str) -> Iterator[dict[str, str]]:
        yield from self.settings.get(path, ())
        for session in self.sessions.all():
            lists = session.address_lists if path == "/ip/firewall/address-list" else ()
            for place, name in enumerate(lists):
                yield {
                    ".id": f"*D{session.nas_port:X}{place}",
                    "list": name,
                    "address": str(session.address),
                    "dynamic": "true",
                    "disabled": "false",
                }
            if path == "/ppp/active":
                yield self._active(session)
            if path == "/queue/simple" and session.rates.up_bps:
                limit = f"{session.rates.up_bps}/{session.rates.down_bps or 0}"
                yield {".id": f"*Q{session.nas_port:X}", "name": f"<pppoe-{session.username}>", "max-limit": limit}

    def _active(self, session: Session) -> dict[str, str]:
        up_s = max(0, int(time.time() - session.started_at))
        days, rest = divmod(up_s, 86_400)
        hours, rest = divmod(rest, 3_600)
        return {
            ".id": f"*{session.nas_port:X}",
            "name": session.username,
            "service": "pppoe",
            "caller-id": session.calling_station_id,
            "address": str(session.address),
            "uptime": f"{days}d{hours}h{rest // 60}m{rest % 60}s",
            "session-id": f"0x{session.session_id}",
            "radius": "true",
        }

    def _removed_session(self, number: str) -> Iterator[Sentence]:
        found = [session for session in self.sessions.all() if f"*{session.nas_port:X}" == number]
        for session in found:
            self.end(session)
        yield from [["!done"]] if found else _trap("no such item")


def _trap(words: str) -> Iterator[Sentence]:
    yield ["!trap", f"=message={words}"]
    yield ["!done"]


def _arguments(sentence: Sentence) -> dict[str, str]:
    return {name: value for name, _, value in (word[1:].partition("=") for word in sentence if word.startswith("="))}


def _encoded(sentence: Sentence) -> bytes:
    return b"".join(_word(word.encode()) for word in sentence) + b"\0"


def _word(word: bytes) -> bytes:
    length = len(word)
    if length < 0x80:
        return bytes([length]) + word
    assert length < 0x4000
    return (length | 0x8000).to_bytes(2, "big") + word


async def _read_sentence(reader: asyncio.StreamReader) -> Sentence:
    words: Sentence = []
    while True:
        first = (await reader.readexactly(1))[0]
        length = first if first < 0x80 else (first & 0x3F) << 8 | (await reader.readexactly(1))[0]
        if length == 0:
            return words
        words.append((await reader.readexactly(length)).decode("utf-8", "surrogateescape"))
