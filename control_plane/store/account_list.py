"""Subscriber accounts as a person lists and searches them, a page after another by the last row's key.

What was typed is looked up by indexes of its own kind first (username, customer, address, MAC); what it is not is never read.
The caller owns the transaction.

Next: account.py
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import Any, Final

import psycopg
from psycopg.rows import class_row

from billing.customer_search import search_patterns
from control_plane.quantities import QuantityError, read_mac
from radius_hooks.policy_records import Level

Connection = psycopg.Connection[Any]

# A part of a username is found by its parts of three; a shorter one begins it.
_FOUND_ANYWHERE: Final = 3
# Whoever finds more has to say more: nobody reads so many, and each is looked up.
MOST_FOUND: Final = 5_000
SORTS: Final = {"username": "a.username", "created": "a.id"}


@dataclass(frozen=True, slots=True)
class ListedAccount:
    """One account. `level` and `reason` are its desired policy, None before it was worked out; `nas` None: not online."""

    id: int
    username: str
    contract_id: int
    customer_id: int
    customer: str
    plan: str
    status: str
    level: str | None
    reason: str | None
    nas: str | None
    since: datetime | None
    address: str | None
    stale: bool | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for; None: all. `online`: whether it has a live session. `after` is the last row's key."""

    text: str = ""
    status: str | None = None
    plan: str | None = None
    level: str | None = None
    online: bool | None = None
    nas: str | None = None
    sort: str = "username"
    down: bool = False
    after: object = None
    limit: int = 51


_LISTED: Final = """
SELECT a.id, a.username, a.contract_id, c.customer_id, k.name AS customer, p.name AS plan, c.status::text AS status, d.level::text AS level,
    d.reason, s.nas, s.started_at AS since, s.address, s.stale, a.created_at
FROM {chosen} AS a JOIN contract c ON c.id = a.contract_id JOIN customer k ON k.id = c.customer_id JOIN plan p ON p.id = c.plan_id
LEFT JOIN desired_policy d ON d.account_id = a.id
LEFT JOIN LATERAL (SELECT n.name AS nas, x.started_at, x.stale,
    coalesce(host(x.framed_ipv4), host(x.framed_ipv6_address), x.framed_ipv6_prefix::text, x.delegated_ipv6_prefix::text) AS address
    FROM session x JOIN nas n ON n.id = x.nas_id WHERE x.account_id = a.id ORDER BY x.stale, x.started_at DESC LIMIT 1) AS s ON true
"""
# Which ones is found out before anything is told of them: what must be sorted is sorted bare.
_CHOSEN: Final = "(SELECT a.* FROM subscriber_account a {joined} {where} ORDER BY {order} LIMIT %(limit)s)"
_OF_CONTRACT: Final = "JOIN contract c ON c.id = a.contract_id"
_OF_POLICY: Final = "JOIN desired_policy d ON d.account_id = a.id"
# Each way is an index's own, and ends at so many.
_BY_USERNAME: Final = "SELECT id FROM subscriber_account WHERE username ILIKE %(part)s LIMIT %(most)s"
_BY_BEGINNING: Final = "SELECT id FROM subscriber_account WHERE username LIKE %(part)s LIMIT %(most)s"
_BY_CUSTOMER: Final = """
SELECT a.id FROM customer_words w JOIN contract c USING (customer_id) JOIN subscriber_account a ON a.contract_id = c.id
WHERE {} LIMIT %(most)s
"""
_BY_CONTRACT: Final = "SELECT id FROM subscriber_account WHERE contract_id = %(number)s"
_BY_MAC: Final = "SELECT id FROM subscriber_account WHERE macs @> ARRAY[%(mac)s::text] AND macs <> '{}'"
_BY_ADDRESS: Final = """
SELECT account_id FROM session WHERE framed_ipv4 = %(address)s OR framed_ipv6_address = %(address)s OR nat_address = %(address)s
UNION SELECT account_id FROM account_prefix WHERE prefix && %(address)s::inet
"""


def load_accounts(connection: Connection, wanted: Wanted) -> list[ListedAccount]:
    """Up to `limit` accounts in the wanted order, beginning behind `after`."""
    return _rows(connection, *statement_of(wanted))


def statement_of(wanted: Wanted) -> tuple[str, dict[str, object]]:
    """The question for these accounts, and its values."""
    given: dict[str, object] = {"limit": wanted.limit, "most": MOST_FOUND, "after": wanted.after}
    conditions, joined = [], []
    if wanted.text:
        ways = _ways(wanted.text, given)
        conditions.append(f"a.id IN ({' UNION '.join(f'({way})' for way in ways)})")
    if wanted.status is not None or wanted.plan is not None:
        joined.append(_OF_CONTRACT)
    if wanted.status is not None:
        conditions.append("c.status = %(status)s::contract_status")
        given["status"] = wanted.status
    if wanted.plan is not None:
        conditions.append("c.plan_id = (SELECT id FROM plan WHERE name = %(plan)s)")
        given["plan"] = wanted.plan
    if wanted.level is not None:
        joined.append(_OF_POLICY)
        # Written out, so that the planner sees that it is not the level which nearly all have.
        conditions.append(f"d.level = '{Level[wanted.level.upper()].name.lower()}'")
    if wanted.online is not None:
        conditions.append(f"{'' if wanted.online else 'NOT '}EXISTS (SELECT FROM session x WHERE x.account_id = a.id)")
    if wanted.nas is not None:
        given["nas"] = wanted.nas
        conditions.append(
            "EXISTS (SELECT FROM session x JOIN nas n ON n.id = x.nas_id WHERE x.account_id = a.id AND n.name = %(nas)s)"
        )
    key = SORTS[wanted.sort]
    if wanted.after is not None:
        conditions.append(f"{key} {'<' if wanted.down else '>'} %(after)s")
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    order = f"{key}{' DESC' if wanted.down else ''}"
    chosen = _CHOSEN.format(joined=" ".join(joined), where=where, order=order)
    return f"{_LISTED.format(chosen=chosen)} ORDER BY {order}", given


def load_of_contract(connection: Connection, contract_id: int) -> list[ListedAccount]:
    """The accounts of a contract, by username."""
    statement = f"{_LISTED.format(chosen='subscriber_account')} WHERE a.contract_id = %(contract)s ORDER BY a.username"
    return _rows(connection, statement, {"contract": contract_id})


def _rows(connection: Connection, statement: str, given: Mapping[str, object]) -> list[ListedAccount]:
    with connection.cursor(row_factory=class_row(ListedAccount)) as cursor:
        return cursor.execute(statement, dict(given)).fetchall()


def _ways(text: str, given: dict[str, object]) -> list[str]:
    """The look-ups that what was typed may mean; their values are put into `given`."""
    escaped = text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    anywhere = len(text) >= _FOUND_ANYWHERE
    given["part"] = f"%{escaped}%" if anywhere else f"{escaped}%"
    ways = [_BY_USERNAME if anywhere else _BY_BEGINNING]
    words = search_patterns(text)
    if words:
        given |= {f"word{number}": word for number, word in enumerate(words)}
        ways.append(
            _BY_CUSTOMER.format(
                " AND ".join(f"w.words LIKE plain_text(%({name})s)" for name in given if name.startswith("word"))
            )
        )
    if text.isdecimal() and len(text) < 18:
        given["number"] = int(text)
        ways.append(_BY_CONTRACT)
    try:
        given["mac"] = read_mac(text)
        ways.append(_BY_MAC)
    except QuantityError:
        pass
    try:
        given["address"] = str(ip_address(text.partition("/")[0]))
        ways.append(_BY_ADDRESS)
    except ValueError:
        pass
    return ways
