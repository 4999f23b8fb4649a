"""Who is online, as pages list them: filtered, sorted and read on from the row before, at a million live sessions.

Each sort has an index that gives its order, each filter one that finds its rows. What a session carries now has none, because an
interim update would then write into it: that sort is for the sessions of one NAS.

The caller owns the transaction.

Units: bit/s, octets, seconds; `in` is from the subscriber.
Next: control_loop/by_hand.py
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg.rows import class_row

Connection = psycopg.Connection[Any]

# What is above every character in the order of a C collation.
_ABOVE: Final = chr(0x10FFFF)
_IPV6_LONGEST, _IPV6_SHORTEST = 128, 32
_ROWS_AT_ONCE: Final = 2000


class FilterError(ValueError):
    """What was asked for can't be: `field` says which one is wrong."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


class Sort(StrEnum):
    """What a list of sessions is sorted by."""

    START = "since"
    USERNAME = "username"
    NOW = "now"


_COLUMNS: Final = {
    Sort.START: "s.started_at",
    Sort.USERNAME: "s.username",
    Sort.NOW: "coalesce(s.rate_in_bps + s.rate_out_bps, 0)",
}


@dataclass(frozen=True, slots=True)
class OnlineFilter:
    """Which sessions: all that is given must hold. `username` and `line` are beginnings, `network` an address or a prefix, `keys` names them."""

    username: str = ""
    nas: str = ""
    line: str = ""
    network: IPv4Network | IPv6Network | None = None
    mac: str = ""
    customer_id: int | None = None
    stale: bool = False
    keys: tuple[UUID, ...] | None = None


@dataclass(frozen=True, slots=True)
class OnlineRow:
    """One live session. `policy` is what it runs under, None where that is not known; `in_drift`: that is not what it should have."""

    session_key: UUID
    username: str
    account_id: int | None
    contract_id: int | None
    customer_id: int | None
    customer: str | None
    nas: str
    site: str | None
    line: str
    port: str
    ipv4: str | None
    ipv6: str | None
    mac: str
    started_at: datetime
    received_at: datetime
    session_time_s: int
    octets_in: int
    octets_out: int
    rate_in_bps: int | None
    rate_out_bps: int | None
    stale: bool
    policy: str | None
    policy_down_bps: int | None
    policy_up_bps: int | None
    level: str | None
    in_drift: bool
    enforcement_id: int | None
    carries_now: int


_ROWS: Final = """
SELECT s.session_key, s.username, s.account_id, a.contract_id, c.customer_id, k.name AS customer, n.name AS nas, t.name AS site, s.line, s.nas_port_id AS port,
    host(s.framed_ipv4) AS ipv4, coalesce(host(s.framed_ipv6_address), s.delegated_ipv6_prefix::text, s.framed_ipv6_prefix::text) AS ipv6, s.mac,
    s.started_at, s.received_at, s.session_time_s, s.octets_in, s.octets_out, s.rate_in_bps, s.rate_out_bps, s.stale,
    r.name AS policy, r.rate_down_bps AS policy_down_bps, r.rate_up_bps AS policy_up_bps, d.level::text AS level,
    d.account_id IS NOT NULL AND v.runs IS DISTINCT FROM p.revision || d.account_revision AS in_drift, e.id AS enforcement_id,
    coalesce(s.rate_in_bps + s.rate_out_bps, 0) AS carries_now
FROM ({chosen}) AS s
JOIN nas n ON n.id = s.nas_id LEFT JOIN site t ON t.id = n.site_id
LEFT JOIN subscriber_account a ON a.id = s.account_id LEFT JOIN contract c ON c.id = a.contract_id LEFT JOIN customer k ON k.id = c.customer_id
LEFT JOIN desired_policy d ON d.account_id = s.account_id LEFT JOIN profile_revision p ON p.profile_id = d.profile_id
CROSS JOIN LATERAL (SELECT coalesce(s.applied_version, s.policy_version) AS runs) AS v
LEFT JOIN LATERAL (SELECT f.name, q.rate_down_bps, q.rate_up_bps FROM known_revision q LEFT JOIN profile f ON f.id = q.profile_id
    WHERE q.revision = substr(v.runs, 1, 4) ORDER BY q.profile_id = d.profile_id DESC, q.profile_id LIMIT 1) AS r ON true
LEFT JOIN enforcement e ON e.session_key = s.session_key AND e.state IN ('queued', 'sent', 'acked', 'nacked', 'unanswered')
ORDER BY {order}
"""


def read_network(text: str) -> IPv4Network | IPv6Network:
    """An address or a prefix as a network. Raises: FilterError."""
    try:
        return ip_network(text.strip(), strict=False)
    except ValueError as error:
        raise FilterError("ip") from error


def read_mac(text: str) -> str:
    """A MAC address, however it is written, as twelve digits. Raises: FilterError."""
    digits = "".join(letter for letter in text.lower() if letter not in ":-. ")
    if len(digits) != 12 or any(letter not in "0123456789abcdef" for letter in digits):
        raise FilterError("mac")
    return digits


def condition_of(connection: Connection, asked: OnlineFilter) -> tuple[str, dict[str, Any]]:
    """The condition on `session s`, and its values. The NAS is looked up first, so that the planner knows how many are on it."""
    parts, values = ["true"], dict[str, Any]()
    if asked.keys is not None:
        parts.append("s.session_key = ANY (%(keys)s)")
        values["keys"] = list(asked.keys)
    if asked.username:
        parts.append("s.username >= %(username)s AND s.username < %(above_username)s")
        values |= {"username": asked.username, "above_username": asked.username + _ABOVE}
    if asked.nas:
        row = connection.execute("SELECT id FROM nas WHERE name = %s", (asked.nas,)).fetchone()
        parts.append("s.nas_id = %(nas)s" if row is not None else "false")
        values |= {"nas": row[0]} if row is not None else {}
    if asked.line:
        parts.append("s.line <> '' AND s.line LIKE %(line)s")
        values["line"] = asked.line.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    if asked.mac:
        parts.append("s.mac <> '' AND s.mac = %(mac)s")
        values["mac"] = asked.mac
    if asked.customer_id is not None:
        parts.append(
            "s.account_id = ANY (ARRAY(SELECT x.id FROM subscriber_account x JOIN contract y ON y.id = x.contract_id WHERE y.customer_id = %(customer)s))"
        )
        values["customer"] = asked.customer_id
    if asked.stale:
        parts.append("s.stale")
    if asked.network is not None:
        part, more = _of_network(asked.network)
        parts.append(part)
        values |= more
    return " AND ".join(parts), values


def _of_network(network: IPv4Network | IPv6Network) -> tuple[str, dict[str, Any]]:
    """Who has an address of it; of IPv6 also who has the prefix that it lies in."""
    values: dict[str, Any] = {"first": str(network[0]), "last": str(network[-1])}
    if network.version == 4:
        return "s.framed_ipv4 BETWEEN %(first)s::inet AND %(last)s::inet", values
    longest = min(network.prefixlen, _IPV6_LONGEST)
    around = [str(network.supernet(new_prefix=bits)) for bits in range(_IPV6_SHORTEST, longest + 1)]
    values |= {"around": around, "first_net": str(network), "last_net": f"{network[-1]}/128"}
    inside = "s.{0} >= %(first_net)s::cidr AND s.{0} <= %(last_net)s::cidr"
    return (
        "(s.framed_ipv6_address BETWEEN %(first)s::inet AND %(last)s::inet OR s.framed_ipv6_prefix = ANY (%(around)s::cidr[]) "
        "OR s.delegated_ipv6_prefix = ANY (%(around)s::cidr[]) "
        f"OR {inside.format('framed_ipv6_prefix')} OR {inside.format('delegated_ipv6_prefix')})"
    ), values


def list_statement(
    connection: Connection,
    asked: OnlineFilter,
    *,
    sort: Sort,
    down: bool,
    after: Sequence[object] | None,
    limit: int | None,
) -> tuple[str, dict[str, Any]]:
    """The statement of one page, or of the whole list without a limit, and its values."""
    condition, values = condition_of(connection, asked)
    column, way = _COLUMNS[sort], "DESC" if down else "ASC"
    if after is not None:
        condition += f" AND ({column}, s.session_key) {'<' if down else '>'} (%(after)s, %(after_key)s)"
        values |= {"after": after[0], "after_key": after[1]}
    order = f"{column} {way}, s.session_key {way}"
    chosen = f"SELECT s.* FROM session s WHERE {condition} ORDER BY {order}"  # noqa: S608 - of constants; values are bound
    if limit is not None:
        chosen += " LIMIT %(limit)s"
        values["limit"] = limit
    return _ROWS.format(chosen=chosen, order=order), values


def load_online_page(
    connection: Connection, asked: OnlineFilter, *, sort: Sort, down: bool, after: Sequence[object] | None, limit: int
) -> list[OnlineRow]:
    """One page. `after` is the sort key of the row before it: the value of the sort, and the session's key."""
    statement, values = list_statement(connection, asked, sort=sort, down=down, after=after, limit=limit)
    with connection.cursor(row_factory=class_row(OnlineRow)) as cursor:
        return cursor.execute(statement, values).fetchall()


def stream_online(
    connection: Connection, asked: OnlineFilter, *, sort: Sort, down: bool, limit: int
) -> Iterator[OnlineRow]:
    """The list from its beginning, row by row, for a file."""
    statement, values = list_statement(connection, asked, sort=sort, down=down, after=None, limit=limit)
    with connection.cursor("online", row_factory=class_row(OnlineRow)) as cursor:
        cursor.itersize = _ROWS_AT_ONCE
        yield from cursor.execute(statement, values)
