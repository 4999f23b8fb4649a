"""The web process's connections: a pool, and a transaction that says who acts.

Each page has a transaction or two. It is told for whom it works before its first statement, so that whatever the database
itself writes into the audit log names the person, the page and all that one click did.

Next: surroundings.py
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg_pool import ConnectionPool

from control_plane import db
from control_plane.settings import Settings

Connection = psycopg.Connection[Any]

ROLE: Final = "corrente_console"
# A page that asks for more than this is wrong; work that takes longer is a job of the worker's.
STATEMENT_TIMEOUT_MS: Final = 20_000
# What locks rows: a person is rather told that somebody else is at it.
LOCK_TIMEOUT_MS: Final = 5_000
MOST_CONNECTIONS: Final = 20
# How long a page waits for a connection before it says that the database is away.
_WAIT_S: Final = 4.0
_IDLE_S: Final = 300.0
_IDLE_IN_TRANSACTION_S: Final = 60
_BEGIN: Final = """
SELECT set_config('corrente.actor', %(actor)s, true), set_config('corrente.origin', %(origin)s, true),
    set_config('corrente.request_id', %(request)s, true)
"""


class Database:
    """Connections that are opened when they are needed, and again when the database has come back."""

    def __init__(self, settings: Settings, *, role: str = ROLE, most: int = MOST_CONNECTIONS) -> None:
        conninfo = settings.conninfo(role)
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            conninfo,
            kwargs=db.arguments_for(conninfo, name="web", idle_limit_s=_IDLE_IN_TRANSACTION_S),
            configure=_limit,
            min_size=0,
            max_size=most,
            max_idle=_IDLE_S,
            timeout=_WAIT_S,
            # A connection that died while it was idle is seen before a page is given it.
            check=ConnectionPool.check_connection,
            name="web",
            open=False,
        )

    @contextmanager
    def transaction(self, *, actor: str = "", origin: str = "screen", request_id: str = "") -> Iterator[Connection]:
        """Committed at the end of the block, rolled back by what is raised in it.

        Raises: psycopg.OperationalError, psycopg_pool.PoolTimeout among them, when the database is away.
        """
        self._pool.open()
        with self._pool.connection() as connection:
            connection.execute(_BEGIN, {"actor": actor, "origin": origin, "request": request_id})
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection without a transaction, for who looks for longer than one may be held: each statement sees its own moment."""
        self._pool.open()
        with self._pool.connection() as connection:
            connection.autocommit = True
            try:
                yield connection
            finally:
                connection.autocommit = False

    def close(self) -> None:
        """Close all of them."""
        self._pool.close()


def _limit(connection: Connection) -> None:
    """What a statement of a page may take. It reads few rows: to compile it takes longer than to run it."""
    connection.execute(
        "SELECT set_config('statement_timeout', %s, false), set_config('lock_timeout', %s, false), set_config('jit', 'off', false)",
        (str(STATEMENT_TIMEOUT_MS), str(LOCK_TIMEOUT_MS)),
    )
    connection.commit()
