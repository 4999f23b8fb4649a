"""Access devices as a person looks at all of them: what each is doing now, and when it was last heard. Reads only.

By what a job counts once a minute: neither sessions nor their past are read.

Units: instants are aware UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network
from itertools import islice
from typing import Any, Final

import psycopg
from psycopg.rows import class_row

from control_plane.nas_standing import Standing, standing_of

Connection = psycopg.Connection[Any]

_LIST: Final = """
SELECT n.id, n.name, n.source, n.vendor, s.name AS site, coalesce(w.sessions, 0) AS live_sessions,
    greatest(w.heard_at, c.at, n.booted_at) AS heard_at, n.enabled, q.since AS silent_since, m.since AS maintained_since
FROM nas n LEFT JOIN site s ON s.id = n.site_id LEFT JOIN nas_word w ON w.nas_id = n.id
LEFT JOIN nas_clock c ON c.nas_id = n.id LEFT JOIN nas_silence q ON q.nas_id = n.id
LEFT JOIN nas_maintenance m ON m.nas_id = n.id AND m.ended_at IS NULL AND m.since <= %(now)s AND (m.until IS NULL OR %(now)s < m.until)
WHERE (%(id)s::bigint IS NULL OR n.id = %(id)s) AND (%(q)s::text IS NULL OR strpos(lower(n.name), lower(%(q)s)) > 0 OR host(n.source) = %(q)s)
    AND (%(site)s::text IS NULL OR s.name = %(site)s) AND (%(vendor)s::text IS NULL OR n.vendor = %(vendor)s)
    AND (%(after)s::text IS NULL OR n.name > %(after)s)
ORDER BY n.name
"""


@dataclass(frozen=True, slots=True)
class NasNow:
    """One access device now. `heard_at` is the last word of its accounting, None when there was none; `silent_since`: it does not
    answer changes."""

    id: int
    name: str
    source: IPv4Network | IPv6Network
    vendor: str
    site: str | None
    live_sessions: int
    heard_at: datetime | None
    enabled: bool
    silent_since: datetime | None
    maintained_since: datetime | None

    def standing(self, now: datetime) -> Standing:
        """How it stands at that moment."""
        return standing_of(
            enabled=self.enabled,
            sessions=self.live_sessions,
            heard_at=self.heard_at,
            silent_since=self.silent_since,
            maintained_since=self.maintained_since,
            now=now,
        )


def load_nases_now(
    connection: Connection,
    *,
    now: datetime,
    q: str | None = None,
    site: str | None = None,
    vendor: str | None = None,
    state: Standing | None = None,
    after: str | None = None,
    limit: int,
) -> list[NasNow]:
    """Those asked for, by name, from the one behind `after` on."""
    asked = {"id": None, "q": q, "site": site, "vendor": vendor, "after": after}
    found = _load(connection, asked, now)
    return list(islice((one for one in found if state is None or one.standing(now) is state), limit))


def load_nas_now(connection: Connection, nas_id: int, *, now: datetime) -> NasNow:
    """One of them."""
    asked = {"id": nas_id, "q": None, "site": None, "vendor": None, "after": None}
    return _load(connection, asked, now)[0]


def _load(connection: Connection, asked: Mapping[str, object], now: datetime) -> list[NasNow]:
    with connection.cursor(row_factory=class_row(NasNow)) as cursor:
        return cursor.execute(_LIST, {**asked, "now": now}).fetchall()


def load_sites(connection: Connection) -> list[str]:
    """The places there are, by name."""
    return [name for (name,) in connection.execute("SELECT name FROM site ORDER BY name")]
