"""Reads a FreeRADIUS SQL database: the stock PostgreSQL schema of 3.2, and older ones that lack some columns.

Only reads, in one snapshot, so that users and their groups fit together while the other server goes on.

Next: freeradius_sql.py
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import TupleRow

from control_plane import db
from control_plane.takeover.freeradius_values import SqlRow, Table

Progress = Callable[[str, int, int], None]
_REQUIRED: Final = ("radcheck", "radreply", "radusergroup", "radgroupcheck", "radgroupreply")
# Each with the type that we count on: older and home-made schemas keep addresses as text and times without a zone.
_SESSION_COLUMNS: Final = {
    "radacctid": "text",
    "acctsessionid": "text",
    "username": "text",
    "nasipaddress": "inet",
    "nasportid": "text",
    "acctstarttime": "timestamptz",
    "acctupdatetime": "timestamptz",
    "acctinterval": "bigint",
    "acctsessiontime": "bigint",
    "acctinputoctets": "bigint",
    "acctoutputoctets": "bigint",
    "callingstationid": "text",
    "framedipaddress": "inet",
    "framedipv6address": "inet",
    "framedipv6prefix": "inet",
    "delegatedipv6prefix": "inet",
}


class SourceError(Exception):
    """The database to take over can't be read; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class NasRow:
    """One row of the table nas."""

    id: int
    nasname: str
    shortname: str
    type: str
    secret: str
    server: str


@dataclass(frozen=True, slots=True)
class Source:
    """All rows that matter, in the order in which FreeRADIUS reads them. `members` maps a user to its groups in order.

    `ties` names users with two groups of one priority: FreeRADIUS leaves their order to the database.
    """

    rows: dict[Table, dict[str, list[SqlRow]]]
    members: dict[str, list[str]]
    ties: frozenset[str]
    nases: tuple[NasRow, ...]
    sessions: tuple[dict[str, Any], ...]


def load_source(conninfo: str, progress: Progress) -> Source:
    """Everything to take over. Raises: SourceError."""
    try:
        # A database without an encoding would otherwise give octets instead of text.
        with db.connect(make_conninfo(conninfo, client_encoding="UTF8"), name="import") as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            return _load(connection, progress)
    except psycopg.Error as error:
        raise SourceError(f"the FreeRADIUS database can't be read: {str(error).strip()}") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"the FreeRADIUS database holds text that is no UTF-8: {error.object!r}") from error


def _load(connection: psycopg.Connection[TupleRow], progress: Progress) -> Source:
    columns = _columns(connection)
    missing = [table for table in _REQUIRED if table not in columns]
    if missing:
        raise SourceError(
            f"no table {', '.join(missing)} in this database: is it FreeRADIUS's, and its schema in search_path?"
        )
    rows: dict[Table, dict[str, list[SqlRow]]] = {}
    for number, table in enumerate(Table):
        rows[table] = _rows(connection, table)
        progress("reading", number + 1, len(Table) + 2)
    members, ties = _members(connection, has_id="id" in columns["radusergroup"])
    progress("reading", len(Table) + 1, len(Table) + 2)
    nases = _nases(connection, columns["nas"]) if "nas" in columns else ()
    sessions = _sessions(connection, columns["radacct"]) if "radacct" in columns else ()
    progress("reading", len(Table) + 2, len(Table) + 2)
    return Source(rows=rows, members=members, ties=ties, nases=nases, sessions=sessions)


def _columns(connection: psycopg.Connection[TupleRow]) -> dict[str, set[str]]:
    """The columns of each table that an unqualified name finds."""
    found: dict[str, set[str]] = {}
    names = [*_REQUIRED, "nas", "radacct"]
    for table, column in connection.execute(
        "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
        "WHERE c.relname = ANY (%s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND pg_table_is_visible(c.oid) AND a.attnum > 0 "
        "AND NOT a.attisdropped",
        [names],
    ):
        found.setdefault(table, set()).add(column)
    return found


def _rows(connection: psycopg.Connection[TupleRow], table: Table) -> dict[str, list[SqlRow]]:
    owner = "username" if table in (Table.USER_CHECK, Table.USER_REPLY) else "groupname"
    query = sql.SQL("SELECT id, {}, attribute, coalesce(op, ''), value FROM {} ORDER BY id").format(
        sql.Identifier(owner), sql.Identifier(table.value)
    )
    found: dict[str, list[SqlRow]] = {}
    for row in connection.execute(query):
        found.setdefault(row[1], []).append(SqlRow(table, *row))
    return found


def _members(connection: psycopg.Connection[TupleRow], *, has_id: bool) -> tuple[dict[str, list[str]], frozenset[str]]:
    order = sql.SQL("id") if has_id else sql.SQL("ctid")
    query = sql.SQL("SELECT username, groupname, priority FROM radusergroup ORDER BY priority, {}").format(order)
    members: dict[str, list[str]] = {}
    ties: set[str] = set()
    last: dict[str, int] = {}
    for username, groupname, priority in connection.execute(query):
        members.setdefault(username, []).append(groupname)
        if last.get(username) == priority:
            ties.add(username)
        last[username] = priority
    return members, frozenset(ties)


def _nases(connection: psycopg.Connection[TupleRow], columns: set[str]) -> tuple[NasRow, ...]:
    wanted = [
        sql.SQL("coalesce({}::text, '')").format(sql.Identifier(name)) if name in columns else sql.SQL("''")
        for name in ("nasname", "shortname", "type", "secret", "server")
    ]
    query = sql.SQL("SELECT id, {} FROM nas ORDER BY id").format(sql.SQL(", ").join(wanted))
    return tuple(NasRow(*row) for row in connection.execute(query))


def _sessions(connection: psycopg.Connection[TupleRow], columns: set[str]) -> tuple[dict[str, Any], ...]:
    wanted = [
        sql.SQL("nullif({}::text, '')::{} AS {}").format(
            sql.Identifier(name) if name in columns else sql.NULL, sql.SQL(kind), sql.Identifier(name)
        )
        for name, kind in _SESSION_COLUMNS.items()
    ]
    query = sql.SQL("SELECT {} FROM radacct WHERE acctstoptime IS NULL ORDER BY acctstarttime, radacctid").format(
        sql.SQL(", ").join(wanted)
    )
    return tuple(dict(zip(_SESSION_COLUMNS, row, strict=True)) for row in connection.execute(query))
