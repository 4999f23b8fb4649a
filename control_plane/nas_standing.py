"""Whether an access device is up, told by what it was last heard to say. Pure.

Accounting is its word; that it answers no changes is another matter, and so is a person who took it out.

Units: instants are aware UTC.
Next: store/network_figures.py
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

# Two interim intervals of the usual ten minutes; a device with subscribers speaks more often.
QUIET_AFTER: Final = timedelta(minutes=20)


class Standing(StrEnum):
    """How a NAS stands. Deaf: its accounting comes, and it answers no changes. Empty: nobody is online on it, so it need not speak."""

    DOWN = "down"
    DEAF = "deaf"
    MAINTENANCE = "maintenance"
    UP = "up"
    EMPTY = "empty"
    UNHEARD = "unheard"
    OFF = "off"


def standing_of(
    *,
    enabled: bool,
    sessions: int,
    heard_at: datetime | None,
    silent_since: datetime | None,
    maintained_since: datetime | None,
    now: datetime,
) -> Standing:
    """How a NAS stands now, by what is known of it."""
    quiet = heard_at is None or heard_at < now - QUIET_AFTER
    if not enabled:
        return Standing.OFF
    if maintained_since is not None:
        return Standing.MAINTENANCE
    if quiet and (sessions or silent_since is not None):
        return Standing.DOWN
    if silent_since is not None:
        return Standing.DEAF
    if heard_at is None:
        return Standing.UNHEARD
    return Standing.EMPTY if quiet else Standing.UP
