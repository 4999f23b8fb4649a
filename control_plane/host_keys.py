"""The SSH host key that a device shows, and whether it is the one that is trusted. An edge: asks the device.

Next: nases.py
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from control_plane.store.nas import Nas
from nas_drivers.errors import NasError
from nas_drivers.transport import ssh

_TIMEOUT_S: Final = 10.0


class NoHostKeyError(NasError):
    """The key can't be asked for; the message says why."""


@dataclass(frozen=True, slots=True)
class HostKey:
    """What a device shows: its key as a line, its kind and its fingerprint; `trusted` is the fingerprint that is trusted, if any."""

    line: str
    kind: str
    fingerprint: str
    trusted: str | None


def read_host_key(nas: Nas) -> HostKey:
    """What its command line shows now. Blocking for seconds. Raises: NoHostKeyError."""
    if nas.command_line_address is None:
        raise NoHostKeyError(f"{nas.name} stands for many devices: register each by itself, or name one: --ssh-address")
    try:
        offered = ssh.read_offered_key(str(nas.command_line_address), nas.ssh_port, timeout_s=_TIMEOUT_S)
    except ssh.SshError as error:
        raise NoHostKeyError(str(error)) from error
    trusted = None if nas.ssh_host_key is None else ssh.fingerprint_of(nas.ssh_host_key)
    return HostKey(offered, offered.split()[0], ssh.fingerprint_of(offered), trusted)
