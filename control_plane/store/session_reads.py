"""Sessions, NASes and accounts as the merge reads them: sets of keys in, sets of states out.

The caller owns the transaction. Whoever changes sessions first holds their NASes by `lock_nases`, in order of their
numbers: two shippers that bring records of the same session wait for each other there, also when neither has seen the
session before, and never for each other in a circle.

Units: instants in epoch seconds on this side, timestamptz in the tables.
Next: session_writes.py
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Final
from uuid import UUID

import psycopg
from psycopg.rows import TupleRow

from control_plane.accounting.record import NatBlock
from control_plane.accounting.session_state import SessionEnd, SessionState

Connection = psycopg.Connection[TupleRow]

_SESSION_COLUMNS: Final = (
    "uuid_send(session_key), nas_id, acct_session_id, username, account_id, uuid_send(class_key), policy_version, "
    "date_part('epoch', started_at)::bigint, date_part('epoch', {updated})::bigint, "
    "date_part('epoch', received_at)::bigint, session_time_s, octets_in, octets_out, counter_in::text, counter_out::text, "
    "interim_interval_s, host(framed_ipv4), host(framed_ipv6_address), framed_ipv6_prefix::text, "
    "delegated_ipv6_prefix::text, host(nat_address), nat_first_port, nat_last_port, "
    "date_part('epoch', {since})::bigint, mac, line, nas_port_id"
)
_LIVE: Final = f"SELECT {_SESSION_COLUMNS.format(updated='updated_at', since='addresses_since')}, stale FROM session"
_CLOSED: Final = (
    f"SELECT {_SESSION_COLUMNS.format(updated='ended_at', since='ended_at')}, false, "
    "date_part('epoch', ended_at)::bigint, ended_by::text, terminate_cause FROM closed_session"
)
# A boot that is yet to come was told while a clock was ahead: until then it would end each session as soon as it speaks.
BOOT_LIES_AHEAD: Final = "booted_at > now() + interval '5 minutes'"
_BOOTED_AT: Final = f"CASE WHEN {BOOT_LIES_AHEAD} THEN NULL ELSE booted_at END"
_END: Final = {end.value: end for end in SessionEnd}


@dataclass(frozen=True, slots=True)
class NasRow:
    """An access device as accounting needs it. `single` is false for a prefix that stands for a group of devices."""

    nas_id: int
    swap_octets: bool
    single: bool


class NasTable:
    """Which NAS a source address is: the longest prefix that holds it."""

    def __init__(self, rows: Mapping[str, NasRow]) -> None:
        self._rows = rows
        networks = [ip_network(prefix) for prefix in rows]
        self._lengths = sorted({(net.version, net.prefixlen) for net in networks}, reverse=True)
        self._found: dict[str, NasRow | None] = {}

    def find(self, source: str) -> NasRow | None:
        """The NAS at `source`, remembered; None when no NAS has it."""
        if source not in self._found:
            self._found[source] = self._search(source)
        return self._found[source]

    def _search(self, source: str) -> NasRow | None:
        try:
            version = ip_network(source).version
        except ValueError:
            return None
        for family, length in self._lengths:
            if family == version:
                row = self._rows.get(str(ip_network(f"{source}/{length}", strict=False)))
                if row is not None:
                    return row
        return None


def load_nases(connection: Connection) -> NasTable:
    """All NASes by their source prefix."""
    rows = connection.execute(
        "SELECT source::text, id, swap_octets, masklen(source), family(source) FROM nas"
    ).fetchall()
    return NasTable(
        {
            source: NasRow(nas_id, swap, length == (32 if family == 4 else 128))
            for source, nas_id, swap, length, family in rows
        }
    )


def lock_nases(connection: Connection, nas_ids: Collection[int]) -> dict[int, int | None]:
    """Hold these NASes until the end of the transaction; returns when each last booted."""
    return dict(
        connection.execute(
            f"SELECT id, extract(epoch FROM {_BOOTED_AT})::bigint FROM nas WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE",
            (list(nas_ids),),
        ).fetchall()
    )


def load_live_by_id(connection: Connection, ids: AbstractSet[tuple[int, str]]) -> list[SessionState]:
    """The live sessions with one of these (NAS, Acct-Session-Id), each given once."""
    sql = f"{_LIVE} JOIN unnest(%s::bigint[], %s::text[]) AS w (nas, id) ON nas_id = nas AND acct_session_id = id"
    return _states(connection, sql, _printed_ids(ids))


def load_closed_by_id(
    connection: Connection, ids: AbstractSet[tuple[int, str]], *, ended_since: int
) -> list[SessionState]:
    """The sessions with one of these (NAS, Acct-Session-Id), each given once, that ended at or after an instant."""
    sql = (
        f"{_CLOSED} JOIN unnest(%s::bigint[], %s::text[]) AS w (nas, id) ON nas_id = nas AND acct_session_id = id "
        "WHERE ended_at >= to_timestamp(%s) ORDER BY ended_at"
    )
    return _states(connection, sql, (*_printed_ids(ids), ended_since))


def _printed_ids(ids: AbstractSet[tuple[int, str]]) -> tuple[str, str]:
    return printed_array(map(str, [nas for nas, _ in ids])), printed_array([quoted(name) for _, name in ids])


def printed_array(values: Iterable[str]) -> str:
    """An array as PostgreSQL reads it: thousands of values go faster as one text than one by one through psycopg."""
    return "{" + ",".join(values) + "}"


def quoted(text: str) -> str:
    """A text as an element of `printed_array`."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _states(connection: Connection, sql: str, parameters: tuple[object, ...]) -> list[SessionState]:
    with connection.cursor(binary=True) as cursor:
        return [_state(row) for row in cursor.execute(sql, parameters)]


def _state(row: TupleRow) -> SessionState:
    nat = None if row[20] is None else NatBlock(row[20], row[21], row[22])
    end = () if len(row) == 28 else (row[28], _END[row[29]], row[30])
    values = (*row[:13], int(row[13]), int(row[14]), *row[15:20], nat, *row[23:28], *end)
    return SessionState(*values)


def load_account_ids(connection: Connection, usernames: Collection[str]) -> dict[str, int]:
    """The accounts of these usernames, compared byte for byte."""
    if not usernames:
        return {}
    rows = connection.execute(
        "SELECT username, id FROM subscriber_account WHERE username = ANY(%s::text[])",
        (printed_array(map(quoted, usernames)),),
    ).fetchall()
    return dict(rows)


def load_existing_accounts(connection: Connection, account_ids: Collection[int]) -> set[int]:
    """Those of these accounts that have not been deleted since."""
    if not account_ids:
        return set()
    rows = connection.execute("SELECT id FROM subscriber_account WHERE id = ANY(%s)", (list(account_ids),))
    return {account_id for (account_id,) in rows}


def load_heard_at(connection: Connection, nas_id: int, keys: Sequence[UUID]) -> dict[bytes, int]:
    """When each of these live sessions of a NAS was last heard, in epoch seconds."""
    rows = connection.execute(
        "SELECT uuid_send(session_key), date_part('epoch', received_at)::bigint FROM session "
        "WHERE session_key = ANY (%s) AND nas_id = %s",
        (list(keys), nas_id),
    )
    return dict(rows.fetchall())


def load_live_of_nas(connection: Connection, nas_id: int, heard_at: Mapping[bytes, int]) -> list[SessionState]:
    """Those live sessions of a NAS that have said nothing since they were last heard."""
    sql = f"{_LIVE} WHERE session_key = ANY(%s::uuid[]) AND nas_id = %s"
    found = _states(connection, sql, ([key.hex() for key in heard_at], nas_id))
    return [state for state in found if state.received_at == heard_at[state.session_key]]


def load_outlived(connection: Connection, nas_id: int, *, limit: int) -> list[SessionState]:
    """Live sessions of a NAS that began before it booted and have said nothing since."""
    sql = (
        f"{_LIVE} WHERE nas_id = %s AND greatest(started_at, updated_at) < (SELECT {_BOOTED_AT} FROM nas WHERE id = %s) "
        "LIMIT %s"
    )
    return _states(connection, sql, (nas_id, nas_id, limit))


def load_rebooted_nases(connection: Connection) -> set[int]:
    """NASes with sessions that ended with a boot and are not closed yet."""
    rows = connection.execute(
        "SELECT DISTINCT nas_id FROM session JOIN nas ON nas.id = nas_id "
        f"WHERE greatest(started_at, updated_at) < {_BOOTED_AT}"
    )
    return {nas_id for (nas_id,) in rows}
