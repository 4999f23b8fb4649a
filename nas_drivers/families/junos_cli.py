"""Junos' command line for one subscriber's session: its list with everything, and the end by its number. Pure.

Source: as in vendors/juniper_mx.py.
Next: ../vendors/juniper_mx.py
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from nas_drivers.cli_dialect import CliOutputError, CliStep, cli_word
from nas_drivers.device_session import DeviceSession, ipv4_of, mac_of
from nas_drivers.policy import SessionIdentity

_REFUSAL: Final = re.compile(
    r"^[ \t]*((?:syntax error|unknown command|error:|missing argument|invalid|permission denied|\S.* is ambiguous).*)$",
    re.MULTILINE | re.IGNORECASE,
)
_NONE: Final = re.compile(r"^[ \t]*Total subscribers: 0\b", re.MULTILINE | re.IGNORECASE)
_BLOCK: Final = re.compile(r"^Type: \S+[ \t]*$", re.MULTILINE)
_FIELD: Final = re.compile(
    r"^(User Name|IP Address|MAC Address|Interface|Radius Accounting ID|Session ID): (\S+)[ \t]*$", re.MULTILINE
)
_SERVICE: Final = re.compile(r"^[ \t]+Service Session Name: (\S+)[ \t]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class JuniperMxCli:
    """Its operational commands. A session's own number is what ends that one alone."""

    device_type: str = "juniper_junos"

    def show_session(self, identity: SessionIdentity) -> str | None:
        """With everything: the short table has no session ids."""
        return f"show subscribers user-name {cli_word(identity.username, what='username')} extensive"

    def show_all(self) -> str | None:
        """With everything: the short table has no session ids."""
        return "show subscribers extensive"

    def read_sessions(self, output: str) -> tuple[DeviceSession, ...]:
        """One for each block that has a name: the VLANs below are subscribers to Junos too."""
        starts = [found.start() for found in _BLOCK.finditer(output)]
        if not starts:
            if _NONE.search(output) and self.refused(output) is None:
                return ()
            raise CliOutputError(f"not a list of subscribers: {output[:200]!r}")
        blocks = [output[start:end] for start, end in zip(starts, [*starts[1:], len(output)], strict=True)]
        return tuple(one for one in (_session(block) for block in blocks) if one.username)

    def clear_session(self, identity: SessionIdentity, found: DeviceSession | None) -> tuple[CliStep, ...]:
        """By its number; before that is known by name."""
        if found is not None:
            key = f"session-id {cli_word(found.local_name, what='session number')}"
        else:
            key = f"username {cli_word(identity.username, what='username')}"
        return (CliStep(f"clear network-access aaa subscriber {key}", question=r"\[yes,no\]", answer="yes"),)

    def refused(self, output: str) -> str | None:
        """A syntax error, an unknown command, missing rights."""
        found = _REFUSAL.search(output)
        return None if found is None else found[1].strip()


def _session(block: str) -> DeviceSession:
    """The first of each field: what stands further down, indented, is of its services."""
    fields: dict[str, str] = {}
    for name, value in _FIELD.findall(block):
        fields.setdefault(name, value)
    return DeviceSession(
        acct_session_id=fields.get("Radius Accounting ID", ""),
        username=fields.get("User Name", ""),
        framed_ipv4=ipv4_of(fields.get("IP Address")),
        mac=mac_of(fields.get("MAC Address", "")),
        local_name=fields.get("Session ID", ""),
        policies=tuple(_SERVICE.findall(block)),
    )
