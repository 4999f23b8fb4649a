"""VyOS: accel-ppp configured by VyOS's own command line, which writes fewer of its options.

What accel-ppp is told and lists is in ../accel_ppp.py. VyOS lists sessions without their ids: one is ended by its interface,
as the list has it, or by its username.

Source: VyOS documentation, PPPoE Server (1.4 and 1.5); vyos-1x, interface-definitions/include/accel-ppp/radius-additions.xml.i,
op-mode-definitions/pppoe-server.xml.in, src/op_mode/ppp-server-ctrl.py and accelppp.py, data/templates/accel-ppp/config_chap_secrets_radius.j2
and config_shaper_radius.j2; docs/drivers/vyos.md.
Next: ../dictionaries/canonical.py
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from typing import Final

from nas_drivers.changes import ladder_for
from nas_drivers.cli_dialect import CliDialect, CliStep, cli_word
from nas_drivers.device_session import DeviceSession
from nas_drivers.device_setup import DeviceSetup
from nas_drivers.driver import NasDriver
from nas_drivers.families import accel_ppp
from nas_drivers.inspection import Inspection
from nas_drivers.inspections.vyos import INSPECTION
from nas_drivers.policy import Attribute, Method, SessionIdentity, SessionPolicy

_SESSIONS: Final = "show pppoe-server sessions"
_BURST: Final = ": VyOS has no setting for it either"
_NO_NAMED_POOLS: Final = "VyOS is not told {}: its releases before 1.4 have pools without names (option named_pools)"
_REFUSALS: Final = re.compile(
    r"(?:Invalid command|Incomplete command|Ambiguous command|(?:Service .*|\".*\") is not configured|pppoe server is not running).*",
    re.DOTALL,
)
# As VyOS's documentation has it (PPPoE Server).
_COMMIT_ENDS_ALL: Final = "# The next line restarts its PPPoE server: ALL its sessions end. At night"
_RADIUS: Final = "set service pppoe-server authentication radius"


@dataclass(frozen=True, slots=True)
class Options:
    """`named_pools`: its pools have names, as from 1.4 on; false: pools are not sent, for an unknown name may fail the login.

    `class_by_coa`: a CoA carries the new Class, which its next accounting record echoes (UNCONFIRMED on every release).
    """

    named_pools: bool = True
    class_by_coa: bool = True


@dataclass(frozen=True, slots=True)
class VyosCli:
    """Its operational mode."""

    device_type: str = "vyos"

    def show_session(self, identity: SessionIdentity) -> str:
        """All sessions: it has no list of one username."""
        cli_word(identity.username, what="the username")
        return _SESSIONS

    def show_all(self) -> str:
        """All sessions."""
        return _SESSIONS

    def read_sessions(self, output: str) -> tuple[DeviceSession, ...]:
        """accel-ppp's table, without ids. Raises: CliOutputError."""
        return accel_ppp.read_sessions(output)

    def clear_session(self, identity: SessionIdentity, found: DeviceSession | None) -> tuple[CliStep, ...]:
        """By the interface that the list just read has; without it the first session of that username."""
        if found is not None:
            return (CliStep(f"reset pppoe-server interface {cli_word(found.local_name, what='the interface')}"),)
        return (CliStep(f"reset pppoe-server username {cli_word(identity.username, what='the username')}"),)

    def refused(self, output: str) -> str | None:
        """Its own words, or accel-ppp's below it."""
        for line in output.splitlines():
            if _REFUSALS.fullmatch(line.strip()):
                return line.strip()
        return accel_ppp.refused(output)


@dataclass(frozen=True, slots=True)
class VyosDriver:
    """VyOS as PPPoE server, its rate limit in Filter-Id as by default."""

    options: Options = Options()
    vendor: str = "vyos"
    # The default of `dynamic-author port`.
    default_coa_port: int = 1700
    inspection: Inspection = INSPECTION
    cli: CliDialect | None = VyosCli()

    def login_attributes(self, policy: SessionPolicy) -> tuple[Attribute, ...]:
        """The shaper's rate and the names of the pools."""
        return accel_ppp.login_attributes(self._told(policy))

    def unsupported(self, policy: SessionPolicy) -> tuple[str, ...]:
        """What accel-ppp has no word for; pools where they have no names."""
        said = accel_ppp.unsupported(policy, device="VyOS", burst=_BURST)
        pools = (
            ("an IPv4 pool", policy.ipv4_pool),
            ("an IPv6 pool", policy.ipv6_pool),
            ("a delegated IPv6 pool", policy.delegated_ipv6_pool),
        )
        if self.options.named_pools:
            return said
        return said + tuple(_NO_NAMED_POOLS.format(what) for what, name in pools if name is not None)

    def change_methods(self, old: SessionPolicy | None, new: SessionPolicy | None) -> tuple[Method, ...]:
        """CoA where the rate alone differs, else a disconnect; beyond that its command line."""
        return ladder_for(old, new, self.login_attributes, by_coa=accel_ppp.BY_COA, cut=(Method.DISCONNECT, Method.CLI))

    def change_attributes(
        self, new: SessionPolicy, *, old: SessionPolicy | None = None, class_octets: bytes | None = None
    ) -> tuple[Attribute, ...]:
        """The rate and, unless it is told not to, Class."""
        given = class_octets if self.options.class_by_coa else None
        return accel_ppp.change_attributes(new, class_octets=given)

    def identity_attributes(self, identity: SessionIdentity, *, detail: int) -> tuple[Attribute, ...]:
        """Name and id."""
        return accel_ppp.identity_attributes(identity, detail=detail)

    def setup_commands(self, setup: DeviceSetup) -> str:
        """For its configuration mode. `commit` restarts accel-ppp, which ends all its sessions."""
        lines = [
            "configure",
            "set service pppoe-server authentication mode radius",
            f"{_RADIUS} nas-identifier {setup.nas_name}",
        ]
        for server in setup.radius_addresses:
            at = f"{_RADIUS} server {server}"
            lines += [
                f"{at} key {setup.secret}",
                f"{at} port {setup.authentication_port}",
                f"{at} acct-port {setup.accounting_port}",
                f"{at} fail-time 60",
            ]
        lines += [
            f"{_RADIUS} {habit}" for habit in ("timeout 3", "max-try 3", "acct-timeout 0", "acct-interim-jitter 60")
        ]
        lines += [f"{_RADIUS} rate-limit enable", f"{_RADIUS} rate-limit attribute Filter-Id", *_changes(setup)]
        lines += [
            f"# Yours: set service pppoe-server client-ip-pool {name} range 100.64.0.0/24" for name in setup.ipv4_pools
        ]
        if setup.access_username is not None and setup.access_password is not None:
            lines += [
                "set service ssh",
                f"set system login user {setup.access_username} authentication plaintext-password {setup.access_password}",
            ]
        return "\n".join([*lines, _COMMIT_ENDS_ALL, "commit", "save", "exit", ""])

    def _told(self, policy: SessionPolicy) -> SessionPolicy:
        if self.options.named_pools:
            return policy
        return replace(policy, ipv4_pool=None, ipv6_pool=None, delegated_ipv6_pool=None)


def _changes(setup: DeviceSetup) -> list[str]:
    """Where it hears changes; who may send them is the firewall's to say."""
    ours = ", ".join(str(address) for address in setup.change_addresses)
    if not isinstance(setup.nas_address, IPv4Address):
        return [
            f"# VyOS hears changes on an IPv4 address only, not on {setup.nas_address}: port {setup.coa_port} from {ours}"
        ]
    return [
        f"{_RADIUS} nas-ip-address {setup.nas_address}",
        f"{_RADIUS} source-address {setup.nas_address}",
        f"{_RADIUS} dynamic-author server {setup.nas_address}",
        f"{_RADIUS} dynamic-author port {setup.coa_port}",
        f"{_RADIUS} dynamic-author key {setup.coa_secret}",
        f"# A firewall must let in UDP {setup.coa_port} from {ours}, and from nobody else",
    ]


DRIVER: Final[NasDriver] = VyosDriver()
