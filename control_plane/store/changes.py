"""One UPDATE of the columns that a command changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg import sql

Connection = psycopg.Connection[Any]


def save_changes(connection: Connection, table: str, row_id: int, changes: Mapping[str, object]) -> None:
    """Set these columns of one row. Column names come from our own code, never from a person."""
    if not changes:
        return
    assignments = sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in changes
    )
    statement = sql.SQL("UPDATE {} SET {} WHERE id = {}").format(
        sql.Identifier(table), assignments, sql.Placeholder("row_id")
    )
    done = connection.execute(statement, {**changes, "row_id": row_id})
    assert done.rowcount == 1, f"{table} {row_id} is gone though nothing deletes it"


def next_id(connection: Connection, table: str) -> int:
    """The number of a row to be written: a sealed secret is bound to it, so it is drawn first."""
    row = connection.execute("SELECT nextval(pg_get_serial_sequence(%s, 'id'))", (table,)).fetchone()
    assert row is not None
    return int(row[0])
