"""Two hands for the shipper's transaction: one thread reads ahead on a connection of its own, one writes behind.

psycopg lets go of the interpreter while PostgreSQL works, so that a step of records is folded while the sessions of the
next are read and the result of the last is written. The reader has another snapshot than the open transaction; that is
sound because the transaction holds the NASes before the first read, so nobody else can change what is read, and
because what it has changed itself is remembered (session_batch.py).

Next: session_batch.py
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from control_plane import db
from control_plane.store.session_reads import Connection

_P = ParamSpec("_P")
_T = TypeVar("_T")
# Python hands its lock on only this often, by default 5 ms: each answer of PostgreSQL would wait that long for the fold.
_SWITCH_INTERVAL_S: Final = 0.0002
# Nothing the reader reads is locked for long; if it were by our own transaction, both would wait for ever.
_READER_LOCK_TIMEOUT: Final = "10s"


class Overlap:
    """The connection of the open transaction, and the two threads. Within `at_work` only they use connections.

    Without a `conninfo` to read by, each thing is done at once in the caller's thread.
    """

    def __init__(self, connection: Connection, conninfo: str | None = None) -> None:
        self.connection = connection
        self._conninfo = conninfo
        self._reading: Connection | None = None
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="session-reader")
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="session-writer")
        self._pending: list[Future[Any]] = []
        self._alone = True

    def close(self) -> None:
        """Let go of the threads and of the reader's connection; the other is the caller's."""
        self._reader.shutdown()
        self._writer.shutdown()
        if self._reading is not None:
            self._reading.close()

    @contextmanager
    def at_work(self, *, alone: bool) -> Iterator[None]:
        """Until all is read and written. Alone, each thing is done at once in the caller's thread and transaction.

        Raises: what a write raised, the first first.
        """
        alone = self._alone = alone or self._conninfo is None
        if not alone and self._conninfo is not None and self._reading is None:
            self._reading = db.connect(self._conninfo, name="shipper-reader", autocommit=True)
            self._reading.execute("SELECT set_config('lock_timeout', %s, false)", (_READER_LOCK_TIMEOUT,))
            plan_by_index(self._reading)
        usual_s = sys.getswitchinterval()
        try:
            if not alone:
                sys.setswitchinterval(_SWITCH_INTERVAL_S)
            yield
        finally:
            pending, self._pending = self._pending, []
            wait(pending)
            sys.setswitchinterval(usual_s)
        for done in pending:
            done.result()

    def read(
        self, function: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> Future[_T]:
        """Begin to read what `function` reads with the connection it is given."""
        if self._alone or self._reading is None:
            done: Future[_T] = Future()
            done.set_result(function(self.connection, *args, **kwargs))
            return done
        return self._noted(self._reader.submit(function, self._reading, *args, **kwargs))

    def write(self, function: Callable[Concatenate[Connection, _P], None], *args: _P.args, **kwargs: _P.kwargs) -> None:
        """Begin to write within the transaction, after what was asked before."""
        if self._alone:
            function(self.connection, *args, **kwargs)
        else:
            self._noted(self._writer.submit(function, self.connection, *args, **kwargs))

    def _noted(self, begun: Future[_T]) -> Future[_T]:
        self._pending.append(begun)
        return begun


def plan_by_index(connection: Connection) -> None:
    """A batch is small beside its tables: never read a whole one."""
    connection.execute("SET plan_cache_mode = force_custom_plan")
    connection.execute("SET enable_hashjoin = off")
    connection.execute("SET enable_mergejoin = off")
