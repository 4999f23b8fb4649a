"""The subscriber accounts of a customer or a contract with what is on their lines at this moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg.rows import class_row

Connection = psycopg.Connection[Any]

# A contract has some accounts; a carrier's hundreds are looked at in the list of accounts.
MOST_LINES: Final = 100


@dataclass(frozen=True, slots=True)
class Line:
    """An account; `since` and what follows are of its newest live session. `levels` are restrictions in force now."""

    username: str
    contract_id: int
    plan: str
    status: str
    expires_at: datetime | None
    levels: list[str]
    since: datetime | None
    stale: bool | None
    nas: str | None
    address: str | None
    octets_in: int | None
    octets_out: int | None
    sessions: int


_LINES: Final = """
SELECT a.username, a.contract_id, p.name AS plan, c.status::text, a.expires_at,
    ARRAY(SELECT DISTINCT r.level::text FROM restriction AS r WHERE r.contract_id = c.id AND r.lifted_at IS NULL AND r.held_since IS NULL
        AND r.since <= now() AND (r.until IS NULL OR r.until > now()) ORDER BY 1) AS levels,
    s.started_at AS since, s.stale, s.nas, s.address, s.octets_in, s.octets_out, coalesce(s.sessions, 0) AS sessions
FROM contract AS c JOIN plan AS p ON p.id = c.plan_id JOIN subscriber_account AS a ON a.contract_id = c.id
LEFT JOIN LATERAL (
    SELECT x.started_at, x.stale, n.name AS nas, coalesce(host(x.framed_ipv4), host(x.framed_ipv6_address), x.framed_ipv6_prefix::text,
            x.delegated_ipv6_prefix::text) AS address, x.octets_in, x.octets_out, count(*) OVER ()::integer AS sessions
    FROM session AS x JOIN nas AS n ON n.id = x.nas_id WHERE x.account_id = a.id ORDER BY x.started_at DESC LIMIT 1
) AS s ON true
WHERE {} ORDER BY a.contract_id, a.username LIMIT %s
"""


def load_lines_of_customer(connection: Connection, customer_id: int) -> list[Line]:
    """All of a customer's, at most `MOST_LINES`."""
    return _load(connection, "c.customer_id = %s", customer_id)


def load_lines_of_contract(connection: Connection, contract_id: int) -> list[Line]:
    """All of a contract's, at most `MOST_LINES`."""
    return _load(connection, "c.id = %s", contract_id)


def _load(connection: Connection, where: str, number: int) -> list[Line]:
    with connection.cursor(row_factory=class_row(Line)) as cursor:
        return cursor.execute(_LINES.format(where), (number, MOST_LINES)).fetchall()
