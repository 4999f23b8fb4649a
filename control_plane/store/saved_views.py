"""How members of staff like to see lists: filters and order under a name of their own, one of them as the list's first look.

The caller owns the transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg.rows import class_row

Connection = psycopg.Connection[Any]

# A person finds one among these; who has more has lost track.
MOST_A_PAGE: Final = 30


@dataclass(frozen=True, slots=True)
class SavedView:
    """One. `query` is what the page's address asks, without the question mark."""

    id: int
    page: str
    name: str
    query: str
    is_default: bool


_COLUMNS: Final = "SELECT id, page, name, query, is_default FROM saved_view "
_SAVE: Final = """
INSERT INTO saved_view (staff_id, page, name, query, is_default) VALUES (%(staff)s, %(page)s, %(name)s, %(query)s, %(default)s)
ON CONFLICT (staff_id, page, name) DO UPDATE SET query = EXCLUDED.query, is_default = EXCLUDED.is_default RETURNING id
"""


def load_views(connection: Connection, staff_id: int, page: str) -> list[SavedView]:
    """Somebody's own of one page, by name."""
    with connection.cursor(row_factory=class_row(SavedView)) as cursor:
        return cursor.execute(_COLUMNS + "WHERE staff_id = %s AND page = %s ORDER BY name", (staff_id, page)).fetchall()


def load_view(connection: Connection, staff_id: int, view_id: int) -> SavedView | None:
    """One of somebody's own; None for another's, too."""
    with connection.cursor(row_factory=class_row(SavedView)) as cursor:
        return cursor.execute(_COLUMNS + "WHERE staff_id = %s AND id = %s", (staff_id, view_id)).fetchone()


def save_view(connection: Connection, staff_id: int, *, page: str, name: str, query: str, default: bool) -> bool:
    """Keep one, in the place of the one of that name; False when there are too many."""
    others = [one for one in load_views(connection, staff_id, page) if one.name != name]
    if len(others) >= MOST_A_PAGE:
        return False
    if default:
        _no_default(connection, staff_id, page)
    given = {"staff": staff_id, "page": page, "name": name, "query": query, "default": default}
    connection.execute(_SAVE, given)
    return True


def set_default(connection: Connection, view: SavedView, staff_id: int, *, default: bool) -> None:
    """Make one the list's first look, or the list as it is."""
    _no_default(connection, staff_id, view.page)
    connection.execute(
        "UPDATE saved_view SET is_default = %s WHERE staff_id = %s AND id = %s", (default, staff_id, view.id)
    )


def delete_view(connection: Connection, staff_id: int, view_id: int) -> None:
    """Forget one."""
    connection.execute("DELETE FROM saved_view WHERE staff_id = %s AND id = %s", (staff_id, view_id))


def _no_default(connection: Connection, staff_id: int, page: str) -> None:
    connection.execute(
        "UPDATE saved_view SET is_default = false WHERE staff_id = %s AND page = %s AND is_default", (staff_id, page)
    )
