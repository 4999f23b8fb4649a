"""Rows in bulk: ids drawn ahead, and COPY.

Next: demo_books.py
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import psycopg


def new_ids(connection: psycopg.Connection[Any], table: str, count: int) -> list[int]:
    """Ids drawn ahead, because a sealed secret is bound to its row and other rows name them."""
    rows = connection.execute(
        "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)", (table, count)
    )
    return [row[0] for row in rows]


def copy_rows(connection: psycopg.Connection[Any], target: str, rows: Iterable[Sequence[Any]]) -> None:
    """COPY rows into `target`, a table with its columns. COPY may set ids that are otherwise always generated."""
    with connection.cursor() as cursor, cursor.copy(f"COPY {target} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
