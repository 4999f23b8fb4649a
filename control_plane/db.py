"""Connections to PostgreSQL, the same way everywhere."""

from __future__ import annotations

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


def connect(conninfo: str, *, name: str, autocommit: bool = False) -> psycopg.Connection[TupleRow]:
    """A connection that calls itself `name` in pg_stat_activity, speaks UTC and notices a dead peer."""
    return connect_as(psycopg.Connection[TupleRow], conninfo, name=name, autocommit=autocommit)


def connect_as(kind: type[Kind], conninfo: str, *, name: str, autocommit: bool = False) -> Kind:
    """The same, as a class derived from psycopg's."""
    given = psycopg.conninfo.conninfo_to_dict(conninfo)
    missing = {key: value for key, value in _KEEPALIVE.items() if key not in given}
    return kind.connect(
        conninfo,
        autocommit=autocommit,
        application_name=f"corrente {name}",
        options="-c timezone=UTC",
        **missing,  # type: ignore[arg-type]
    )
