"""Access devices that acknowledge every change: one process with a socket on each of 200 loopback addresses.

It checks every request's authenticator, and says of each session when it acknowledged a change of it. Beside them
FreeRADIUS's radclient, started once a session, which is how other systems tell a device.

Units: seconds of the machine's monotonic clock, which all its processes share.
"""

from __future__ import annotations

import multiprocessing
import os
import selectors
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import md5
from typing import Final

from benchmarks.answering import BenchmarkError
from nas_drivers.driver import driver_for
from nas_drivers.policy import BitRate, RatePair, SessionIdentity, SessionPolicy
from nas_drivers.transport.coa import ChangeRequest, ChangeTarget

NASES: Final = 200
SECRET: Final = b"a shared secret of 32 characters"
_SLOWER: Final = SessionPolicy(rate=RatePair(BitRate(8_000_000), BitRate(800_000)))
_ACCT_SESSION_ID: Final = 44
# When a session was acknowledged, and its number.
_WORD: Final = struct.Struct("=dq")
_READ_OCTETS: Final = 1 << 16


def session_id(number: int) -> str:
    """The Acct-Session-Id of a session that the devices can say something of."""
    return f"81{number:06x}"


def request(number: int) -> ChangeRequest:
    """A CoA-Request of another rate for a session."""
    driver = driver_for("mikrotik")
    identity = SessionIdentity(f"subscriber{number:07}", session_id(number))
    attributes = driver.identity_attributes(identity, detail=0) + driver.change_attributes(_SLOWER)
    return ChangeRequest(43, attributes)


@dataclass(slots=True)
class Acknowledgements:
    """What the devices have said, session by session."""

    _times: dict[int, list[float]] = field(default_factory=dict)
    _news: threading.Condition = field(default_factory=threading.Condition)

    def add(self, words: bytes) -> None:
        """Take in what was read."""
        with self._news:
            for at, number in _WORD.iter_unpack(words):
                self._times.setdefault(number, []).append(at)
            self._news.notify_all()

    def wait(self, since: Mapping[int, float], within_s: float) -> dict[int, float]:
        """When each of these sessions was first acknowledged since its moment. Raises: BenchmarkError."""
        deadline, found, left = time.monotonic() + within_s, dict[int, float](), dict(since)
        with self._news:
            while True:
                for number, at in list(left.items()):
                    first = next((when for when in self._times.get(number, ()) if when >= at), None)
                    if first is not None:
                        found[number] = first
                        del left[number]
                if not left:
                    return found
                if not self._news.wait(max(0.0, deadline - time.monotonic())) and time.monotonic() >= deadline:
                    raise BenchmarkError(f"{len(left)} of {len(since)} changes reached no device in {within_s:g} s")


@dataclass(frozen=True, slots=True)
class Devices:
    """The devices as long as they run: how each is reached, and what they have acknowledged."""

    targets: list[ChangeTarget]
    acknowledged: Acknowledgements

    def of(self, number: int) -> ChangeTarget:
        """The device that a session is on."""
        return self.targets[number % len(self.targets)]


def _answer_for_ever(opened: Sequence[socket.socket], said: int) -> None:
    selector = selectors.EpollSelector()
    for one in opened:
        selector.register(one, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            assert isinstance(key.fileobj, socket.socket)
            _answer_all(key.fileobj, said)


def _answer_all(opened: socket.socket, said: int) -> None:
    words = b""
    while True:
        try:
            raw, source = opened.recvfrom(4096)
        except BlockingIOError:
            break
        if md5(raw[:4] + bytes(16) + raw[20:] + SECRET).digest() == raw[4:20]:
            head = bytes((raw[0] + 1, raw[1], 0, 20))
            opened.sendto(head + md5(head + raw[4:20] + SECRET).digest(), source)
            words += _WORD.pack(time.monotonic(), _number(raw))
    if words:
        os.write(said, words)


def _number(raw: bytes) -> int:
    at = 20
    while raw[at] != _ACCT_SESSION_ID:
        at += raw[at + 1]
    return int(raw[at + 4 : at + raw[at + 1]], 16)


@contextmanager
def devices(count: int = NASES) -> Iterator[Devices]:
    """So many devices, each at its own address, as long as the block lasts."""
    opened: list[socket.socket] = []
    for number in range(count):
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        opened.append(one)
        one.setblocking(False)
        one.bind((f"127.0.{110 + number // 250}.{number % 250 + 1}", 0))
    heard, said = os.pipe()
    process = multiprocessing.get_context("fork").Process(target=_answer_for_ever, args=(opened, said), daemon=True)
    process.start()
    os.close(said)
    acknowledged = Acknowledgements()
    listener = threading.Thread(target=_listen, args=(heard, acknowledged), name="devices")
    listener.start()
    try:
        targets = [
            ChangeTarget(number, *one.getsockname(), secret=SECRET)  # type: ignore[misc]  # address and port
            for number, one in enumerate(opened)
        ]
        yield Devices(targets, acknowledged)
    finally:
        process.terminate()
        process.join()
        listener.join()
        os.close(heard)
        for one in opened:
            one.close()


def _listen(heard: int, acknowledged: Acknowledgements) -> None:
    """Until the devices' process has ended."""
    rest = b""
    while read := os.read(heard, _READ_OCTETS):
        rest += read
        whole = len(rest) - len(rest) % _WORD.size
        acknowledged.add(rest[:whole])
        rest = rest[whole:]


def call_radclient(target: ChangeTarget, number: int) -> None:
    """One radclient for one session: make a process, send, wait, read what it printed. Raises: BenchmarkError."""
    lines = "\n".join(f'{one.name} = "{one.value}"' for one in request(number).attributes)
    done = subprocess.run(
        ["radclient", "-t", "2", "-r", "3", f"{target.address}:{target.port}", "coa", SECRET.decode()],
        input=lines,
        capture_output=True,
        text=True,
        check=False,
    )
    if "Received CoA-ACK" not in done.stdout:
        raise BenchmarkError(f"radclient was not answered: {done.stdout}{done.stderr}")
