"""The connections of one process to all RouterOS devices, kept for the next who asks the same one.

Of a device no more than a few at once: who finds them all in use waits for one, within its own time limit. A connection belongs
to one set of access data: where address, user, password, certificate or anything else differ, the ones before are closed. One
that has been idle for a while is closed, and all of them at the end of the process.

A connection that was kept may be dead, and that may show only when it is used. Then it is replaced, once, and the command is
given again: the first of a visit, and only if it changes nothing. A command that changes something is never given twice.

Thread-safe. Units: *_s seconds.
Next: routeros.py
"""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final

from nas_drivers.families.routeros_output import Row
from nas_drivers.transport.routeros_access import (
    DEFAULT_TIMEOUT_S,
    ApiAccess,
    LoginWay,
    RouterOsRefusedError,
    RouterOsUnreachableError,
    name_of,
)
from nas_drivers.transport.routeros_connection import Command, RouterOsConnection

# One for a list that takes long, one for who must be ended meanwhile; each is an active user on the device.
PER_ROUTER: Final = 2
# Changes come in bursts; between two readings of the whole list a device need not hold a connection of ours.
IDLE_S: Final = 60.0


@dataclass
class _Router:
    """What is kept of one device: `access` is whose connections these are, `open` counts those in use and being made, too."""

    access: ApiAccess
    idle: list[tuple[float, RouterOsConnection]] = field(default_factory=list)
    open: int = 0
    way: LoginWay | None = None


class RouterOsPool:
    """Connections by device. `visit` to use one."""

    def __init__(self, *, per_router: int = PER_ROUTER, idle_s: float = IDLE_S) -> None:
        self._per_router = per_router
        self._idle_s = idle_s
        self._routers: dict[int, _Router] = {}
        self._changed = threading.Condition()
        self._reaper: threading.Thread | None = None
        self._is_closed = False

    @contextmanager
    def visit(self, access: ApiAccess) -> Iterator[Visit]:
        """Commands to one device, over one connection that nobody else uses meanwhile."""
        visit = Visit(self, access)
        try:
            yield visit
        finally:
            visit.end()

    def close(self) -> None:
        """Close what is idle, and what is in use as soon as it is given back."""
        with self._changed:
            self._is_closed = True
            for router in self._routers.values():
                self._drop(router, [connection for _, connection in router.idle])
            self._changed.notify_all()

    def take(self, access: ApiAccess, *, until: float) -> tuple[RouterOsConnection, bool]:
        """A connection, and whether it was kept rather than made. Raises: RouterOsError."""
        kept = self._take_kept(access, until)
        if kept is not None:
            if kept.is_quiet():
                return kept, True
            kept.close()
        return self._made(access, until), False

    def give_back(self, connection: RouterOsConnection, *, is_useful: bool) -> None:
        """Keep it for the next, if it is of use and of the access data in force."""
        with self._changed:
            router = self._routers[connection.access.nas_id]
            if is_useful and not self._is_closed and _same(router.access, connection.access):
                router.idle.append((time.monotonic() + self._idle_s, connection))
                self._start_reaper()
            else:
                self._drop(router, [connection])
            self._changed.notify_all()

    def replaced(self, connection: RouterOsConnection, *, until: float) -> RouterOsConnection:
        """Another in its place. Raises: RouterOsError, and then there is none."""
        connection.close()
        return self._made(connection.access, until)

    def _take_kept(self, access: ApiAccess, until: float) -> RouterOsConnection | None:
        """An idle one; None when one may be made. Raises: RouterOsUnreachableError when all stay in use."""
        with self._changed:
            while True:
                router = self._router_of(access)
                if router.idle:
                    return router.idle.pop()[1]
                if router.open < self._per_router:
                    router.open += 1
                    return None
                if not self._changed.wait(until - time.monotonic()):
                    raise RouterOsUnreachableError(
                        f"{name_of(access)}: all {self._per_router} connections to it have been in use for"
                        f" {access.timeout_s:g} s"
                    )

    def _router_of(self, access: ApiAccess) -> _Router:
        router = self._routers.setdefault(access.nas_id, _Router(access))
        if not _same(router.access, access):
            self._drop(router, [connection for _, connection in router.idle])
            router.access, router.way = access, None
        return router

    def _made(self, access: ApiAccess, until: float) -> RouterOsConnection:
        """A new one, for a place that is reserved. Raises: RouterOsError, and then the place is free again."""
        router = self._routers[access.nas_id]
        try:
            connection = RouterOsConnection(access, until=until, last_way=router.way)
        except BaseException:
            with self._changed:
                router.open -= 1
                self._changed.notify_all()
            raise
        with self._changed:
            if _same(router.access, access):
                router.way = connection.way
        return connection

    def _drop(self, router: _Router, connections: list[RouterOsConnection]) -> None:
        for connection in connections:
            connection.close()
        router.open -= len(connections)
        router.idle = [(by, kept) for by, kept in router.idle if kept not in connections]

    def _start_reaper(self) -> None:
        if self._reaper is None:
            self._reaper = threading.Thread(target=self._reap, name="idle RouterOS connections", daemon=True)
            self._reaper.start()

    def _reap(self) -> None:
        """Close each when its time is over; ends when there is none."""
        with self._changed:
            while True:
                now = time.monotonic()
                for router in self._routers.values():
                    self._drop(router, [connection for by, connection in router.idle if by <= now])
                times = [by for router in self._routers.values() for by, _ in router.idle]
                if not times:
                    self._reaper = None
                    return
                self._changed.wait(min(times) - now)


class Visit:
    """Commands to one device, one after the other, over one connection; it is taken when the first is given."""

    def __init__(self, pool: RouterOsPool, access: ApiAccess) -> None:
        self._pool = pool
        self._access = access
        self._connection: RouterOsConnection | None = None
        self._is_useful = True

    def read(self, path: str, *, columns: str | None = None, where: Mapping[str, str] | None = None) -> list[Row]:
        """What a path lists: its columns, of the rows that are wanted. Raises: RouterOsError."""
        until = time.monotonic() + self._access.timeout_s
        command = Command(path, "print", {} if columns is None else {"proplist": columns}, where or {})
        first, was_kept = self._take(until)
        try:
            return self._call(first, command, until)
        except RouterOsUnreachableError:
            if not was_kept:
                raise
        self._connection = None
        self._connection = self._pool.replaced(first, until=until)
        return self._call(self._connection, command, until)

    def change(self, path: str, command: str, arguments: Mapping[str, str]) -> None:
        """Give a command that changes something, once. Raises: RouterOsError; unless it is a refusal, it may have been done."""
        until = time.monotonic() + self._access.timeout_s
        connection, _ = self._take(until)
        self._call(connection, Command(path, command, arguments), until)

    def end(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            self._pool.give_back(self._connection, is_useful=self._is_useful)
            self._connection = None

    def _take(self, until: float) -> tuple[RouterOsConnection, bool]:
        """The connection, and whether it was kept and has yet to show that it works."""
        if self._connection is not None and self._is_useful:
            return self._connection, False
        self.end()
        self._connection, was_kept = self._pool.take(self._access, until=until)
        return self._connection, was_kept

    def _call(self, connection: RouterOsConnection, command: Command, until: float) -> list[Row]:
        self._is_useful = False
        try:
            rows = connection.call(command, until=until)
        except RouterOsRefusedError:
            self._is_useful = True
            raise
        self._is_useful = True
        return rows


def _same(one: ApiAccess, other: ApiAccess) -> bool:
    """Whether one's connections are good for the other; how long each waits does not matter."""
    return replace(one, timeout_s=DEFAULT_TIMEOUT_S) == replace(other, timeout_s=DEFAULT_TIMEOUT_S)


# All of a process share their connections: who reads a device and who ends a session there are of one process.
CONNECTIONS: Final = RouterOsPool()
atexit.register(CONNECTIONS.close)
