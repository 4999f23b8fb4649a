"""Looks at one device by its command line for `corrente nas test`: logs in, prints, changes nothing. An edge.

Each question stands by itself: what the device refuses or prints in another way is told where it would have been used. When the
connection is gone nothing more is asked.

Units: *_s seconds.
Next: session_lists.py
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, TypeVar

from billing.sentence import Sentence
from control_plane.control_loop.outgoing import ssh_access
from control_plane.control_loop.two_views import OwnSession
from control_plane.device_test.seen import DeviceView
from control_plane.device_test.session_lists import compare
from control_plane.store.targets import NasTarget
from nas_drivers.cli_dialect import CliDialect
from nas_drivers.driver import NasDriver
from nas_drivers.errors import NasError
from nas_drivers.inspection import Inspection
from nas_drivers.transport import ssh
from radius_hooks.sealing import Sealer, SealError

_KEY_TIMEOUT_S: Final = 10.0
# A list of 10,000 sessions takes its time, and a person waits.
_TIMEOUT_S: Final = 30.0
_NOT_CHECKED: Final = Sentence("not checked on this vendor: no command for it is known")
_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True)
class OwnView:
    """What accounting has of the device: its live sessions, and who logged in a moment ago."""

    sessions: Sequence[OwnSession]
    just_in: Collection[str]


def look_by_command_line(nas: NasTarget, driver: NasDriver, own: OwnView, sealer: Sealer) -> DeviceView:
    """What the device's command line shows. Blocking: seconds, two minutes at most."""
    view = DeviceView(by="command line")
    problem, remedy = _key_problem(nas)
    if problem:
        return replace(view, problem=problem, remedy=remedy)
    if driver.cli is None:
        why = Sentence("no command of %(vendor)s is known", vendor=nas.vendor)
        return replace(view, not_in=why, no_clock=why, no_faults=why, no_list=why)
    try:
        access = replace(ssh_access(nas, driver.cli.device_type, sealer), timeout_s=_TIMEOUT_S)
        with ssh.SshDevice(access) as device:
            device.type_steps(())
            return _asked(_Asker(device, driver.cli), driver.cli, driver.inspection, view, own)
    except (NasError, SealError) as error:
        return replace(view, problem=str(error), remedy=_remedy(nas, error))


def _key_problem(nas: NasTarget) -> tuple[Sentence | str, str]:
    """Why nobody may log in, and what to do; empty when the device shows the key that a person trusted."""
    if nas.ssh_address is None:
        why = Sentence("its command line is not used: it stands for many devices, and none is named")
        return why, f"corrente nas set {nas.name} --ssh-address ADDRESS"
    compare_key = (
        f"corrente nas host-key {nas.name} shows it; compare it with what the device itself says, then --trust it"
    )
    if nas.ssh_host_key is None:
        return Sentence("its command line is not used: no host key is trusted"), compare_key
    try:
        offered = ssh.read_offered_key(str(nas.ssh_address), nas.ssh_port, timeout_s=_KEY_TIMEOUT_S)
    except NasError as error:
        return str(error), _remedy(nas, error)
    if offered == nas.ssh_host_key:
        return "", ""
    shown, trusted = ssh.fingerprint_of(offered), ssh.fingerprint_of(nas.ssh_host_key)
    why = Sentence("its command line shows host key %(shown)s, trusted is %(trusted)s", shown=shown, trusted=trusted)
    return why, compare_key


def _remedy(nas: NasTarget, error: Exception) -> str:
    """What to do about a command line that lets nobody in; empty when no one thing is to be named."""
    match error:
        case ssh.SshLoginError():
            return f"corrente nas set {nas.name} --ssh-user USER --ssh-password-file FILE: as they stand on the device"
        case ssh.SshPromptError():
            return f"somebody answers there, but not as a {nas.vendor} does: docs/drivers/{nas.vendor}.md; corrente nas set {nas.name} --vendor"
        case ssh.SshUnreachableError():
            return (
                f"switch SSH on there and let TCP port {nas.ssh_port} through from here; another address or port: "
                f"corrente nas set {nas.name} --ssh-address ADDRESS --ssh-port PORT"
            )
        case _:
            return ""


class _Asker:
    """One connection; once it is gone nothing more is asked."""

    def __init__(self, device: ssh.SshDevice, dialect: CliDialect) -> None:
        self._device, self._dialect, self._gone = device, dialect, ""

    def ask(self, command: str, read: Callable[[str], _Read]) -> tuple[_Read | None, Sentence | str]:
        """What `read` makes of the answer, or why there is none."""
        if self._gone:
            return None, Sentence("not asked: %(why)s", why=self._gone)
        try:
            shown = self._device.ask(command)
            refused = self._dialect.refused(shown)
            if refused is None:
                return read(shown), ""
        except ssh.SshError as error:
            self._gone = str(error)
            return None, self._gone
        except NasError as error:
            return None, f"`{command}`: {error}"
        return None, Sentence("the device refused `%(command)s`: %(why)s", command=command, why=refused)


def _asked(asker: _Asker, dialect: CliDialect, inspection: Inspection, view: DeviceView, own: OwnView) -> DeviceView:
    """The clock, who lets subscribers in, who is online."""
    clock, bypass, show_all = inspection.clock, inspection.bypass, dialect.show_all()
    view = replace(
        view,
        no_clock=_NOT_CHECKED,
        no_faults=_NOT_CHECKED,
        no_list=Sentence("no command is known that lists its sessions"),
    )
    if clock is not None:
        told, why = asker.ask(clock.command, lambda shown: (clock.read(shown), datetime.now(UTC)))
        at, read_at = told or (None, None)
        off_s = None if at is None or read_at is None else (at - read_at).total_seconds()
        view = replace(view, off_s=off_s, no_clock=why or f"`{clock.command}` does not tell its offset from UTC")
    if bypass is not None:
        faults, why = asker.ask(bypass.command, bypass.read)
        view = replace(view, faults=faults, no_faults=why, clean=bypass.looks_at)
    if show_all is not None:
        asked_at = datetime.now(UTC)
        listed, why = asker.ask(show_all, dialect.read_sessions)
        sides = None if listed is None else compare(own.sessions, listed, read_at=asked_at, just_in=own.just_in)
        view = replace(view, sides=sides, no_list=why)
    return view
