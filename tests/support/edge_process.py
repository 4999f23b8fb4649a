"""`corrente edge --publish-only` in a process of its own, with its settings, its log and its store."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from radius_hooks.policy_store import PolicyReader, StoreError

ROOT = Path(__file__).resolve().parent.parent.parent


def wait_until(condition: Callable[[], Any], *, seconds: float = 240, what: str = "the condition") -> Any:
    """What `condition` returned once it was true. The deadline is for a broken program, not a measurement."""
    began = time.monotonic()
    while (passed := time.monotonic() - began) < seconds:
        found = condition()
        if found:
            return found
        # What takes long is asked for less often: who waits is not to keep from its work what it waits for.
        time.sleep(min(max(0.01, passed / 20), 0.05))
    raise AssertionError(f"{what} did not come about in {seconds} s")


class EdgeProcess:
    """A running edge."""

    def __init__(self, directory: Path, conninfo: str, state_dir: Path | None = None) -> None:
        self.directory = directory
        self.store = (state_dir or directory / "var") / "policy"
        self.log = directory / "edge.log"
        settings = directory / "corrente.toml"
        # Without pages: on the port of all, they would be what another test takes for its own edge's.
        settings.write_text(
            f'[database]\nconninfo = "{conninfo}"\n[paths]\nstate_dir = "{self.store.parent}"\n[edge]\nport = 0\n'
        )
        self.before = len(self.events())
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "control_plane", "--settings", str(settings), "edge", "--publish-only"],
                cwd=ROOT,
                stdout=log,
                stderr=log,
            )

    def events(self) -> list[dict[str, Any]]:
        """The log lines so far."""
        if not self.log.exists():
            return []
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def said(self, event: str) -> list[dict[str, Any]]:
        """The log lines of this process with that event."""
        return [line for line in self.events()[self.before :] if line["event"] == event]

    def wait_for(self, event: str, *, times: int = 1) -> dict[str, Any]:
        """The log line with that event, once it is there."""

        def enough() -> list[dict[str, Any]]:
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            found = self.said(event)
            return found if len(found) >= times else []

        return wait_until(enough, what=f"{event} in the edge's log")[-1]

    def wait_until_following(self) -> None:
        """Until it has compared the store with the database once since it started."""
        began = time.time()
        reader = PolicyReader(self.store)

        def compared() -> bool:
            try:
                with reader.reading() as view:
                    return view.checked_at() > began
            except StoreError:
                return False

        try:
            wait_until(compared, what="a comparison with the database")
        finally:
            reader.close()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=120)

    def stop(self) -> int:
        """Ask it to end; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=120)


@contextmanager
def running_edge(directory: Path, conninfo: str, state_dir: Path | None = None) -> Iterator[EdgeProcess]:
    """An edge that is asked to end, and ends well, when the block does (unless the test ended it)."""
    os.makedirs(directory, exist_ok=True)
    edge = EdgeProcess(directory, conninfo, state_dir)
    try:
        yield edge
        if edge.process.returncode is None:
            assert edge.stop() == 0, edge.log.read_text()[-3000:]
    finally:
        if edge.process.poll() is None:
            edge.kill()
