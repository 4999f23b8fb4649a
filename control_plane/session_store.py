"""Reading and writing of sessions, usage and history in sets: a batch costs the same statements whatever its size.

The caller owns the transaction. Whoever changes sessions first holds their NASes by `lock_nases`, in order of their
numbers: two shippers that bring records of the same session wait for each other there, also when neither has seen the
session before, and never for each other in a circle.

Units: instants in epoch seconds on this side, timestamptz in the tables.
Next: sessions.py
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from ipaddress import ip_network
from typing import Final

import psycopg
from msgspec.structs import replace
from psycopg.rows import TupleRow

from control_plane.accounting_record import NatBlock
from control_plane.session_state import Holding, SessionEnd, SessionState
from control_plane.usage import months_between

Connection = psycopg.Connection[TupleRow]

_SESSION_COLUMNS: Final = (
    "uuid_send(session_key), nas_id, acct_session_id, username, account_id, uuid_send(class_key), policy_version, "
    "date_part('epoch', started_at)::bigint, date_part('epoch', {updated})::bigint, "
    "date_part('epoch', received_at)::bigint, session_time_s, octets_in, octets_out, counter_in::text, counter_out::text, "
    "interim_interval_s, host(framed_ipv4), host(framed_ipv6_address), framed_ipv6_prefix::text, "
    "delegated_ipv6_prefix::text, host(nat_address), nat_first_port, nat_last_port, "
    "date_part('epoch', {since})::bigint, mac, line"
)
_LIVE: Final = f"SELECT {_SESSION_COLUMNS.format(updated='updated_at', since='addresses_since')}, stale FROM session"
_CLOSED: Final = (
    f"SELECT {_SESSION_COLUMNS.format(updated='ended_at', since='ended_at')}, false, "
    "date_part('epoch', ended_at)::bigint, ended_by::text, terminate_cause FROM closed_session"
)
_END: Final = {end.value: end for end in SessionEnd}

# What COPY fills; emptied by each commit. Instants are epoch seconds so that Python never writes a date.
_TEMPORARY: Final = """
CREATE TEMPORARY TABLE IF NOT EXISTS incoming_session (
    session_key uuid, nas_id bigint, acct_session_id text, username text, account_id bigint, class_key uuid,
    policy_version bytea, started_at bigint, updated_at bigint, received_at bigint, session_time_s bigint,
    octets_in bigint, octets_out bigint, counter_in numeric, counter_out numeric, interim_interval_s integer,
    framed_ipv4 inet, framed_ipv6_address inet, framed_ipv6_prefix cidr, delegated_ipv6_prefix cidr,
    nat_address inet, nat_first_port integer, nat_last_port integer, addresses_since bigint, mac text, line text,
    stale boolean, ended_at bigint, ended_by text, terminate_cause text
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS incoming_progress (
    session_key uuid, updated_at bigint, received_at bigint, session_time_s bigint, octets_in bigint, octets_out bigint,
    counter_in numeric, counter_out numeric, interim_interval_s integer
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS incoming_usage (
    account_id bigint, hour bigint, day date, octets_in bigint, octets_out bigint
) ON COMMIT DELETE ROWS;
"""
_SAME_COLUMNS: Final = (
    "session_key, nas_id, acct_session_id, username, account_id, class_key, policy_version, started_at, {updated}"
    "received_at, session_time_s, octets_in, octets_out, counter_in, counter_out, interim_interval_s, framed_ipv4, "
    "framed_ipv6_address, framed_ipv6_prefix, delegated_ipv6_prefix, nat_address, nat_first_port, nat_last_port, {since}"
    "mac, line"
)


def _selected(columns: str) -> str:
    instants = ("started_at", "updated_at", "received_at", "addresses_since", "ended_at")
    return ", ".join(f"to_timestamp({name})" if name in instants else name for name in columns.split(", "))


def _set_clause(columns: str, *, but: Collection[str]) -> str:
    return ", ".join(f"{name} = EXCLUDED.{name}" for name in columns.split(", ") if name not in but)


_LIVE_COLUMNS: Final = _SAME_COLUMNS.format(updated="updated_at, ", since="addresses_since, ") + ", stale"
_CLOSED_COLUMNS: Final = _SAME_COLUMNS.format(updated="", since="") + ", ended_at"
_SAVE_LIVE: Final = (
    f"INSERT INTO session ({_LIVE_COLUMNS}) SELECT {_selected(_LIVE_COLUMNS)} FROM incoming_session "
    "WHERE ended_at IS NULL ON CONFLICT (session_key) DO UPDATE SET "
    + _set_clause(_LIVE_COLUMNS, but=("session_key", "nas_id"))
)
_SAVE_CLOSED: Final = (
    f"INSERT INTO closed_session ({_CLOSED_COLUMNS}, ended_by, terminate_cause) SELECT {_selected(_CLOSED_COLUMNS)}, "
    "ended_by::session_end, terminate_cause FROM incoming_session WHERE ended_at IS NOT NULL "
    "ON CONFLICT (session_key, ended_at) DO UPDATE SET "
    + _set_clause(_CLOSED_COLUMNS + ", ended_by, terminate_cause", but=("session_key", "ended_at", "nas_id"))
)


_SAVE_PROGRESS: Final = (
    "UPDATE session s SET updated_at = to_timestamp(i.updated_at), received_at = to_timestamp(i.received_at), "
    "session_time_s = i.session_time_s, octets_in = i.octets_in, octets_out = i.octets_out, counter_in = i.counter_in, "
    "counter_out = i.counter_out, interim_interval_s = i.interim_interval_s FROM incoming_progress i "
    "WHERE s.session_key = i.session_key"
)


# In the order of their keys: two shippers that bring usage of the same accounts never wait for each other in a circle.
_ADD_HOURS: Final = (
    "INSERT INTO usage_hour (account_id, hour, octets_in, octets_out) "
    "SELECT account_id, to_timestamp(hour), octets_in, octets_out FROM incoming_usage WHERE hour >= %s "
    "ON CONFLICT (account_id, hour) DO UPDATE SET "
    "octets_in = usage_hour.octets_in + EXCLUDED.octets_in, octets_out = usage_hour.octets_out + EXCLUDED.octets_out"
)
_ADD_DAYS: Final = (
    "INSERT INTO usage_day (account_id, day, octets_in, octets_out) "
    "SELECT account_id, day, sum(octets_in)::bigint, sum(octets_out)::bigint FROM incoming_usage WHERE day >= %s "
    "GROUP BY account_id, day ORDER BY account_id, day ON CONFLICT (account_id, day) DO UPDATE SET "
    "octets_in = usage_day.octets_in + EXCLUDED.octets_in, octets_out = usage_day.octets_out + EXCLUDED.octets_out"
)


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
            "SELECT id, extract(epoch FROM booted_at)::bigint FROM nas WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE",
            (list(nas_ids),),
        ).fetchall()
    )


def load_live_by_id(connection: Connection, ids: Collection[tuple[int, str]]) -> list[SessionState]:
    """The live sessions with one of these (NAS, Acct-Session-Id)."""
    sql = (
        f"{_LIVE} JOIN (SELECT DISTINCT unnest(%s::bigint[]), unnest(%s::text[])) AS w (nas, id) "
        "ON nas_id = nas AND acct_session_id = id"
    )
    return _states(connection, sql, ([nas for nas, _ in ids], [name for _, name in ids]))


def load_closed_by_id(
    connection: Connection, ids: Collection[tuple[int, str]], *, ended_since: int
) -> list[SessionState]:
    """The sessions with one of these (NAS, Acct-Session-Id) that ended at or after an instant."""
    sql = (
        f"{_CLOSED} JOIN (SELECT DISTINCT unnest(%s::bigint[]), unnest(%s::text[])) AS w (nas, id) "
        "ON nas_id = nas AND acct_session_id = id WHERE ended_at >= to_timestamp(%s) ORDER BY ended_at"
    )
    return _states(connection, sql, ([nas for nas, _ in ids], [name for _, name in ids], ended_since))


def _states(connection: Connection, sql: str, parameters: tuple[object, ...]) -> list[SessionState]:
    with connection.cursor(binary=True) as cursor:
        return [_state(row) for row in cursor.execute(sql, parameters)]


def _state(row: TupleRow) -> SessionState:
    nat = None if row[20] is None else NatBlock(row[20], row[21], row[22])
    end = () if len(row) == 27 else (row[27], _END[row[28]], row[29])
    values = (*row[:13], int(row[13]), int(row[14]), *row[15:20], nat, *row[23:27], *end)
    return SessionState(*values)


def load_account_ids(connection: Connection, usernames: Collection[str]) -> dict[str, int]:
    """The accounts of these usernames, compared byte for byte."""
    if not usernames:
        return {}
    rows = connection.execute(
        "SELECT username, id FROM subscriber_account WHERE username = ANY(%s)", (list(usernames),)
    ).fetchall()
    return dict(rows)


def load_existing_accounts(connection: Connection, account_ids: Collection[int]) -> set[int]:
    """Those of these accounts that have not been deleted since."""
    if not account_ids:
        return set()
    rows = connection.execute("SELECT id FROM subscriber_account WHERE id = ANY(%s)", (list(account_ids),))
    return {account_id for (account_id,) in rows}


def load_live_of_nas(connection: Connection, nas_id: int, heard_at: Mapping[bytes, int]) -> list[SessionState]:
    """Those live sessions of a NAS that have said nothing since they were last heard."""
    sql = f"{_LIVE} WHERE session_key = ANY(%s::uuid[]) AND nas_id = %s"
    found = _states(connection, sql, ([key.hex() for key in heard_at], nas_id))
    return [state for state in found if state.received_at == heard_at[state.session_key]]


def load_outlived(connection: Connection, nas_id: int, *, limit: int) -> list[SessionState]:
    """Live sessions of a NAS that began before it booted and have said nothing since."""
    sql = (
        f"{_LIVE} WHERE nas_id = %s AND greatest(started_at, updated_at) < (SELECT booted_at FROM nas WHERE id = %s) "
        "LIMIT %s"
    )
    return _states(connection, sql, (nas_id, nas_id, limit))


def load_rebooted_nases(connection: Connection) -> set[int]:
    """NASes with sessions that ended with a boot and are not closed yet."""
    rows = connection.execute(
        "SELECT DISTINCT nas_id FROM session JOIN nas ON nas.id = nas_id WHERE greatest(started_at, updated_at) < booted_at"
    )
    return {nas_id for (nas_id,) in rows}


@dataclass(frozen=True, slots=True)
class SilenceLimits:
    """After how long a silence a session is over: so many of its intervals and a grace. Units: seconds."""

    intervals: int
    grace_s: int
    default_interval_s: int


# The device's own interval as it was seen, but never less than it was given: it may send once in between.
_INTERVAL: Final = "greatest(s.interim_interval_s, coalesce(p.interim_interval_s, %(default)s))"
_SILENT: Final = (
    "FROM session s LEFT JOIN subscriber_account a ON a.id = s.account_id LEFT JOIN contract c ON c.id = a.contract_id "
    "LEFT JOIN plan ON plan.id = c.plan_id LEFT JOIN profile p ON p.id = plan.profile_id "
    "WHERE s.received_at < %(horizon)s - make_interval(secs => %(grace)s + %(intervals)s * 60) "
    f"AND s.received_at < %(horizon)s - make_interval(secs => %(grace)s + %(intervals)s * {_INTERVAL})"
)


def load_read_horizon(connection: Connection, now: datetime) -> datetime | None:
    """Up to which time of receipt all accounting has been read; None when no node has said so lately.

    A node that has been silent for minutes does not hold the others up; when it comes back, its records reopen what
    was closed too early.
    """
    row = connection.execute(
        "SELECT min(read_to) FROM spool_node WHERE updated_at > %s - interval '5 minutes'", (now,)
    ).fetchone()
    assert row is not None, "an aggregate has one row"
    horizon: datetime | None = row[0]
    return horizon


def mark_stale(connection: Connection, horizon: datetime, limits: SilenceLimits) -> set[int]:
    """Mark sessions that will be closed in one interval unless they speak; returns their accounts."""
    rows = connection.execute(
        "UPDATE session SET stale = true FROM (SELECT s.session_key, s.received_at "
        f"{_SILENT} AND NOT s.stale) AS silent "
        "WHERE session.session_key = silent.session_key AND session.received_at = silent.received_at "
        "RETURNING session.account_id",
        _silence(horizon, limits, intervals=limits.intervals - 1),
    )
    return {account_id for (account_id,) in rows if account_id is not None}


def load_silent(
    connection: Connection, horizon: datetime, limits: SilenceLimits, *, at_once: int
) -> dict[int, dict[bytes, int]]:
    """Sessions that have been silent for too long, by NAS, with when they were last heard."""
    rows = connection.execute(
        f"SELECT s.nas_id, uuid_send(s.session_key), extract(epoch FROM s.received_at)::bigint {_SILENT} LIMIT %(at_once)s",
        {**_silence(horizon, limits, intervals=limits.intervals), "at_once": at_once},
    )
    silent: dict[int, dict[bytes, int]] = {}
    for nas_id, key, received_at in rows:
        silent.setdefault(nas_id, {})[key] = received_at
    return silent


def _silence(horizon: datetime, limits: SilenceLimits, *, intervals: int) -> dict[str, object]:
    return {
        "horizon": horizon,
        "grace": limits.grace_s,
        "intervals": intervals,
        "default": limits.default_interval_s,
    }


# ---------------------------------------------------------------------------------------------------------------
# Writing
# ---------------------------------------------------------------------------------------------------------------
def prepare(connection: Connection) -> None:
    """What each transaction that writes needs once a connection: the temporary tables, and plans by index."""
    connection.execute(_TEMPORARY)


def save_sessions(
    connection: Connection,
    states: Collection[SessionState],
    *,
    were_live: Mapping[bytes, SessionState],
    were_closed: Mapping[bytes, int],
    closed_since: int,
) -> None:
    """Put states where they belong: live sessions and closed ones are two tables, a session is in one of them.

    Once a transaction: the temporary tables are emptied by the commit.

    `were_live` are the states that were read from the live table, `were_closed` the ends of those that were read from
    the closed one. What ended before `closed_since` is past its retention and is not kept.
    """
    progress: list[SessionState] = []
    others: list[SessionState] = []
    for state in states:
        before = were_live.get(state.session_key)
        (progress if before is not None and _only_went_on(before, state) else others).append(state)
    if progress:
        _copy(connection, "incoming_progress", map(_progress_row, progress))
        connection.execute(_SAVE_PROGRESS)
    if others:
        _leave_tables(connection, others, were_live=were_live.keys(), were_closed=were_closed)
        kept = [state for state in others if state.ended_at is None or state.ended_at >= closed_since]
        _copy(connection, "incoming_session", map(_session_row, kept))
        if any(state.live for state in kept):
            connection.execute(_SAVE_LIVE)
        if any(not state.live for state in kept):
            connection.execute(_SAVE_CLOSED)


def _only_went_on(before: SessionState, state: SessionState) -> bool:
    """Whether nothing but time and counters changed: nine of ten records, written in fewer columns."""
    as_before = replace(
        state,
        updated_at=before.updated_at,
        received_at=before.received_at,
        session_time_s=before.session_time_s,
        octets_in=before.octets_in,
        octets_out=before.octets_out,
        counter_in=before.counter_in,
        counter_out=before.counter_out,
        interim_interval_s=before.interim_interval_s,
    )
    return as_before == before


def _leave_tables(
    connection: Connection,
    states: Collection[SessionState],
    *,
    were_live: Collection[bytes],
    were_closed: Mapping[bytes, int],
) -> None:
    """Take sessions out of the table that they no longer belong to."""
    gone = [state.session_key.hex() for state in states if not state.live and state.session_key in were_live]
    if gone:
        connection.execute("DELETE FROM session WHERE session_key = ANY(%s::uuid[])", (gone,))
    moved = [
        (state.session_key.hex(), were_closed[state.session_key])
        for state in states
        if state.session_key in were_closed and were_closed[state.session_key] != state.ended_at
    ]
    if moved:
        connection.execute(
            "DELETE FROM closed_session c USING unnest(%s::uuid[], %s::bigint[]) AS w (key, ended) "
            "WHERE c.session_key = w.key AND c.ended_at = to_timestamp(w.ended)",
            ([key for key, _ in moved], [ended for _, ended in moved]),
        )


def _progress_row(state: SessionState) -> str:
    return (
        f"{state.session_key.hex()}\t{state.updated_at}\t{state.received_at}\t{state.session_time_s}\t{state.octets_in}\t"
        f"{state.octets_out}\t{state.counter_in}\t{state.counter_out}\t{_or_null(state.interim_interval_s)}\n"
    )


def _session_row(state: SessionState) -> str:
    nat = state.nat
    return (
        f"{state.session_key.hex()}\t{state.nas_id}\t{_text(state.acct_session_id)}\t{_text(state.username)}\t"
        f"{_or_null(state.account_id)}\t{state.class_key.hex() if state.class_key else _NULL}\t"
        f"{_BYTEA + state.policy_version.hex() if state.policy_version else _NULL}\t{state.started_at}\t"
        f"{state.updated_at}\t{state.received_at}\t{state.session_time_s}\t{state.octets_in}\t{state.octets_out}\t"
        f"{state.counter_in}\t{state.counter_out}\t{_or_null(state.interim_interval_s)}\t{state.framed_ipv4 or _NULL}\t"
        f"{state.framed_ipv6_address or _NULL}\t{state.framed_ipv6_prefix or _NULL}\t"
        f"{state.delegated_ipv6_prefix or _NULL}\t"
        f"{f'{nat.address}{_TAB}{nat.first_port}{_TAB}{nat.last_port}' if nat else _NO_NAT}\t"
        f"{state.addresses_since}\t{_text(state.mac)}\t{_text(state.line)}\t{'t' if state.stale else 'f'}\t"
        f"{_or_null(state.ended_at)}\t{state.ended_by.value if state.ended_by else _NULL}\t"
        f"{_text(state.terminate_cause) if state.terminate_cause else _NULL}\n"
    )


_NULL: Final = "\\N"
_TAB: Final = "\t"
_NO_NAT: Final = "\\N\t\\N\t\\N"
_BYTEA: Final = "\\\\x"
_SPECIAL: Final = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def _text(value: str) -> str:
    return value.translate(_SPECIAL) if "\\" in value or not value.isprintable() else value


def _or_null(value: int | None) -> str:
    return _NULL if value is None else str(value)


def _copy(connection: Connection, table: str, rows: Iterable[str]) -> None:
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN") as copy:
        copy.write("".join(rows).encode())


def add_usage(
    connection: Connection,
    usage: Mapping[tuple[int, int, date], tuple[int, int]],
    *,
    hours_since: int,
    days_since: date,
) -> None:
    """Add octets to hours and days; `usage` is by (account, hour, day). Once a transaction.

    What lies before `hours_since` or `days_since` is past its retention and has no partition any more.
    """
    if not usage:
        return
    _copy(
        connection,
        "incoming_usage",
        (
            f"{account}\t{hour}\t{day}\t{used_in}\t{used_out}\n"
            for (account, hour, day), (used_in, used_out) in sorted(usage.items())
        ),
    )
    connection.execute(_ADD_HOURS, (hours_since,))
    connection.execute(_ADD_DAYS, (days_since,))


def add_holdings(connection: Connection, holdings: Iterable[Holding], *, since: int) -> None:
    """Add ended holdings to the history, a row in each UTC month, as far back as history is kept."""
    rows = [
        (
            first,
            h.address,
            begin,
            end,
            h.first_port,
            h.last_port,
            h.session_key.hex(),
            h.nas_id,
            h.account_id,
            h.username,
        )
        for h in holdings
        if h.until >= since
        for first, begin, end in months_between(max(h.since, since), h.until)
    ]
    if not rows:
        return
    connection.execute(
        "INSERT INTO address_history (month, address, valid_from, valid_to, first_port, last_port, session_key, nas_id, "
        "account_id, username) SELECT month, address, to_timestamp(a), to_timestamp(b), low, high, key, nas, account, name "
        "FROM unnest(%s::date[], %s::inet[], %s::bigint[], %s::bigint[], %s::integer[], %s::integer[], %s::uuid[], "
        "%s::bigint[], %s::bigint[], %s::text[]) AS w (month, address, a, b, low, high, key, nas, account, name) "
        "ON CONFLICT DO NOTHING",
        tuple(list(column) for column in zip(*rows, strict=True)),
    )


def raise_boot(connection: Connection, nas_id: int, booted_at: int) -> None:
    """Remember that a NAS booted, unless a later boot is known."""
    connection.execute(
        "UPDATE nas SET booted_at = to_timestamp(%s) WHERE id = %s AND (booted_at IS NULL OR booted_at < to_timestamp(%s))",
        (booted_at, nas_id, booted_at),
    )


def note_sessions_changed(connection: Connection, account_ids: Collection[int]) -> None:
    """Tell the edges to look at the live sessions of these accounts again."""
    if not account_ids:
        return
    connection.execute(
        "INSERT INTO change_feed (kind, key) SELECT 'session', unnest(%s::bigint[])", (sorted(account_ids),)
    )
    connection.execute("NOTIFY corrente_change")


def make_months(connection: Connection, months: Iterable[date]) -> None:
    """Make sure that the partitions of these months are there."""
    for month in months:
        connection.execute("SELECT make_month(%s)", (month,))
