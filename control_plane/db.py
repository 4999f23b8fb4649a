"""Connections to PostgreSQL, the same way everywhere."""

from __future__ import annotations

from datetime import datetime
from typing import Final, TypeVar

import psycopg
from psycopg.rows import TupleRow

Kind = TypeVar("Kind", bound=psycopg.Connection[TupleRow])
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
    conninfo: str, *, name: str, autocommit: bool = False, idle_limit_s: int = 0
) -> psycopg.Connection[TupleRow]:
    """A connection that calls itself `name` in pg_stat_activity, speaks UTC and notices a dead peer.

    `idle_limit_s`: the server ends it when it is that long silent within a transaction, as a stopped process is, so that
    what it has locked is free; 0 for never.
    """
    kind = psycopg.Connection[TupleRow]
    return connect_as(kind, conninfo, name=name, autocommit=autocommit, idle_limit_s=idle_limit_s)


def connect_as(kind: type[Kind], conninfo: str, *, name: str, autocommit: bool = False, idle_limit_s: int = 0) -> Kind:
    """The same, as a class derived from psycopg's."""
    given = psycopg.conninfo.conninfo_to_dict(conninfo)
    missing = {key: value for key, value in _KEEPALIVE.items() if key not in given}
    return kind.connect(
        conninfo,
        autocommit=autocommit,
        application_name=f"corrente {name}",
        # Our statements are short. Compiled, one that found 500 rows among a million spent 4 of its 5 seconds on that.
        options=f"-c timezone=UTC -c jit=off -c idle_in_transaction_session_timeout={idle_limit_s}s",
        **missing,  # type: ignore[arg-type]
    )


def clock(connection: psycopg.Connection[TupleRow]) -> datetime:
    """What time the database has: the one clock that all processes share. Aware UTC."""
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    moment: datetime = row[0]
    return moment
