"""accel-ppp on a Linux host: its own file of settings, and accel-cmd over SSH as the last way to a session.

What it is told and lists is in ../accel_ppp.py, for VyOS runs it too.

Source: accel-ppp, accel-ppp.conf(5), accel-pppd/cli/std_cmd.c (`terminate`), cli/show_sessions.c; docs/drivers/accel_ppp.md.
Next: ../dictionaries/canonical.py
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from nas_drivers.changes import ladder_for
from nas_drivers.cli_dialect import CliDialect, CliStep, cli_word
from nas_drivers.device_session import DeviceSession
from nas_drivers.device_setup import DeviceSetup
from nas_drivers.driver import NasDriver
from nas_drivers.families import accel_ppp
from nas_drivers.inspection import Inspection
from nas_drivers.inspections.accel_ppp import INSPECTION
from nas_drivers.policy import Attribute, Method, SessionIdentity, SessionPolicy

_MODULES: Final = (
    "[modules]",
    "radius",
    "pppoe",
    "auth_pap",
    "auth_chap_md5",
    "auth_mschap_v2",
    "ippool",
    "shaper",
)
# Why each of them: docs/drivers/accel_ppp.md.
_RADIUS_HABITS: Final = (
    "timeout=3",
    "max-try=3",
    "acct-timeout=0",
    "acct-on=1",
    "acct-delay-time=1",
    "acct-interim-jitter=60",
    "sid-in-auth=1",
    "blast-protection=1",
)
_SHAPER: Final = ("[shaper]", "attr=Filter-Id", "down-limiter=tbf", "up-limiter=police")
_CLI: Final = ("[cli]", "tcp=127.0.0.1:2001")
_COLUMNS: Final = "sid,ifname,username,ip,calling-sid,rate-limit,state,uptime-raw"
_BURST: Final = ": set [shaper] down-burst-factor and up-burst-factor there"


@dataclass(frozen=True, slots=True)
class Options:
    """`class_by_coa`: a CoA carries the new Class, which its next accounting record echoes (UNCONFIRMED on every release)."""

    class_by_coa: bool = True


@dataclass(frozen=True, slots=True)
class AccelCmd:
    """accel-cmd, typed in the shell of the host: it talks to 127.0.0.1:2001."""

    device_type: str = "linux"

    def show_session(self, identity: SessionIdentity) -> str:
        """By a regular expression, in which a `.` of the name fits any character: others may be listed beside it."""
        name = cli_word(identity.username, what="the username")
        return f"accel-cmd show sessions {_COLUMNS} match username ^{name}$"

    def show_all(self) -> str:
        """The same columns of every session."""
        return f"accel-cmd show sessions {_COLUMNS}"

    def read_sessions(self, output: str) -> tuple[DeviceSession, ...]:
        """Its table. Raises: CliOutputError."""
        return accel_ppp.read_sessions(output)

    def clear_session(self, identity: SessionIdentity, found: DeviceSession | None) -> tuple[CliStep, ...]:
        """By its id: that one session and no other. What it does not find it does not speak of."""
        return (CliStep(f"accel-cmd terminate sid {cli_word(identity.acct_session_id, what='the session id')}"),)

    def refused(self, output: str) -> str | None:
        """Its words, or the shell's."""
        for line in output.splitlines():
            if "accel-cmd: command not found" in line or "accel-cmd: not found" in line:
                return line.strip()
        return accel_ppp.refused(output)


@dataclass(frozen=True, slots=True)
class AccelPppDriver:
    """accel-ppp with its shaper reading Filter-Id, as it does by default."""

    options: Options = Options()
    vendor: str = "accel_ppp"
    default_coa_port: int = 3799
    inspection: Inspection = INSPECTION
    cli: CliDialect | None = AccelCmd()

    def login_attributes(self, policy: SessionPolicy) -> tuple[Attribute, ...]:
        """The shaper's rate and the names of the pools."""
        return accel_ppp.login_attributes(policy)

    def unsupported(self, policy: SessionPolicy) -> tuple[str, ...]:
        """Bursts are its own configuration; address lists and filters it has none by RADIUS."""
        return accel_ppp.unsupported(policy, device="accel-ppp", burst=_BURST)

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
        """Its file /etc/accel-ppp.conf, as far as Corrente is concerned."""
        servers = [
            f"server={server},{setup.secret},auth-port={setup.authentication_port},acct-port={setup.accounting_port},"
            + ("fail-timeout=60,max-fail=3" if place == 0 else "backup")
            for place, server in enumerate(setup.radius_addresses)
        ]
        allowed = ",".join(str(ours) for ours in setup.change_addresses)
        return "\n".join(
            [
                *_MODULES,
                "",
                "[radius]",
                f"nas-identifier={setup.nas_name}",
                f"nas-ip-address={setup.nas_address}",
                *servers,
                f"dae-server={setup.nas_address}:{setup.coa_port},{setup.coa_secret}",
                f"dae-allowed={allowed}",
                *_RADIUS_HABITS,
                "",
                *_SHAPER,
                *("", *_CLI) * (setup.access_username is not None),
                *("", "[ip-pool]") * bool(setup.ipv4_pools),
                *(
                    f"# Yours: the addresses of pool {name}, such as 100.64.0.2-254,name={name}"
                    for name in setup.ipv4_pools
                ),
                "",
            ]
        )


DRIVER: Final[NasDriver] = AccelPppDriver()
