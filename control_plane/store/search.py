"""What the one search box looks for in the database: each question by an index of its own, a few rows each.

Next: billing/store/customer_search.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Any, Final

import psycopg
from psycopg.rows import class_row

Connection = psycopg.Connection[Any]
Address = IPv4Address | IPv6Address

_PREFIXES: Final = range(32, 129)
_LIKE: Final = str.maketrans({"\\": r"\\", "%": r"\%", "_": r"\_"})


@dataclass(frozen=True, slots=True)
class FoundAccount:
    """An account with its customer; `why` is what it was found by beside its name: an address or a MAC, live or assigned."""

    username: str
    customer: str
    customer_id: int
    plan: str
    status: str
    why: str
    live: bool


@dataclass(frozen=True, slots=True)
class FoundContract:
    """A contract of a number."""

    id: int
    customer: str
    plan: str
    status: str


@dataclass(frozen=True, slots=True)
class FoundDocument:
    """A document by its printed number."""

    id: int
    label: str
    kind: str
    customer: str


_OF: Final = """
 JOIN contract AS c ON c.id = a.contract_id JOIN customer AS k ON k.id = c.customer_id JOIN plan AS p ON p.id = c.plan_id
"""
_SHOWN: Final = "a.username, k.name AS customer, k.id AS customer_id, p.name AS plan, c.status::text"
_BEGINS: Final = f"""
SELECT {_SHOWN}, '' AS why, false AS live FROM (SELECT * FROM subscriber_account WHERE username LIKE %s ORDER BY username LIMIT %s) AS a {_OF} ORDER BY a.username
"""  # noqa: S608  # our own words
_HOLDS: Final = f"""
SELECT {_SHOWN}, '' AS why, false AS live FROM (SELECT * FROM subscriber_account WHERE username ILIKE %s LIMIT %s) AS a {_OF} ORDER BY a.username
"""  # noqa: S608  # our own words
_ADDRESS: Final = f"""
SELECT {_SHOWN}, f.why, f.live FROM (
    SELECT account_id, host(%(address)s::inet) AS why, true AS live FROM session
        WHERE framed_ipv4 = %(address)s OR framed_ipv6_address = %(address)s OR nat_address = %(address)s
    UNION SELECT account_id, framed_ipv6_prefix::text, true FROM session WHERE framed_ipv6_prefix = ANY (%(prefixes)s::cidr[])
    UNION SELECT account_id, delegated_ipv6_prefix::text, true FROM session WHERE delegated_ipv6_prefix = ANY (%(prefixes)s::cidr[])
    UNION SELECT account_id, prefix::text, false FROM account_prefix WHERE prefix && %(address)s::inet
) AS f JOIN subscriber_account AS a ON a.id = f.account_id {_OF} ORDER BY f.live DESC, a.username LIMIT %(limit)s
"""  # noqa: S608  # our own words
_MAC: Final = f"""
SELECT {_SHOWN}, f.why, f.live FROM (
    SELECT account_id, mac AS why, true AS live FROM session WHERE mac = %(mac)s AND mac <> ''
    UNION SELECT id, %(mac)s, false FROM subscriber_account WHERE macs @> ARRAY[%(mac)s] AND macs <> '{{}}'
) AS f JOIN subscriber_account AS a ON a.id = f.account_id {_OF} ORDER BY f.live DESC, a.username LIMIT %(limit)s
"""  # noqa: S608  # our own words


def find_accounts(connection: Connection, text: str, *, limit: int) -> list[FoundAccount]:
    """Those whose username begins with the text, then those that hold it anywhere."""
    plain = text.translate(_LIKE)
    found = _accounts(connection, _BEGINS, (f"{plain}%", limit))
    if len(found) < limit and len(text) >= 3:  # the index knows parts of three letters
        known = {one.username for one in found}
        held = _accounts(connection, _HOLDS, (f"%{plain}%", limit))
        found += [one for one in held if one.username not in known]
    return found[:limit]


def find_by_address(connection: Connection, address: Address, *, limit: int) -> list[FoundAccount]:
    """Whose line has an address now, or who is assigned it, alone or inside a prefix."""
    prefixes = [] if address.version == 4 else [f"{address}/{length}" for length in _PREFIXES]  # IPv4
    given = {"address": str(address), "prefixes": [_network(one) for one in prefixes], "limit": limit}
    return _accounts(connection, _ADDRESS, given)


def find_by_mac(connection: Connection, mac: str, *, limit: int) -> list[FoundAccount]:
    """Whose line a device of this MAC is on now, or whose account is bound to it. Twelve lower-case hex digits."""
    return _accounts(connection, _MAC, {"mac": mac, "limit": limit})


def find_contract(connection: Connection, number: int) -> FoundContract | None:
    """The contract of that number."""
    with connection.cursor(row_factory=class_row(FoundContract)) as cursor:
        return cursor.execute(
            "SELECT c.id, k.name AS customer, p.name AS plan, c.status::text FROM contract AS c"
            " JOIN customer AS k ON k.id = c.customer_id JOIN plan AS p ON p.id = c.plan_id WHERE c.id = %s",
            (number,),
        ).fetchone()


def find_documents(connection: Connection, text: str, *, limit: int) -> list[FoundDocument]:
    """Those whose printed number begins with the text."""
    with connection.cursor(row_factory=class_row(FoundDocument)) as cursor:
        return cursor.execute(
            "SELECT id, label, kind::text, coalesce(customer_data ->> 'name', '') AS customer FROM document"
            " WHERE label LIKE %s AND state <> 'draft' ORDER BY label USING ~<~ LIMIT %s",
            (f"{text.translate(_LIKE)}%", limit),
        ).fetchall()


def _network(text: str) -> str:

    return str(IPv6Network(text, strict=False))


def _accounts(connection: Connection, statement: str, given: Sequence[Any] | dict[str, Any]) -> list[FoundAccount]:
    with connection.cursor(row_factory=class_row(FoundAccount)) as cursor:
        return cursor.execute(statement, given).fetchall()
