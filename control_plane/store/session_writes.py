"""Sessions, usage and history written back in sets: a batch costs the same statements whatever its size.

The caller owns the transaction and holds the NASes of the sessions; see session_reads.py.

Units: instants in epoch seconds on this side, timestamptz in the tables.
Next: accounting/shipper.py
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from typing import Final

from msgspec.structs import replace

from control_plane.accounting.session_batch import Changes
from control_plane.accounting.session_state import Holding, SessionState
from control_plane.accounting.usage import months_between
from control_plane.store.session_reads import BOOT_LIES_AHEAD, Connection, printed_array

# What COPY fills; emptied by each commit. Instants are epoch seconds so that Python never writes a date.
_TEMPORARY: Final = """
CREATE TEMPORARY TABLE IF NOT EXISTS incoming_session (
    session_key uuid, nas_id bigint, acct_session_id text, username text, account_id bigint, class_key uuid,
    policy_version bytea, started_at bigint, updated_at bigint, received_at bigint, session_time_s bigint,
    octets_in bigint, octets_out bigint, counter_in numeric, counter_out numeric, interim_interval_s integer,
    framed_ipv4 inet, framed_ipv6_address inet, framed_ipv6_prefix cidr, delegated_ipv6_prefix cidr,
    nat_address inet, nat_first_port integer, nat_last_port integer, addresses_since bigint, mac text, line text,
    nas_port_id text, stale boolean, ended_at bigint, ended_by text, terminate_cause text,
    applied_version bytea, applied_by applied_source, applied_at timestamptz
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS incoming_progress (
    session_key uuid, updated_at bigint, received_at bigint, session_time_s bigint, octets_in bigint, octets_out bigint,
    counter_in numeric, counter_out numeric, interim_interval_s integer
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS incoming_holding (
    month date, address inet, valid_from bigint, valid_to bigint, first_port integer, last_port integer, session_key uuid,
    nas_id bigint, account_id bigint, username text
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS incoming_usage (
    account_id bigint, hour bigint, day date, octets_in bigint, octets_out bigint
) ON COMMIT DELETE ROWS;
"""
_EMPTY: Final = "; ".join(f"DELETE FROM incoming_{name}" for name in ("session", "progress", "holding", "usage"))
_SAME_COLUMNS: Final = (
    "session_key, nas_id, acct_session_id, username, account_id, class_key, policy_version, started_at, {updated}"
    "received_at, session_time_s, octets_in, octets_out, counter_in, counter_out, interim_interval_s, framed_ipv4, "
    "framed_ipv6_address, framed_ipv6_prefix, delegated_ipv6_prefix, nat_address, nat_first_port, nat_last_port, {since}"
    "mac, line, nas_port_id"
)


def _selected(columns: str) -> str:
    instants = ("started_at", "updated_at", "received_at", "addresses_since", "ended_at")
    return ", ".join(f"to_timestamp({name})" if name in instants else name for name in columns.split(", "))


def _set_clause(columns: str, *, but: Collection[str]) -> str:
    return ", ".join(f"{name} = EXCLUDED.{name}" for name in columns.split(", ") if name not in but)


# What a session runs under goes with it from table to table, and a row that stays in its table keeps its own. A Class other
# than the one before is a later word: a device that fell back to an older policy says so by it.
_APPLIED: Final = "applied_version, applied_by, applied_at"
_OTHER_CLASS: Final = (
    "session.applied_version IS NOT NULL AND session.policy_version IS DISTINCT FROM EXCLUDED.policy_version"
)
_APPLIED_BY_CLASS: Final = (
    f"applied_version = CASE WHEN {_OTHER_CLASS} THEN EXCLUDED.policy_version ELSE session.applied_version END, "
    f"applied_by = CASE WHEN {_OTHER_CLASS} THEN 'device' ELSE session.applied_by END, "
    f"applied_at = CASE WHEN {_OTHER_CLASS} THEN EXCLUDED.received_at ELSE session.applied_at END"
)
# What it carries now is what it carried between its last two records. A device that counts for itself says any number of octets.
_RATE: Final = (
    "rate_{way}_bps = CASE WHEN {new}.session_time_s > {old}.session_time_s THEN least(greatest({new}.octets_{way} - {old}.octets_{way}, 0), 1e18::bigint) "
    "* 8 / ({new}.session_time_s - {old}.session_time_s) ELSE {old}.rate_{way}_bps END"
)
_RATES: Final = ", ".join(_RATE.format(way=way, new="EXCLUDED", old="session") for way in ("in", "out"))
_RATES_OF_PROGRESS: Final = ", ".join(_RATE.format(way=way, new="i", old="s") for way in ("in", "out"))
_LIVE_COLUMNS: Final = _SAME_COLUMNS.format(updated="updated_at, ", since="addresses_since, ") + ", stale"
_CLOSED_COLUMNS: Final = _SAME_COLUMNS.format(updated="", since="") + ", ended_at"
_SAVE_LIVE: Final = (
    f"INSERT INTO session ({_LIVE_COLUMNS}, {_APPLIED}) SELECT {_selected(_LIVE_COLUMNS)}, {_APPLIED} FROM incoming_session "
    "WHERE ended_at IS NULL ON CONFLICT (session_key) DO UPDATE SET "
    + _set_clause(_LIVE_COLUMNS, but=("session_key", "nas_id"))
    + f", {_APPLIED_BY_CLASS}, {_RATES}"
)
_SAVE_CLOSED: Final = (
    f"INSERT INTO closed_session ({_CLOSED_COLUMNS}, ended_by, terminate_cause, {_APPLIED}) "
    f"SELECT {_selected(_CLOSED_COLUMNS)}, ended_by::session_end, terminate_cause, {_APPLIED} FROM incoming_session WHERE ended_at IS NOT NULL "
    "ON CONFLICT (session_key, ended_at) DO UPDATE SET "
    + _set_clause(_CLOSED_COLUMNS + ", ended_by, terminate_cause", but=("session_key", "ended_at", "nas_id"))
)


_TAKE_APPLIED: Final = (
    f" RETURNING session_key, policy_version, {_APPLIED}) UPDATE incoming_session i SET applied_version = g.applied_version, "
    "applied_by = g.applied_by, applied_at = g.applied_at FROM gone g WHERE g.session_key = i.session_key "
    "AND g.applied_version IS NOT NULL AND g.policy_version IS NOT DISTINCT FROM i.policy_version"
)
_LEAVE_LIVE: Final = f"WITH gone AS (DELETE FROM session WHERE session_key = ANY(%s::uuid[]){_TAKE_APPLIED}"
_LEAVE_CLOSED: Final = (
    "WITH gone AS (DELETE FROM closed_session c USING unnest(%s::uuid[], %s::bigint[]) AS w (key, ended) "
    f"WHERE c.session_key = w.key AND c.ended_at = to_timestamp(w.ended){_TAKE_APPLIED}"
)
_SAVE_PROGRESS: Final = (
    "UPDATE session s SET updated_at = to_timestamp(i.updated_at), received_at = to_timestamp(i.received_at), "
    "session_time_s = i.session_time_s, octets_in = i.octets_in, octets_out = i.octets_out, counter_in = i.counter_in, "
    "counter_out = i.counter_out, interim_interval_s = i.interim_interval_s, "
    f"{_RATES_OF_PROGRESS} FROM incoming_progress i "
    "WHERE s.session_key = i.session_key"
)


# What was closed where it began has a holding of no length; when it speaks again its real one has the same key. In the order
# of their keys, as usage below.
_ADD_HOLDINGS: Final = (
    "INSERT INTO address_history (month, address, valid_from, valid_to, first_port, last_port, session_key, nas_id, account_id, "
    "username) SELECT DISTINCT ON (address, valid_from, session_key, first_port, month) month, address, to_timestamp(valid_from), "
    "to_timestamp(valid_to), first_port, last_port, session_key, nas_id, account_id, username FROM incoming_holding "
    "ORDER BY address, valid_from, session_key, first_port, month, valid_to DESC "
    "ON CONFLICT (address, valid_from, session_key, first_port, month) DO UPDATE SET valid_to = EXCLUDED.valid_to "
    "WHERE address_history.valid_to < EXCLUDED.valid_to"
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


def prepare(connection: Connection) -> None:
    """What each transaction that writes needs once a connection: the temporary tables, and plans by index."""
    connection.execute(_TEMPORARY)


def empty(connection: Connection) -> None:
    """Make the temporary tables ready for the next step of a transaction; the commit empties them too."""
    connection.execute(_EMPTY)


def save_sessions(connection: Connection, changes: Changes, *, closed_since: int) -> None:
    """Put states where they belong: live sessions and closed ones are two tables, a session is in one of them.

    What ended before `closed_since` is past its retention and is not kept.
    """
    states, were_live, were_closed = changes.states, changes.were_live, changes.were_closed
    progress: list[SessionState] = []
    others: list[SessionState] = []
    for state in states:
        before = were_live.get(state.session_key)
        (progress if before is not None and _only_went_on(before, state) else others).append(state)
    if progress:
        _copy(connection, "incoming_progress", map(_progress_row, progress))
        connection.execute(_SAVE_PROGRESS)
    if others:
        kept = [state for state in others if state.ended_at is None or state.ended_at >= closed_since]
        _copy(connection, _INCOMING_SESSION, map(_session_row, kept))
        _leave_tables(connection, others, were_live=were_live.keys(), were_closed=were_closed)
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
    """Take sessions out of the table that they no longer belong to; what they ran under goes on with them."""
    gone = [state.session_key.hex() for state in states if not state.live and state.session_key in were_live]
    if gone:
        connection.execute(_LEAVE_LIVE, (printed_array(gone),))
    moved = [
        (state.session_key.hex(), were_closed[state.session_key])
        for state in states
        if state.session_key in were_closed and were_closed[state.session_key] != state.ended_at
    ]
    if moved:
        connection.execute(_LEAVE_CLOSED, ([key for key, _ in moved], [ended for _, ended in moved]))


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
        f"{state.addresses_since}\t{_text(state.mac)}\t{_text(state.line)}\t{_text(state.nas_port_id)}\t"
        f"{'t' if state.stale else 'f'}\t"
        f"{_or_null(state.ended_at)}\t{state.ended_by.value if state.ended_by else _NULL}\t"
        f"{_text(state.terminate_cause) if state.terminate_cause else _NULL}\n"
    )


_INCOMING_SESSION: Final = (
    f"incoming_session ({_SAME_COLUMNS.format(updated='updated_at, ', since='addresses_since, ')}, "
    "stale, ended_at, ended_by, terminate_cause)"
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
    """Add octets to hours and days; `usage` is by (account, hour, day).

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
        f"{first}\t{h.address}\t{begin}\t{end}\t{h.first_port}\t{h.last_port}\t{h.session_key.hex()}\t{h.nas_id}\t"
        f"{_or_null(h.account_id)}\t{_text(h.username)}\n"
        for h in holdings
        if h.until >= since
        for first, begin, end in months_between(max(h.since, since), h.until)
    ]
    if rows:
        _copy(connection, "incoming_holding", rows)
        connection.execute(_ADD_HOLDINGS)


def raise_boot(connection: Connection, nas_id: int, booted_at: int) -> None:
    """Remember that a NAS booted, unless a later boot is known that is not still to come."""
    connection.execute(
        "UPDATE nas SET booted_at = to_timestamp(%s) WHERE id = %s "
        f"AND (booted_at IS NULL OR booted_at < to_timestamp(%s) OR {BOOT_LIES_AHEAD})",
        (booted_at, nas_id, booted_at),
    )


def note_sessions_changed(connection: Connection, account_ids: Collection[int]) -> None:
    """Tell the edges to look at the live sessions of these accounts again."""
    if not account_ids:
        return
    connection.execute(
        "INSERT INTO change_feed (kind, key) SELECT 'session', unnest(%s::bigint[])",
        (printed_array(map(str, sorted(account_ids))),),
    )
    connection.execute("NOTIFY corrente_change")


def make_months(connection: Connection, months: Iterable[date]) -> None:
    """Make sure that the partitions of these months are there."""
    for month in months:
        connection.execute("SELECT make_month(%s)", (month,))
