"""Who had an address at a time: looked up, and written into the audit log with why, whatever is found.

Next: ../store/address_history.py
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import psycopg

from control_plane import audit
from control_plane.store.address_history import Address, Holder, has_month, known_since, load_holders

Connection = psycopg.Connection[Any]


class Unknown(StrEnum):
    """Why nothing can be said of a time."""

    NOT_KEPT = "no longer kept"
    BEFORE_US = "before this database"
    MONTH_GONE = "month gone"


@dataclass(frozen=True, slots=True)
class LookedUp:
    """Who had it; with nobody `unknown` says whether that is the truth (None) or why it is not known, `since` from when on it would be.

    `shared`: subscribers shared the address at ports, and no port was given.
    """

    holders: tuple[Holder, ...]
    unknown: Unknown | None
    since: datetime | None
    shared: bool


def look_up(
    connection: Connection,
    address: Address,
    *,
    at: datetime,
    port: int | None,
    reason: str,
    actor: str,
    now: datetime,
    kept_days: int,
) -> LookedUp:
    """Who had the address, or a prefix around it, at a time that is over; the look-up is written down with its reason."""
    holders = tuple(load_holders(connection, address, at=at, port=port))
    unknown, since = (None, None) if holders else _unknown(connection, at, now=now, kept_days=kept_days)
    detail = {"at": at.isoformat(), "port": port, "reason": reason, "found": [holder.username for holder in holders]}
    audit.append(connection, actor=actor, action="history.lookup", subject=str(address), detail=detail)
    shared = port is None and any(holder.shares_address for holder in holders)
    return LookedUp(holders, unknown, since, shared)


def _unknown(
    connection: Connection, at: datetime, *, now: datetime, kept_days: int
) -> tuple[Unknown | None, datetime | None]:
    if at < now - timedelta(days=kept_days):
        return Unknown.NOT_KEPT, None
    began = known_since(connection)
    if began is not None and at < began:
        return Unknown.BEFORE_US, began
    return (None if has_month(connection, at) else Unknown.MONTH_GONE), None
