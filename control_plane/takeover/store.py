"""What an import reads of our database and writes into it: set-based, COPY for volume.

The caller owns the transaction. Identity columns take numbers drawn from their own sequences, so that rows that name
one another go in by COPY.

Next: apply_wanted.py
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from control_plane.policy.profile import PROFILE_COLUMNS

Connection = psycopg.Connection[TupleRow]
# One import at a time: two would make the same rows.
_LOCK_KEY: Final = 0x636F_7272_696D_706F


@dataclass(frozen=True, slots=True)
class HeldAccount:
    """An account that is there already, with what an import compares."""

    id: int
    username: str
    secret_kind: str
    sealed_secret: bytes
    expires_at: datetime | None
    max_sessions: int
    macs: tuple[str, ...]
    own: list[dict[str, Any]]
    plan: str
    customer: str
    status: str
    blocked: bool
    prefixes: frozenset[tuple[str, str, int | None]]


@dataclass(frozen=True, slots=True)
class HeldNas:
    """An access device that is there already."""

    id: int
    name: str
    source: str
    vendor: str
    sealed_secret: bytes


def begin(connection: Connection) -> None:
    """One snapshot for all that follows, and no second import beside it.

    The lock is waited for before the transaction begins, whose snapshot else would not hold what the other import made.
    """
    connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK_KEY])
    connection.commit()
    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    connection.execute("SELECT pg_advisory_xact_lock(%(key)s), pg_advisory_unlock(%(key)s)", {"key": _LOCK_KEY})


def load_nases(connection: Connection) -> list[HeldNas]:
    """Every access device."""
    rows = connection.execute("SELECT id, name, source::text, vendor, sealed_secret FROM nas")
    return [HeldNas(*row) for row in rows]


def load_plans(connection: Connection) -> dict[str, dict[str, Any]]:
    """Every plan by its name, with the columns of its full profile; `quota_octets` beside them."""
    columns = ", ".join(f"f.{name}" for name in (*PROFILE_COLUMNS, "quota_octets"))
    rows = connection.execute(f"SELECT p.name, {columns} FROM plan p JOIN profile f ON f.id = p.profile_id")  # noqa: S608 - our names
    return {row[0]: dict(zip((*PROFILE_COLUMNS, "quota_octets"), row[1:], strict=True)) for row in rows}


def load_profiles(connection: Connection) -> dict[str, int]:
    """The number of every profile by its name."""
    return dict(connection.execute("SELECT name, id FROM profile").fetchall())


def load_accounts(connection: Connection, usernames: Sequence[str]) -> dict[str, HeldAccount]:
    """Those of these accounts that are there."""
    rows = connection.execute(
        """
        SELECT a.id, a.username, a.secret_kind::text, a.sealed_secret, a.expires_at, a.max_sessions, a.macs,
            a.own_attributes, p.name, u.name, c.status::text,
            EXISTS (SELECT FROM restriction r WHERE r.contract_id = c.id AND r.lifted_at IS NULL AND r.level = 'blocked'),
            (SELECT array_agg(x.kind || ' ' || x.prefix || ' ' || coalesce(x.metric::text, '')) FROM account_prefix x
                WHERE x.account_id = a.id)
        FROM subscriber_account a JOIN contract c ON c.id = a.contract_id JOIN plan p ON p.id = c.plan_id
            JOIN customer u ON u.id = c.customer_id
        WHERE a.username = ANY (%s)
        """,
        [list(usernames)],
    )
    found: dict[str, HeldAccount] = {}
    for *columns, macs, own, plan, customer, status, blocked, prefixes in rows:
        number, username, kind, sealed, expires_at, most = columns
        found[username] = HeldAccount(
            number, username, kind, sealed, expires_at, most, tuple(macs), own, plan, customer, status, blocked, _prefixes(prefixes)
        )  # fmt: skip
    return found


def _prefixes(texts: Iterable[str] | None) -> frozenset[tuple[str, str, int | None]]:
    parts = (text.split(" ") for text in texts or ())
    return frozenset((kind, prefix, int(metric) if metric else None) for kind, prefix, metric in parts)


def load_prefixes(connection: Connection) -> list[tuple[str, str]]:
    """Every static prefix with the username that holds it."""
    rows = connection.execute(
        "SELECT x.prefix::text, a.username FROM account_prefix x JOIN subscriber_account a ON a.id = x.account_id"
    )
    return [(prefix, username) for prefix, username in rows]


def load_customers(connection: Connection, names: Sequence[str]) -> dict[str, list[int]]:
    """The numbers of the customers of these names."""
    found: dict[str, list[int]] = {}
    for name, number in connection.execute(
        "SELECT name, id FROM customer WHERE name = ANY (%s) ORDER BY id", [list(names)]
    ):
        found.setdefault(name, []).append(number)
    return found


def load_account_ids(connection: Connection, usernames: Sequence[str]) -> dict[str, int]:
    """The numbers of these accounts."""
    rows = connection.execute(
        "SELECT username, id FROM subscriber_account WHERE username = ANY (%s)", [list(usernames)]
    )
    return dict(rows.fetchall())


def load_session_ids(connection: Connection) -> set[tuple[int, str, str]]:
    """What tells live sessions apart: NAS, Acct-Session-Id and username."""
    return {
        (row[0], row[1], row[2]) for row in connection.execute("SELECT nas_id, acct_session_id, username FROM session")
    }


def load_ended(connection: Connection, session_keys: Sequence[bytes]) -> set[bytes]:
    """Those of these sessions that have ended here."""
    rows = connection.execute(
        "SELECT uuid_send(session_key) FROM closed_session WHERE session_key = ANY (%s::uuid[])",
        [[key.hex() for key in session_keys]],
    )
    return {key for (key,) in rows}


def draw_ids(connection: Connection, table: str, count: int) -> list[int]:
    """`count` new numbers for rows of a table."""
    rows = connection.execute(
        "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)", [table, count]
    )
    return [row[0] for row in rows]


def copy_rows(connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Put rows into a table by COPY."""
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table), sql.SQL(", ").join(sql.Identifier(column) for column in columns)
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


def insert_profile(connection: Connection, name: str, columns: dict[str, Any]) -> int:
    """A new profile; its number."""
    names = ["name", *columns]
    values = [name, *(list(value) if isinstance(value, tuple) else value for value in columns.values())]
    statement = sql.SQL("INSERT INTO profile ({}) VALUES ({}) RETURNING id").format(
        sql.SQL(", ").join(sql.Identifier(one) for one in names), sql.SQL(", ").join(sql.Placeholder() * len(names))
    )
    row = connection.execute(statement, values).fetchone()
    assert row is not None
    return int(row[0])


def insert_plan(connection: Connection, name: str, *, full: int, throttle: int, walled: int) -> None:
    """A new plan and its three profiles."""
    connection.execute(
        "INSERT INTO plan (name, profile_id, throttle_profile_id, walled_profile_id) VALUES (%s, %s, %s, %s)",
        [name, full, throttle, walled],
    )


def load_plan_ids(connection: Connection) -> dict[str, int]:
    """The number of every plan by its name."""
    return dict(connection.execute("SELECT name, id FROM plan").fetchall())


def note_sessions(connection: Connection, account_ids: Sequence[int]) -> None:
    """Tell the edges to look at the live sessions of these accounts again."""
    connection.execute(
        "INSERT INTO change_feed (kind, key) SELECT DISTINCT 'session'::change_kind, unnest(%s::bigint[])",
        [list(account_ids)],
    )
    connection.execute("NOTIFY corrente_change")


@dataclass(frozen=True, slots=True)
class HeldSecret:
    """An account's secret as it lies there, with the line it is bound to."""

    id: int
    username: str
    secret_kind: str
    sealed_secret: bytes
    macs: tuple[str, ...]


def load_secrets(connection: Connection, usernames: Sequence[str] | None) -> list[HeldSecret]:
    """The sealed secrets of these accounts, or of all, in order of their names."""
    rows = connection.execute(
        "SELECT id, username, secret_kind::text, sealed_secret, macs FROM subscriber_account "
        "WHERE %(names)s::text[] IS NULL OR username = ANY (%(names)s) ORDER BY username",
        {"names": None if usernames is None else list(usernames)},
    )
    return [HeldSecret(number, name, kind, sealed, tuple(macs)) for number, name, kind, sealed, macs in rows]
