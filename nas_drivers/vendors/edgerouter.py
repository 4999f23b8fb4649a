"""Ubiquiti EdgeRouter (EdgeOS): pppd with its RADIUS plugin, rates by WISPr-Bandwidth-Max-Up and -Down in bit/s.

A change needs a new login: its script hears Disconnect-Requests alone, once it is put in place, and looks at User-Name alone.
Its command line is the last way. The rate attributes are whole numbers of 32 bits: what is above is sent as the ceiling.

Source: ubnt-pppoe-server 0.1.10 (2014), EdgeOS's own package as vyos-legacy/vyos-pppoe-server has it: show-pppoe-server.pl,
kick-pppoe.pl, pppoe-radius-disconnect, PPPoEServerConfig.pm; FreeRADIUS dictionary.wispr (WISPr 1.0); Splynx documentation,
"Radius based speed limits" (WISPr on Ubiquiti) and "Ubiquiti: PPPoE on Edge Routers" (EdgeOS 1.8.5: RADIUS, port 3779, the
script); ppp 2.4, pppd/plugins/radius/radius.c: RADIUS_FILTER_ID; docs/drivers/edgerouter.md.
Next: ../dictionaries/canonical.py
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final

from nas_drivers.changes import (
    framed_address,
    idle_timeout,
    ladder_for,
    name_and_session,
    nas_address,
    nas_identifier,
)
from nas_drivers.cli_dialect import CliDialect, CliOutputError, CliStep, cli_word
from nas_drivers.device_session import DeviceSession, ipv4_of, up_of
from nas_drivers.device_setup import DeviceSetup
from nas_drivers.driver import NasDriver
from nas_drivers.inspection import Inspection
from nas_drivers.inspections.edgerouter import INSPECTION
from nas_drivers.login import cannot_be_told
from nas_drivers.policy import Attribute, BitRate, Method, SessionIdentity, SessionPolicy

_CEILING_BPS: Final = 2**32 - 1
_RATES: Final = frozenset({"WISPr-Bandwidth-Max-Up", "WISPr-Bandwidth-Max-Down"})
_SESSIONS: Final = "show pppoe-server"
_NONE: Final = re.compile(r"No active PPPoE[- ]server sessions\.?")
# Newer lists of EdgeOS have a column Proto and a total; that of PPPoE in 2014 has neither.
_HEADER: Final = re.compile(r"User\s+Time\s+(?:Proto\s+)?Iface\s+Remote IP\b.*")
_RULER: Final = re.compile(r"-+(?:\s+-+)*")
_ROW: Final = re.compile(
    r"(?P<name>\S+)?\s+(?P<up>\d\S*)\s+(?:[A-Z]\S*\s+)?(?P<interface>[a-z]\S*)\s+(?P<address>\d+(?:\.\d+){3}|N/A)(?:\s.*)?"
)
# A name of more than ten characters has a line of its own, and its row begins with blanks.
_LONG_NAME: Final = re.compile(r"\S{11,}")
_TOTAL: Final = re.compile(r"Total sessions:\s*\d+")
_UPTIME: Final = re.compile(r"(?:(\d{1,5})d)?(\d{1,2})h(\d{1,2})m(?:(\d{1,2})s)?")
_REFUSALS: Final = re.compile(
    r"(?:Invalid command|Incomplete command|Ambiguous command|Cannot get session information|Error|% ).*"
)


@dataclass(frozen=True, slots=True)
class Options:
    """`rate_by_coa`: a CoA changes the rate of a live session (UNCONFIRMED). false: every change is a new login.

    `send_filter`: Filter-Id is sent for a script of yours in ip-up.d, which pppd gives it as RADIUS_FILTER_ID (UNCONFIRMED).
    """

    rate_by_coa: bool = False
    send_filter: bool = False


@dataclass(frozen=True, slots=True)
class EdgeOsCli:
    """Its operational mode. Anything else than these lists is refused."""

    device_type: str = "ubiquiti_edgerouter"

    def show_session(self, identity: SessionIdentity) -> str:
        """All sessions: it has no list of one username."""
        cli_word(identity.username, what="the username")
        return _SESSIONS

    def show_all(self) -> str:
        """All sessions."""
        return _SESSIONS

    def read_sessions(self, output: str) -> tuple[DeviceSession, ...]:
        """A line of column names, one of dashes, then one or two a session; or that there is none. Raises: CliOutputError."""
        lines = [line.rstrip() for line in output.splitlines() if line.strip()]
        if len(lines) == 1 and _NONE.fullmatch(lines[0].strip()):
            return ()
        start = next((at for at, line in enumerate(lines) if _HEADER.fullmatch(line.strip())), None)
        if start is None:
            raise CliOutputError(f"no table of PPPoE sessions: {output.strip()[:200]!r}")
        rows = [
            line for line in lines[start + 1 :] if not _RULER.fullmatch(line.strip()) and not _TOTAL.fullmatch(line)
        ]
        return tuple(_sessions(rows))

    def clear_session(self, identity: SessionIdentity, found: DeviceSession | None) -> tuple[CliStep, ...]:
        """By username: every session of it. That it takes an interface there as well is known of VyOS's copy alone."""
        return (CliStep(f"clear pppoe-server user {cli_word(identity.username, what='the username')}"),)

    def refused(self, output: str) -> str | None:
        """The first line that says so."""
        for line in output.splitlines():
            if _REFUSALS.fullmatch(line.strip()):
                return line.strip()
        return None


@dataclass(frozen=True, slots=True)
class EdgeRouterDriver:
    """EdgeOS 1.5 and later as PPPoE server."""

    options: Options = Options()
    vendor: str = "edgerouter"
    # Of its script start-pppoe-radius-disconnect; not RFC 5176's 3799.
    default_coa_port: int = 3779
    inspection: Inspection = INSPECTION
    cli: CliDialect | None = EdgeOsCli()

    def login_attributes(self, policy: SessionPolicy) -> tuple[Attribute, ...]:
        """The rate of each direction; the filter for a script where there is one."""
        filter_name = policy.filter if self.options.send_filter else None
        said = () if filter_name is None else (Attribute("Filter-Id", ":=", filter_name),)
        if policy.rate is None:
            return said
        return (
            Attribute("WISPr-Bandwidth-Max-Up", ":=", str(_bits(policy.rate.up))),
            Attribute("WISPr-Bandwidth-Max-Down", ":=", str(_bits(policy.rate.down))),
            *said,
        )

    def unsupported(self, policy: SessionPolicy) -> tuple[str, ...]:
        """All but the rate; and a rate above the ceiling."""
        filter_name = None if self.options.send_filter else policy.filter
        wanted = (
            ("a burst", policy.burst, ""),
            ("a priority", policy.priority, ""),
            ("a minimum rate", policy.minimum, ""),
            (
                "address lists",
                policy.address_lists,
                ": give restricted subscribers a low rate, or a filter (send_filter)",
            ),
            ("an IPv4 pool", policy.ipv4_pool, ": it has one pool; give the account its address"),
            ("an IPv6 pool", policy.ipv6_pool, ""),
            ("a delegated IPv6 pool", policy.delegated_ipv6_pool, ""),
            ("a filter", filter_name, " unless a script reads it (option send_filter)"),
            (
                "the name of a device policy",
                policy.rate is None and policy.device_policy,
                ": give the profile its rate too",
            ),
        )
        said = cannot_be_told("an EdgeRouter", wanted)
        if policy.rate and max(policy.rate.down.bps, policy.rate.up.bps) > _CEILING_BPS:
            said += (
                f"an EdgeRouter takes a rate of {_CEILING_BPS} bit/s at most, which is what a higher one is sent as",
            )
        return said

    def change_methods(self, old: SessionPolicy | None, new: SessionPolicy | None) -> tuple[Method, ...]:
        """A disconnect, then its command line; CoA before them where the rate alone differs and the option says so."""
        return ladder_for(
            old,
            new,
            self.login_attributes,
            by_coa=_RATES if self.options.rate_by_coa else frozenset(),
            cut=(Method.DISCONNECT, Method.CLI),
        )

    def change_attributes(
        self, new: SessionPolicy, *, old: SessionPolicy | None = None, class_octets: bytes | None = None
    ) -> tuple[Attribute, ...]:
        """Rates and Idle-Timeout where the option says that it hears a CoA; by itself it answers none. Without Class: nothing says
        that it takes one.
        """
        if not self.options.rate_by_coa:
            return ()
        return (*(one for one in self.login_attributes(new) if one.name in _RATES), *idle_timeout(new))

    def identity_attributes(self, identity: SessionIdentity, *, detail: int) -> tuple[Attribute, ...]:
        """Name and id; its script of 2014 looks at the name alone."""
        known = name_and_session(identity)
        if detail != 1:
            return known
        return known + framed_address(identity) + nas_address(identity) + nas_identifier(identity)

    def setup_commands(self, setup: DeviceSetup) -> str:
        """For its command line, from configuration mode on. The script hears disconnects after a reboot."""
        ours = ", ".join(str(address) for address in setup.change_addresses)
        lines = ["configure"]
        if isinstance(setup.nas_address, IPv4Address):
            lines.append(f"set system ip override-hostname-ip {setup.nas_address}")
        lines.append("set service pppoe-server authentication mode radius")
        lines += [
            f"set service pppoe-server authentication radius-server {server} key {setup.secret}"
            for server in setup.radius_addresses
        ]
        lines.append(
            f"# Corrente listens on {setup.authentication_port} and {setup.accounting_port}; of other ports than 1812 and 1813 EdgeOS is not known to have a setting"
        )
        if setup.access_username is not None and setup.access_password is not None:
            user = f"set system login user {setup.access_username}"
            lines += [f"{user} authentication plaintext-password {setup.access_password}", f"{user} level admin"]
        lines += ["set service ssh", "commit", "save", "exit"]
        lines += [
            "sudo cp /opt/vyatta/etc/pppoe-server/start-pppoe-radius-disconnect /config/scripts/post-config.d/",
            f"# After a reboot it hears disconnects: UDP {setup.coa_port} from {ours}, CoA secret {setup.coa_secret},",
            "# if that is the RADIUS server in the last line of /etc/radiusclient-ng/servers-pppoe, and its secret: no other's",
        ]
        return "\n".join([*lines, ""])


def _bits(rate: BitRate) -> int:
    """Whole bit/s in 32 bits."""
    return min(rate.bps, _CEILING_BPS)


def _sessions(rows: Iterable[str]) -> Iterator[DeviceSession]:
    """One for each row that has a time. Raises: CliOutputError for what is neither that nor a long name before it."""
    name = None
    for row in rows:
        found = _ROW.fullmatch(row)
        if name is None and _LONG_NAME.fullmatch(row):
            name = row
        elif found is None or (found["name"] is None) == (name is None):
            raise CliOutputError(f"no session, and no end of a list: {row[:200]!r}")
        else:
            yield DeviceSession(
                acct_session_id="",
                username=name or found["name"],
                framed_ipv4=ipv4_of(found["address"]),
                up_s=_up_s(found["up"]),
                local_name=found["interface"],
            )
            name = None
    if name is not None:
        raise CliOutputError(f"a list that ends with the name {name[:200]!r}")


def _up_s(text: str) -> int | None:
    match = _UPTIME.fullmatch(text)
    if match is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return up_of(days * 86_400 + hours * 3_600 + minutes * 60 + seconds)


DRIVER: Final[NasDriver] = EdgeRouterDriver()
