"""Whose line an address is now: what the page for limited lines goes by. Read only, and no more than the reason needs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

import psycopg
from psycopg.rows import class_row

Connection = psycopg.Connection[Any]

# Prefixes that lines are given; each length is one look into an index.
_PREFIX_LENGTHS: Final = range(40, 65)
_COLUMNS: Final = """
SELECT DISTINCT n.id AS contract_id, n.customer_id, c.language::text, n.status::text, n.ends_on, a.quota_exhausted_until, r.origin::text, g.later_until
FROM session AS s JOIN subscriber_account AS a ON a.id = s.account_id JOIN contract AS n ON n.id = a.contract_id JOIN customer AS c ON c.id = n.customer_id
    LEFT JOIN LATERAL (SELECT x.origin FROM restriction AS x WHERE x.contract_id = n.id AND x.lifted_at IS NULL AND x.held_since IS NULL
        AND x.since <= %(now)s AND coalesce(x.until > %(now)s, true) AND (x.origin <> 'dunning' OR NOT EXISTS (SELECT FROM relief AS f WHERE f.contract_id = n.id AND f.during @> %(now)s))
        ORDER BY x.level DESC, x.since LIMIT 1) AS r ON true
    LEFT JOIN garden_reminder AS g ON g.contract_id = n.id
"""
_IPV4: Final = _COLUMNS + "WHERE s.framed_ipv4 = %(address)s LIMIT 2"
_IPV6: Final = (
    _COLUMNS
    + "WHERE s.framed_ipv6_address = %(address)s OR s.framed_ipv6_prefix = ANY (%(prefixes)s::cidr[]) OR s.delegated_ipv6_prefix = ANY (%(prefixes)s::cidr[]) LIMIT 2"
)


@dataclass(frozen=True, slots=True)
class GardenLine:
    """The line that an address belongs to. `origin` is of the severest restriction that counts now."""

    contract_id: int
    customer_id: int
    language: str
    status: str
    ends_on: date | None
    quota_exhausted_until: datetime | None
    origin: str | None
    later_until: datetime | None


def line_at(connection: Connection, address: str | None, *, now: datetime) -> GardenLine | None:
    """Whose live session has this address; None where nobody's has, or more than one contract's."""
    read = _read(address)
    if read is None:
        return None
    asked: dict[str, object] = {"address": str(read), "now": now}
    if isinstance(read, IPv6Address):
        asked["prefixes"] = [str(IPv6Network((read, length), strict=False)) for length in _PREFIX_LENGTHS]
    with connection.cursor(row_factory=class_row(GardenLine)) as cursor:
        found = cursor.execute(_IPV4 if isinstance(read, IPv4Address) else _IPV6, asked).fetchall()
    return found[0] if len(found) == 1 else None


def remind_later(connection: Connection, contract_id: int, *, until: datetime) -> None:
    """Remind this contract's line of nothing before that moment."""
    connection.execute(
        "INSERT INTO garden_reminder (contract_id, later_until) VALUES (%s, %s)"
        " ON CONFLICT (contract_id) DO UPDATE SET later_until = EXCLUDED.later_until",
        (contract_id, until),
    )


def owes_since(connection: Connection, customer_id: int, *, today: date) -> bool:
    """Whether something of the customer's is due."""
    row = connection.execute(
        "SELECT FROM open_document WHERE customer_id = %s AND open > 0 AND due_on < %s LIMIT 1", (customer_id, today)
    ).fetchone()
    return row is not None


def _read(address: str | None) -> IPv4Address | IPv6Address | None:
    try:
        read = ip_address((address or "").partition("%")[0])
    except ValueError:
        return None
    return read.ipv4_mapped or read if isinstance(read, IPv6Address) else read
