"""RADIUS nodes: which installation each name belongs to, and when its edge was last heard.

The caller owns the transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from control_plane.store.session_reads import Connection

# An edge that ships says so every five seconds.
_ALIVE_S: Final = 60


@dataclass(frozen=True, slots=True)
class NodeHolder:
    """Who has a node name. `heard_at` is None while its edge has shipped nothing; `alive` is about the last minute."""

    node: str
    installation: str
    host: str
    since: datetime
    read_to: datetime | None
    heard_at: datetime | None
    alive: bool


_SELECT: Final = (
    "SELECT node, installation, host, since, read_to, updated_at, "
    "coalesce(updated_at > clock_timestamp() - make_interval(secs => %(alive)s), false) "
    "FROM node_holder LEFT JOIN spool_node USING (node)"
)


def claim_name(connection: Connection, node: str, *, installation: str, host: str) -> NodeHolder:
    """Take a name unless somebody has it; returns who has it now."""
    connection.execute(
        "INSERT INTO node_holder (node, installation, host) VALUES (%s, %s, %s) ON CONFLICT (node) DO NOTHING",
        (node, installation, host or "unknown"),
    )
    holder = load_holder(connection, node)
    # Released between the two statements: it is free again.
    return holder or claim_name(connection, node, installation=installation, host=host)


def load_holder(connection: Connection, node: str) -> NodeHolder | None:
    """Who has a name; None when nobody has."""
    row = connection.execute(_SELECT + " WHERE node = %(node)s", {"alive": _ALIVE_S, "node": node}).fetchone()
    return None if row is None else NodeHolder(*row)


def load_holders(connection: Connection) -> list[NodeHolder]:
    """All nodes by name."""
    return [NodeHolder(*row) for row in connection.execute(_SELECT + " ORDER BY node", {"alive": _ALIVE_S})]


def release_name(connection: Connection, node: str) -> None:
    """Let the next edge of that name have it."""
    connection.execute("DELETE FROM node_holder WHERE node = %s", (node,))
