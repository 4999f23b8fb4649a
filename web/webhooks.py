"""Where payment gateways send their notices: stored and answered; the worker does the rest. See control_plane/gateways/intake.py."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from queue import Empty, LifoQueue
from threading import BoundedSemaphore
from typing import Any, Final

import psycopg
from flask import Blueprint, Response, request

from control_plane import db, telemetry
from control_plane.gateways.intake import MOST_OCTETS, Intake
from control_plane.settings import Settings
from web.marks import public

# Providers wait some ten seconds for an answer.
_STATEMENT_TIMEOUT_MS: Final = 5000
# Anybody may send one: however many do at once, the database has connections left for everybody else.
_MOST: Final = 8
# How long a notice waits for one of them. Its sender sends it again.
_WAIT_S: Final = 4.0


class Connections:
    """Connections that stay open from one notice to the next: to open one takes longer than to store a notice. There are `_MOST` of them."""

    def __init__(self, settings: Settings, intake: Intake) -> None:
        self._settings = settings
        self._intake = intake
        self._idle: LifoQueue[psycopg.Connection[Any]] = LifoQueue(_MOST)
        self._free = BoundedSemaphore(_MOST)

    @contextmanager
    def one(self) -> Iterator[psycopg.Connection[Any]]:
        """A connection for a notice; one that broke is not kept. Raises: psycopg.OperationalError, also when all are in use for too long."""
        if not self._free.acquire(timeout=_WAIT_S):
            raise psycopg.OperationalError("too many notices come at once")
        try:
            try:
                connection = self._idle.get_nowait()
            except Empty:
                connection = self._opened()
            try:
                yield connection
            finally:
                if connection.closed:
                    connection.close()
                else:
                    self._idle.put(connection)
        finally:
            self._free.release()

    def close(self) -> None:
        """Close those that nobody uses."""
        while not self._idle.empty():
            self._idle.get().close()

    def _opened(self) -> psycopg.Connection[Any]:
        conninfo = self._settings.conninfo("corrente_web")
        opened = db.connect(conninfo, name="webhooks", autocommit=True, origin="interface")
        opened.execute("SELECT set_config('statement_timeout', %s, false)", (str(_STATEMENT_TIMEOUT_MS),))
        self._intake.prepare(opened)
        return opened


def webhook_pages(connections: Connections, intake: Intake) -> Blueprint:
    """The address that gateways' accounts end in."""
    pages = Blueprint("webhooks", __name__)

    @pages.post("/webhooks/<token>")
    @public("a gateway signs its notices", checked_by_itself=True)
    def take(token: str) -> Response:
        if not token.isprintable():
            return Response("there is nothing here", 404, content_type="text/plain")
        request.max_content_length = MOST_OCTETS
        body = request.get_data(cache=False)
        headers = dict(request.headers)
        now = datetime.now(UTC)
        try:
            with connections.one() as connection:
                reply = intake.take(connection, token, headers, body, now=now)
        except psycopg.OperationalError as error:
            telemetry.logger().error("webhook.not_stored", problem=str(error).strip())
            return Response("try again later", 503, content_type="text/plain")
        if reply.status != 200:
            telemetry.logger().warning("webhook.refused", status=reply.status, problem=reply.words)
        words = reply.words if reply.status != 503 else "it is stored"
        return Response(words, reply.status, content_type="text/plain")

    return pages
