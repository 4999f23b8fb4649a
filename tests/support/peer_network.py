"""Network namespaces joined by veth pairs, so that real daemons meet our sender on a wire that is theirs alone. Needs root.

    with namespace() as provider, namespace() as device:
        provider.join(device, "192.0.2.1/24", "192.0.2.2/24", names=("toward", "uplink"))
        outcome = provider.call(lambda: asyncio.run(ask()))

They have no names and nothing outside them changes: they are gone when the process that holds each of them is.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

Result = TypeVar("Result")
_CLONE_NEWNET = 0x40000000
_DEADLINE_S = 120.0


@dataclass(frozen=True)
class Namespace:
    """One network namespace, by the process that holds it."""

    pid: int

    def run(self, *command: str) -> str:
        """Run a command in it to its end and return what it said. Raises: AssertionError when it fails."""
        done = subprocess.run(self.command(*command), capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
        return done.stdout

    @contextmanager
    def daemon(self, *command: str, log: Path, environment: Mapping[str, str] | None = None) -> Iterator[int]:
        """A command that runs in it until the block ends; gives its process id, writes what it says to `log`."""
        with log.open("wb") as file:
            child = subprocess.Popen(
                self.command(*command), stdout=file, stderr=file, env={**os.environ, **(environment or {})}
            )
        try:
            yield child.pid
        finally:
            child.terminate()
            try:
                child.wait(timeout=60)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait(timeout=60)

    def call(self, function: Callable[[], Result]) -> Result:
        """Call a function in a thread of its own, whose sockets are opened in here."""

        def inside() -> Result:
            libc = ctypes.CDLL(None, use_errno=True)
            descriptor = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY)
            try:
                # setns(2) moves the calling thread alone; the thread ends with the call.
                if libc.setns(descriptor, _CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
            finally:
                os.close(descriptor)
            return function()

        with ThreadPoolExecutor(max_workers=1) as thread:
            return thread.submit(inside).result()

    def join(self, other: Namespace, here: str, there: str, *, names: tuple[str, str]) -> None:
        """Lay a wire between the two: an address with its prefix length for each end, or "" for an end without one."""
        self.run("ip", "link", "add", names[0], "type", "veth", "peer", "name", names[1], "netns", str(other.pid))
        for side, name, address in ((self, names[0], here), (other, names[1], there)):
            if address:
                side.run("ip", "address", "add", address, "dev", name)
            side.run("ip", "link", "set", name, "up")
        wait_for(lambda: self._is_up(names[0]) and other._is_up(names[1]), f"the wire {names[0]} - {names[1]}")

    def filter(self, *rules: str) -> None:
        """Replace what this namespace does not let in: rules of nftables, none for all comes in."""
        self.run("nft", "add table inet cut; delete table inet cut; add table inet cut")
        if rules:
            self.run("nft", "add chain inet cut arriving { type filter hook input priority 0 ; }")
        for rule in rules:
            self.run("nft", f"add rule inet cut arriving {rule}")

    def dropped(self) -> int:
        """How many packets the rules with a counter have met."""
        words = self.run("nft", "list table inet cut").split()
        return sum(int(words[at + 1]) for at, word in enumerate(words) if word == "packets")

    def _is_up(self, name: str) -> bool:
        return "state UP" in self.run("ip", "link", "show", name)

    def command(self, *words: str) -> list[str]:
        """What to start so that this command runs in it, with the process id of what was started."""
        return ["nsenter", f"--net=/proc/{self.pid}/ns/net", "--", *words]


@contextmanager
def namespace() -> Iterator[Namespace]:
    """A network namespace with nothing but its loopback, until the block ends."""
    holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
    try:
        wait_for(lambda: _is_sleeping(holder.pid), "a network namespace")
        made = Namespace(holder.pid)
        made.run("ip", "link", "set", "lo", "up")
        yield made
    finally:
        holder.terminate()
        holder.wait(timeout=60)


def wait_for(
    state: Callable[[], object], what: str, *, said: Path | None = None, within_s: float = _DEADLINE_S
) -> None:
    """Return when `state()` is true. Raises: AssertionError with the end of the log `said` when it does not become so."""
    until = time.monotonic() + within_s
    while not state():
        if time.monotonic() > until:
            log = said.read_text(errors="replace")[-3000:] if said is not None and said.exists() else ""
            raise AssertionError(f"not reached within {within_s:g} s: {what}\n{log}")
        time.sleep(0.05)


def _is_sleeping(pid: int) -> bool:
    """unshare has made the namespace and become what it was to start."""
    return Path(f"/proc/{pid}/comm").read_text().strip() == "sleep"
