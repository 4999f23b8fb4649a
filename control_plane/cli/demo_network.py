"""`corrente demo-network`: the demo ISP's simulated access devices."""

from __future__ import annotations

import asyncio
import signal

import click

from control_plane.machine.demo_network import run_devices
from control_plane.machine.ports import settings_in_force
from control_plane.settings import Settings
from control_plane.telemetry import start_logging


@click.command("demo-network")
@click.pass_obj
def command(settings: Settings) -> None:
    """Dial the demo ISP's subscribers through RADIUS until SIGTERM or Ctrl-C. `corrente up` starts this by itself."""
    start_logging("devices")
    asyncio.run(_run(settings_in_force(settings)))


async def _run(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await run_devices(settings, stop)
