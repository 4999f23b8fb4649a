"""The API of the simulated device in an enforcement world, and what the database knows of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from support.enforcement_world import ADDRESS
from support.radius_server import SEALER
from support.routeros_api_stand_in import StandInRouterOsApi

from radius_hooks.sealing import nas_api_row


@contextmanager
def with_api(world: Any, **settings: Any) -> Iterator[StandInRouterOsApi]:
    """The device has an API, in its own event loop, and the NAS its access."""
    tasks: set[asyncio.Task[None]] = set()

    def end(session: Any) -> None:
        task = asyncio.get_running_loop().create_task(world.nas.hang_up([session]))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    stand_in = StandInRouterOsApi(world.nas.sessions, end, **settings)
    context = stand_in.listening(ADDRESS)
    world.do(context.__aenter__())
    world.execute(
        "UPDATE nas SET api_username = 'corrente', sealed_api_password = %s, api_port = %s, api_tls = false",
        SEALER.seal(b"api password", row=nas_api_row(1)),
        stand_in.port,
    )
    try:
        yield stand_in
    finally:
        world.do(context.__aexit__(None, None, None))
