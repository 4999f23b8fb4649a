"""The command line of Huawei's VRP 8: who is online, and the end of one session. Pure.

It lists a user in two lines of a table or as a page of fields, and names him with his domain: `anna@isp`. A long name stands in the
table as its first 19 letters and `...`; a page has it whole.

Source: NetEngine 8000 F1A V800R012C10 command reference, `display access-user` and `cut access-user`; NE40E and NetEngine 8000
product documentation, examples of `display access-user domain` (tables, cut names, users without a MAC); an operator's transcript of
`system-view`, `aaa`, `cut access-user username NAME all`; docs/drivers/huawei.md.
Next: ../vendors/huawei.py
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from nas_drivers.cli_dialect import CliDetail, CliOutputError, CliStep, cli_word
from nas_drivers.device_session import DeviceSession, ipv4_of, mac_of
from nas_drivers.policy import SessionIdentity


@dataclass(frozen=True, slots=True)
class HuaweiCli(CliDetail):
    """VRP's commands: `display` anywhere, `cut` in the AAA view of the system view."""

    display_suffix: str
    domain: str = ""
    device_type: str = "huawei_vrpv8"

    def show_session(self, identity: SessionIdentity) -> str:
        """Both forms of its answer are read: a table of two lines a user, and a page of fields a user."""
        name = self._full_name(identity)
        suffix = "" if self.display_suffix == "none" else f" {self.display_suffix}"
        return f"display access-user username {name}{suffix}"

    def show_all(self) -> str:
        """The same table, of everybody."""
        return "display access-user"

    def read_sessions(self, output: str) -> tuple[DeviceSession, ...]:
        """Sessions of either form, as many as it counts; none only where the device says so."""
        found = tuple(self._as_dialled(one) for one in (*_rows(output), *_pages(output)))
        if any(one.username.endswith(_CUT_NAME) for one in found):
            raise CliOutputError(
                "its table cuts the names that are longer than its column: set display_suffix in [drivers.huawei]"
            )
        total = _TOTAL.search(output)
        if total is not None and int(total[1]) != len(found):
            raise CliOutputError(f"of the {total[1]} users that it counts, {len(found)} could be read")
        if not found and not _NOBODY.search(output):
            raise CliOutputError("the answer to `display access-user` is no list of users, nor says there is none")
        return found

    def show_detail(self, found: DeviceSession) -> str:
        """The long page of one user, which has its rates."""
        return f"display access-user user-id {cli_word(found.local_name, what='user id')} verbose"

    def read_detail(self, output: str, found: DeviceSession) -> DeviceSession:
        """The rates in it: the higher of CIR and PIR, for a PIR that was left where it was lets the subscriber go on."""
        rates = {match["way"].lower(): _shown_bps(match) for match in _QOS.finditer(output)}
        if not rates and "ACL&QoS" not in output:
            raise CliOutputError("the answer is no long page of one user")
        return replace(found, rate_down_bps=rates.get("outbound"), rate_up_bps=rates.get("inbound"))

    def clear_session(self, identity: SessionIdentity, found: DeviceSession | None) -> tuple[CliStep, ...]:
        """By the number of the session where the list gave one, else every session of the username."""
        if found is not None and re.fullmatch(r"[0-9]{1,10}", found.local_name):
            whom = f"user-id {cli_word(found.local_name, what='user id')}"
        else:
            whom = f"username {self._full_name(identity)} all"
        return (
            CliStep("system-view", prompt=r"\[[~*]?[^\]\r\n]+\]"),
            CliStep("aaa", prompt=r"\[[~*]?[^\]\r\n]+-aaa\]"),
            CliStep(f"cut access-user {whom}", question=r"\[Y/N\]", answer="y", prompt=r"\[[~*]?[^\]\r\n]+-aaa\]"),
            CliStep("return", prompt=r"<[^>\r\n]+>"),
        )

    def refused(self, output: str) -> str | None:
        """VRP's own `Error: …`; that nobody is online is none."""
        match = re.search(r"^[ \t]*Error:.*$", output, re.MULTILINE)
        return None if match is None or _NOBODY.search(match[0]) else match[0].strip()

    def _full_name(self, identity: SessionIdentity) -> str:
        """With the domain that VRP gives to who dials none: it takes a name without one for somebody of its default domain."""
        name = identity.username
        if self.domain and "@" not in name:
            name = f"{name}@{self.domain}"
        return cli_word(name, what="username")

    def _as_dialled(self, found: DeviceSession) -> DeviceSession:
        return replace(found, username=found.username.removesuffix(f"@{self.domain}")) if self.domain else found


_BITS_PER_KBIT: Final = 1_000
# "No online user!", and the count below a table.
_NOBODY: Final = re.compile(r"No online user|^[ \t]*Total users[ \t]*:[ \t]*0[ \t]*$", re.IGNORECASE | re.MULTILINE)
_TOTAL: Final = re.compile(r"^[ \t]*Total users[ \t]*:[ \t]*([0-9]{1,9})", re.IGNORECASE | re.MULTILINE)
# user id, username, interface, address, MAC or `-`; the second line of each (VLAN, IPv6, access type) has no number before it.
_ROW: Final = re.compile(
    r"^[ \t]*(?P<id>[0-9]{1,10})[ \t]+(?P<name>\S+)[ \t]+\S+[ \t]+(?P<address>\S+)[ \t]+"
    r"(?P<mac>[0-9a-f]{4}(?:-[0-9a-f]{4}){2}|-)[ \t\r]*$",
    re.IGNORECASE | re.MULTILINE,
)
_KEY: Final = re.compile(r"[a-z][a-z0-9 -]*")
# Of the user itself, not of its family, which stands above it with the same words below.
_QOS: Final = re.compile(
    r"^[ \t]*(?P<way>Inbound|Outbound) qos configuration[ \t]*:[^\n]*\n"
    r"[ \t]*(?P=way) cir[ \t]*:[ \t]*(?P<cir>[0-9]{1,10})\(kbps\)[^\n]*\n"
    r"[ \t]*(?P=way) pir[ \t]*:[ \t]*(?P<pir>[0-9]{1,10})\(kbps\)",
    re.MULTILINE | re.IGNORECASE,
)
# The first field of each user's page, by release.
_FIRST_FIELDS: Final = frozenset({"user access index", "user id"})
# What a table puts behind the first 19 letters of a longer name.
_CUT_NAME: Final = "..."
_SESSION_FIELDS: Final = ("user accounting session id", "accounting session id")


def _rows(output: str) -> Iterator[DeviceSession]:
    for row in _ROW.finditer(output):
        yield DeviceSession(
            acct_session_id="",
            username=row["name"],
            framed_ipv4=ipv4_of(row["address"]),
            mac=mac_of(row["mac"]),
            local_name=row["id"],
        )


def _pages(output: str) -> Iterator[DeviceSession]:
    pages: list[dict[str, str]] = []
    for line in output.split("\n"):
        key, value = (part.strip(" \t\r") for part in line.lower().partition(":")[::2])
        if not value or _KEY.fullmatch(key) is None:
            continue
        if key in _FIRST_FIELDS:
            pages.append({})
        if pages:
            pages[-1].setdefault(key, line.partition(":")[2].strip(" \t\r"))
    for page in pages:
        if "user name" in page:
            yield DeviceSession(
                acct_session_id=next((page[key] for key in _SESSION_FIELDS if key in page), ""),
                username=page["user name"],
                framed_ipv4=ipv4_of(page.get("user ip address", "-")),
                mac=mac_of(page.get("user mac", "")),
                local_name=page.get("user access index", page.get("user id", "")),
            )


def _shown_bps(match: re.Match[str]) -> int:
    return max(int(match["cir"]), int(match["pir"])) * _BITS_PER_KBIT
