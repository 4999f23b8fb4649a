"""Asks the devices that can be read who is online, a few at a time, and hands each list on.

A device that can't be read keeps its last list, with the reason beside it; the others go on. Nothing is asked within a
transaction.

Units: *_s seconds.
Next: device_views.py
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import psycopg

from control_plane import telemetry
from control_plane.control_loop.cli_reading import CliReader
from control_plane.control_loop.device_views import take_reading
from control_plane.control_loop.outgoing import ssh_access
from control_plane.control_loop.two_views import Difference
from control_plane.settings import Settings, SettingsError, secret_keys
from control_plane.store.device_views import ApiRow, load_api_rows, save_not_read
from control_plane.store.session_reads import Connection
from control_plane.store.targets import NasTarget, load_targets
from nas_drivers.device_session import DeviceSession
from nas_drivers.driver import Drivers
from nas_drivers.errors import NasError
from nas_drivers.transport.routeros import RouterOsDevice
from nas_drivers.transport.routeros_access import ApiAccess, ApiLogin
from radius_hooks.sealing import Sealer, SealError, nas_api_row

# A list of ten thousand sessions is work for a router.
READ_EVERY_S: Final = 300.0
_AT_ONCE: Final = 8


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
    nases = load_api_rows(connection)
    by_cli = _load_by_cli(connection, {nas.id for nas in nases})
    if not nases and not by_cli:
        return "no NAS is read by its API or its command line"
    try:
        sealer = Sealer(secret_keys(settings))
    except (SettingsError, SealError) as error:
        return f"nothing read: {error}"
    done = failed = ghosts = held = 0
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="read device") as pool:
        asked = {pool.submit(_ask, nas, sealer, read): nas.id for nas in nases}
        drivers = Drivers(settings.drivers)
        asked |= {pool.submit(_ask_by_cli, nas, sealer, drivers): nas.id for nas in by_cli}
        for future in as_completed(asked):
            outcome = _take(connection, settings, asked[future], future)
            done += outcome is not None
            failed += outcome is None
            if outcome is not None:
                ghosts += 0 if outcome.held else len(outcome.ghosts)
                held += bool(outcome.held)
    return f"read {done} devices, {failed} not; closed {ghosts} ghosts, {held} differ too much"


def _load_by_cli(connection: Connection, by_api: set[int]) -> list[NasTarget]:
    rows = connection.execute("SELECT id FROM nas WHERE enabled AND verification = 'cli' AND ssh_host_key IS NOT NULL")
    wanted = {row[0] for row in rows} - by_api
    return [nas for nas in load_targets(connection) if nas.id in wanted and nas.has_command_line] if wanted else []


def _ask_by_cli(nas: NasTarget, sealer: Sealer, drivers: Drivers) -> Listed | NotRead:
    try:
        dialect = drivers.of(nas.vendor).cli
        if dialect is None:
            return NotRead(f"no command of {nas.vendor} is known that lists its sessions")
        with CliReader(ssh_access(nas, dialect.device_type, sealer), dialect) as device:
            asked_at = datetime.now(UTC)
            return Listed(asked_at, device.read_sessions())
    except (NasError, SealError, UnicodeDecodeError) as error:
        return NotRead(str(error))


def _ask(nas: ApiRow, sealer: Sealer, read: Read) -> Listed | NotRead:
    if nas.address is None:
        return NotRead("it stands for many devices and has no API address: give it one, or register each by itself")
    try:
        password = sealer.open(nas.sealed_api_password, row=nas_api_row(nas.id)).decode()
        access = ApiAccess(
            nas.id,
            nas.address,
            nas.api_username,
            password,
            port=nas.api_port,
            tls=nas.api_tls,
            certificate=nas.api_certificate,
            login=ApiLogin(nas.api_login),
        )
        asked_at = datetime.now(UTC)
        return Listed(asked_at, read(access))
    except (NasError, SealError, UnicodeDecodeError) as error:
        return NotRead(str(error))


def _take(
    connection: Connection, settings: Settings, nas_id: int, future: Future[Listed | NotRead]
) -> Difference | None:
    found = future.result()
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
