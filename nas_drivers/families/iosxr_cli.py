"""IOS-XR's command line for one subscriber's session: its list by details, its running configuration, and the end by its interface. Pure.

Source: as in vendors/cisco_iosxr.py.
Next: ../vendors/cisco_iosxr.py
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from nas_drivers.cli_dialect import CliDetail, CliOutputError, CliStep, cli_word
from nas_drivers.device_session import DeviceSession, ipv4_of, mac_of
from nas_drivers.families import cisco
from nas_drivers.families.cisco_output import read_running_config
from nas_drivers.policy import SessionIdentity

# Every answer begins with the router's clock, unless that is switched off.
_CLOCK: Final = re.compile(r"[A-Z][a-z]{2} [A-Z][a-z]{2} +\d{1,2} \d\d:\d\d:\d\d(?:\.\d+)? \S+")
_TABLE_OF_NONE: Final = re.compile(
    r"(?:Codes: IN - .*\nID - .*\n)?Type\s+Interface\s+State\s+Subscriber IP Addr.*\n(?:LNS Address.*\n)?-{10,}"
)
_NONE: Final = re.compile(
    r"^[ \t]*%?[ \t]*No (?:matching |active )?(?:subscriber )?sessions?\b", re.MULTILINE | re.IGNORECASE
)
_BLOCK: Final = re.compile(r"^[ \t]*Interface:[ \t]+(?P<interface>\S+)[ \t]*\n", re.MULTILINE)
_FIELD: Final = re.compile(
    r"^[ \t]*(IPv4 Address|Mac Address|Account-Session Id|User name):[ \t]+([^\s,]+)", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class CiscoIosXrCli(CliDetail):
    """Its exec commands. A session is ended by its interface, which only a look at it tells."""

    silence_is_none: bool = False
    device_type: str = "cisco_xr"

    def show_session(self, identity: SessionIdentity) -> str | None:
        """With details, for its table has no names."""
        return f"show subscriber session filter username {cli_word(identity.username, what='username')} detail"

    def show_all(self) -> str | None:
        """With details, for its table has no names."""
        return "show subscriber session all detail"

    def read_sessions(self, output: str) -> tuple[DeviceSession, ...]:
        """One for each block that begins with its interface; those without a name have not logged in yet."""
        starts = list(_BLOCK.finditer(output))
        if not starts:
            if self._says_none(output) and self.refused(output) is None:
                return ()
            raise CliOutputError(f"not a list of subscriber sessions with details: {output[:200]!r}")
        ends = [start.start() for start in starts[1:]] + [len(output)]
        blocks = [
            _session(start["interface"], output[start.end() : end]) for start, end in zip(starts, ends, strict=True)
        ]
        return tuple(one for one in blocks if one.username.lower() not in ("", "unknown"))

    def show_detail(self, found: DeviceSession) -> str:
        """The configuration of its interface, which is what runs, whoever gave it."""
        return f"show subscriber running-config interface name {cli_word(found.local_name, what='interface')}"

    def read_detail(self, output: str, found: DeviceSession) -> DeviceSession:
        """The policy maps and services in it."""
        names = read_running_config(output)
        if names is None:
            raise CliOutputError(f"not the configuration of a subscriber's interface: {output[:200]!r}")
        return replace(found, policies=names)

    def clear_session(self, identity: SessionIdentity, found: DeviceSession | None) -> tuple[CliStep, ...]:
        """By its interface; none when that is not known."""
        if found is None:
            return ()
        interface = cli_word(found.local_name, what="session's interface")
        command = f"clear subscriber session identifier interface {interface}"
        return (CliStep(command, question=cisco.CONFIRMATION, answer="y"),)

    def refused(self, output: str) -> str | None:
        """Lines with a percent sign that speak of the command."""
        return cisco.refused(output)

    def _says_none(self, output: str) -> bool:
        """In words, by a table without rows or, where that is its way, by nothing but the time."""
        said = [line.strip() for line in output.splitlines() if line.strip() and not _CLOCK.fullmatch(line.strip())]
        if not said:
            return self.silence_is_none
        return _NONE.search(output) is not None or _TABLE_OF_NONE.fullmatch("\n".join(said)) is not None


def _session(interface: str, block: str) -> DeviceSession:
    """The first of each field: what stands further down is of the policies that ran."""
    fields: dict[str, str] = {}
    for name, value in _FIELD.findall(block):
        fields.setdefault(name, value)
    return DeviceSession(
        acct_session_id=fields.get("Account-Session Id", ""),
        username=fields.get("User name", ""),
        framed_ipv4=ipv4_of(fields.get("IPv4 Address")),
        mac=mac_of(fields.get("Mac Address", "")),
        local_name=interface,
    )
