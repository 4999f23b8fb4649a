"""Accepts of the last seconds, counted as sessions until accounting knows them.

A Start takes some seconds from the access device over the spool to the policy store; without this memory two logins in
the same second would both find room.

Units: epoch seconds.
Next: decision.py
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from radius_hooks.policy_records import LiveSession

# How long an accept counts without a word from accounting: a device sends its Start within a second or two, the edge
# needs one more. A login that came to nothing blocks another line of the account no longer than this.
PENDING_S: Final = 10.0
# A storm of 20,000 logins in a second for that long; beyond it the oldest go.
MAX_PENDING: Final = 200_000


@dataclass(frozen=True, slots=True)
class _Reservation:
    until: float
    account_id: int
    session: LiveSession


class PendingSessions:
    """The reservations of this process. FreeRADIUS calls the hook from one thread at a time."""

    def __init__(self) -> None:
        self._by_account: dict[int, list[_Reservation]] = {}
        self._in_time: OrderedDict[bytes, _Reservation] = OrderedDict()

    def reserve(self, account_id: int, session: LiveSession, *, now: float) -> None:
        """Count `session` from now on."""
        self._forget_old(now)
        reservation = _Reservation(now + PENDING_S, account_id, session)
        self._in_time[session.session_key] = reservation
        self._by_account.setdefault(account_id, []).append(reservation)

    def of(self, account_id: int, known: tuple[LiveSession, ...], *, now: float) -> tuple[LiveSession, ...]:
        """The account's reservations that accounting does not know yet, by key or by line."""
        reservations = self._by_account.get(account_id)
        if reservations is None:
            return ()
        return tuple(
            one.session for one in reservations if one.until > now and not any(_same(one.session, s) for s in known)
        )

    def _forget_old(self, now: float) -> None:
        while self._in_time:
            key, oldest = next(iter(self._in_time.items()))
            if oldest.until > now and len(self._in_time) < MAX_PENDING:
                return
            del self._in_time[key]
            left = self._by_account[oldest.account_id]
            left.remove(oldest)
            if not left:
                del self._by_account[oldest.account_id]


def _same(pending: LiveSession, known: LiveSession) -> bool:
    """Whether accounting speaks of the pending session. Its key is the device's echo of Class, which is optional."""
    if pending.session_key == known.session_key:
        return True
    if pending.nas_id != known.nas_id or known.stale:
        return False
    return bool(pending.mac and pending.mac == known.mac) or bool(pending.line and pending.line == known.line)
