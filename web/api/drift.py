"""Drift: live sessions that are not as their contracts say, sessions of nobody, how devices' own lists were read, and what is done."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from control_plane.access.permissions import Permission
from control_plane.drift_deeds import believe_device, close_ghosts_of, cut_session
from control_plane.quantities import mac_text
from control_plane.store.device_views import Reading, load_reading, load_readings, load_unknown
from control_plane.store.drift import DriftReason
from control_plane.store.drift_list import load_drift
from control_plane.store.nas import load_nas
from web.acting import person
from web.api._shapes import NO_CONTROL, Reason, shaped, there_is_none
from web.calls import MOST_ROWS, Noun
from web.database import Connection
from web.problems import Problem
from web.surroundings import here

pages = Noun("drift")
_Part = Annotated[str, msgspec.Meta(min_length=1, max_length=253, pattern=NO_CONTROL)]


class WhichDrift(msgspec.Struct, frozen=True, kw_only=True):
    """Which sessions, and how many of them at most."""

    username: _Part | None = None
    nas: _Part | None = None
    reason: DriftReason | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=MOST_ROWS)] = 100


class DriftedSession(msgspec.Struct, frozen=True):
    """A session that does not run under what it should. `enforcement` is the open change; `enforcement_state` its state, `held` while it may not
    go, or that of the last one when it came to nothing.
    """

    session_key: str
    username: str
    nas: str
    acct_session_id: str
    runs_under: str | None
    runs_under_profile: str | None
    level: str
    level_reason: str
    should_run_under: str | None
    should_run_under_profile: str | None
    since: datetime
    reason: str
    enforcement: int | None
    enforcement_state: str | None
    problem: str


class Drift(msgspec.Struct, frozen=True):
    """Sessions in drift. `more`: there are others; ask for a device or a reason."""

    data: list[DriftedSession]
    more: bool


class SessionOfNobody(msgspec.Struct, frozen=True):
    """A session that no account explains: only on the device, or of a username that no account has."""

    session_key: str
    nas: str
    acct_session_id: str
    username: str
    address: str | None
    mac: str
    since: datetime
    read_at: datetime
    problem: str


class ToCut(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why; it is kept."""

    reason: Reason


class CutSession(msgspec.Struct, frozen=True):
    """The change that ends it."""

    enforcement: int


class DeviceReading(msgspec.Struct, frozen=True):
    """How a device's own list was read. `held` says why what differs was not closed, `policies_held` why what it shows of policies is not believed."""

    nas: str
    tried_at: datetime
    read_at: datetime | None
    sessions: int
    problem: str
    held: str
    policies_held: str


class WordTaken(msgspec.Struct, frozen=True):
    """How many sessions were closed, or run under something else than was held."""

    sessions: int


@pages.call(
    "GET",
    "/drift",
    permission=Permission.NETWORK_SEE,
    asked=WhichDrift,
    answers=Drift,
    refusals=(404,),
    does=("drift.show",),
)
def show(connection: Connection, *, asked: WhichDrift) -> Drift:
    """The sessions in drift, the longest first."""
    found = load_drift(
        connection,
        username=asked.username,
        nas_id=None if asked.nas is None else _nas_id(connection, asked.nas),
        reason=asked.reason,
        limit=asked.limit + 1,
    )
    return Drift([shaped(DriftedSession, one) for one in found[: asked.limit]], len(found) > asked.limit)


@pages.call(
    "GET",
    "/drift/of-nobody",
    permission=Permission.NETWORK_SEE,
    answers=list[SessionOfNobody],
    does=("drift.show",),
)
def of_nobody(connection: Connection) -> list[SessionOfNobody]:
    """The sessions that no account explains."""
    return [
        shaped(SessionOfNobody, one, session_key=str(one.session_key), mac=mac_text(one.mac))
        for one in load_unknown(connection)
    ]


@pages.call(
    "POST",
    "/drift/of-nobody/<session_key>/cut",
    permission=Permission.NETWORK_ACT,
    body=ToCut,
    answers=CutSession,
    refusals=(404, 409),
    does=("drift.cut",),
)
def cut(connection: Connection, *, session_key: str, body: ToCut) -> CutSession:
    """End a session of nobody, such as one that a forgotten local user of the device let in."""
    found = next((one for one in load_unknown(connection) if str(one.session_key) == session_key), None)
    if found is None:
        raise there_is_none()
    number = cut_session(connection, here().settings, found, reason=body.reason, actor=person().name)
    if number is None:
        raise Problem(409, "It is being ended already.")
    return CutSession(number)


@pages.call(
    "GET",
    "/drift/readings",
    permission=Permission.NETWORK_SEE,
    answers=list[DeviceReading],
    does=("drift.show",),
)
def readings(connection: Connection) -> list[DeviceReading]:
    """How the devices' own lists of sessions were read."""
    return [shaped(DeviceReading, one) for one in load_readings(connection)]


@pages.call(
    "POST",
    "/drift/readings/<nas>/close-ghosts",
    permission=Permission.NETWORK_RELEASE,
    answers=WordTaken,
    refusals=(404, 409),
    does=("drift.take_word",),
)
def close_ghosts(connection: Connection, *, nas: str) -> WordTaken:
    """Close all sessions that accounting has and the device did not list, however many."""
    reading = _reading(connection, nas)
    return WordTaken(close_ghosts_of(connection, here().settings, reading, actor=person().name))


@pages.call(
    "POST",
    "/drift/readings/<nas>/believe",
    permission=Permission.NETWORK_RELEASE,
    answers=WordTaken,
    refusals=(404, 409),
    does=("drift.take_word",),
)
def believe(connection: Connection, *, nas: str) -> WordTaken:
    """Believe what a device shows of its sessions' policies, however many differ."""
    return WordTaken(believe_device(connection, _reading(connection, nas), actor=person().name))


def _reading(connection: Connection, name: str) -> Reading:
    found = load_reading(connection, _nas_id(connection, name))
    if found is None or found.read_at is None:
        raise Problem(409, "Its own list was never read.")
    return found


def _nas_id(connection: Connection, name: str) -> int:
    nas = load_nas(connection, name)
    if nas is None:
        raise there_is_none()
    return nas.id
