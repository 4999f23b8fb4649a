"""Accounting's sessions of a device laid beside its own list, for a person: who is only on one side. Pure.

By the ids of accounting where the list has them, else by how many sessions each username has. What is younger than the grace is the
two views' own delay. Where a list does not say how long a session is up, one that has just logged in counts as young.

Next: device_steps.py
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final

from control_plane.control_loop.two_views import GRACE_S, OwnSession
from control_plane.device_test.seen import Sides
from nas_drivers.device_session import DeviceSession

LISTS_GRACE_S: Final = GRACE_S


def compare(
    own: Sequence[OwnSession],
    listed: Sequence[DeviceSession],
    *,
    read_at: datetime,
    just_in: Collection[str] = (),
    grace_s: int = LISTS_GRACE_S,
) -> Sides:
    """What differs at `read_at`. `just_in`: usernames that logged in within the grace."""
    by_id = all(one.acct_session_id for one in listed)

    def ours_as(one: OwnSession) -> tuple[str, str]:
        return (one.acct_session_id.lower() if by_id else "", one.username)

    def theirs_as(one: DeviceSession) -> tuple[str, str]:
        return (one.acct_session_id.lower() if by_id else "", one.username)

    since = read_at - timedelta(seconds=grace_s)
    ours, theirs = Counter(map(ours_as, own)), Counter(map(theirs_as, listed))
    settled_ours = Counter(ours_as(one) for one in own if one.received_at < since)
    settled_theirs = Counter(theirs_as(one) for one in listed if _is_settled(one, just_in, grace_s))
    return Sides(
        only_ours=tuple(sorted(name for _, name in (settled_ours - theirs).elements())),
        only_there=tuple(sorted(name for _, name in (settled_theirs - ours).elements())),
        there=len(listed),
        by_id=by_id,
    )


def _is_settled(one: DeviceSession, just_in: Collection[str], grace_s: int) -> bool:
    return one.username not in just_in if one.up_s is None else one.up_s > grace_s
