"""Who had an address: one month of the history and the live sessions. Read by the role corrente_lookup alone.

The caller owns the transaction and writes the look-up into the audit log.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg.rows import class_row

Connection = psycopg.Connection[Any]
Address = IPv4Address | IPv6Address
# No operator delegates more than a /16.
_SHORTEST_PREFIX: Final = {4: 32, 6: 16}

_HISTORY: Final = """
SELECT h.username, h.account_id, n.name AS nas, host(h.address) || CASE WHEN masklen(h.address) < %(length)s
        THEN '/' || masklen(h.address) ELSE '' END AS held,
    h.first_port, h.last_port, h.valid_from, h.valid_to, h.valid_to AS heard_at, h.session_key
FROM address_history h LEFT JOIN nas n ON n.id = h.nas_id
WHERE h.month = %(month)s AND h.address = ANY (%(within)s::inet[]) AND h.valid_from <= %(at)s
    AND (h.valid_to > %(at)s OR h.valid_from = %(at)s) AND coalesce(%(port)s BETWEEN h.first_port AND h.last_port, true)
"""
_LIVE: Final = """
SELECT s.username, s.account_id, n.name AS nas, w.held, w.first_port, w.last_port, s.addresses_since AS valid_from,
    NULL::timestamptz AS valid_to, s.updated_at AS heard_at, s.session_key
FROM (
    SELECT session_key, host(framed_ipv4) AS held, 0 AS first_port, 65535 AS last_port FROM session WHERE framed_ipv4 = ANY (%(within)s::inet[])
    UNION ALL SELECT session_key, host(nat_address), nat_first_port, nat_last_port FROM session WHERE nat_address = ANY (%(within)s::inet[])
    UNION ALL SELECT session_key, host(framed_ipv6_address), 0, 65535 FROM session WHERE framed_ipv6_address = ANY (%(within)s::inet[])
    UNION ALL SELECT session_key, framed_ipv6_prefix::text, 0, 65535 FROM session WHERE framed_ipv6_prefix = ANY (%(within)s::cidr[])
    UNION ALL SELECT session_key, delegated_ipv6_prefix::text, 0, 65535 FROM session WHERE delegated_ipv6_prefix = ANY (%(within)s::cidr[])
) AS w JOIN session s USING (session_key) JOIN nas n ON n.id = s.nas_id
WHERE s.addresses_since <= %(at)s AND coalesce(%(port)s BETWEEN w.first_port AND w.last_port, true)
"""
# One statement is one snapshot: a session that ends meanwhile leaves one table for the other, and two would miss it in both.
_HOLDERS: Final = f"{_HISTORY} UNION ALL {_LIVE} ORDER BY valid_to NULLS LAST, valid_from"


@dataclass(frozen=True, slots=True)
class Holder:
    """Who had an address or a prefix around it. `valid_to` is None for a live session, last heard of at `heard_at`."""

    username: str
    account_id: int | None
    nas: str | None
    held: str
    first_port: int
    last_port: int
    valid_from: datetime
    valid_to: datetime | None
    heard_at: datetime
    session_key: UUID

    @property
    def shares_address(self) -> bool:
        """Whether it held a block of ports only."""
        return (self.first_port, self.last_port) != (0, 65535)


def load_holders(connection: Connection, address: Address, *, at: datetime, port: int | None) -> list[Holder]:
    """Who had the address, or a prefix that it lies in, at an instant; live sessions last."""
    wanted = _parameters(address, at, port)
    with connection.cursor(row_factory=class_row(Holder)) as cursor:
        return cursor.execute(_HOLDERS, wanted).fetchall()


def explain_holders(connection: Connection, address: Address, *, at: datetime, port: int | None) -> str:
    """PostgreSQL's plan of the look-up in the history, with what it read."""
    rows = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS) {_HISTORY}", _parameters(address, at, port)).fetchall()
    return "\n".join(line for (line,) in rows)


def has_month(connection: Connection, at: datetime) -> bool:
    """Whether the history of the month of an instant is still kept."""
    row = connection.execute("SELECT to_regclass(%s)", (f"address_history_{_month(at):%Y%m}",)).fetchone()
    return row is not None and row[0] is not None


def known_since(connection: Connection) -> datetime | None:
    """When this database was made: of the time before it holds only what was imported or reported late."""
    row = connection.execute("SELECT min(applied_at) FROM schema_migration").fetchone()
    return None if row is None else row[0]


def _month(at: datetime) -> date:
    return at.astimezone(UTC).date().replace(day=1)


def _parameters(address: Address, at: datetime, port: int | None) -> dict[str, object]:
    longest = address.max_prefixlen
    lengths = range(longest, _SHORTEST_PREFIX[address.version] - 1, -1)
    within = [str(ip_network((address, length), strict=False)) for length in lengths]
    return {"at": at, "month": _month(at), "port": port, "within": within, "length": longest}
