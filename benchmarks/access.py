"""Access devices of several vendors with their subscribers on them, in a process of their own.

Each behaves as its vendor's does (nas_drivers/simulated): a change takes effect on its session, by a CoA or by a Disconnect after which
the modem dials again, and accounting says what is so. Whoever is offline dials each second. It is said of each subscriber when a
device acknowledged a change of it, and when its session first ran under the open policy, as the device itself has it.

Units: seconds of the machine's monotonic clock, which all its processes share; bit/s.
Next: dialled_network.py
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import random
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Final

from benchmarks.answering import BenchmarkError
from benchmarks.devices import Acknowledgements
from benchmarks.population import RADIUS_SECRET
from nas_drivers.simulated.device import SimulatedNas
from nas_drivers.simulated.options import DeviceOptions, OnDatagram, Source
from nas_drivers.simulated.radius_client import RadiusServer
from nas_drivers.simulated.retry import RetryPlan
from nas_drivers.simulated.session import Subscriber
from nas_drivers.simulated.traffic import Rates

# On the last one every change is a new login: nothing on it is changed live.
VENDORS: Final = ("accel_ppp", "cisco_iosxe", "juniper_mx", "huawei", "zte")
BY_LOGIN: Final = frozenset({"zte"})
PASSWORD: Final = "pw"
# By the name under which it stands ready on a device that takes names.
OPEN: Final = Rates(100_000_000, 20_000_000)
POLICIES: Final = {"home": OPEN, "slow": Rates(2_000_000, 1_000_000), "walled": Rates(512_000, 256_000)}
_PATIENT: Final = RetryPlan(first_s=2, factor=1, longest_s=2, tries=60, jitter=0)
_DIAL_S: Final = 1.0
# How late a session that has become open is seen to be.
_LOOK_S: Final = 0.01
_DIALLING_AT_ONCE: Final = 4
_ALL_ONLINE_S: Final = 300.0
_ACKED: Final = (41, 44)
_USER_NAME: Final = 1
_PREFIX: Final = "subscriber"
# What was seen (1: open, 0: acknowledged), when, of whom.
_WORD: Final = struct.Struct("=?dq")
_TIMED: Final = struct.Struct("=dq")
_READ_OCTETS: Final = _WORD.size * 4096


def username(number: int) -> str:
    """Of the subscriber with that number, which is its account's, contract's and customer's too."""
    return f"{_PREFIX}{number:07}"


@dataclass(frozen=True, slots=True)
class AccessPlan:
    """How many devices, how many subscribers dealt out to them, and how many of these begin restricted and are watched.

    The device with number n is of vendor n modulo their count, and has every subscriber whose number is n modulo the devices.
    """

    devices: int
    subscribers: int
    watched: int
    servers: tuple[tuple[str, int], tuple[str, int]]

    def device_of(self, number: int) -> int:
        """Where a subscriber dials."""
        return number % self.devices

    def vendor_of(self, number: int) -> str:
        """Of the device that a subscriber is on."""
        return VENDORS[self.device_of(number) % len(VENDORS)]

    def address(self, device: int) -> str:
        """Of a device."""
        return f"127.66.{60 + device // 250}.{device % 250 + 1}"


@dataclass(frozen=True, slots=True)
class Access:
    """The devices as long as they run: where they listen, what they have acknowledged, and which sessions have become open."""

    plan: AccessPlan
    ports: list[int]
    acknowledged: Acknowledgements
    opened: Acknowledgements
    _told: Connection

    def dial(self, offline: int) -> None:
        """Everybody dials; returns when all are online but so many, who are refused. Raises: BenchmarkError."""
        self._told.send(offline)
        if not self._told.poll(_ALL_ONLINE_S):
            raise BenchmarkError(f"not everybody is online within {_ALL_ONLINE_S:g} s")
        self._told.recv()


@contextmanager
def access(plan: AccessPlan) -> Iterator[Access]:
    """The devices, listening for changes, until the block ends; nobody has dialled yet."""
    ours, theirs = multiprocessing.Pipe()
    heard, said = os.pipe()
    process = multiprocessing.get_context("fork").Process(target=_run, args=(plan, theirs, said), daemon=True)
    process.start()
    theirs.close()
    os.close(said)
    acknowledged, opened = Acknowledgements(), Acknowledgements()
    listener = threading.Thread(target=_listen, args=(heard, acknowledged, opened), name="access")
    listener.start()
    try:
        yield Access(plan, ours.recv(), acknowledged, opened, ours)
    finally:
        process.terminate()
        process.join()
        listener.join()
        os.close(heard)
        ours.close()


def _listen(heard: int, acknowledged: Acknowledgements, opened: Acknowledgements) -> None:
    """Until the devices' process has ended."""
    rest = b""
    while read := os.read(heard, _READ_OCTETS):
        rest += read
        whole = len(rest) - len(rest) % _WORD.size
        words = [b"", b""]
        for is_open, at, number in _WORD.iter_unpack(rest[:whole]):
            words[is_open] += _TIMED.pack(at, number)
        rest = rest[whole:]
        for to, some in ((acknowledged, words[0]), (opened, words[1])):
            if some:
                to.add(some)


def _run(plan: AccessPlan, told: Connection, said: int) -> None:
    with suppress(KeyboardInterrupt):
        asyncio.run(_Devices(plan, told, said).live())


@dataclass
class _Devices:
    """All of them, in one event loop."""

    plan: AccessPlan
    told: Connection
    said: int
    all: list[SimulatedNas] = field(default_factory=list)
    people: list[list[Subscriber]] = field(default_factory=list)

    async def live(self) -> None:
        """For ever: the process is ended from outside."""
        for device in range(self.plan.devices):
            mine = [number for number in range(1, self.plan.subscribers + 1) if self.plan.device_of(number) == device]
            self.people.append([Subscriber(username(n), PASSWORD, mac=f"02005e{n:06x}") for n in mine])
            self.all.append(self._device(device))
            await self.all[-1].start()
        self.told.send([one.coa_port for one in self.all])
        loop = asyncio.get_running_loop()
        offline = await loop.run_in_executor(None, self.told.recv)
        await self._dial_all(offline)
        self.told.send(True)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch())
            for nas, people in zip(self.all, self.people, strict=True):
                tasks.create_task(_keep_dialling(nas, people))

    def _device(self, device: int) -> SimulatedNas:
        (authentication, accounting) = self.plan.servers
        return SimulatedNas(
            self.plan.address(device),
            RADIUS_SECRET,
            vendor=VENDORS[device % len(VENDORS)],
            servers=[RadiusServer(authentication[0], authentication[1], accounting[1])],
            options=DeviceOptions(
                name=f"bras-{device}",
                coa_port=0,
                announce_boot=False,
                access_retry=_PATIENT,
                accounting_retry=_PATIENT,
                interim_after_change=True,
                policies=POLICIES,
                on_change_datagram=_noting(self._say),
                seed=device + 1,
            ),
        )

    async def _dial_all(self, offline: int) -> None:
        some = asyncio.Semaphore(_DIALLING_AT_ONCE)

        async def dial(nas: SimulatedNas, people: list[Subscriber]) -> None:
            async with some:
                await nas.dial(people)

        await asyncio.gather(*map(dial, self.all, self.people))
        while sum(len(one.sessions) for one in self.all) < self.plan.subscribers - offline:
            await asyncio.sleep(0.1)

    async def _watch(self) -> None:
        """Say when somebody who began restricted first runs under the open policy."""
        closed = {number: self.all[self.plan.device_of(number)] for number in range(1, self.plan.watched + 1)}
        while True:
            for number, nas in list(closed.items()):
                if any(session.rates == OPEN for session in nas.sessions.of(username(number))):
                    self._say(number, is_open=True)
                    del closed[number]
            await asyncio.sleep(_LOOK_S)

    def _say(self, number: int, *, is_open: bool) -> None:
        os.write(self.said, _WORD.pack(is_open, time.monotonic(), number))


async def _keep_dialling(nas: SimulatedNas, people: list[Subscriber]) -> None:
    """Everybody who is offline dials, each second."""
    await asyncio.sleep(random.random() * _DIAL_S)
    while True:
        offline = [who for who in people if not nas.sessions.of(who.username)]
        if offline:
            await nas.dial(offline)
        await asyncio.sleep(_DIAL_S)


def _noting(say: Callable[..., None]) -> OnDatagram:
    """Tell of each acknowledgement whose it is: the answer has the request's identifier and other end."""
    asked: dict[tuple[Source, int], int] = {}

    def note(came: bool, raw: bytes, other_end: Source) -> None:
        if came:
            number = _number_in(raw)
            if number is not None:
                asked[other_end, raw[1]] = number
        elif raw[0] in _ACKED and (other_end, raw[1]) in asked:
            say(asked[other_end, raw[1]], is_open=False)

    return note


def _number_in(raw: bytes) -> int | None:
    """Of the subscriber that a request names."""
    at = 20
    while at + 2 <= len(raw) and raw[at + 1] >= 2:
        if raw[at] == _USER_NAME:
            return int(raw[at + 2 : at + raw[at + 1]].decode().removeprefix(_PREFIX))
        at += raw[at + 1]
    return None
