"""What a device itself says of one session while somebody looks: its counters, its rates and lists. An edge.

Nothing is asked within a transaction; a device that can't be read says why, in words.

Units: octets; `octets_in` came from the subscriber; bit/s; instants are aware UTC.
Next: store/targets.py
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from control_plane.control_loop.cli_reading import CliReader
from control_plane.control_loop.outgoing import api_access, ssh_access
from control_plane.store.targets import NasTarget
from nas_drivers.cli_dialect import CliWordError
from nas_drivers.device_session import DeviceSession
from nas_drivers.driver import Drivers, UnknownVendorError
from nas_drivers.errors import NasError
from nas_drivers.transport.routeros import RouterOsDevice
from radius_hooks.sealing import Sealer, SealError

_BITS: Final = 8


@dataclass(frozen=True, slots=True)
class Counters:
    """What had been counted of a session at a moment; `session` tells sessions apart."""

    session: str
    at: datetime
    octets_in: int
    octets_out: int


@dataclass(frozen=True, slots=True)
class Sample:
    """The rates between two countings, by the later one's moment."""

    at: datetime
    down_bps: int
    up_bps: int


@dataclass(frozen=True, slots=True)
class Unread:
    """Why the device said nothing."""

    problem: str


Now = Callable[[], datetime]


def sample_between(before: Counters, after: Counters) -> Sample | None:
    """The rates between two countings of one session; None where nothing follows from them."""
    passed_s = (after.at - before.at).total_seconds()
    down, up = after.octets_out - before.octets_out, after.octets_in - before.octets_in
    if before.session != after.session or passed_s <= 0 or down < 0 or up < 0:
        return None
    return Sample(after.at, round(down * _BITS / passed_s), round(up * _BITS / passed_s))


def has_counters(nas: NasTarget) -> bool:
    """Whether its counters are read: only an API answers often enough for a graph."""
    return nas.has_api


def read_counters(
    nas: NasTarget, sealer: Sealer, *, username: str, session: str, now: Now = lambda: datetime.now(UTC)
) -> Counters | Unread:
    """A session's counters by its device's API."""
    try:
        found = RouterOsDevice(api_access(nas, sealer)).read_counters(username)
    except (NasError, SealError) as error:
        return Unread(str(error))
    if found is None:
        return Unread(f"{nas.name} has no interface of {username}")
    return Counters(session, now(), *found)


def read_session(
    nas: NasTarget, sealer: Sealer, drivers: Drivers, *, username: str, acct_session_id: str
) -> DeviceSession | Unread:
    """The session as its device lists it, by API or by command line."""
    try:
        if nas.has_api:
            found = RouterOsDevice(api_access(nas, sealer)).read_session(username, acct_session_id)
        else:
            dialect = drivers.of(nas.vendor).cli
            if dialect is None or not nas.has_command_line:
                return Unread(f"{nas.name} has neither an API access nor a command line that is known")
            with CliReader(ssh_access(nas, dialect.device_type, sealer), dialect) as reader:
                found = reader.read_session(username, acct_session_id)
    except (NasError, SealError, CliWordError, UnknownVendorError) as error:
        return Unread(str(error))
    return Unread(f"{nas.name} lists no such session") if found is None else found


def target_of(targets: Iterable[NasTarget], name: str) -> NasTarget | None:
    """The device of that name."""
    return next((one for one in targets if one.name == name), None)
