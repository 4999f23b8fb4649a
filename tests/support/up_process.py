"""`corrente up` without a terminal, in a state directory and on ports of its own; and what of it is still there."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from support.peer_network import Namespace
from support.ports import free_ports

ROOT = Path(__file__).resolve().parent.parent.parent
# What each process has on its command line, whatever else that holds.
WORDS = {
    "postgres": ("postgres", "-D"),
    "authentication": ("/usr/sbin/freeradius", "authentication"),
    "accounting": ("/usr/sbin/freeradius", "accounting"),
    "edge": ("control_plane", "edge"),
    "worker": ("control_plane", "worker"),
    "web": ("control_plane", "web"),
    "devices": ("control_plane", "demo-network"),
}


def wait_until(condition: Callable[[], Any], *, seconds: float, what: str) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come about in {seconds} s")


class Home:
    """A directory with settings, and the starts of `corrente up` in it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.state = directory / "var"
        self.settings = directory / "corrente.toml"
        self.started: list[subprocess.Popen[bytes]] = []
        port, *_ = free_ports(4)
        self.settings.write_text(
            f"[radius]\nauthentication_port = {port}\naccounting_port = {port + 1}\nstatus_port = {port + 2}\n"
            f"accounting_status_port = {port + 3}\n"
            # The pages' too: between the look whether a port is free and its use lies the start of PostgreSQL.
            f"[web]\nport = {port}\n[worker]\nport = {port + 1}\n[edge]\nport = {port + 2}\n"
        )

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        socket_dir = self.state / "run" / "postgres"
        with psycopg.connect(f"host={socket_dir} dbname=corrente user=corrente connect_timeout=60") as connection:
            return connection.execute(sql).fetchall()

    def count(self, what: str) -> int:
        """A count, -1 while the database is away."""
        try:
            return int(self.query(f"SELECT count(*) FROM {what}")[0][0])
        except psycopg.Error:
            return -1

    def processes(self) -> dict[int, list[str]]:
        """Every process that names this directory on its command line or in its environment, by pid."""
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                try:
                    words = (entry / "cmdline").read_bytes().split(b"\0")
                    said = b" ".join(words) + (entry / "environ").read_bytes()
                except OSError:
                    continue
                if str(self.directory).encode() in said and words != [b""]:
                    found[int(entry.name)] = [word.decode(errors="replace") for word in words]
        return found

    def orphans(self) -> dict[int, list[str]]:
        """Processes whose parent is none of ours: what a killed one left behind."""
        found = self.processes()
        return {
            pid: words
            for pid, words in found.items()
            if _parent(pid) not in {*found, os.getpid(), None} and "supervisor.supervisord" not in words
        }

    def pid_of(self, name: str) -> int | None:
        """The process of that name that supervisord started; None when there is none."""
        supervisor = next((pid for pid, words in self.processes().items() if "supervisor.supervisord" in words), None)
        for pid, words in self.processes().items():
            parent = _parent(pid)
            if parent == supervisor and all(any(word in part for part in words) for word in WORDS[name]):
                return pid
        return None


def _parent(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


class Up:
    """One running `corrente up`."""

    def __init__(self, home: Home, *options: str, inside: Namespace | None = None, **environment: str) -> None:
        self.home = home
        self.log = home.directory / f"up-{time.monotonic_ns()}.log"
        command = (sys.executable, "-m", "control_plane", "--settings", str(home.settings), "up", *options)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command if inside is None else inside.command(*command),
                cwd=ROOT,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        home.started.append(self.process)

    @property
    def said(self) -> str:
        return self.log.read_text()

    def wait_for(self, text: str, *, seconds: float = 240) -> None:
        deadline = time.monotonic() + seconds
        while text not in self.said and self.process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert text in self.said, f"{text!r} did not come about in {seconds} s:\n{self.said}"

    def stop(self, how: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(how)
        return self.process.wait(timeout=180)


@contextmanager
def temporary_home() -> Iterator[Home]:
    """A home that the service users can enter. Nothing that was started in it outlives the test."""
    # On a disk: FreeRADIUS 3.2.1 writes no accounting into a file system in memory.
    home = Home(Path(tempfile.mkdtemp(prefix="corrente-up-")))
    home.directory.chmod(0o755)
    try:
        yield home
    finally:
        for pid in home.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        for process in home.started:
            process.wait(timeout=180)
        wait_until(lambda: not home.processes(), seconds=240, what="the end of every process")
        shutil.rmtree(home.directory)
