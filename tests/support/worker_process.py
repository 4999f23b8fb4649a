"""`corrente worker` in a process of its own, with its settings and its log."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.edge_process import ROOT, wait_until

COMMAND = (sys.executable, "-m", "control_plane")


class WorkerProcess:
    """A running worker."""

    def __init__(
        self,
        directory: Path,
        conninfo: str,
        *,
        port: int = 0,
        command: tuple[str, ...] = COMMAND,
        key: bytes = bytes(32),
        more: str = "",
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.log = directory / "worker.log"
        settings = directory / "corrente.toml"
        settings.write_text(f'[database]\nconninfo = "{conninfo}"\n[worker]\nport = {port}\n{more}')
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--settings", str(settings), "worker"],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                env={
                    "CORRENTE_SECRETS_KEY": base64.b64encode(key).decode(),
                    **os.environ,
                    "PYTHONUNBUFFERED": "1",
                },
            )

    def events(self) -> list[dict[str, Any]]:
        """The log lines so far."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def said(self, event: str) -> list[dict[str, Any]]:
        """The log lines with that event."""
        return [line for line in self.events() if line["event"] == event]

    def wait_for(self, event: str, *, times: int = 1) -> dict[str, Any]:
        """The log line with that event, once it is there."""

        def enough() -> list[dict[str, Any]]:
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            found = self.said(event)
            return found if len(found) >= times else []

        return wait_until(enough, what=f"{event} in the worker's log")[-1]

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=120)

    def stop(self) -> int:
        """Ask it to end; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=120)


@contextmanager
def running_worker(
    directory: Path, conninfo: str, *, port: int = 0, command: tuple[str, ...] = COMMAND
) -> Iterator[WorkerProcess]:
    """A worker that is asked to end, and ends well, when the block does (unless the test ended it)."""
    worker = WorkerProcess(directory, conninfo, port=port, command=command)
    try:
        yield worker
        if worker.process.returncode is None:
            assert worker.stop() == 0, worker.log.read_text()[-3000:]
    finally:
        if worker.process.poll() is None:
            worker.kill()


def udp_ports(process: int) -> set[int]:
    """The UDP ports that a process of this machine has open. Source: proc(5), /proc/pid/net/udp."""
    base = Path("/proc") / str(process)
    sockets = {os.readlink(one) for one in (base / "fd").iterdir() if one.is_symlink()}
    rows = [line.split() for line in (base / "net/udp").read_text().splitlines()[1:]]
    return {int(row[1].partition(":")[2], 16) for row in rows if f"socket:[{row[9]}]" in sockets}
