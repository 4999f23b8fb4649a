"""One enforcer, in a thread, against devices that are a bare socket each: every datagram is seen, every answer is by hand.

The sessions and changes are rows that a test writes; nothing of the rest of the loop runs.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from support.asking import Asking
from support.drift_world import KEY, DriftWorld, make_drift_world
from support.radius_server import NAS_SECRET, SEALER

from control_plane import db
from control_plane.control_loop.enforcer import Enforcer
from control_plane.control_loop.guard import Verdict
from control_plane.settings import Settings
from nas_drivers.simulated import codec, wire
from radius_hooks.sealing import nas_row

Answer = Callable[[codec.Packet], list[bytes]]
ACK, NAK = {40: 41, 43: 44}, {40: 42, 43: 45}


def ack(request: codec.Packet) -> list[bytes]:
    """Done."""
    return [codec.response(ACK[request.code], request, b"", NAS_SECRET, sign=False)]


def nak(request: codec.Packet, *attributes: bytes) -> list[bytes]:
    """Refused."""
    return [codec.response(NAK[request.code], request, b"".join(attributes), NAS_SECRET, sign=False)]


def who(request: codec.Packet) -> str:
    """The username in a request."""
    return (request.first(wire.USER_NAME) or b"").decode()


@dataclass(frozen=True)
class Heard:
    """One datagram that came to the device."""

    at: float
    raw: bytes
    username: str


class BareNas:
    """A socket in the place of a device; `answer` says what goes back, after `delay_s`."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.heard: list[Heard] = []
        self.answer: Answer = ack
        self.delay_s = 0.0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 0))
        self.port: int = self._socket.getsockname()[1]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"device {address}")
        self._thread.start()

    def close(self) -> None:
        """Hear no more."""
        self._over.set()
        self._thread.join()
        self._socket.close()

    def requests(self, username: str) -> list[Heard]:
        """What came for one subscriber."""
        return [one for one in self.heard if one.username == username]

    def _run(self) -> None:
        self._socket.settimeout(0.02)
        late: list[tuple[float, bytes, Any]] = []
        while not self._over.is_set():
            try:
                raw, source = self._socket.recvfrom(4097)
            except TimeoutError:
                pass
            else:
                request = codec.decode(raw)
                self.heard.append(Heard(time.monotonic(), raw, who(request)))
                due = time.monotonic() + self.delay_s
                late += [(due, one, source) for one in self.answer(request)]
            for one in [one for one in late if one[0] <= time.monotonic()]:
                late.remove(one)
                self._socket.sendto(one[1], one[2])


def everything(_: Any, ids: Sequence[int], __: datetime) -> dict[int, Verdict]:
    """A guard that lets all go."""
    return {number: Verdict(number) for number in ids}


@dataclass
class Desk:
    """The rows and the device."""

    conninfo: str
    asking: Asking
    world: DriftWorld
    nas: BareNas

    def execute(self, statement: str, *given: object) -> list[Any]:
        """A statement of its own; its rows, if it has any."""
        return self.asking.execute(statement, *given)

    def cut(self, *numbers: int, method: str = "disconnect") -> None:
        """These sessions must end, and a change for each is queued."""
        for number in numbers:
            account = self.world.isp.accounts[number - 1]
            self.world.want(account, "blocked", 2)
            self.execute(
                "INSERT INTO enforcement (session_key, nas_id, account_id, acct_session_id, username, level, reason, disruptive, "
                "method, wanted_at) VALUES (%s, %s, %s, %s, %s, 'blocked', 'unpaid', true, %s, now())",
                KEY.format(number),
                self.world.isp.nas,
                account,
                f"s{number}",
                f"user{number:04}",
                method,
            )

    def rows(self, columns: str) -> list[Any]:
        """Of all changes, in their order."""
        return self.execute(f"SELECT {columns} FROM enforcement ORDER BY id")

    def wait_for(self, statement: str, *, seconds: float = 180) -> None:
        """Until a query's one value is true. The deadline is for a broken program, not a measurement."""
        until = time.monotonic() + seconds
        while not self.execute(statement)[0][0]:
            if time.monotonic() >= until:
                told = self.rows(
                    "id, username, state, method, attempt, taken_by, taken_until - now(), next_at - now(), problem"
                )
                raise AssertionError(f"not within {seconds} s: {statement}\n" + "\n".join(map(str, told)))
            time.sleep(0.02)

    def wait_until(self, condition: Callable[[], Any], *, seconds: float = 180) -> None:
        """The same for something else."""
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, f"not within {seconds} s"
            time.sleep(0.01)


@contextmanager
def desk(conninfo: str, address: str, *, accounts: int = 3, vendor: str = "accel_ppp") -> Iterator[Desk]:
    """Sessions of a device that is a bare socket."""
    nas, asking = BareNas(address), Asking(conninfo)
    try:
        with db.connect(conninfo, name="test") as connection:
            world = make_drift_world(connection, accounts=accounts)
            world.change(
                "UPDATE nas SET source = %s, vendor = %s, coa_port = %s, sealed_secret = %s WHERE id = %s",
                f"{address}/32",
                vendor,
                nas.port,
                SEALER.seal(NAS_SECRET, row=nas_row(world.isp.nas)),
                world.isp.nas,
            )
            yield Desk(conninfo, asking, world, nas)
    finally:
        asking.close()
        nas.close()


def settings_for(conninfo: str) -> Settings:
    """All as it comes, but for the database."""
    return msgspec.convert({"database": {"conninfo": conninfo}}, Settings)


@contextmanager
def enforcing(conninfo: str, *, worker: str = "worker", may_send: Any = everything, **given: Any) -> Iterator[Enforcer]:
    """An enforcer sends, until the block ends."""
    stop = threading.Event()
    enforcer = Enforcer(settings_for(conninfo), SEALER, worker=worker, may_send=may_send, **given)
    failed: list[BaseException] = []

    def run() -> None:
        try:
            enforcer.run(stop)
        except BaseException as error:  # a thread's own end is nobody's
            failed.append(error)

    thread = threading.Thread(target=run, name=worker)
    thread.start()
    try:
        yield enforcer
    finally:
        stop.set()
        thread.join(180)
    assert not failed, failed
