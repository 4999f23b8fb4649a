"""Devices that hear change requests and nothing else: a simulated listener each, with one live session, on loopback."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from support.simulated_sessions import live_session, table_of

from nas_drivers.policy import Attribute
from nas_drivers.simulated.behaviour import Change, DeviceIdentity, End, behaviour_for
from nas_drivers.simulated.change_listener import ChangeListener
from nas_drivers.simulated.change_requests import Listener
from nas_drivers.simulated.faults import FaultScript
from nas_drivers.simulated.session import SessionTable
from nas_drivers.simulated.statistics import Statistics
from nas_drivers.transport.coa import ChangeRequest, ChangeTarget

SECRET = b"the secret of CoA"
SESSION = "81000001"
NAMED = (Attribute("User-Name", ":=", "anna"), Attribute("Acct-Session-Id", ":=", SESSION))
COA = ChangeRequest(43, (*NAMED, Attribute("Filter-Id", ":=", "slow")))
DISCONNECT = ChangeRequest(40, NAMED)


@dataclass
class Device:
    """One device and what it has done."""

    address: str
    listener: ChangeListener
    faults: FaultScript
    statistics: Statistics
    sessions: SessionTable
    done: list[Change | End] = field(default_factory=list)

    def target(self, **changed: object) -> ChangeTarget:
        """How it is reached."""
        settings: dict[str, object] = {"rate_per_s": 10_000, "window": 16, **changed}
        return ChangeTarget(1, self.address, self.listener.port, SECRET, **settings)  # type: ignore[arg-type]


def device(address: str, vendor: str = "generic", *, delay_s: float = 0.0, strict: bool = False) -> Device:
    """A device that listens on this loopback address; `strict`: signature and time stamp or silence."""
    sessions, statistics = table_of(live_session(SESSION, "anna")), Statistics()
    faults = FaultScript(random.Random(1))
    done: list[Change | End] = []
    listener = ChangeListener(
        address=address,
        port=0,
        listener=Listener(SECRET, 300 if strict else None, None, strict),
        behaviour=behaviour_for(vendor),
        identity=DeviceIdentity(IPv4Address(address), "tower"),
        sessions=sessions,
        faults=faults,
        statistics=statistics,
        epoch_s=time.time,
        apply=done.append,
        delay_s=delay_s,
    )
    return Device(address, listener, faults, statistics, sessions, done)


@contextmanager
def listening(*devices: Device) -> Iterator[None]:
    """Inside a running loop: they listen until the block ends."""
    for one in devices:
        one.listener.open()
    try:
        yield
    finally:
        for one in devices:
            one.listener.close()


async def until(condition: object, within_s: float = 60.0) -> None:
    """Wait until a condition holds; it is a function without arguments."""
    deadline = time.monotonic() + within_s
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not come about"
        await asyncio.sleep(0.01)
