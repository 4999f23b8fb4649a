"""Price changes and promotions that were confirmed for many contracts, and how far the worker is with them.

What a batch of contracts is given and how far that is are one transaction: nothing is given twice, and nobody is passed over.

Next: billing/store/selection.py
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

Connection = psycopg.Connection[Any]
# By which the worker hears that something is asked for.
CHANNEL: Final = "corrente_catalogue_request"


class Act(StrEnum):
    """What is asked for, by the words of the database."""

    PRICE_CHANGE = "price_change"
    PROMOTION = "promotion"
    PROMOTION_UNDO = "promotion_undo"


@dataclass(frozen=True, slots=True)
class CatalogueRequest:
    """One thing asked for. `contracts` of `of_contracts` are done, up to contract `through`; `changed` came out otherwise."""

    id: int
    act: Act
    what: Mapping[str, Any]
    asked_by: str
    asked_at: datetime
    begun_at: datetime | None
    through: int
    contracts: int
    of_contracts: int | None
    changed: int
    ended_at: datetime | None
    problem: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "act", Act(self.act))


_ASK: Final = """
INSERT INTO catalogue_request (act, what, asked_by) VALUES (%(act)s, %(what)s, %(by)s)
ON CONFLICT (act, what) WHERE ended_at IS NULL DO NOTHING RETURNING id
"""
_SAME: Final = "SELECT id FROM catalogue_request WHERE act = %(act)s AND what = %(what)s AND ended_at IS NULL"
_COLUMNS: Final = (
    "id, act::text, what, asked_by, asked_at, begun_at, through, contracts, of_contracts, changed, ended_at, problem"
)
_LOAD: Final = f"SELECT {_COLUMNS} FROM catalogue_request WHERE id = %s"  # noqa: S608 - our own list of columns
_WAITING: Final = f"SELECT {_COLUMNS} FROM catalogue_request WHERE ended_at IS NULL ORDER BY id"  # noqa: S608
_HOLD: Final = f"{_LOAD} AND ended_at IS NULL AND through = %s FOR NO KEY UPDATE"
_BEGIN: Final = """
UPDATE catalogue_request SET begun_at = coalesce(begun_at, clock_timestamp()), of_contracts = coalesce(of_contracts, %s) WHERE id = %s
"""
_NOTE: Final = """
UPDATE catalogue_request SET through = %(through)s, contracts = contracts + %(contracts)s, changed = changed + %(changed)s WHERE id = %(id)s
"""


def ask_for(connection: Connection, act: Act, what: Mapping[str, Any], *, by: str) -> int:
    """Ask for it in the caller's transaction; the number of the request, or of the same one that is under way."""
    given = {"act": act, "what": Jsonb(dict(what)), "by": by}
    row = connection.execute(_ASK, given).fetchone() or connection.execute(_SAME, given).fetchone()
    assert row is not None, "the one that was in the way is there"
    connection.execute("SELECT pg_notify(%s, '')", (CHANNEL,))
    return int(row[0])


def load_request(connection: Connection, number: int) -> CatalogueRequest | None:
    """One of them."""
    with connection.cursor(row_factory=class_row(CatalogueRequest)) as cursor:
        return cursor.execute(_LOAD, (number,)).fetchone()


def load_waiting(connection: Connection) -> list[CatalogueRequest]:
    """What is not done, in the order in which it was asked for."""
    with connection.cursor(row_factory=class_row(CatalogueRequest)) as cursor:
        return cursor.execute(_WAITING).fetchall()


def begin_request(connection: Connection, number: int, *, of: int) -> None:
    """It is being worked on, and concerns so many contracts; who goes on with it leaves both as they are."""
    connection.execute(_BEGIN, (of, number))


def hold_request(connection: Connection, number: int, *, through: int) -> CatalogueRequest | None:
    """It, kept from others until the transaction ends; None where it is no longer as far as that: somebody else is at it."""
    with connection.cursor(row_factory=class_row(CatalogueRequest)) as cursor:
        return cursor.execute(_HOLD, (number, through)).fetchone()


def note_progress(connection: Connection, number: int, *, through: int, contracts: int, changed: int) -> None:
    """So many more are done, the last of them `through`. In the transaction in which they were given it."""
    given = {"id": number, "through": through, "contracts": contracts, "changed": changed}
    connection.execute(_NOTE, given)


def end_request(connection: Connection, number: int, *, problem: str = "") -> None:
    """It is done, or why not all of it is."""
    connection.execute(
        "UPDATE catalogue_request SET ended_at = clock_timestamp(), problem = %s WHERE id = %s", (problem, number)
    )
