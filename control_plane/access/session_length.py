"""How long who signs in to the console stays in: set on the settings page, within bounds, and for those who are in already.

Next: signing_in.py
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

import psycopg

from control_plane import audit
from control_plane.access.people import AccessError
from control_plane.store import staff_sessions as store
from control_plane.store.staff_sessions import Session, SessionLength

Connection = psycopg.Connection[Any]
# Shorter, and people keep their password on a note; longer, and a lost laptop is open for months.
LEAST_IDLE_MINUTES: Final = 5
MOST_IDLE_MINUTES: Final = 24 * 60
LEAST_HOURS: Final = 1
MOST_HOURS: Final = 30 * 24


class IdleIsLongerError(AccessError):
    """Without a click a session would last longer than in any case."""


def change_session_length(connection: Connection, length: SessionLength, *, actor: str, now: datetime) -> list[Session]:
    """Let sessions last so long, those that are going on too; returns those that end by it. The caller holds the length.

    What was over by the length before stays over by any other. Raises: IdleIsLongerError.
    """
    assert LEAST_IDLE_MINUTES <= length.idle_minutes <= MOST_IDLE_MINUTES, length
    assert LEAST_HOURS <= length.most_hours <= MOST_HOURS, length
    if length.idle_minutes > length.most_hours * 60:
        raise IdleIsLongerError("a session would last longer without a click than in any case")
    before = store.hold_length(connection)
    if before == length:
        return []
    going_on = store.load_sessions(connection, now=now)
    store.close_too_long(connection, now=now)
    store.save_length(connection, length)
    store.move_ends(connection)
    store.close_too_long(connection, now=now)
    left = {one.id for one in store.load_sessions(connection, now=now)}
    ended = [one for one in going_on if one.id not in left]
    detail = {"before": asdict(before), "after": asdict(length), "sessions_ended": len(ended)}
    audit.append(connection, actor=actor, action="setting.session_length", subject="session length", detail=detail)
    return ended
