"""Connections to PostgreSQL, the same way everywhere."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final, Literal, TypeVar

import psycopg
from psycopg.rows import TupleRow

Kind = TypeVar("Kind", bound=psycopg.Connection[TupleRow])
# Through what somebody acts, as schema.sql's audit_origin has it.
Origin = Literal["screen", "interface", "job", "command"]
# A cut cable otherwise hangs a query for minutes; these notice it in about 25 s.
_KEEPALIVE: Final = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    # Keepalives are silent while sent data waits for its answer.
    "tcp_user_timeout": 25_000,
}


def connect(
    conninfo: str, *, name: str, autocommit: bool = False, idle_limit_s: int = 0, origin: Origin | None = None
) -> psycopg.Connection[TupleRow]:
    """A connection that calls itself `name` in pg_stat_activity, speaks UTC and notices a dead peer.

    `idle_limit_s`: the server ends it when it is that long silent within a transaction, as a stopped process is, so that
    what it has locked is free; 0 for never. `origin`: what the audit log tells of who writes through it, together with a
    request id that all of its rows have.
    """
    kind = psycopg.Connection[TupleRow]
    return connect_as(kind, conninfo, name=name, autocommit=autocommit, idle_limit_s=idle_limit_s, origin=origin)


def expect_few_rows(connection: psycopg.Connection[Any], *, only_here: bool = False) -> None:
    """From now on (`only_here`: in this transaction) tables are reached by their indexes: for who looks at some rows, often.

    Statistics are as old as their last ANALYZE. Where they say that a table is nearly empty, or that no row is in a state
    that thousands are in by now, the planner reads the table whole for each row that is looked for: seconds instead of
    milliseconds (seen). Compiling a statement takes longer than all of these.
    """
    scope = "LOCAL" if only_here else "SESSION"
    connection.execute(f"SET {scope} enable_seqscan = off; SET {scope} jit = off")


@contextmanager
def reading_whole(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Within a transaction: the block reads a whole table, whatever `expect_few_rows` has said."""
    row = connection.execute(
        "SELECT current_setting('enable_seqscan'), set_config('enable_seqscan', 'on', true)"
    ).fetchone()
    assert row is not None
    yield
    connection.execute("SELECT set_config('enable_seqscan', %s, true)", (row[0],))


def connect_as(
    kind: type[Kind],
    conninfo: str,
    *,
    name: str,
    autocommit: bool = False,
    idle_limit_s: int = 0,
    origin: Origin | None = None,
) -> Kind:
    """The same, as a class derived from psycopg's."""
    told = arguments_for(conninfo, name=name, idle_limit_s=idle_limit_s, origin=origin)
    return kind.connect(conninfo, autocommit=autocommit, **told)


def arguments_for(conninfo: str, *, name: str, idle_limit_s: int = 0, origin: Origin | None = None) -> dict[str, Any]:
    """What every connection is opened with beside its conninfo: for who opens them itself, such as a pool."""
    told = "" if origin is None else f" -c corrente.origin={origin} -c corrente.request_id={secrets.token_hex(8)}"
    given = psycopg.conninfo.conninfo_to_dict(conninfo)
    return {
        "application_name": f"corrente {name}",
        # Our statements are short. Compiled, one that found 500 rows among a million spent 4 of its 5 seconds on that.
        "options": f"-c timezone=UTC -c jit=off -c idle_in_transaction_session_timeout={idle_limit_s}s{told}",
        **{key: value for key, value in _KEEPALIVE.items() if key not in given},
    }


def clock(connection: psycopg.Connection[TupleRow]) -> datetime:
    """What time the database has: the one clock that all processes share. Aware UTC."""
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    moment: datetime = row[0]
    return moment
