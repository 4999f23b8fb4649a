"""Maintenance: nothing is sent to a device, or to all of a site, while somebody works on it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Annotated, Final

import msgspec

from control_plane.access.permissions import Permission
from control_plane.interventions import begin_maintenance_of, end_maintenance_of
from control_plane.store.interventions import load_maintenance
from control_plane.store.nas import load_nas
from control_plane.store.nas_list import load_nases_now
from web.acting import clock, person
from web.api._shapes import Reason, shaped, there_is_none, wrong_value
from web.calls import Noun
from web.database import Connection
from web.problems import Problem

pages = Noun("maintenance")
# All that a site may have.
_ALL: Final = 100_000


class Maintenance(msgspec.Struct, frozen=True):
    """A device that nothing is sent to; `waiting` changes wait for its end."""

    nas: str
    since: datetime
    until: datetime | None
    placed_by: str
    reason: str
    waiting: int


class ToMaintain(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why, and when it ends by itself."""

    reason: Reason
    until: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


@pages.call(
    "GET",
    "/maintenance",
    permission=Permission.NETWORK_SEE,
    answers=list[Maintenance],
    does=("maintenance.show",),
)
def show(connection: Connection) -> list[Maintenance]:
    """The devices in maintenance."""
    return [shaped(Maintenance, one) for one in load_maintenance(connection, clock(connection))]


@pages.call(
    "POST",
    "/nases/<name>/maintenance",
    permission=Permission.NETWORK_ACT,
    body=ToMaintain,
    answers=Maintenance,
    refusals=(404, 409),
    does=("maintenance.begin",),
)
def begin(connection: Connection, *, name: str, body: ToMaintain) -> Maintenance:
    """Send nothing to a device while somebody works on it; logins go on."""
    return _begin(connection, _of_name(connection, name), body)[0]


@pages.call(
    "DELETE",
    "/nases/<name>/maintenance",
    permission=Permission.NETWORK_ACT,
    answers=None,
    refusals=(404, 409),
    does=("maintenance.end",),
)
def end(connection: Connection, *, name: str) -> None:
    """Send to a device again: what waits goes first, and the guard still holds what is too much."""
    _end(connection, _of_name(connection, name))


@pages.call(
    "POST",
    "/sites/<site>/maintenance",
    permission=Permission.NETWORK_ACT,
    body=ToMaintain,
    answers=list[Maintenance],
    refusals=(404, 409),
    does=("maintenance.begin",),
)
def begin_of_site(connection: Connection, *, site: str, body: ToMaintain) -> list[Maintenance]:
    """Send nothing to the devices of a site; answered are those that were not in maintenance yet."""
    return _begin(connection, _of_site(connection, site), body)


@pages.call(
    "DELETE",
    "/sites/<site>/maintenance",
    permission=Permission.NETWORK_ACT,
    answers=None,
    refusals=(404, 409),
    does=("maintenance.end",),
)
def end_of_site(connection: Connection, *, site: str) -> None:
    """Send to the devices of a site again."""
    _end(connection, _of_site(connection, site))


def _begin(connection: Connection, nases: Collection[tuple[int, str]], body: ToMaintain) -> list[Maintenance]:
    now = clock(connection)
    if body.until is not None and body.until <= now:
        raise wrong_value("that is over", pointer="/until")
    begun = set(
        begin_maintenance_of(connection, nases, reason=body.reason, until=body.until, actor=person().name, now=now)
    )
    if not begun:
        raise Problem(409, "In maintenance already.")
    return [shaped(Maintenance, one) for one in load_maintenance(connection, now) if one.nas in begun]


def _end(connection: Connection, nases: Collection[tuple[int, str]]) -> None:
    if not end_maintenance_of(connection, nases, actor=person().name, now=clock(connection)):
        raise Problem(409, "Not in maintenance.")


def _of_name(connection: Connection, name: str) -> list[tuple[int, str]]:
    nas = load_nas(connection, name)
    if nas is None:
        raise there_is_none()
    return [(nas.id, nas.name)]


def _of_site(connection: Connection, site: str) -> list[tuple[int, str]]:
    found = load_nases_now(connection, now=clock(connection), site=site, limit=_ALL)
    if not found:
        raise there_is_none()
    return [(nas.id, nas.name) for nas in found]
