"""Which worker leads: one at a time, by a lease in the database with a token that grows.

`Leadership.run()` takes the lease when it is free and renews it every second. `is_leader()` says at any moment, without
asking the database, whether this worker may still count on it. What only the leader may write goes through a connection
of `Leadership.connect()`: each of its transactions compares the token before it commits, so that a worker that was stopped
(SIGSTOP, a paused virtual machine, a long pause of the network) changes nothing once another leads.

Units: *_s seconds.
Next: jobs/scheduler.py
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Self

import psycopg
from psycopg.rows import TupleRow

from control_plane import db, telemetry
from control_plane.pulse import Pulse, elapsed_s
from control_plane.settings import Settings
from control_plane.store.lease import give_back_lease, has_written, lock_fence, take_lease

Connection = psycopg.Connection[TupleRow]

# A leader that is killed is missed for so long; the next one looks every second.
LEASE_S: Final = 5.0
RENEW_EVERY_S: Final = 1.0
_RETRY_S: Final = 0.5
# A renewal is one small statement. Longer than this the database hangs, and the lease is as good as over.
_STATEMENT_TIMEOUT: Final = "3s"
# A leader that is stopped within a transaction lets go of what it has locked after this long.
_IDLE_TIMEOUT: Final = "30s"


class LeadershipLostError(Exception):
    """This worker does not lead, or no longer: nothing of the transaction was written. The leader does it in its turn."""


class FencedConnection(psycopg.Connection[TupleRow]):
    """A connection in autocommit whose every writing transaction commits only while its token leads.

    A statement outside of `transaction()` is a transaction of its own. Raises: LeadershipLostError, where it would commit.
    """

    token: int = 0

    @contextmanager
    def transaction(
        self, savepoint_name: str | None = None, force_rollback: bool = False
    ) -> Iterator[psycopg.Transaction]:
        """As psycopg's own, with the comparison before the outermost one commits."""
        outermost = self.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        with super().transaction(savepoint_name, force_rollback) as opened:
            yield opened
            if outermost and not force_rollback and has_written(self) and not lock_fence(self, token=self.token):
                raise LeadershipLostError("another worker leads now; nothing of this was written")

    def execute(self, *arguments: Any, **named: Any) -> psycopg.Cursor[TupleRow]:
        """As psycopg's own; outside of a transaction in one of its own."""
        if self.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            return super().execute(*arguments, **named)
        with self.transaction():
            return super().execute(*arguments, **named)

    @classmethod
    def open(cls, conninfo: str, *, name: str, token: int) -> Self:
        """A connection for what only the holder of `token` may write."""
        opened = db.connect_as(cls, conninfo, name=name, autocommit=True, origin="job")
        opened.token = token
        opened.execute("SELECT set_config('idle_in_transaction_session_timeout', %s, false)", (_IDLE_TIMEOUT,))
        return opened


class Leadership:
    """This worker's part in who leads. One thread runs it; any may ask."""

    def __init__(self, settings: Settings) -> None:
        self._conninfo = settings.conninfo("corrente_worker")
        self.holder: Final = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._log = telemetry.logger()
        self._lock = threading.Lock()
        self._token: int | None = None
        self._sure_until = 0.0
        self.pulse: Final = Pulse("lease", max_age_s=LEASE_S)

    def is_leader(self) -> bool:
        """Whether this worker leads, as far as can be known without asking; never longer than the lease lasts."""
        return self.token() is not None

    def token(self) -> int | None:
        """The token of the lease; None when this worker does not lead."""
        with self._lock:
            return self._token if elapsed_s() < self._sure_until else None

    def connect(self, *, name: str) -> FencedConnection:
        """A connection for what only the leader may write. Raises: LeadershipLostError, psycopg.OperationalError."""
        token = self.token()
        if token is None:
            raise LeadershipLostError("this worker does not lead")
        return FencedConnection.open(self._conninfo, name=name, token=token)

    def run(self, stop: threading.Event, on_turn: Callable[[Connection], None] = lambda _: None) -> None:
        """Take or renew the lease every second until `stop` is set. PostgreSQL away is waited out.

        `on_turn` is called after each turn, leading or not, with the connection; what it raises of psycopg is a database
        away.
        """
        away = False
        while not stop.is_set():
            try:
                with db.connect(self._conninfo, name="worker lease", autocommit=True) as connection:
                    connection.execute("SELECT set_config('statement_timeout', %s, false)", (_STATEMENT_TIMEOUT,))
                    while not stop.is_set():
                        self._turn(connection)
                        if away:
                            self._log.info("worker.database_back")
                            away = False
                        on_turn(connection)
                        stop.wait(RENEW_EVERY_S)
            except psycopg.Error as error:
                self.pulse.trouble(f"the database does not answer: {error}")
                if not away:
                    telemetry.DATABASE_FAILURES.labels("worker").inc()
                    self._log.warning("worker.database_away", problem=str(error).strip())
                away = True
                stop.wait(_RETRY_S)

    def give_back(self) -> None:
        """End the lease now, when everything that needed it has ended; the database away, it ends by itself."""
        if self._token is None:
            return
        self._become(None, 0.0)
        try:
            with db.connect(self._conninfo, name="worker lease", autocommit=True) as connection:
                give_back_lease(connection, holder=self.holder)
        except psycopg.Error as error:
            self._log.info("leader.not_given_back", problem=str(error).strip(), ends_in_s=LEASE_S)

    def _turn(self, connection: Connection) -> None:
        # From before the question on: the database counts from a later moment, so we never believe longer than it does.
        asked_at = elapsed_s()
        token = take_lease(connection, holder=self.holder, lease_s=LEASE_S)
        self.pulse.beat()
        self._become(token, asked_at + LEASE_S)

    def _become(self, token: int | None, sure_until: float) -> None:
        with self._lock:
            before, self._token, self._sure_until = self._token, token, sure_until
        if before == token:
            return
        if before is not None:
            self._log.info("leader.ended", holder=self.holder, token=before)
        if token is not None:
            self._log.info("leader.began", holder=self.holder, token=token)
            telemetry.LEADER_CHANGES.inc()
