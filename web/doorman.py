"""Nobody takes all connections: one address has so many at once, and beyond them those that are silent the longest are let go.

The server holds so many connections (control_plane/cli/web.py) and waits half a minute for the head of a request. Whoever opens all of
them and says nothing keeps everybody else out for as long as they like, and needs one computer for it. Who comes from many has to be
kept out by a firewall or a proxy; docs/operations.md says so. Behind a proxy all come from its address, so there it is the proxy's work.

The server takes connections in where no code of ours sees them, so they are found among the files of this process.

Units: milliseconds for silence.
Source: tcp(7), struct tcp_info of linux/tcp.h.
"""

from __future__ import annotations

import os
import socket
import stat
import struct
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from control_plane import telemetry
from control_plane.access.back_off import line_of
from control_plane.settings import WebSettings

_FILES: Final = "/proc/self/fd"
_LOOK_S: Final = 1.0
# tcpi_last_data_sent and tcpi_last_data_recv, with tcpi_last_ack_sent between them.
_LAST: Final = struct.Struct("=44xIxxxxI")


@dataclass(frozen=True, slots=True)
class Held:
    """A connection: a file of this process, whose it is, and for how long nothing was said on it."""

    file: int
    line: str
    silent_ms: int


def start_doorman(web: WebSettings) -> None:
    """Have the connections of this process watched for as long as it lasts."""
    if not web.proxies:
        watch = threading.Thread(
            target=_watch, args=(web.port, web.connections_per_address), name="doorman", daemon=True
        )
        watch.start()


def too_many(held: Iterable[Held], *, each: int) -> list[Held]:
    """Those to let go, so that no line has more than `each`: of a line's the ones that were silent the longest."""
    by_line: dict[str, list[Held]] = defaultdict(list)
    for one in held:
        by_line[one.line].append(one)
    return [
        one
        for of_line in by_line.values()
        if len(of_line) > each
        for one in sorted(of_line, key=lambda one: one.silent_ms)[each:]
    ]


def let_go(port: int, *, each: int) -> int:
    """End what any line has beyond `each` connections to a port; how many those were."""
    opened: dict[int, socket.socket] = {}
    try:
        gone = too_many(_held(port, opened), each=each)
        for one in gone:
            with suppress(OSError):
                opened[one.file].shutdown(socket.SHUT_RDWR)
    finally:
        for each_socket in opened.values():
            each_socket.close()
    return len(gone)


def _watch(port: int, each: int) -> None:
    while True:
        time.sleep(_LOOK_S)
        try:
            # Fewer files than that are fewer connections, too: then there is nothing to look at.
            if len(os.listdir(_FILES)) > each and (count := let_go(port, each=each)):
                telemetry.logger().warning("page.connections_let_go", count=count)
        except OSError as error:
            telemetry.logger().error("page.connections_not_watched", problem=str(error))


def _held(port: int, opened: dict[int, socket.socket]) -> Iterator[Held]:
    """The connections that somebody has to that port of ours, each put into `opened` under a number of our own."""
    for name in os.listdir(_FILES):
        # What was closed meanwhile, or is none, is none of them.
        with suppress(OSError, ValueError):
            file = int(name)
            if file in opened or not stat.S_ISSOCK(os.fstat(file).st_mode):
                continue
            ours = socket.socket(fileno=os.dup(file))
            opened[ours.fileno()] = ours
            if ours.family in (socket.AF_INET, socket.AF_INET6) and ours.getsockname()[1] == port:
                line = line_of(ours.getpeername()[0])
                told = ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LAST.size)
                assert line is not None, "it has an address"
                yield Held(ours.fileno(), line, min(_LAST.unpack(told)))
