"""`corrente web`: the web process."""

from __future__ import annotations

import os
import resource
import time
from ipaddress import ip_address

import click
from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

from control_plane.cli._console import Refused
from control_plane.machine.ports import can_bind, settings_in_force
from control_plane.settings import Settings, WebSettings

# Requests that are open at one moment: those that wait for a thread, and those that are still being sent.
_MOST_OPEN = 4096
# Each is a file to the system, and so is each connection to the database.
_MOST_FILES = 2 * _MOST_OPEN
_STOP_TIMEOUT_S = 2
# One that was killed has left a worker behind, which `corrente up` ends within moments.
_PORT_WAIT_S = 5.0
_PORT_LOOK_S = 0.1


@click.command("web")
@click.pass_obj
def command(settings: Settings) -> None:
    """Serve the console, the portal, the API, health and metrics over HTTP."""
    web = settings_in_force(settings).web
    if not _free_in_time(web.address, web.port):
        raise Refused(
            f"port {web.port} of {web.address} can't be opened: another process has it, or the address is not this "
            "machine's; name another in [web] of corrente.toml"
        )
    if (warning := too_open(web)) is not None:
        click.echo(f"Warning: {warning}", err=True)
    # The process that serves reads them for itself.
    if settings.source_file:
        os.environ["CORRENTE_SETTINGS"] = settings.source_file
    _allow_files(_MOST_FILES)
    # The application is named, not imported: the entrance stands above this package.
    Granian(
        "web.entrance:create_entrance",
        address=web.address,
        port=web.port,
        interface=Interfaces.ASGINL,
        factory=True,
        workers=1,
        websockets=False,
        backlog=_MOST_OPEN,
        backpressure=_MOST_OPEN,
        log_access=False,
        log_level=LogLevels.error,
        respawn_failed_workers=False,
        # A worker that was told to stop before it listened to signals would be waited for for ever.
        workers_kill_timeout=_STOP_TIMEOUT_S,
    ).serve()


def too_open(web: WebSettings) -> str | None:
    """What to say where who is no proxy of ours could say from which address they come; None where only this machine reaches the port."""
    if not web.proxies or (web.address == "localhost" or ip_address(web.address).is_loopback):
        return None
    return (
        f"[web] proxies = {web.proxies} and address = {web.address}: whoever reaches port {web.port} without passing the "
        'proxies says with X-Forwarded-For who they are, and sees the garden page of any line. Let a firewall open that port to the proxies alone, or set address = "127.0.0.1"'
    )


def _free_in_time(address: str, port: int) -> bool:
    """Whether the port can be opened now or in a few seconds."""
    deadline = time.monotonic() + _PORT_WAIT_S
    while not can_bind(address, port, "tcp"):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_PORT_LOOK_S)
    return True


def _allow_files(most: int) -> None:
    """Let this process and its children open so many files, as far as the system lets them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
