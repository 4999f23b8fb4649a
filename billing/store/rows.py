"""One row written or changed, its columns named by our own code and never by a person."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg import sql

from billing.errors import BillingError

Connection = psycopg.Connection[Any]


class NotThereError(BillingError):
    """A row that was to be changed is gone, or never was."""


def id_of(connection: Connection, table: str, name: str) -> int:
    """The row of that name. Raises: NotThereError, which names the most similar ones."""
    rows = dict(
        connection.execute(sql.SQL("SELECT name, id FROM {}").format(sql.Identifier(table))).fetchall(),
    )
    if name not in rows:
        near = difflib.get_close_matches(name, rows, n=3, cutoff=0.5)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise NotThereError(f"there is no {table.replace('_', ' ')} {name!r}{hint}")
    return int(rows[name])


def insert_row(connection: Connection, table: str, values: Mapping[str, object]) -> int:
    """Write one row; returns its id."""
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({}) RETURNING id").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, values)),
        sql.SQL(", ").join(map(sql.Placeholder, values)),
    )
    row = connection.execute(statement, dict(values)).fetchone()
    assert row is not None, f"{table}: nothing was written"
    return int(row[0])


def update_row(connection: Connection, table: str, row_id: int, changes: Mapping[str, object]) -> None:
    """Set these columns of one row. Raises: NotThereError when it is gone."""
    if not changes:
        return
    statement = sql.SQL("UPDATE {} SET {} WHERE id = {}").format(
        sql.Identifier(table),
        sql.SQL(", ").join(sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in changes),
        sql.Placeholder("row_id"),
    )
    if connection.execute(statement, {**changes, "row_id": row_id}).rowcount != 1:
        raise NotThereError(f"there is no {table.replace('_', ' ')} {row_id}")
