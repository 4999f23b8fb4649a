"""What the database knows of acknowledged changes: their sessions since, closed ones, replaced ones. The caller owns the transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from control_plane.control_loop.enforcement import Progress, State
from nas_drivers.policy import Method

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Acked:
    """One acknowledged change with what is known of its session now."""

    id: int
    session_key: UUID
    nas_id: int
    username: str
    acct_session_id: str
    from_version: bytes | None
    desired_version: bytes | None
    profile_id: int | None
    method: str
    identity_detail: int
    tries: int
    attempt: int
    unsure: bool
    sent_at: datetime
    answered_at: datetime
    deadline: datetime
    live: bool
    replaced: bool
    heard_at: datetime | None
    version: bytes | None
    read_to: datetime | None
    source: str

    @property
    def progress(self) -> Progress:
        """How far it has come, as the rules take it."""
        return Progress(State.ACKED, Method(self.method), self.identity_detail, self.tries, self.attempt, self.unsure)


# Of the acknowledged ones those of which there can be news: the session is gone, has spoken, has a successor, or is late.
# A successor proves nothing of a CoA, and accounting nothing where the device itself is asked: that is done at its time.
_NEWS: Final = """
WITH heard AS (SELECT min(read_to) AS read_to FROM spool_node WHERE updated_at > %(now)s - interval '5 minutes')
SELECT e.id, e.session_key, e.nas_id, e.username, e.acct_session_id, e.from_version, e.desired_version, e.profile_id, e.method::text, e.identity_detail, e.tries,
    e.attempt, e.unsure, e.sent_at, e.answered_at, e.next_at AS deadline, s.session_key IS NOT NULL OR x.own_key IS NOT NULL AS live,
    r.session_key IS NOT NULL AS replaced, s.received_at AS heard_at, s.policy_version AS version, heard.read_to,
    n.verification::text AS source
FROM enforcement e CROSS JOIN heard JOIN nas n ON n.id = e.nas_id
LEFT JOIN session s ON s.session_key = e.session_key LEFT JOIN device_session x ON x.own_key = e.session_key
LEFT JOIN LATERAL (SELECT y.session_key FROM session y WHERE e.method <> 'coa' AND y.username = s.username AND y.nas_id = s.nas_id AND y.mac = s.mac
    AND y.mac <> '' AND y.session_key <> s.session_key AND y.started_at >= e.sent_at LIMIT 1) AS r ON true
WHERE e.state = 'acked' AND (e.taken_until IS NULL OR e.taken_until <= %(now)s)
    AND ((s.session_key IS NULL AND x.own_key IS NULL) OR e.next_at <= %(now)s OR r.session_key IS NOT NULL
        OR ((s.received_at > e.answered_at OR s.policy_version = e.desired_version) AND NOT (e.method = 'coa' AND e.nas_id = ANY (%(read)s))))
ORDER BY e.id LIMIT %(limit)s FOR UPDATE OF e SKIP LOCKED
"""
# A session that ended while its change was between two tries: a cut is what was wanted; anything else is over.
_CLOSE_ENDED: Final = """
UPDATE enforcement e SET state = CASE WHEN e.profile_id IS NULL OR e.method = 'disconnect' THEN 'verified' ELSE 'superseded' END::enforcement_state,
    problem = 'the session ended before the answer', closed_at = %(now)s
WHERE e.state IN ('sent', 'nacked', 'unanswered') AND e.sent_at IS NOT NULL AND (e.taken_until IS NULL OR e.taken_until <= %(now)s)
    AND NOT EXISTS (SELECT FROM session s WHERE s.session_key = e.session_key)
    AND NOT EXISTS (SELECT FROM device_session x WHERE x.own_key = e.session_key)
"""


def load_news(connection: Connection, *, now: datetime, limit: int, read: Sequence[int] = ()) -> list[Acked]:
    """Acknowledged changes of which there may be news, held until the transaction ends; the NASes `read` are asked themselves."""
    with connection.cursor(row_factory=class_row(Acked)) as cursor:
        return cursor.execute(_NEWS, {"now": now, "limit": limit, "read": list(read)}).fetchall()


def close_ended(connection: Connection, *, now: datetime) -> int:
    """Close the changes that were sent and whose sessions ended before their answers came; returns how many."""
    return connection.execute(_CLOSE_ENDED, {"now": now}).rowcount
