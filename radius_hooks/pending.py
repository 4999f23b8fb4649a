"""Accepts of the last seconds, counted as sessions until accounting knows them.

A Start takes some seconds from the access device over the spool to the policy store; without this memory two logins in
the same second would both find room.

Units: epoch seconds.
Next: decision.py
"""

from __future__ import annotations

from collections import deque
from typing import Final

from radius_hooks.policy_records import LiveSession

# How long an accept counts without a word from accounting: a device sends its Start within a second or two, the edge
# needs one more. A login that came to nothing blocks another line of the account no longer than this.
PENDING_S: Final = 10.0
# A storm of 20,000 logins in a second for that long; beyond it the oldest go.
MAX_PENDING: Final = 200_000

_Reservation = tuple[float, LiveSession]


class PendingSessions:
    """The reservations of this process. FreeRADIUS calls the hook from one thread at a time."""

    def __init__(self) -> None:
        self._by_account: dict[int, tuple[_Reservation, ...]] = {}
        self._in_time: deque[tuple[float, int]] = deque()

    def reserve(self, account_id: int, session: LiveSession, *, now: float) -> None:
        """Count `session` from now on."""
        queue, by_account = self._in_time, self._by_account
        while queue and (queue[0][0] <= now or len(queue) >= MAX_PENDING):
            self._forget(*queue.popleft())
        until = now + PENDING_S
        queue.append((until, account_id))
        # A line that redials has one session, however often it asks.
        others = [one for one in by_account.get(account_id, ()) if not _same(one[1], session)]
        by_account[account_id] = (*others, (until, session))

    def of(self, account_id: int, known: tuple[LiveSession, ...], *, now: float) -> tuple[LiveSession, ...]:
        """The account's reservations that accounting does not know yet, by key or by line."""
        reservations = self._by_account.get(account_id)
        if reservations is None:
            return ()
        return tuple(
            session
            for until, session in reservations
            # An end further off than any was ever set: the clock was put back, and nobody waits until it is there again.
            if now < until <= now + PENDING_S and not any(_same(session, s) for s in known)
        )

    def _forget(self, until: float, account_id: int) -> None:
        """Drop what the account reserved up to that end."""
        left = [one for one in self._by_account.pop(account_id, ()) if one[0] > until]
        if left:
            self._by_account[account_id] = tuple(left)


def _same(pending: LiveSession, known: LiveSession) -> bool:
    """Whether accounting speaks of the pending session. Its key is the device's echo of Class, which is optional.

    A line says so only where the MAC addresses do not say otherwise: many subscribers may share a port.
    """
    if pending.session_key == known.session_key:
        return True
    if pending.nas_id != known.nas_id or known.stale:
        return False
    if pending.mac and known.mac:
        return pending.mac == known.mac
    return bool(pending.line) and pending.line == known.line
