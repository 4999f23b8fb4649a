"""Statements of a test on a connection that stays: a new one for each question of a test that waits costs ten times the question."""

from __future__ import annotations

import threading
import time
from typing import Any

import psycopg

from control_plane import db


def rest_after(looked: float, *, at_least_s: float) -> float:
    """Sleep behind a look that began at `looked` (monotonic) for thrice the time it took: looking at thousands of rows must not
    keep the machine from what is waited for. Returns when the next look begins."""
    time.sleep(max(at_least_s, 3 * (time.monotonic() - looked)))
    return time.monotonic()


class Asking:
    """One connection to a database, opened when it is first needed and again when the server was away."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._connection: psycopg.Connection[Any] | None = None
        self._turn = threading.Lock()

    def execute(self, sql: str, *given: object) -> list[Any]:
        """A statement, committed; its rows, if it has any."""
        with self._turn:
            return self._execute(sql, given)

    def _execute(self, sql: str, given: tuple[object, ...]) -> list[Any]:
        if self._connection is not None:
            try:
                return self._ask(self._connection, sql, given)
            except psycopg.OperationalError:
                if not self._connection.broken:
                    raise
                self._connection.close()
                self._connection = None
        self._connection = db.connect(self._conninfo, name="test", autocommit=True)
        return self._ask(self._connection, sql, given)

    @staticmethod
    def _ask(connection: psycopg.Connection[Any], sql: str, given: tuple[object, ...]) -> list[Any]:
        cursor = connection.execute(sql, given)
        return cursor.fetchall() if cursor.description else []

    def close(self) -> None:
        """Until the next question."""
        with self._turn:
            if self._connection is not None:
                self._connection.close()
            self._connection = None
