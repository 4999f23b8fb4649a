"""A device's own list of sessions, once it has been read: kept, compared with accounting and with what we take its sessions to
run under, and acted on.

Sessions that are only ours are closed, with what accounting last said of them, by the same code that closes silent ones: a
word of the device brings one back. Those that are only the device's are shown by `corrente drift`, and cut when a person
says so. What the device shows a session to run under is a later word than what we held: the reconciler works on it. When too
much differs nothing is done, and a person decides.

Units: instants are aware UTC.
Next: accounting/sessions.py
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from control_plane import telemetry
from control_plane.accounting.session_state import SessionEnd
from control_plane.accounting.sessions import CLOSED_AT_ONCE, SessionMerger
from control_plane.control_loop.two_views import Difference, OwnSession, contradicted, difference, held_policies
from control_plane.settings import Settings
from control_plane.store import device_views as store
from control_plane.store import session_reads, session_writes
from control_plane.store.session_reads import Connection
from nas_drivers.device_session import DeviceSession


def take_reading(
    connection: Connection, settings: Settings, nas_id: int, listed: Iterable[DeviceSession], *, read_at: datetime
) -> Difference:
    """Keep a complete list that was asked for at `read_at`, and close the ghosts; returns what differed.

    The connection is in autocommit. Repeating it is harmless.
    """
    with connection.transaction():
        store.save_list(connection, nas_id, listed, read_at=read_at)
        found = _difference(connection, nas_id, read_at)
        store.save_held(connection, nas_id, found.held)
    if not found.held:
        _close(connection, settings, nas_id, found.ghosts)
        _believe(connection, nas_id, read_at=read_at)
    return found


def believe_policies(connection: Connection, nas_id: int, *, read_at: datetime) -> int:
    """Take what the list read at `read_at` shows for what its sessions run under, however many: a person looked; returns
    how many."""
    return _believe(connection, nas_id, read_at=read_at, all_the_same=True)


def _believe(connection: Connection, nas_id: int, *, read_at: datetime, all_the_same: bool = False) -> int:
    """Write what the device shows of sessions where that contradicts us, and wake the reconciler; returns how many."""
    with connection.transaction():
        session_reads.lock_nases(connection, [nas_id])
        listed = store.load_shown(connection, nas_id)
        found = contradicted(store.load_held(connection, nas_id, read_at=read_at), listed, store.load_gives(connection))
        held = "" if all_the_same else held_policies(found, of=len(listed))
        store.save_policies_held(connection, nas_id, held)
        accounts = [] if held else store.save_shown(connection, found, read_at=read_at)
        session_writes.note_sessions_changed(connection, set(accounts))
    if held:
        telemetry.logger().error("device.differs_too_much", nas_id=nas_id, problem=held)
    return len(accounts)


def close_ghosts(connection: Connection, settings: Settings, nas_id: int, *, read_at: datetime) -> int:
    """Close the ghosts of the list read at `read_at` however many they are: a person looked; returns how many."""
    with connection.transaction():
        found = _difference(connection, nas_id, read_at)
        store.save_held(connection, nas_id, "")
    return _close(connection, settings, nas_id, found.ghosts)


def _difference(connection: Connection, nas_id: int, read_at: datetime) -> Difference:
    own, listed = store.load_own(connection, nas_id), store.load_list(connection, nas_id)
    return difference(own, listed, read_at=read_at)


def _close(connection: Connection, settings: Settings, nas_id: int, ghosts: Sequence[OwnSession]) -> int:
    """Those that have said nothing meanwhile, in portions that hold the NAS for a moment each."""
    if not ghosts:
        return 0
    merger = SessionMerger(settings)
    session_writes.prepare(connection)
    closed = 0
    for first in range(0, len(ghosts), CLOSED_AT_ONCE):
        heard_at = {one.session_key: int(one.received_at.timestamp()) for one in ghosts[first : first + CLOSED_AT_ONCE]}
        with connection.transaction():
            session_reads.lock_nases(connection, [nas_id])
            states = session_reads.load_live_of_nas(connection, nas_id, heard_at)
            merger.close(
                connection, states, ended_by=SessionEnd.NOT_ON_DEVICE, cause="Lost-Carrier", now=datetime.now(UTC)
            )
        closed += len(states)
    return closed
