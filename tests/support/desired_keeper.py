"""The worker's keeper of desired policies, in a thread of the test, and what it told."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import psycopg
from support.edge_process import wait_until
from support.small_isp import one

from control_plane import db
from control_plane.control_loop.desired import run_desired
from control_plane.settings import DatabaseSettings, Settings


def worker_settings(cluster, connection: psycopg.Connection) -> Settings:
    """Settings with which the worker's role reaches the connection's database."""
    connection.execute("ALTER ROLE corrente_worker LOGIN")
    name = one(connection, "SELECT current_database()")
    connection.commit()
    return Settings(database=DatabaseSettings(conninfo=cluster.conninfo(name, user="corrente_worker")))


class Keeper:
    """run_desired() in a thread, and what it told."""

    def __init__(self, settings, on_changed=None):
        self.settings, self.stop, self.told, self.error = settings, threading.Event(), [], None
        self.on_changed = on_changed or (lambda _: None)
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        try:
            run_desired(self.settings, self.open_writer, self.stop, on_changed=self._tell)
        except Exception as error:
            self.error = error

    def _tell(self, changed):
        self.told.append(changed)
        self.on_changed(changed)

    def open_writer(self):
        return db.connect(self.settings.database.conninfo, name="test desired", autocommit=True)

    def end(self):
        self.stop.set()
        with self.open_writer() as connection:
            connection.execute("NOTIFY corrente_change")
        self.thread.join(timeout=120)
        assert not self.thread.is_alive()
        assert self.error is None


@contextmanager
def keeping(settings, on_changed=None):
    """A keeper that has done its first turn."""
    keeper = Keeper(settings, on_changed)
    try:
        wait_until(lambda: keeper.told or keeper.error, what="the first turn")
        yield keeper
    finally:
        keeper.end()
