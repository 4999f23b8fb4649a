"""Which ports this start listens on: those of the settings, or the next free ones, written down for who needs them.

Next: up.py
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from control_plane.settings import EdgeSettings, Settings, WorkerSettings

# How far to look before giving up: further away nobody would find the port again.
_TRIES: Final = 200
_FILE: Final = "ports.json"
# Set by `corrente up` for the processes it starts: its state directory.
UP_VARIABLE: Final = "CORRENTE_UP"


class PortError(Exception):
    """No port is free near the one of the settings."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of one start."""

    radius_address: str
    authentication: int
    accounting: int
    status: int
    accounting_status: int
    web_address: str
    web: int
    # A start of the release before, killed, has not written these.
    worker: int = 0
    edge: int = 0


def choose_ports(settings: Settings, is_free: Callable[[str, int, str], bool]) -> Ports:
    """The ports of the settings where they are free, else the next free ones above.

    The two RADIUS ports move together, because access devices take accounting to be the port after authentication.
    `is_free(address, port, "udp" or "tcp")` says whether one may be bound. Raises: PortError.
    """
    radius, web = settings.radius, settings.web
    address = radius.listen_address
    taken: set[int] = set()

    def free(port: int, kind: str, where: str) -> bool:
        return port <= 65535 and not (kind == "udp" and port in taken) and is_free(where, port, kind)

    step = next(
        (
            step
            for step in range(0, 2 * _TRIES, 2)
            if free(radius.authentication_port + step, "udp", address)
            and free(radius.accounting_port + step, "udp", address)
        ),
        None,
    )
    if step is None:
        raise PortError(f"no free pair of UDP ports from {radius.authentication_port} up at {address}")
    authentication, accounting = radius.authentication_port + step, radius.accounting_port + step
    taken |= {authentication, accounting}
    status = _next_free(radius.status_port, lambda port: free(port, "udp", "127.0.0.1"))
    taken.add(status)
    accounting_status = _next_free(radius.accounting_status_port, lambda port: free(port, "udp", "127.0.0.1"))
    return Ports(
        radius_address=address,
        authentication=authentication,
        accounting=accounting,
        status=status,
        accounting_status=accounting_status,
        web_address=web.address,
        web=_next_free(web.port, lambda port: free(port, "tcp", web.address)),
        worker=_pages_port(settings.worker, free),
        edge=_pages_port(settings.edge, free),
    )


def _pages_port(given: WorkerSettings | EdgeSettings, free: Callable[[int, str, str], bool]) -> int:
    """For the pages of a process; 0 stays none."""
    return _next_free(given.port, lambda port: free(port, "tcp", given.address)) if given.port else 0


def _next_free(first: int, free: Callable[[int], bool]) -> int:
    found = next((port for port in range(first, first + _TRIES) if free(port)), None)
    if found is None:
        raise PortError(f"no free port from {first} up")
    return found


def can_bind(address: str, port: int, kind: str) -> bool:
    """Whether this machine lets us listen there now."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM) as probe:
        if kind == "tcp":
            # A closed connection of the last start may still be in TIME_WAIT; the server itself takes no offence.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def write_ports(run_dir: Path, ports: Ports) -> None:
    """Say to processes and people which ports they are; whole or not at all."""
    half = run_dir / f"{_FILE}.new"
    half.write_text(json.dumps(asdict(ports), indent=2) + "\n")
    half.replace(run_dir / _FILE)


def read_ports(run_dir: Path) -> Ports | None:
    """The ports of the running start, or of one that was killed; None after an orderly stop."""
    try:
        return Ports(**json.loads((run_dir / _FILE).read_text()))
    except FileNotFoundError:
        return None


def forget_ports(run_dir: Path) -> None:
    """Nothing listens any more."""
    (run_dir / _FILE).unlink(missing_ok=True)


def with_ports(settings: Settings, ports: Ports) -> Settings:
    """The settings as they hold for this start."""
    radius = replace(
        settings.radius,
        authentication_port=ports.authentication,
        accounting_port=ports.accounting,
        status_port=ports.status,
        accounting_status_port=ports.accounting_status,
    )
    return replace(
        settings,
        radius=radius,
        web=replace(settings.web, port=ports.web),
        worker=replace(settings.worker, port=ports.worker),
        edge=replace(settings.edge, port=ports.edge),
    )


def settings_in_force(settings: Settings) -> Settings:
    """The settings with the ports that `corrente up` chose, when it is what started this process."""
    if UP_VARIABLE not in os.environ:
        return settings
    ports = read_ports(Path(os.environ[UP_VARIABLE]) / "run")
    return settings if ports is None else with_ports(settings, ports)
