"""What a person does about drift and changes: ends a session of nobody, has a device's word taken, has a change sent again. Each
deed has its row in the audit log.

Next: control_loop/device_views.py
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import psycopg

from control_plane import audit
from control_plane.control_loop.device_views import believe_policies, close_ghosts
from control_plane.control_loop.ladder import Ladders
from control_plane.settings import Settings
from control_plane.store.device_views import Reading, UnknownSession, open_cut
from control_plane.store.enforcement_list import Listed, save_again, save_due_now
from nas_drivers.driver import Drivers, UnknownVendorError
from nas_drivers.policy import Method

Connection = psycopg.Connection[Any]


class NotSentAgainError(Exception):
    """A change can't be sent again; the message says why. `under_way`: it is being sent or waits for its proof."""

    def __init__(self, found: Listed, *, under_way: bool) -> None:
        super().__init__(
            f"change {found.id} is on its way or waits for its proof: nothing to send now"
            if under_way
            else f"change {found.id} is {found.state}: its session is over, or has another change open"
        )
        self.under_way = under_way


def cut_session(
    connection: Connection, settings: Settings, found: UnknownSession, *, reason: str, actor: str
) -> int | None:
    """The change that ends a session of nobody; None when one is open already, and then nothing is written."""
    try:
        method = Drivers(settings.drivers).of(found.vendor).change_methods(None, None)[0]
    except UnknownVendorError:
        method = Method.DISCONNECT
    number = open_cut(connection, found, method=method.value, reason=f"cut by {actor}: {reason}")
    if number is not None:
        audit.append(
            connection,
            actor=actor,
            action="session.cut",
            subject=f"{found.nas} {found.acct_session_id}",
            detail={"reason": reason, "username": found.username, "enforcement": number},
        )
    return number


def close_ghosts_of(connection: Connection, settings: Settings, reading: Reading, *, actor: str) -> int:
    """Close what accounting has and the device does not list, however many; returns how many. `reading` was complete.

    The connection is in autocommit: each part stands by itself.
    """
    assert reading.read_at is not None
    closed = close_ghosts(connection, settings, reading.nas_id, read_at=reading.read_at)
    audit.append(connection, actor=actor, action="session.close_ghosts", subject=reading.nas, detail={"closed": closed})
    return closed


def believe_device(connection: Connection, reading: Reading, *, actor: str) -> int:
    """Take the device's word for what its sessions run under; returns of how many that is news. As above."""
    assert reading.read_at is not None
    believed = believe_policies(connection, reading.nas_id, read_at=reading.read_at)
    audit.append(
        connection, actor=actor, action="session.believe_device", subject=reading.nas, detail={"sessions": believed}
    )
    return believed


def send_again(connection: Connection, settings: Settings, found: Listed, *, actor: str, now: datetime) -> int:
    """Make a change due now, or open anew one that has ended; returns its number. Raises: NotSentAgainError."""
    if found.closed_at is None:
        if not save_due_now(connection, found.id):
            raise NotSentAgainError(found, under_way=True)
        again = found.id
    else:
        ladders = Ladders(Drivers(settings.drivers))
        ladders.refresh(connection, now)
        opened = save_again(connection, found.id, ladders.first(found.nas_id, found.from_version, found.profile_id))
        if opened is None:
            raise NotSentAgainError(found, under_way=False)
        again = opened
    audit.append(connection, actor=actor, action="enforcement.retry", subject=str(found.id), detail={"as": again})
    return again
