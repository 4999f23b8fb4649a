"""A customer's lines as the portal shows them: the contract, what it gets on the network now and why, and whether it is online."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import psycopg
from psycopg.rows import class_row

Connection = psycopg.Connection[Any]

# The severest restriction that counts now: a relief holds dunning's back.
_LINES: Final = """
SELECT n.id AS contract_id, p.id AS plan_id, p.name AS plan, n.status::text, n.starts_on, n.ends_on, a.id AS account_id, a.username,
    a.quota_exhausted_until, r.origin::text, r.level::text, s.started_at AS online_since, s.address
FROM contract AS n JOIN plan AS p ON p.id = n.plan_id LEFT JOIN subscriber_account AS a ON a.contract_id = n.id
    LEFT JOIN LATERAL (SELECT x.origin, x.level FROM restriction AS x WHERE x.contract_id = n.id AND x.lifted_at IS NULL AND x.held_since IS NULL
        AND x.since <= %(now)s AND coalesce(x.until > %(now)s, true) AND (x.origin <> 'dunning' OR NOT EXISTS (SELECT FROM relief AS f WHERE f.contract_id = n.id AND f.during @> %(now)s))
        ORDER BY x.level DESC, x.since LIMIT 1) AS r ON true
    LEFT JOIN LATERAL (SELECT l.started_at, coalesce(host(l.framed_ipv4), host(l.framed_ipv6_address), l.framed_ipv6_prefix::text) AS address FROM session AS l
        WHERE l.account_id = a.id ORDER BY l.started_at DESC LIMIT 1) AS s ON true
WHERE n.customer_id = %(customer)s AND n.status NOT IN ('draft', 'cancelled') ORDER BY n.status = 'ended', n.id, a.id LIMIT %(limit)s
"""
_DAYS: Final = """
SELECT u.day, sum(u.octets_in)::bigint, sum(u.octets_out)::bigint FROM usage_day AS u
WHERE u.account_id = ANY (SELECT a.id FROM subscriber_account AS a JOIN contract AS n ON n.id = a.contract_id WHERE n.customer_id = %(customer)s
    AND (%(account)s::bigint IS NULL OR a.id = %(account)s)) AND u.day BETWEEN %(since)s AND %(until)s GROUP BY u.day ORDER BY u.day
"""


@dataclass(frozen=True, slots=True)
class Line:
    """A contract with one of its accounts. `origin` and `level` are of the severest restriction that counts now."""

    contract_id: int
    plan_id: int
    plan: str
    status: str
    starts_on: date | None
    ends_on: date | None
    account_id: int | None
    username: str | None
    quota_exhausted_until: datetime | None
    origin: str | None
    level: str | None
    online_since: datetime | None
    address: str | None


@dataclass(frozen=True, slots=True)
class UsedDay:
    """What a customer used on a day. Units: octets; `up` came from the customer."""

    day: date
    up: int
    down: int


def load_lines(connection: Connection, customer_id: int, *, now: datetime, limit: int = 50) -> list[Line]:
    """A customer's contracts, those in service first."""
    with connection.cursor(row_factory=class_row(Line)) as cursor:
        return cursor.execute(_LINES, {"customer": customer_id, "now": now, "limit": limit}).fetchall()


def load_used_days(
    connection: Connection, customer_id: int, *, since: date, until: date, account_id: int | None = None
) -> list[UsedDay]:
    """What a customer's accounts, or one of them, used day by day; days without usage are left out."""
    asked = {"customer": customer_id, "account": account_id, "since": since, "until": until}
    return [UsedDay(*row) for row in connection.execute(_DAYS, asked)]
