"""Processes that an earlier `corrente up` left behind when it was killed: found, and stopped, before a new start.

They are known by a mark that every process of `corrente up` carries in its environment, the state directory it works
for, so that no other process is ever touched. PostgreSQL is told apart by its own pid file and the data directory on its
command line.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from control_plane.machine.ports import UP_VARIABLE

_PROC: Final = Path("/proc")
# How long each may take to end by itself before it is killed. PostgreSQL writes a checkpoint first.
_PATIENCE_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Leftover:
    """A process that still runs for a state directory. `command` is the program's first words."""

    pid: int
    parent: int
    command: str
    is_supervisor: bool
    is_postgres: bool


def find_leftovers(state_dir: Path) -> tuple[Leftover, ...]:
    """Every process that works for `state_dir`, but this one and its ancestors."""
    mark = f"{UP_VARIABLE}={state_dir}".encode()
    own = _ancestors(os.getpid())
    found: list[Leftover] = []
    for entry in _PROC.iterdir():
        if not entry.name.isdigit() or int(entry.name) in own:
            continue
        try:
            environment = (entry / "environ").read_bytes().split(b"\0")
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # ended meanwhile, or somebody else's
        if mark in environment and words != [b""]:
            found.append(_describe(int(entry.name), words))
    postmaster = _postmaster(state_dir / "postgres")
    if postmaster is not None and postmaster not in {one.pid for one in found}:
        found.append(Leftover(postmaster, 0, "postgres", is_supervisor=False, is_postgres=True))
    return tuple(found)


def _describe(pid: int, words: list[bytes]) -> Leftover:
    command = b" ".join(words).decode(errors="replace").strip()
    return Leftover(
        pid,
        _parent(pid),
        command[:80],
        is_supervisor="supervisor.supervisord" in command,
        is_postgres=Path(words[0].decode(errors="replace")).name == "postgres",
    )


def _ancestors(pid: int) -> set[int]:
    found = {pid}
    while pid > 1:
        pid = _parent(pid)
        found.add(pid)
    return found


def _parent(pid: int) -> int:
    """The parent of a process; 0 when it has ended."""
    try:
        # The name stands in parentheses and may hold anything; state and parent follow the last one.
        return int((_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _postmaster(data: Path) -> int | None:
    """The server of a data directory, if the pid file tells the truth."""
    try:
        pid = int((data / "postmaster.pid").read_text().splitlines()[0])
        words = (_PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError, IndexError):
        return None
    return pid if Path(words[0].decode()).name == "postgres" and str(data).encode() in words else None


def stop_leftovers(state_dir: Path, *, patience_s: float = _PATIENCE_S) -> tuple[Leftover, ...]:
    """End what `find_leftovers` finds: supervisord first, so that it starts nothing again, PostgreSQL last and gently."""
    first = find_leftovers(state_dir)
    # supervisord takes its children down in their order; what is left of them is ended one by one.
    _end([one for one in first if one.is_supervisor], signal.SIGTERM, patience_s)
    rest = find_leftovers(state_dir)
    _end([one for one in rest if not one.is_postgres], signal.SIGTERM, patience_s)
    # INT is PostgreSQL's fast shutdown. Its own children are ended by it, never by us.
    postmaster = _postmaster(state_dir / "postgres")
    _end([one for one in rest if one.pid == postmaster], signal.SIGINT, patience_s)
    return first


def end_orphans(state_dir: Path) -> tuple[Leftover, ...]:
    """Kill what a process of ours left behind when it was killed itself: no parent of such a one is ours any more.

    For use while supervisord runs: it is the parent of every process that is not an orphan.
    """
    found = find_leftovers(state_dir)
    ours = {one.pid for one in found}
    orphans = [one for one in found if one.parent not in ours and not one.is_supervisor and not one.is_postgres]
    for one in orphans:
        _send(one.pid, signal.SIGKILL)
    return tuple(orphans)


def _end(processes: list[Leftover], how: signal.Signals, patience_s: float) -> None:
    for one in processes:
        _send(one.pid, how)
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline and any(_is_there(one.pid) for one in processes):
        time.sleep(0.05)
    for one in processes:
        # A killed PostgreSQL recovers at its next start; anything else keeps its state in files made for that.
        if _is_there(one.pid):
            _send(one.pid, signal.SIGKILL)


def _send(pid: int, how: signal.Signals) -> None:
    try:
        os.kill(pid, how)
    except ProcessLookupError:
        return


def _is_there(pid: int) -> bool:
    try:
        state = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
