"""What `show configuration commands` of a router with a `service pppoe-server` says of who lets subscribers in. Pure.

The whole lines have keys and passwords in them: only words of the ways that are looked for are kept.

Next: inspection.py
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from nas_drivers.inspection import NotReadError, SetupFault, some

COMMAND: Final = "show configuration commands | grep pppoe-server"
_LINE: Final = re.compile(r"^[ \t]*set service pppoe-server (.+)$", re.MULTILINE)
_MODE: Final = re.compile(r"authentication mode '?(\w+)'?")
_USER: Final = re.compile(r"authentication local-users username '?([^\s']+)'?")
_ADVICE: Final = "set service pppoe-server authentication mode radius"


@dataclass(frozen=True, slots=True)
class PppoeServer:
    """The mode of authentication (empty: none is set), local users by name, and each line's words without their values."""

    mode: str
    users: tuple[str, ...]
    lines: tuple[str, ...]


def read_server(output: str) -> PppoeServer:
    """The settings. Raises: NotReadError."""
    lines = [line.strip() for line in _LINE.findall(output)]
    if not lines:
        raise NotReadError("no settings of its PPPoE server were shown")
    modes = [match[1] for line in lines if (match := _MODE.match(line))]
    users = dict.fromkeys(match[1] for line in lines if (match := _USER.match(line)))
    return PppoeServer(modes[-1] if modes else "", tuple(users), tuple(lines))


def mode_faults(server: PppoeServer) -> tuple[SetupFault, ...]:
    """A mode that asks no RADIUS server; local users, which the mode radius leaves alone."""
    if server.mode == "noauth":
        return (SetupFault(True, "its PPPoE server lets everybody in: authentication mode noauth", _ADVICE),)
    if server.mode != "radius":
        whom = f": {some(server.users)}" if server.users else ""
        mode = server.mode or "none set"
        return (SetupFault(True, f"its PPPoE server asks local users instead of RADIUS (mode {mode}){whom}", _ADVICE),)
    if server.users:
        text = f"{len(server.users)} local users, which nothing asks while the mode is radius: {some(server.users)}"
        return (SetupFault(False, text, "delete service pppoe-server authentication local-users"),)
    return ()
