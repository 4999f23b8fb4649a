"""A FreeRADIUS under test, in one process or two: started as a daemon's main process, watched until it answers, stopped by
its id.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.packets import Subscriber, access_request, is_genuine
from benchmarks.population import RADIUS_SECRET, SERVICE_USER
from control_plane.machine.ports import can_bind

BINARY: Final = "/usr/sbin/freeradius"
_START_TIMEOUT_S: Final = 60.0
_STOP_TIMEOUT_S: Final = 20.0


class ServerError(Exception):
    """FreeRADIUS did not start or did not answer; the message holds its own words."""


@dataclass(frozen=True, slots=True)
class Running:
    """A FreeRADIUS that answers."""

    name: str
    process_ids: tuple[int, ...]
    authentication: tuple[str, int]
    accounting: tuple[str, int]

    def cpu_s(self) -> float:
        """Processor time it has used so far, user and system, all processes and threads. Units: seconds."""
        return sum(map(_cpu_s, self.process_ids))


def _cpu_s(process_id: int) -> float:
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port_pair() -> tuple[int, int]:
    """Two free UDP ports of the loopback interface."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as two,
    ):
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        return one.getsockname()[1], two.getsockname()[1]


@contextmanager
def running(
    name: str,
    commands: list[list[str]],
    *,
    ports: tuple[int, int],
    log: Path,
    environment: dict[str, str] | None = None,
) -> Iterator[Running]:
    """The server whose processes `commands` start in the foreground, once it answers; stopped when the block ends.

    Raises: ServerError with the end of its log.
    """
    log.touch()
    if os.geteuid() == 0:
        shutil.chown(log, SERVICE_USER, SERVICE_USER)
    with log.open("ab") as output:
        processes = [
            subprocess.Popen(
                command,
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **(environment or {})},
            )
            for command in commands
        ]
    try:
        _wait_until_it_answers(processes, ports, log)
        ids = tuple(process.pid for process in processes)
        yield Running(name, ids, ("127.0.0.1", ports[0]), ("127.0.0.1", ports[1]))
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            _wait_for_its_end(process)


def _wait_for_its_end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait_until_it_answers(processes: list[subprocess.Popen[bytes]], ports: tuple[int, int], log: Path) -> None:
    """A login of the first subscriber must be answered with a genuine packet, and the accounting port be taken."""
    deadline = time.monotonic() + _START_TIMEOUT_S
    request = access_request(Subscriber(0), identifier=1, secret=RADIUS_SECRET)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.connect(("127.0.0.1", ports[0]))
        opened.settimeout(0.2)
        while time.monotonic() < deadline:
            if any(process.poll() is not None for process in processes):
                break
            if can_bind("127.0.0.1", ports[1], "udp"):
                time.sleep(0.1)
                continue
            try:
                opened.send(request)
                if is_genuine(opened.recv(4096), request, RADIUS_SECRET):
                    return
            except TimeoutError:
                continue
            except ConnectionRefusedError:
                time.sleep(0.1)
    raise ServerError(f"{BINARY} does not answer on port {ports[0]}:\n{log.read_text(errors='replace')[-3000:]}")
