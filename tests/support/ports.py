"""Ports for the servers that tests start: each is given out once, to one process of all that run tests on this machine.

A port that the kernel names for port 0 may be a client's a moment later. These lie below where it looks for clients' ports
(ip_local_port_range, from 32768), in blocks that a process locks as long as it lives.
"""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_FIRST: Final = 10_000
_BLOCK: Final = 50
_BLOCKS: Final = 440
_LOCKS: Final = Path(tempfile.gettempdir()) / f"corrente-test-ports-{os.getuid()}"
# Open as long as this process lives, and with that locked.
_held: list[int] = []


def free_port() -> int:
    """A port of 127.0.0.1 for UDP and TCP that no other test has."""
    return next(_ports)


def free_ports(count: int) -> list[int]:
    """As many, one after the other: a server may want the next one as well."""
    found = [free_port()]
    while len(found) < count:
        port = free_port()
        found = [*found, port] if port == found[-1] + 1 else [port]
    return found


def _numbers() -> Iterator[int]:
    """What can be bound of one block after the other, none a second time."""
    _LOCKS.mkdir(exist_ok=True)
    for block in range(_BLOCKS):
        if _is_ours(_LOCKS / str(block)):
            first = _FIRST + block * _BLOCK
            yield from (port for port in range(first, first + _BLOCK) if _can_be_bound(port))
    raise AssertionError("no block of ports is left for this process")


def _is_ours(lock: Path) -> bool:
    opened = os.open(lock, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(opened)
        return False
    _held.append(opened)
    return True


def _can_be_bound(port: int) -> bool:
    try:
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            with socket.socket(type=kind) as probe:
                probe.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


_ports: Final = _numbers()
