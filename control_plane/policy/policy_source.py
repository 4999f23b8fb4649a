"""What the database says of accounts, profiles, NASes and live sessions, as rows ready to be rendered.

Only reads. A row of an account holds everything its record needs, so that one statement, and so one snapshot, decides it.

Next: rendering.py
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import msgspec
import psycopg
from psycopg.rows import TupleRow, class_row

from control_plane.policy.profile import PROFILE_COLUMNS, ProfileColumns

# Rows held at once while a whole table passes through.
STREAM_ROWS: Final = 5000


class AccountRow(msgspec.Struct, frozen=True, gc=False):
    """One subscriber account with its contract and plan. Arrays and JSON texts are None where they are empty."""

    account_id: int
    contract_id: int
    username: str
    secret_kind: str
    sealed_secret: bytes
    expires_at: datetime | None
    max_sessions: int
    macs: list[str] | None
    circuit_ids: list[str] | None
    nas_ids: list[int] | None
    own_attributes: str | None
    quota_exhausted_until: datetime | None
    status: str
    starts_on: date | None
    ends_on: date | None
    profile_id: int
    throttle_profile_id: int
    walled_profile_id: int
    restrictions: str | None
    reliefs: str | None
    prefixes: str | None
    plan_windows: str | None
    plan_changes: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileRow(ProfileColumns):
    """One profile, in the words and units of the table."""

    id: int
    name: str


class NasRow(msgspec.Struct, frozen=True):
    """One enabled NAS; `source` is its address or prefix with the length."""

    id: int
    name: str
    source: str
    vendor: str
    sealed_secret: bytes
    require_message_authenticator: bool
    realms: list[str]


class SessionRow(msgspec.Struct, frozen=True, gc=False):
    """One live session; the key is the one that went out in Class, else the one that accounting made."""

    account_id: int
    session_key: bytes
    nas_id: int
    mac: str
    line: str
    stale: bool


_WINDOW: Final = "json_build_array(x.begins, x.ends, x.profile_id) ORDER BY x.begins"
# A plan as access_policy.PlanProfiles reads it, with its hours.
_PLAN_TO_COME: Final = f"""(SELECT json_build_array(n.profile_id, n.throttle_profile_id, n.walled_profile_id,
    coalesce((SELECT json_agg({_WINDOW}) FROM plan_window x WHERE x.plan_id = n.id), '[]')) FROM plan n WHERE n.id = x.plan_id)"""  # noqa: S608 - made of the constant above
# What belongs to a contract, plan or account in numbers: (table, its key, the account's side, items, which rows).
_LISTS: Final = (
    (
        "restriction",
        "contract_id",
        "c.id",
        "json_build_array(x.origin, x.level, x.reason, x.since, x.until)",
        "x.lifted_at IS NULL AND x.held_since IS NULL AND (x.until IS NULL OR x.until > now())",
    ),
    ("relief", "contract_id", "c.id", "json_build_array(lower(x.during), upper(x.during))", "upper(x.during) > now()"),
    (
        "account_prefix",
        "account_id",
        "a.id",
        "json_build_array(x.kind, x.prefix::text, x.metric) ORDER BY x.kind, x.metric, x.prefix",
        "true",
    ),
    ("plan_window", "plan_id", "p.id", _WINDOW, "true"),
    (
        "plan_change",
        "contract_id",
        "c.id",
        f"json_build_array(x.effective_on, {_PLAN_TO_COME}) ORDER BY x.effective_on",
        "x.applied_at IS NULL",
    ),
)
# For some accounts each list is looked up; for all of them each table is read once and joined. A look-up for each of a
# million accounts would read a table of a few hundred rows a million times, because that is cheaper than an index once.
_LOOKED_UP: Final = "LEFT JOIN LATERAL (SELECT json_agg({items})::text AS list FROM {table} x WHERE x.{key} = {side} AND {which}) {table} ON true"
_JOINED: Final = (
    "LEFT JOIN (SELECT x.{key} AS holder, json_agg({items})::text AS list FROM {table} x WHERE {which} GROUP BY x.{key}) {table}"
    " ON {table}.holder = {side}"
)


# OFFSET 0 makes it a look-up for each account: for two thousand of them the planner else reads the table of contracts.
_CONTRACT_LOOKED_UP: Final = "CROSS JOIN LATERAL (SELECT * FROM contract WHERE id = a.contract_id OFFSET 0) c"
_CONTRACT_JOINED: Final = "JOIN contract c ON c.id = a.contract_id"


def _accounts(contract: str, join: str) -> str:
    lists = (
        join.format(table=t, key=key, side=side, items=items, which=which) for t, key, side, items, which in _LISTS
    )
    return f"""
SELECT a.id, a.contract_id, a.username, a.secret_kind::text, a.sealed_secret, a.expires_at, a.max_sessions,
    nullif(a.macs, '{{}}'), nullif(a.circuit_ids, '{{}}'), nullif(a.nas_ids, '{{}}'),
    CASE WHEN a.own_attributes <> '[]' THEN a.own_attributes::text END, a.quota_exhausted_until,
    c.status::text, c.starts_on, c.ends_on, p.profile_id, p.throttle_profile_id, p.walled_profile_id,
    restriction.list, relief.list, account_prefix.list, plan_window.list, plan_change.list
FROM subscriber_account a {contract} JOIN plan p ON p.id = c.plan_id
{" ".join(lists)}
"""  # noqa: S608 - made of the constants above


_SOME_ACCOUNTS: Final = (
    _accounts(_CONTRACT_LOOKED_UP, _LOOKED_UP) + "WHERE a.id = ANY (%(ids)s) OR a.username = ANY (%(usernames)s)"
)
_ALL_ACCOUNTS: Final = _accounts(_CONTRACT_JOINED, _JOINED) + "ORDER BY a.username"

_ACCOUNTS_WITH_HOURS: Final = """
SELECT a.id FROM subscriber_account a JOIN contract c ON c.id = a.contract_id WHERE c.plan_id IN (SELECT plan_id FROM plan_window)
UNION SELECT a.id FROM subscriber_account a JOIN plan_change x ON x.contract_id = a.contract_id
    WHERE x.applied_at IS NULL AND x.plan_id IN (SELECT plan_id FROM plan_window)
"""
_PROFILES: Final = f"SELECT id, name, {', '.join(PROFILE_COLUMNS)} FROM profile ORDER BY id"  # noqa: S608 - our names
_NASES: Final = """
SELECT id, name, source::text, vendor, sealed_secret, require_message_authenticator, realms
FROM nas WHERE enabled ORDER BY id
"""
_SESSIONS: Final = """
SELECT account_id, uuid_send(coalesce(class_key, session_key)), nas_id, mac, line, stale
FROM session WHERE account_id {} ORDER BY account_id, started_at, session_key
"""


def load_accounts_with_hours(connection: psycopg.Connection[TupleRow]) -> array[int]:
    """The numbers of all accounts whose plan, now or by a dated change to come, means another profile at some hours."""
    return array("q", (row[0] for row in _stream(connection, _ACCOUNTS_WITH_HOURS)))


def load_accounts(
    connection: psycopg.Connection[TupleRow], *, ids: Sequence[int] = (), usernames: Sequence[str] = ()
) -> list[AccountRow]:
    """The accounts with one of these numbers or usernames, all as of one moment."""
    given = {"ids": list(ids), "usernames": list(usernames)}
    with connection.cursor(binary=True) as cursor:
        return [AccountRow(*row) for row in cursor.execute(_SOME_ACCOUNTS, given)]


def stream_accounts(connection: psycopg.Connection[TupleRow]) -> Iterator[AccountRow]:
    """Every account, in order of its username's bytes, in bounded memory."""
    for row in _stream(connection, _ALL_ACCOUNTS):
        yield AccountRow(*row)


def load_profiles(connection: psycopg.Connection[TupleRow]) -> list[ProfileRow]:
    """Every profile: they are few."""
    with connection.cursor(row_factory=class_row(ProfileRow)) as cursor:
        return cursor.execute(_PROFILES).fetchall()


def load_nases(connection: psycopg.Connection[TupleRow]) -> list[NasRow]:
    """Every NAS that is enabled."""
    return [NasRow(*row) for row in connection.execute(_NASES)]


def load_sessions(connection: psycopg.Connection[TupleRow], accounts: Sequence[int]) -> list[SessionRow]:
    """The live sessions of these accounts, an account's together."""
    with connection.cursor(binary=True) as cursor:
        found = cursor.execute(_SESSIONS.format("= ANY (%s)"), [list(accounts)])
        return [SessionRow(*row) for row in found]


def stream_sessions(connection: psycopg.Connection[TupleRow]) -> Iterator[SessionRow]:
    """Every live session of a known account, in order of the account's number, in bounded memory."""
    for row in _stream(connection, _SESSIONS.format("IS NOT NULL")):
        yield SessionRow(*row)


def _stream(connection: psycopg.Connection[TupleRow], statement: str) -> Iterator[tuple[Any, ...]]:
    # Older client libraries hand over rows one at a time only.
    size = STREAM_ROWS if psycopg.capabilities.has_stream_chunked() else 1
    with connection.cursor(binary=True) as cursor:
        yield from cursor.stream(statement, binary=True, size=size)
