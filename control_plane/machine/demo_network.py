"""The demo ISP's access devices, simulated: they dial its subscribers through real RADIUS, for ever and mildly.

After a start everybody dials, a few a second. Then people come and go, mistype their password now and then, and those who
are refused try again as a modem does.

Units: seconds and events a second, for each device.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import date
from typing import Final

from control_plane.machine.demo import DemoSubscriber, demo_subscribers
from control_plane.machine.demo_isp import NASES, DemoNas
from control_plane.machine.ports import can_bind
from control_plane.settings import Settings
from control_plane.telemetry import logger
from nas_drivers.simulated.credentials import Method
from nas_drivers.simulated.device import SimulatedNas
from nas_drivers.simulated.options import DeviceOptions
from nas_drivers.simulated.radius_client import RadiusServer
from nas_drivers.simulated.session import Subscriber

_FIRST_DIALS_PER_S: Final = 2.0
_REDIAL_S: Final = 15.0
# A router that is switched off and on again.
_HANG_UP_EVERY_S: Final = 8.0
_RETRY_EVERY_S: Final = 6.0
_WRONG_PASSWORD_SHARE: Final = 0.04
_REPORT_EVERY_S: Final = 60.0
_PORT_AGAIN_S: Final = 2.0
_METHODS: Final = (Method.PAP, Method.CHAP)


async def run_devices(settings: Settings, stop: asyncio.Event) -> None:
    """Run every device until `stop` is set; they then vanish as in a power cut."""
    radius = settings.radius
    server = RadiusServer(radius.listen_address, radius.authentication_port, radius.accounting_port)
    # Who dials does not depend on the day; only the dates of contracts do.
    everyone = demo_subscribers(date(2026, 1, 1))
    devices = [_device(nas, server, everyone, number) for number, nas in enumerate(NASES, start=1)]
    tasks: list[asyncio.Task[None]] = []
    try:
        for nas, device in zip(NASES, devices, strict=True):
            await device.start()
            tasks.append(asyncio.create_task(_live(device, nas)))
        tasks.append(asyncio.create_task(_report(devices)))
        waiter = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait([waiter, *tasks], return_when=asyncio.FIRST_COMPLETED)
        waiter.cancel()
        for task in done - {waiter}:
            task.result()  # none of them ends by itself: this raises what ended it
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for device in devices:
            await device.stop()


def _device(nas: DemoNas, server: RadiusServer, everyone: Sequence[DemoSubscriber], number: int) -> SimulatedNas:
    chance = random.Random(number)  # noqa: S311 - chance for a simulation
    return SimulatedNas(
        nas.address,
        nas.secret.encode(),
        vendor=nas.vendor,
        servers=[server],
        subscribers=[_modem(one, chance) for one in everyone if one.nas == nas.name],
        options=DeviceOptions(name=nas.name, coa_port=_coa_port(nas), redial_after_s=_REDIAL_S, seed=number),
    )


def _coa_port(nas: DemoNas) -> int:
    """The device's port for changes, or any free one as long as somebody else, such as a second demo, has that."""
    if can_bind(nas.address, nas.coa_port, "udp"):
        return nas.coa_port
    logger().warning("devices.port_taken", nas=nas.name, port=nas.coa_port)
    return 0


def _modem(one: DemoSubscriber, chance: random.Random) -> Subscriber:
    return Subscriber(
        one.username,
        one.password,
        mac=one.mac,
        method=chance.choice(_METHODS),
        load_down=chance.uniform(0.001, 0.2),
        load_up=chance.uniform(0.001, 0.05),
    )


async def _live(device: SimulatedNas, nas: DemoNas) -> None:
    """One device's subscribers come and go."""
    await asyncio.gather(_get_port(device, nas), _dial_for_ever(device))


async def _get_port(device: SimulatedNas, nas: DemoNas) -> None:
    """Who had the device's port for changes may be gone in a moment; without it no change ever reaches the device."""
    while device.coa_port != nas.coa_port:
        await asyncio.sleep(_PORT_AGAIN_S)
        if can_bind(nas.address, nas.coa_port, "udp"):
            device.listen_on(nas.coa_port)
            logger().info("devices.port_free", nas=nas.name, port=nas.coa_port)


async def _dial_for_ever(device: SimulatedNas) -> None:
    chance = random.Random(device.address)  # noqa: S311 - chance for a simulation
    await device.dial(chance.sample(device.subscribers, len(device.subscribers)), rate_per_s=_FIRST_DIALS_PER_S)
    await asyncio.gather(_come_and_go(device, chance), _try_again(device, chance))


async def _come_and_go(device: SimulatedNas, chance: random.Random) -> None:
    while True:
        await asyncio.sleep(chance.expovariate(1 / _HANG_UP_EVERY_S))
        sessions = device.sessions.all()
        if sessions:
            await device.hang_up([chance.choice(sessions)])


async def _try_again(device: SimulatedNas, chance: random.Random) -> None:
    while True:
        await asyncio.sleep(chance.expovariate(1 / _RETRY_EVERY_S))
        offline = [one for one in device.subscribers if not device.sessions.of(one.username)]
        if offline:
            await device.dial([_with_luck(chance.choice(offline), chance)])


def _with_luck(one: Subscriber, chance: random.Random) -> Subscriber:
    if chance.random() > _WRONG_PASSWORD_SHARE:
        return one
    return Subscriber(one.username, one.password[:-1] + "?", mac=one.mac, method=one.method)


async def _report(devices: Sequence[SimulatedNas]) -> None:
    while True:
        await asyncio.sleep(_REPORT_EVERY_S)
        for device in devices:
            now = device.snapshot()
            logger().info("devices.online", nas=now.name, online=now.online, waiting=now.waiting)
