"""All of Corrente as `corrente up` starts it, and the PPPoE device of `pppoe_peer.py` as its one NAS, on a wire of their own."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from support.peer_network import Namespace, namespace, wait_for
from support.pppoe_peer import DEVICE, HOUSES, OURS, SECRET, Call, PppoeDevice, pppoe_device
from support.up_process import Home, Up, temporary_home

from control_plane.cli.main import corrente

# Each house has a subscriber of its name.
ADDRESS = {house: f"100.64.0.{number}" for number, house in enumerate(HOUSES, start=10)}
_DEADLINE_S = 240.0


@dataclass(frozen=True)
class PppoeIsp:
    """The provider, and the device with the houses behind it."""

    home: Home
    provider: Namespace
    device: PppoeDevice

    def corrente(self, *arguments: str, typed: str | None = None) -> str:
        """What a command prints. Raises: AssertionError when it is refused."""
        done = CliRunner().invoke(corrente, ["--settings", str(self.home.settings), *arguments], input=typed)
        assert done.exit_code == 0, f"{arguments}: {done.output}"
        return done.output

    def sessions(self, username: str) -> list[dict[str, Any]]:
        """The live sessions of an account, as the operator sees them."""
        found: list[dict[str, Any]] = json.loads(self.corrente("sessions", "--json", "--user", username))
        return found

    def session(self, username: str, *, other_than: object = None) -> dict[str, Any]:
        """The one live session of an account, once there is one; `other_than` that of this key."""
        seen: list[dict[str, Any]] = []

        def is_there() -> bool:
            seen[:] = [one for one in self.sessions(username) if one["session_key"] != other_than]
            return len(seen) == 1

        self.wait_until(is_there, f"a session of {username}")
        return seen[0]

    def wait_for_row(self, sql: str, what: str, *, within_s: float = _DEADLINE_S) -> tuple[Any, ...]:
        """The first row of a query, once it has one."""
        rows: list[tuple[Any, ...]] = []

        def is_there() -> bool:
            rows[:] = self.home.query(sql)
            return bool(rows)

        self.wait_until(is_there, what, within_s=within_s)
        return rows[0]

    def wait_until(self, state: Any, what: str, *, within_s: float = _DEADLINE_S) -> None:
        """Return when `state()` is true. Raises: AssertionError with what both sides said when it does not become so."""
        try:
            wait_for(state, what, within_s=within_s)
        except AssertionError as late:
            device = self.device.guest.ask("tail -n 40 /run/*.log")[0]
            changes = self.home.query(
                "SELECT username, state, method, error_cause, problem FROM enforcement ORDER BY id"
            )
            raise AssertionError(f"{late}\n{device}\n{changes}") from None

    def dial(self, *usernames: str, way: str = "chap", password: str = "", again: bool = False) -> None:
        """The modems of these subscribers dial at once, with their own passwords unless another is given."""
        self.device.dial(*(Call(name, password or f"word of {name}", way, again) for name in usernames))

    def online(self, *usernames: str) -> None:
        """Return when each of them has its own address by PPP."""
        for name in usernames:
            self.device.online(name, ADDRESS[name])

    def hang_up(self, *usernames: str) -> None:
        """Their modems are switched off in good order, and Corrente knows it."""
        for name in usernames:
            self.device.hang_up(name)
        self.wait_until(lambda: not any(self.sessions(name) for name in usernames), f"the end of {usernames}")

    def check(self) -> str:
        """What `corrente check` prints, run where the servers are; a warning is not a failure."""
        words = (sys.executable, "-m", "control_plane", "--settings", str(self.home.settings), "check")
        return self.provider.run(*words)


@contextmanager
def pppoe_isp(directory: Path) -> Iterator[PppoeIsp]:
    """Everything runs, the device is known and nobody is online. The NAS has the settings that a new one has."""
    with namespace() as provider, temporary_home() as home:
        home.settings.write_text(f'[radius]\nlisten_address = "{OURS}"\nnas_lifetime_s = 1\nreject_delay_s = 0\n')
        up = Up(home, "--empty", inside=provider)
        with pppoe_device(provider, directory) as device:
            up.wait_for("Ready: RADIUS")
            isp = PppoeIsp(home, provider, device)
            _add_what_is_sold(isp)
            yield isp
            assert up.stop() == 0, up.said


def _add_what_is_sold(isp: PppoeIsp) -> None:
    isp.corrente("nas", "add", "bras", DEVICE, "--vendor", "generic", "--secret-file", "-", typed=f"{SECRET}\n")
    for profile in ("full", "slow", "walled"):
        isp.corrente("profile", "add", profile, "--filter", profile, "--interim", "60s")
    isp.corrente("plan", "add", "Home", "--profile", "full", "--throttle", "slow", "--walled", "walled")
    for name, address in ADDRESS.items():
        # A login counts for ten seconds, even when its session is over: this device says on no line who is back.
        words = ("--max-sessions", "0", "--plan", "Home", "--customer", name, "--ipv4", address, "--secret-file", "-")
        isp.corrente("account", "add", name, *words, typed=f"word of {name}\n")
