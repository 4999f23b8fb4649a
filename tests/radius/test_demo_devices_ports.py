"""A device of the demo whose port for changes somebody else has for a moment."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace

import pytest

from control_plane.machine import demo_network
from control_plane.machine.demo_isp import NASES
from nas_drivers.simulated.radius_client import RadiusServer

pytestmark = pytest.mark.radius


def test_a_device_whose_port_was_taken_as_it_started_listens_there_once_it_is_free() -> None:
    asyncio.run(_taken_and_let_go())


async def _taken_and_let_go() -> None:
    nas = replace(NASES[0], address="127.66.2.9")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((nas.address, nas.coa_port))
        device = demo_network._device(nas, RadiusServer("127.0.0.1", 1, 2), [], 1)
        await device.start()
        assert device.coa_port != nas.coa_port
    try:
        await asyncio.wait_for(demo_network._get_port(device, nas), 240)
        assert device.coa_port == nas.coa_port
        assert not demo_network.can_bind(nas.address, nas.coa_port, "udp")
    finally:
        await device.stop()
