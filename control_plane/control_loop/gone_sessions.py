"""Closes our rows of sessions that a device says it does not have, as accounting would have closed them.

A word of such a session reopens it: only its Stop is the device's own word for its end.

Next: store/session_reads.py
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from control_plane.accounting.session_state import SessionEnd
from control_plane.accounting.sessions import SessionMerger
from control_plane.settings import Settings
from control_plane.store import session_reads, session_writes
from control_plane.store.session_reads import Connection

# As a device would have said it.
_CAUSE = "Lost-Carrier"


class GoneSessions:
    """Closes sessions on one connection, which is in autocommit."""

    def __init__(self, connection: Connection, settings: Settings) -> None:
        self._connection = connection
        self._merger = SessionMerger(settings)
        session_writes.prepare(connection)

    def close(self, gone: Mapping[int, Sequence[UUID]], ended_by: SessionEnd, *, now: datetime) -> int:
        """End these sessions by NAS; returns how many were still live."""
        closed = 0
        for nas_id, keys in gone.items():
            with self._connection.transaction():
                session_reads.lock_nases(self._connection, [nas_id])
                heard = session_reads.load_heard_at(self._connection, nas_id, keys)
                states = session_reads.load_live_of_nas(self._connection, nas_id, heard)
                self._merger.close(self._connection, states, ended_by=ended_by, cause=_CAUSE, now=now)
                closed += len(states)
        return closed
