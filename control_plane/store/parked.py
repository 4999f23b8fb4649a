"""Spooled records without effect, as they lie in `unreadable_record`: counted, shown, tried again.

The caller owns the transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from control_plane.accounting.spool import Parked
from control_plane.store.session_reads import Connection


@dataclass(frozen=True, slots=True)
class ParkedRecord:
    """One record, where it came from and what stands against it."""

    id: int
    at: datetime
    node: str
    file: str
    octet: int
    kind: Parked
    problem: str
    tried_at: datetime | None
    record: str


def load_parked_counts(connection: Connection) -> dict[Parked, int]:
    """How many records wait, by whose fault it is."""
    rows = connection.execute("SELECT kind, count(*) FROM unreadable_record GROUP BY kind ORDER BY kind")
    return {Parked(kind): count for kind, count in rows}


def load_newest_parked(connection: Connection, *, kind: Parked | None, limit: int) -> list[ParkedRecord]:
    """The newest records, of one kind or of all."""
    rows = connection.execute(
        "SELECT id, at, node, file, octet, kind, problem, tried_at, record FROM unreadable_record "
        "WHERE %(kind)s::text IS NULL OR kind = %(kind)s ORDER BY id DESC LIMIT %(limit)s",
        {"kind": kind and kind.value, "limit": limit},
    )
    return [_parked(row) for row in rows]


def load_parked_ids(connection: Connection, *, kind: Parked | None, after: int, limit: int) -> list[int]:
    """The numbers of the next records in the order of their parking."""
    rows = connection.execute(
        "SELECT id FROM unreadable_record WHERE id > %(after)s AND (%(kind)s::text IS NULL OR kind = %(kind)s) "
        "ORDER BY id LIMIT %(limit)s",
        {"after": after, "kind": kind and kind.value, "limit": limit},
    )
    return [row[0] for row in rows]


def lock_parked(connection: Connection, ids: Sequence[int]) -> list[ParkedRecord]:
    """Those of the records that are still there and nobody else is trying, held until the transaction ends."""
    rows = connection.execute(
        "SELECT id, at, node, file, octet, kind, problem, tried_at, record FROM unreadable_record WHERE id = ANY (%s) "
        "ORDER BY id FOR UPDATE SKIP LOCKED",
        (list(ids),),
    )
    return [_parked(row) for row in rows]


def remove_parked(connection: Connection, ids: Sequence[int]) -> None:
    """Take records away that have had their effect."""
    connection.execute("DELETE FROM unreadable_record WHERE id = ANY (%s)", (list(ids),))


def save_parked_again(connection: Connection, record_id: int, *, kind: Parked, problem: str, at: datetime) -> None:
    """Note what stands against a record now."""
    connection.execute(
        "UPDATE unreadable_record SET kind = %s, problem = %s, tried_at = %s WHERE id = %s",
        (kind.value, problem[:1000].replace("\0", "\\000"), at, record_id),
    )


def _parked(row: tuple[object, ...]) -> ParkedRecord:
    number, at, node, file, octet, kind, *rest = row
    return ParkedRecord(number, at, node, file, octet, Parked(kind), *rest)  # type: ignore[arg-type]  # a row is untyped
