"""Clocks against the database's: those of access devices, as their accounting shows them, and those of RADIUS nodes.

Units: seconds; above 0 the other clock is ahead of the database's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg

Connection = psycopg.Connection[Any]

# A row is written again when its clock moved, or when it gets old: ten thousand devices are seventeen writes a second at most.
_SAVE: Final = """
INSERT INTO nas_clock AS c (nas_id, source, ahead_s)
SELECT w.nas_id, w.source, w.ahead_s + coalesce(round((SELECT clock_ahead_s FROM spool_node WHERE node = %s))::bigint, 0)
FROM unnest(%s::bigint[], %s::inet[], %s::bigint[]) AS w (nas_id, source, ahead_s) JOIN nas ON nas.id = w.nas_id ORDER BY w.nas_id
ON CONFLICT (nas_id) DO UPDATE SET source = EXCLUDED.source, ahead_s = EXCLUDED.ahead_s, at = EXCLUDED.at
WHERE abs(c.ahead_s - EXCLUDED.ahead_s) > 1 OR c.source <> EXCLUDED.source OR c.at < EXCLUDED.at - interval '10 minutes'
"""
_NODES: Final = """
SELECT node, clock_ahead_s, updated_at FROM spool_node
WHERE clock_ahead_s IS NOT NULL AND updated_at > clock_timestamp() - interval '1 minute' ORDER BY node
"""


@dataclass(frozen=True, slots=True)
class NasClock:
    """How far a device's clock is ahead; `at`: when it was last found so."""

    source: str
    ahead_s: int
    at: datetime


@dataclass(frozen=True, slots=True)
class NodeClock:
    """How far a RADIUS node's clock is ahead, by its last word within a minute."""

    node: str
    ahead_s: float
    at: datetime


def save_nas_clocks(connection: Connection, node: str, seen: Mapping[int, tuple[str, int]]) -> None:
    """Keep (source, seconds ahead of the node's clock) by NAS; what the node's own clock is off is taken away."""
    if not seen:
        return
    sources, ahead_s = [source for source, _ in seen.values()], [ahead for _, ahead in seen.values()]
    connection.execute(_SAVE, (node, list(seen), sources, ahead_s))


def load_nas_clock(connection: Connection, nas_id: int) -> NasClock | None:
    """What is known of a device's clock."""
    row = connection.execute("SELECT host(source), ahead_s, at FROM nas_clock WHERE nas_id = %s", (nas_id,)).fetchone()
    return None if row is None else NasClock(*row)


def load_node_clocks(connection: Connection) -> list[NodeClock]:
    """Of the nodes that were heard in the last minute."""
    return [NodeClock(*row) for row in connection.execute(_NODES).fetchall()]
