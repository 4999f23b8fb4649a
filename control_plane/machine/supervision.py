"""Starts the processes of one machine and keeps them alive, through supervisord (library `supervisor`).

Everything here is a thin edge: the configuration is text made from the programs, the rest are calls on supervisord's
socket. PostgreSQL has the lowest priority number, so it starts first and stops last.

Next: leftovers.py
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final

from supervisor.xmlrpc import SupervisorTransport

_LOG_BYTES: Final = 10 << 20
_LOG_FILES: Final = 3
# A process that can't start is tried again after 1, 2, … seconds, this often; then `corrente up` waits longer.
_START_TRIES: Final = 4
_DAEMON_TIMEOUT_S: Final = 15
_LOG_TAIL_BYTES: Final = 20_000
_SPAWNED_OR_EXITED: Final = re.compile(r"spawned: '(\S+)' with pid (\d+)|exited: (\S+) \(([^;)]*)")


class SupervisionError(Exception):
    """supervisord did not start or does not answer; the message names its log."""


class NotStartableError(SupervisionError):
    """A program's file is not there or can't be run, as for the moments of a package upgrade."""


@dataclass(frozen=True, slots=True)
class Program:
    """One process to keep alive. `user` is empty when it runs as the caller; `without` names the variables of
    supervisord's environment that are emptied for it. Units: seconds.
    """

    name: str
    command: tuple[str, ...]
    priority: int
    user: str = ""
    stop_signal: str = "TERM"
    stop_wait_s: int = 15
    umask: str = "022"
    without: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProcessState:
    """What supervisord says of a process: `state` is its word (RUNNING, BACKOFF, …), `pid` 0 when there is none."""

    name: str
    state: str
    pid: int
    started_at: int
    problem: str


def configuration(programs: tuple[Program, ...], *, run_dir: Path, log_dir: Path, directory: Path) -> str:
    """supervisord's configuration for `programs`, none of which starts before it is asked to.

    Their environment is supervisord's own and never written down: the secrets key may be in it.
    """
    sections: list[dict[str, dict[str, object]]] = [
        {
            "unix_http_server": {"file": run_dir / "supervisor.sock", "chmod": "0700"},
            "rpcinterface:supervisor": {
                "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
            },
            "supervisord": {
                "nodaemon": "true",
                "silent": "true",
                "logfile": log_dir / "supervisor.log",
                "logfile_maxbytes": _LOG_BYTES,
                "logfile_backups": 1,
                "pidfile": run_dir / "supervisord.pid",
                "childlogdir": log_dir,
                "minfds": 4096,
                **({"user": "root"} if os.geteuid() == 0 else {}),
            },
        }
    ]
    sections += [{f"program:{program.name}": _section(program, log_dir, directory)} for program in programs]
    lines = []
    for section in sections:
        for name, values in section.items():
            lines += [f"[{name}]", *(f"{key} = {_escape(str(value))}" for key, value in values.items()), ""]
    return "\n".join(lines)


def _section(program: Program, log_dir: Path, directory: Path) -> dict[str, object]:
    return {
        "command": shlex.join(program.command),
        "priority": program.priority,
        "directory": directory,
        "environment": ",".join(f'{name}=""' for name in program.without),
        "umask": program.umask,
        "autostart": "false",
        "autorestart": "true",
        "startsecs": 1,
        "startretries": _START_TRIES,
        "stopsignal": program.stop_signal,
        "stopwaitsecs": program.stop_wait_s,
        "killasgroup": "true",
        "stdout_logfile": log_dir / f"{program.name}.log",
        "stdout_logfile_maxbytes": _LOG_BYTES,
        "stdout_logfile_backups": _LOG_FILES,
        "redirect_stderr": "true",
        **({"user": program.user} if program.user else {}),
    }


def _escape(value: str) -> str:
    """supervisord expands %(name)s, and ends a value at ` ;`."""
    if "\n" in value or " ;" in value:
        raise SupervisionError(f"{value!r} can't stand in supervisord's configuration; use another path")
    return value.replace("%", "%%")


class Supervisor:
    """supervisord, as a child of this process."""

    def __init__(self, run_dir: Path, log_dir: Path) -> None:
        self._run_dir = run_dir
        self._log_dir = log_dir
        self._daemon: subprocess.Popen[bytes] | None = None
        self._transport: Any = None
        self._calls: Any = None

    @property
    def _config(self) -> Path:
        return self._run_dir / "supervisord.conf"

    def start(self, config: str, *, environment: Mapping[str, str]) -> None:
        """Start supervisord and wait until it answers. Raises: SupervisionError."""
        self._config.write_text(config)
        (self._run_dir / "supervisor.sock").unlink(missing_ok=True)
        with (self._log_dir / "supervisor.err").open("wb") as said:
            self._daemon = subprocess.Popen(
                [sys.executable, "-m", "supervisor.supervisord", "-c", str(self._config)],
                cwd="/",
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                # A Ctrl-C is for `corrente up` alone, which stops the others in their order.
                start_new_session=True,
            )
        deadline = time.monotonic() + _DAEMON_TIMEOUT_S
        while time.monotonic() < deadline:
            if self._daemon.poll() is not None:
                raise SupervisionError(f"supervisord ended at once: {self._last_words()}")
            if self._answers():
                return
            time.sleep(0.02)
        raise SupervisionError(f"supervisord does not answer; see {self._log_dir}/supervisor.log")

    def _last_words(self) -> str:
        return (self._log_dir / "supervisor.err").read_text(errors="replace").strip()[-500:]

    def _answers(self) -> bool:
        if not (self._run_dir / "supervisor.sock").exists():
            return False
        self._hang_up()
        self._transport = SupervisorTransport(None, None, f"unix://{self._run_dir / 'supervisor.sock'}")
        self._calls = xmlrpc.client.ServerProxy("http://localhost", transport=self._transport).supervisor
        try:
            return bool(self._calls.getState()["statename"] == "RUNNING")
        except (OSError, HTTPException, xmlrpc.client.Error):
            return False

    def _hang_up(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def is_alive(self) -> bool:
        """Whether supervisord itself is there."""
        return self._daemon is not None and self._daemon.poll() is None

    def states(self) -> tuple[ProcessState, ...]:
        """Every process as it is now. Raises: SupervisionError."""
        try:
            found = self._calls.getAllProcessInfo()
        except (OSError, HTTPException, xmlrpc.client.Error) as error:
            raise SupervisionError(f"supervisord does not answer: {error}") from error
        return tuple(
            ProcessState(one["name"], one["statename"], one["pid"], one["start"], one["spawnerr"] or "")
            for one in found
        )

    def last_exits(self) -> dict[tuple[str, int], str]:
        """How processes ended, by name and pid, in supervisord's words (`terminated by SIGKILL`), as far as its log reaches."""
        with (self._log_dir / "supervisor.log").open("rb") as log:
            log.seek(max(log.seek(0, os.SEEK_END) - _LOG_TAIL_BYTES, 0))
            return exits_in(log.read().decode(errors="replace"))

    def start_program(self, name: str) -> None:
        """Ask for a process to be started; it is not waited for. Raises: SupervisionError, NotStartableError."""
        try:
            self._calls.startProcess(name, False)
        except xmlrpc.client.Fault as fault:
            # Already started, or it can't be: the states tell.
            if "ALREADY_STARTED" not in fault.faultString and "SPAWN_ERROR" not in fault.faultString:
                raise NotStartableError(f"{name} can't be started: {fault.faultString}") from fault
        except (OSError, HTTPException) as error:
            raise SupervisionError(f"supervisord does not answer: {error}") from error

    def stop_programs(self, names: tuple[str, ...], *, timeout_s: float) -> None:
        """Stop these processes together and wait for them; one that does not run is stopped already."""
        try:
            for name in names:
                try:
                    self._calls.stopProcess(name, False)
                except xmlrpc.client.Fault:
                    continue
            deadline = time.monotonic() + timeout_s
            # Asking often also wakes supervisord, which else looks after its children once a second.
            while any(one.name in names and one.pid for one in self.states()) and time.monotonic() < deadline:
                time.sleep(0.03)
        except (OSError, HTTPException) as error:
            raise SupervisionError(f"supervisord does not answer: {error}") from error

    def stop(self, *, timeout_s: float) -> bool:
        """Stop every process, the last one started first, and supervisord; says whether all went in time."""
        if self._daemon is None:
            return True
        self._hang_up()
        if self._daemon.poll() is None:
            self._daemon.terminate()
        try:
            self._daemon.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._daemon.kill()
            self._daemon.wait()
            return False
        return True


def exits_in(log: str) -> dict[tuple[str, int], str]:
    """The ends that supervisord's log tells, by name and pid; pid 0 where the process was spawned before the log begins.

    A process may end more than once between two looks: who is started again beside what a killed one left ends at once.
    """
    running: dict[str, int] = {}
    ends: dict[tuple[str, int], str] = {}
    for spawned, pid, ended, how in _SPAWNED_OR_EXITED.findall(log):
        if spawned:
            running[spawned] = int(pid)
        else:
            ends[(ended, running.get(ended, 0))] = how
    return ends
