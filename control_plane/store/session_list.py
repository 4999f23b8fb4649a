"""Live sessions as a person lists them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg.rows import class_row

Connection = psycopg.Connection[Any]

_LIST: Final = """
SELECT s.session_key::text AS session_key, s.username, s.account_id, n.name AS nas, s.acct_session_id,
    coalesce(host(s.framed_ipv4), host(s.framed_ipv6_address), s.framed_ipv6_prefix::text, s.delegated_ipv6_prefix::text, '') AS address,
    s.started_at, s.received_at, s.session_time_s, s.octets_in, s.octets_out, s.mac, s.line, s.stale
FROM session s JOIN nas n ON n.id = s.nas_id
WHERE (%(user)s::text IS NULL OR s.username = %(user)s) AND (%(nas)s::bigint IS NULL OR s.nas_id = %(nas)s)
    AND (NOT %(stale)s OR s.stale)
ORDER BY s.started_at DESC, s.session_key LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class ListedSession:
    """One live session. `octets_in` came from the subscriber; `received_at` is when its device last spoke of it."""

    session_key: str
    username: str
    account_id: int | None
    nas: str
    acct_session_id: str
    address: str
    started_at: datetime
    received_at: datetime
    session_time_s: int
    octets_in: int
    octets_out: int
    mac: str
    line: str
    stale: bool


def load_sessions(
    connection: Connection, *, username: str | None, nas_id: int | None, stale: bool, limit: int
) -> list[ListedSession]:
    """The newest live sessions, of one username or one NAS if asked, only the silent ones if asked."""
    with connection.cursor(row_factory=class_row(ListedSession)) as cursor:
        wanted = {"user": username, "nas": nas_id, "stale": stale, "limit": limit}
        return cursor.execute(_LIST, wanted).fetchall()
