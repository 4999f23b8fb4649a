"""A stand-in for the API of a RouterOS device: the protocol of the manual over the sessions of a simulated one.

It is no RouterOS: it knows the few paths that are asked for, and prints what the manual says they print. Faults are
switched on by name. Proved by librouteros and node-routeros, clients that share no code with ours or with each other.

Source: RouterOS manual, page API; its former wiki page Manual:API for the challenge of releases before 6.43.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import secrets
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from nas_drivers.simulated.session import Session, SessionTable

Sentence = list[str]


@dataclass
class Entry:
    """One entry of an address list; `until` by time.monotonic(), None without a timeout."""

    number: str
    list: str
    address: str
    comment: str = ""
    until: float | None = None


@dataclass
class StandInRouterOsApi:
    """`end` is told which session a client removes.

    `fault`: accepts (and says nothing), cut, done and cut, silence, half (a sentence, then silence), drip,
    rows (without end), fatal, trap, wordless
    (trap), garbage, long (a word), unasked (words after an answer) or none. `login`: clear (since 6.45.1), challenge (before 6.43),
    both (between them), offered (a challenge whose answer is refused: reported of later releases).
    """

    sessions: SessionTable
    end: Callable[[Session], None]
    username: str = "corrente"
    password: str = "api password"
    fault: str = ""
    has_empty: bool = True
    login: str = "clear"
    # Logins with a name, right or wrong, and the passwords that came in clear.
    logins: int = 0
    clear_passwords: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    # Entries of address lists that clients made, and the next one's number; those of logins are their sessions'.
    entries: list[Entry] = field(default_factory=list)
    next_entry: int = 1
    # Whether it refuses to remove what a login put into a list; nobody has seen a real router's words for it.
    keeps_dynamic: bool = False
    # Told of each command before it is answered; False cuts the connection there.
    meanwhile: Callable[[str], bool] | None = None
    # Rows of other paths, such as /ppp/secret, as they are printed.
    settings: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    port: int = 0
    most_connections: int = 0
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _deaf: set[asyncio.StreamWriter] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @asynccontextmanager
    async def listening(self, address: str, tls: ssl.SSLContext | None = None, *, port: int = 0) -> Any:
        """Serve clients until the block ends."""
        server = await asyncio.start_server(self._serve, address, port, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in list(self._tasks):
                task.cancel()
            self.hang_up()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await server.wait_closed()

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._open)

    def hang_up(self) -> None:
        """As a router that is switched off and on: it knows nothing of its connections any more."""
        for writer in list(self._open):
            writer.transport.abort()

    def forget_silently(self) -> None:
        """As behind a firewall that has forgotten them: nothing on its connections is answered any more."""
        self._deaf |= self._open

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._open.add(writer)
        self.most_connections = max(self.most_connections, len(self._open))
        try:
            if self.fault == "accepts":
                await reader.read()
                return
            await self._talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            self._tasks.discard(task)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        known, challenge = False, ""
        while sentence := await _read_sentence(reader):
            tag = [word for word in sentence if word.startswith(".tag=")]
            if writer in self._deaf:
                continue
            if sentence[0] == "/quit":
                writer.write(_encoded(["!fatal", "session terminated on request"]))
                return
            if sentence[0] == "/login":
                known, challenge, replies = self._let_in(_arguments(sentence), challenge)
            elif not known:
                replies = [["!trap", "=message=not logged in"], ["!done"]]
            else:
                self.commands.append(sentence[0])
                if self.meanwhile is not None and not self.meanwhile(sentence[0]):
                    return
                if not await self._spoil(writer, tag):
                    return
                replies = list(self._answer(sentence))
                if self.fault == "done and cut":
                    return
                if self.fault == "unasked":
                    replies.append(["!re", "=name=nobody"])
            # At once: what follows an answer unasked is there when the answer is.
            writer.write(b"".join(_encoded([reply[0], *tag, *reply[1:]]) for reply in replies))
            await writer.drain()

    def _let_in(self, given: dict[str, str], challenge: str) -> tuple[bool, str, list[Sentence]]:
        """Whether the user is known now, the challenge to answer, and what is replied."""
        if "password" in given:
            self.clear_passwords.append(given["password"])
        offers = self.login != "clear" and "name" not in given
        if offers or (self.login == "challenge" and "password" in given):
            challenge = secrets.token_hex(16)
            return False, challenge, [["!done", f"=ret={challenge}"]]
        if "name" not in given:
            return False, "", [["!trap", "=message=invalid user name or password (6)"], ["!done"]]
        self.logins += 1
        if "response" in given:
            digest = hashlib.md5(b"\0" + self.password.encode() + bytes.fromhex(challenge)).hexdigest()
            takes = self.login in ("challenge", "both") and challenge != ""
            known = takes and (given.get("name"), given["response"]) == (self.username, f"00{digest}")
            refusal = "cannot log in"
        else:
            known = (given.get("name"), given.get("password")) == (self.username, self.password)
            refusal = "invalid user name or password (6)"
        return known, "", [["!done"]] if known else [["!trap", f"=message={refusal}"], ["!done"]]

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
            case "long":
                writer.write(b"\xf0\xff\xff\xff\xff")
                await writer.drain()
                await asyncio.sleep(3600)
            case "drip":
                row = _encoded(["!re", *tag, "=name=" + "a" * 100])
                writer.write(row[:-100])
                for octet in row[-100:]:
                    writer.write(bytes([octet]))
                    await writer.drain()
                    await asyncio.sleep(0.05)
                return False
            case "rows":
                while True:
                    writer.write(_encoded(["!re", *tag, "=name=anna"]))
                    await writer.drain()
                    await asyncio.sleep(0.01)
            case "half":
                writer.write(_encoded(["!re", *tag, "=name=anna"])[:-1])
                await writer.drain()
                await asyncio.sleep(3600)
            case "silence":
                await asyncio.sleep(3600)
        return True

    def _answer(self, sentence: Sentence) -> Iterator[Sentence]:
        if self.fault in ("trap", "wordless"):
            yield ["!trap", "=category=4", *(["=message=interrupted"] if self.fault == "trap" else [])]
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
            case "/ip/firewall/address-list", "add":
                yield from self._added_entry(_arguments(sentence))
            case "/ip/firewall/address-list", "set":
                yield from self._set_entry(_arguments(sentence))
            case "/ip/firewall/address-list", "remove":
                yield from self._removed_entry(_arguments(sentence)[".id"])
            case _:
                yield from _trap("no such command")

    def _printed(self, path: str, sentence: Sentence) -> Iterator[Sentence]:
        asked = [word[1:].partition("=") for word in sentence if word.startswith("?")]
        wanted = next(
            (word.removeprefix("=.proplist=").split(",") for word in sentence if word.startswith("=.proplist=")), None
        )
        rows = [row for row in self._rows(path, asked) if all(row.get(name) == value for name, _, value in asked)]
        for row in rows:
            shown = {name: value for name, value in row.items() if wanted is None or name in wanted}
            yield ["!re", *(f"={name}={value}" for name, value in shown.items())]
        if not rows and self.has_empty:
            yield ["!empty"]
        yield ["!done"]

    def _rows(self, path: str, asked: list[tuple[str, str, str]]) -> Iterator[dict[str, str]]:
        """All there are of a path, or at least those that are asked for by a subscriber's name."""
        yield from self.settings.get(path, ())
        if path == "/ip/firewall/address-list":
            yield from (_entry_row(entry) for entry in self._live_entries())
        names = [value.removeprefix("<pppoe-").removesuffix(">") for name, _, value in asked if name == "name"]
        for session in self.sessions.of(names[0]) if names else self.sessions.all():
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

    def _live_entries(self) -> list[Entry]:
        """Those whose time is not over; the others are forgotten."""
        now = time.monotonic()
        self.entries = [entry for entry in self.entries if entry.until is None or entry.until > now]
        return self.entries

    def _added_entry(self, given: dict[str, str]) -> Iterator[Sentence]:
        wanted = (given.get("list", ""), given.get("address", ""))
        if wanted in [(row["list"], row["address"]) for row in self._rows("/ip/firewall/address-list", [])]:
            yield from _trap("failure: already have such entry")
            return
        number = f"*E{self.next_entry:X}"
        self.next_entry += 1
        self.entries.append(Entry(number, *wanted, given.get("comment", ""), _ends(given.get("timeout"))))
        yield ["!done", f"=ret={number}"]

    def _set_entry(self, given: dict[str, str]) -> Iterator[Sentence]:
        found = [entry for entry in self._live_entries() if entry.number == given[".id"]]
        for entry in found:
            entry.until = _ends(given.get("timeout")) if "timeout" in given else entry.until
        yield from [["!done"]] if found else _trap("no such item")

    def _removed_entry(self, number: str) -> Iterator[Sentence]:
        row = next((row for row in self._rows("/ip/firewall/address-list", []) if row[".id"] == number), None)
        if row is None:
            yield from _trap("no such item")
        elif any(entry.number == number for entry in self.entries):
            self.entries = [entry for entry in self.entries if entry.number != number]
            yield ["!done"]
        elif self.keeps_dynamic:
            yield from _trap("failure: can not remove dynamic entry")
        else:
            for session in self.sessions.all():
                if str(session.address) == row["address"]:
                    session.address_lists = tuple(name for name in session.address_lists if name != row["list"])
            yield ["!done"]

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


def _ends(timeout: str | None) -> float | None:
    """When an entry ends that is given a time: `1h`, `59m30s`, `3600s`."""
    if not timeout:
        return None
    units = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
    return time.monotonic() + sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)([dhms])", timeout))


def _entry_row(entry: Entry) -> dict[str, str]:
    """As the manual prints it: an entry with a time is dynamic, and says how much of it is left."""
    row = {".id": entry.number, "list": entry.list, "address": entry.address}
    if entry.until is not None:
        left_s = max(0, int(entry.until - time.monotonic() + 0.5))
        hours, rest = divmod(left_s, 3_600)
        row["timeout"] = "".join(
            f"{number}{unit}" for number, unit in ((hours, "h"), (rest // 60, "m"), (rest % 60, "s")) if number
        )
    if entry.comment:
        row["comment"] = entry.comment
    return row | {"dynamic": "false" if entry.until is None else "true", "disabled": "false"}


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
