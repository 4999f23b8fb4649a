"""How far each spool has been read, and the records that could have no effect.

The caller owns the transaction.
"""

from __future__ import annotations

from control_plane.accounting.spool import Refused
from control_plane.store.session_reads import Connection


def holds_name(connection: Connection, node: str) -> bool:
    """Whether this connection is the only one that ships for a node of that name, as long as it lasts."""
    row = connection.execute(
        "SELECT pg_try_advisory_lock(hashtextextended('corrente shipper ' || %s, 0))", (node,)
    ).fetchone()
    return row is not None and bool(row[0])


def load_positions(connection: Connection, node: str) -> dict[str, int]:
    """How many octets of each file of a node have had their effect."""
    return dict(connection.execute("SELECT file, octets FROM spool_position WHERE node = %s", (node,)).fetchall())


def save_position(connection: Connection, node: str, file: str, octets: int) -> None:
    """Remember a position; it never goes back."""
    connection.execute(
        "INSERT INTO spool_position (node, file, octets) VALUES (%s, %s, %s) ON CONFLICT (node, file) DO UPDATE "
        "SET octets = greatest(spool_position.octets, EXCLUDED.octets), updated_at = now()",
        (node, file, octets),
    )


def remove_position(connection: Connection, node: str, file: str) -> None:
    """Forget a file that is deleted; its name is never used again."""
    connection.execute("DELETE FROM spool_position WHERE node = %s AND file = %s", (node, file))


def save_read_to(connection: Connection, node: str, read_to: float, *, now: float) -> None:
    """Remember up to which time of receipt a node's accounting has been read, and how its clock, which says `now`, is off."""
    connection.execute(
        "INSERT INTO spool_node (node, read_to, clock_ahead_s) "
        "VALUES (%s, to_timestamp(%s), %s - extract(epoch FROM clock_timestamp())) ON CONFLICT (node) DO UPDATE "
        "SET read_to = EXCLUDED.read_to, updated_at = now(), clock_ahead_s = EXCLUDED.clock_ahead_s",
        (node, read_to, now),
    )


def park(connection: Connection, node: str, file: str, entry: Refused, text: str) -> None:
    """Keep a record for a person; the same one read again is kept once."""
    connection.execute(
        "INSERT INTO unreadable_record (node, file, octet, kind, problem, record) VALUES (%s, %s, %s, %s, %s, %s) "
        "ON CONFLICT (node, file, octet) DO NOTHING",
        (node, file, entry.octet, entry.kind.value, entry.problem[:1000].replace("\0", "\\000"), text),
    )
