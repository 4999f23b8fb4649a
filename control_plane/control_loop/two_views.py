"""Accounting's sessions of a NAS compared with the device's own list: which of ours are ghosts, and whether to act. Pure.

On who is online the device is right; on what a session may have, the contract.

Units: *_s seconds; instants are aware UTC.
Next: device_views.py
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

# Younger differences are the two views' own delay: a Start or Stop on its way, a list that took its time.
GRACE_S: Final = 120
# A difference beyond both is more likely a fault of the reading than of so many sessions.
MASS_SHARE: Final = 0.05
MASS_LEAST: Final = 20


@dataclass(frozen=True, slots=True)
class OwnSession:
    """A live session as accounting has it."""

    session_key: bytes
    acct_session_id: str
    username: str
    started_at: datetime
    received_at: datetime


@dataclass(frozen=True, slots=True)
class ListedSession:
    """A session as the device listed it; `since` is when it came up, or was first listed."""

    acct_session_id: str
    username: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Difference:
    """Ghosts are only ours, unknown ones only the device's. `held` says why nothing is to be done about them."""

    ghosts: tuple[OwnSession, ...]
    unknown: tuple[ListedSession, ...]
    held: str = ""


def difference(
    own: Iterable[OwnSession], listed: Iterable[ListedSession], *, read_at: datetime, grace_s: int = GRACE_S
) -> Difference:
    """What differs at `read_at` and has for longer than the grace.

    A session is the same in both by its id and name: an id alone comes round again after a reboot.
    """
    since = read_at - timedelta(seconds=grace_s)
    ours = {(one.acct_session_id, one.username): one for one in own}
    theirs = {(one.acct_session_id, one.username): one for one in listed}
    ghosts = tuple(one for name, one in ours.items() if name not in theirs and one.received_at < since)
    unknown = tuple(one for name, one in theirs.items() if name not in ours and one.since < since)
    return Difference(ghosts, unknown, _held(len(ghosts), len(unknown), of=max(len(ours), len(theirs))))


def _held(ghosts: int, unknown: int, *, of: int) -> str:
    differing = ghosts + unknown
    if differing <= MASS_LEAST or differing <= MASS_SHARE * of:
        return ""
    return f"{ghosts} of our sessions are not on the device and {unknown} of its own are not known here, of {of}: nothing was done"
