"""Sessions in drift as a person lists them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg.rows import class_row

from control_plane.store.drift import IN_DRIFT, OF_ALL, DriftReason, tune

Connection = psycopg.Connection[Any]

# An edited profile is wanted since its revision is known; an account's policy since its row says so.
_LIST: Final = f"""
SELECT s.session_key::text, s.username, s.account_id, n.name AS nas, s.acct_session_id, encode(v.runs, 'hex') AS runs_under,
    (SELECT f.name FROM known_revision r JOIN profile f ON f.id = r.profile_id WHERE r.revision = substr(v.runs, 1, 4)
        ORDER BY r.profile_id = d.profile_id DESC, r.profile_id LIMIT 1) AS runs_under_profile,
    d.level::text, d.reason AS level_reason, encode(v.desired, 'hex') AS should_run_under, w.name AS should_run_under_profile,
    greatest(d.changed_at, s.started_at, q.since) AS since, k.reason, o.id AS enforcement,
    CASE WHEN o.held_since IS NOT NULL THEN 'held' ELSE coalesce(o.state, t.state)::text END AS enforcement_state, coalesce(nullif(o.held_reason, ''), o.problem, t.problem, '') AS problem
{OF_ALL}
JOIN nas n ON n.id = s.nas_id LEFT JOIN profile w ON w.id = d.profile_id
LEFT JOIN known_revision q ON q.revision = p.revision AND q.profile_id = d.profile_id
{IN_DRIFT} AND (%(user)s::text IS NULL OR s.username = %(user)s) AND (%(nas)s::bigint IS NULL OR s.nas_id = %(nas)s)
    AND (%(reason)s::text IS NULL OR k.reason = %(reason)s)
ORDER BY since, s.session_key LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class DriftedSession:
    """One live session that does not run under what it should. `enforcement` is the open one; `enforcement_state` its
    state, `held` while it may not go, or that of the last one when it came to nothing. Versions are hex, None where nothing is known or wanted."""

    session_key: str
    username: str
    account_id: int
    nas: str
    acct_session_id: str
    runs_under: str | None
    runs_under_profile: str | None
    level: str
    level_reason: str
    should_run_under: str | None
    should_run_under_profile: str | None
    since: datetime
    reason: str
    enforcement: int | None
    enforcement_state: str | None
    problem: str


def load_drift(
    connection: Connection,
    *,
    username: str | None = None,
    nas_id: int | None = None,
    reason: DriftReason | None = None,
    limit: int,
) -> list[DriftedSession]:
    """The sessions in drift, the longest first, of one username, one NAS or for one reason if asked."""
    wanted = {"user": username, "nas": nas_id, "reason": None if reason is None else reason.value, "limit": limit}
    with connection.transaction():
        tune(connection)
        with connection.cursor(row_factory=class_row(DriftedSession)) as cursor:
            return cursor.execute(_LIST, wanted).fetchall()
