"""Asks the devices that can be read who is online, a few at a time, and hands each list on.

A device that can't be read keeps its last list, with the reason beside it; the others go on. Nothing is asked within a
transaction.

Units: *_s seconds.
Next: device_views.py
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

import psycopg

from control_plane import telemetry
from control_plane.control_loop.cli_reading import CliReader
from control_plane.control_loop.device_views import take_reading
from control_plane.control_loop.outgoing import api_access, ssh_access
from control_plane.control_loop.two_views import Difference
from control_plane.settings import Settings, SettingsError, secret_keys
from control_plane.store.device_views import load_read, save_not_read
from control_plane.store.session_reads import Connection
from control_plane.store.targets import NasTarget, load_targets
from nas_drivers.device_session import DeviceSession
from nas_drivers.driver import Drivers
from nas_drivers.errors import NasError
from nas_drivers.transport.routeros import RouterOsDevice
from nas_drivers.transport.routeros_access import ApiAccess
from radius_hooks.sealing import Sealer, SealError

# A list of ten thousand sessions is work for a router.
READ_EVERY_S: Final = 300.0
_AT_ONCE: Final = 8
# From the login on.
_TIMEOUT_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Listed:
    """A complete list, as of the moment it was asked for."""

    asked_at: datetime
    sessions: Sequence[DeviceSession]


@dataclass(frozen=True, slots=True)
class NotRead:
    """Why there is no list."""

    problem: str


Read = Callable[[ApiAccess], Sequence[DeviceSession]]


def read_routeros(access: ApiAccess) -> Sequence[DeviceSession]:
    """The sessions of one RouterOS device. Raises: NasError."""
    return RouterOsDevice(access).read_sessions()


def read_devices(connection: Connection, settings: Settings, _now: datetime, *, read: Read = read_routeros) -> str:
    """Read every device with an API access, and those that are verified by their command line, and compare each list with
    accounting; the connection is in autocommit."""
    wanted = load_read(connection)
    nases = [nas for nas in load_targets(connection) if nas.id in wanted and _has_way(nas)] if wanted else []
    if not nases:
        return "no NAS is read by its API or its command line"
    try:
        sealer = Sealer(secret_keys(settings))
    except (SettingsError, SealError) as error:
        return f"nothing read: {error}"
    done = failed = ghosts = held = 0
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="read device") as pool:
        drivers = Drivers(settings.drivers)
        asked = {pool.submit(_ask, nas, sealer, drivers, read): nas.id for nas in nases}
        for future in as_completed(asked):
            outcome = _take(connection, settings, asked[future], future)
            done += outcome is not None
            failed += outcome is None
            if outcome is not None:
                ghosts += 0 if outcome.held else len(outcome.ghosts)
                held += bool(outcome.held)
    return f"read {done} devices, {failed} not; closed {ghosts} ghosts, {held} differ too much"


def _has_way(nas: NasTarget) -> bool:
    return nas.api_username is not None or nas.has_command_line


def _ask(nas: NasTarget, sealer: Sealer, drivers: Drivers, read: Read) -> Listed | NotRead:
    """By its API where it has an access, else by its command line."""
    try:
        if nas.api_username is not None:
            access = replace(api_access(nas, sealer), timeout_s=_TIMEOUT_S)
            asked_at = datetime.now(UTC)
            return Listed(asked_at, read(access))
        dialect = drivers.of(nas.vendor).cli
        if dialect is None:
            return NotRead(f"no command of {nas.vendor} is known that lists its sessions")
        with CliReader(replace(ssh_access(nas, dialect.device_type, sealer), timeout_s=_TIMEOUT_S), dialect) as device:
            asked_at = datetime.now(UTC)
            return Listed(asked_at, device.read_sessions())
    except (NasError, SealError, UnicodeDecodeError) as error:
        return NotRead(str(error))


def _found(future: Future[Listed | NotRead], nas_id: int) -> Listed | NotRead:
    """What one device's thread brought; a fault of ours over its list is that device's alone."""
    try:
        return future.result()
    except Exception as error:  # noqa: BLE001 - the other devices are read all the same, and it is said
        telemetry.logger().error("device.our_fault", nas_id=nas_id, problem=f"{type(error).__name__}: {error}")
        return NotRead(f"{type(error).__name__}: {error}")


def _take(
    connection: Connection, settings: Settings, nas_id: int, future: Future[Listed | NotRead]
) -> Difference | None:
    found = _found(future, nas_id)
    if isinstance(found, NotRead):
        save_not_read(connection, nas_id, found.problem, at=datetime.now(UTC))
        telemetry.logger().warning("device.not_read", nas_id=nas_id, problem=found.problem)
        return None
    try:
        differs = take_reading(connection, settings, nas_id, found.sessions, read_at=found.asked_at)
    except psycopg.DatabaseError as error:
        if isinstance(error, psycopg.OperationalError) or connection.closed:
            raise
        # What one device lists must not keep the others' lists from being read.
        save_not_read(connection, nas_id, f"its list can't be kept: {error}", at=datetime.now(UTC))
        telemetry.logger().error("device.list_refused", nas_id=nas_id, problem=str(error).strip())
        return None
    if differs.held:
        telemetry.logger().error("device.differs_too_much", nas_id=nas_id, problem=differs.held)
    return differs
