"""Sessions that have been silent for too long, told by the accounting that has been read so far.

The caller owns the transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from control_plane.store.session_reads import Connection


@dataclass(frozen=True, slots=True)
class SilenceLimits:
    """After how long a silence a session is over: so many of its intervals and a grace. Units: seconds."""

    intervals: int
    grace_s: int
    default_interval_s: int


# The device's own interval as it was seen, but never less than it was given: it may send once in between.
_INTERVAL: Final = "greatest(s.interim_interval_s, coalesce(p.interim_interval_s, %(default)s))"
_SILENT: Final = (
    "FROM session s LEFT JOIN subscriber_account a ON a.id = s.account_id LEFT JOIN contract c ON c.id = a.contract_id "
    "LEFT JOIN plan ON plan.id = c.plan_id LEFT JOIN profile p ON p.id = plan.profile_id "
    # What the row itself says comes first: it leaves next to nothing to be looked up in the four other tables.
    "WHERE s.received_at < %(horizon)s - make_interval(secs => %(grace)s + %(intervals)s * greatest(s.interim_interval_s, 60)) "
    f"AND s.received_at < %(horizon)s - make_interval(secs => %(grace)s + %(intervals)s * {_INTERVAL})"
)
# In the words of session_reads.py, so that a session taken over with a fraction of a second is the same to both.
_HEARD_AT: Final = "date_part('epoch', s.received_at)::bigint"


def load_read_horizon(connection: Connection, now: datetime) -> datetime | None:
    """Up to which time of receipt all accounting has been read; None when no node has said so lately.

    A node that has been silent for minutes does not hold the others up; when it comes back, its records reopen what
    was closed too early.
    """
    row = connection.execute(
        "SELECT min(read_to) FROM spool_node WHERE updated_at > %s - interval '5 minutes'", (now,)
    ).fetchone()
    assert row is not None, "an aggregate has one row"
    horizon: datetime | None = row[0]
    return horizon


def load_falling_silent(
    connection: Connection, horizon: datetime, limits: SilenceLimits, *, at_once: int
) -> dict[int, dict[bytes, int]]:
    """Sessions that will be closed in one interval unless they speak and are not marked yet, as `load_silent`."""
    wanted = _silence(horizon, limits, intervals=limits.intervals - 1)
    return _load(connection, f"{_SILENT} AND NOT s.stale", wanted, at_once)


def load_silent(
    connection: Connection, horizon: datetime, limits: SilenceLimits, *, at_once: int
) -> dict[int, dict[bytes, int]]:
    """Sessions that have been silent for too long, by NAS, with when they were last heard."""
    return _load(connection, _SILENT, _silence(horizon, limits, intervals=limits.intervals), at_once)


def load_read_to(connection: Connection) -> float:
    """Up to when accounting has been read, in epoch seconds: when no node has said so lately, as of then; 0 for never."""
    row = connection.execute(
        "SELECT extract(epoch FROM coalesce(min(read_to) FILTER (WHERE updated_at > now() - interval '5 minutes'), "
        "max(read_to)))::float8 FROM spool_node"
    ).fetchone()
    assert row is not None, "an aggregate has one row"
    return row[0] or 0.0


def mark_stale(connection: Connection, nas_id: int, heard_at: Mapping[bytes, int]) -> set[int]:
    """Mark those sessions of a NAS that have said nothing since they were last heard; returns their accounts.

    The caller holds the NAS: a shipper that has read a session and writes it back must not find it marked in between.
    """
    rows = connection.execute(
        "UPDATE session s SET stale = true FROM unnest(%s::uuid[], %s::bigint[]) AS w (key, heard) "
        f"WHERE s.session_key = w.key AND s.nas_id = %s AND {_HEARD_AT} = w.heard RETURNING s.account_id",
        ([key.hex() for key in heard_at], list(heard_at.values()), nas_id),
    )
    return {account_id for (account_id,) in rows if account_id is not None}


def _load(connection: Connection, silent: str, wanted: dict[str, object], at_once: int) -> dict[int, dict[bytes, int]]:
    rows = connection.execute(
        f"SELECT s.nas_id, uuid_send(s.session_key), {_HEARD_AT} {silent} LIMIT %(at_once)s",
        {**wanted, "at_once": at_once},
    )
    found: dict[int, dict[bytes, int]] = {}
    for nas_id, key, heard_at in rows:
        found.setdefault(nas_id, {})[key] = heard_at
    return found


def _silence(horizon: datetime, limits: SilenceLimits, *, intervals: int) -> dict[str, object]:
    return {
        "horizon": horizon,
        "grace": limits.grace_s,
        "intervals": intervals,
        "default": limits.default_interval_s,
    }
