"""`corrente web`: the web process."""

from __future__ import annotations

import click
from granian import Granian
from granian.constants import Interfaces

from control_plane.machine.ports import settings_in_force
from control_plane.settings import Settings

_THREADS = 8
_STOP_TIMEOUT_S = 2


@click.command("web")
@click.pass_obj
def command(settings: Settings) -> None:
    """Serve health and metrics over HTTP."""
    web = settings_in_force(settings).web
    # The application is named, not imported: the entrance stands above this package.
    Granian(
        "web.app:create_app",
        address=web.address,
        port=web.port,
        interface=Interfaces.WSGI,
        factory=True,
        workers=1,
        blocking_threads=_THREADS,
        log_access=False,
        respawn_failed_workers=False,
        # A worker that was told to stop before it listened to signals would be waited for for ever.
        workers_kill_timeout=_STOP_TIMEOUT_S,
    ).serve()
