"""Huawei ME60, NE40E, NetEngine 8000: CIR and PIR in bit/s, or a QoS profile by its name.

Input is from the subscriber. A CoA that lowered CIR alone left PIR where it was, so both go out, in both directions, always.
The attributes are 32-bit: beyond 4,294,967,295 bit/s a profile goes by its QoS profile, or is held to that ceiling and said to be.
A change that names another User-Name than the session's is discarded, so no request renames anybody.

Live it is trusted with the rates and the QoS profile; what else a CoA may change is UNCONFIRMED and needs a new login.

Source: NetEngine 8000 F1A V800R012C10, "HW-Input-Peak-Information-Rate (3)", "HW-QOS-Profile-Name (31)", `radius-server coa update
username`, `radius-server authorization error-reply`; NE40E V800R012C10 Configuration Guide - User Access, "Configuring RADIUS Dynamic
Authorization"; Huawei ETC0001084741 (PIR); docs/drivers/huawei.md.
Next: ../families/huawei_cli.py
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from nas_drivers.changes import (
    class_attribute,
    framed_address,
    framed_prefix,
    ladder_for,
    name_and_session,
    nas_address,
    nas_identifier,
)
from nas_drivers.cli_dialect import CliDialect
from nas_drivers.device_session import DeviceSession, is_same_rate
from nas_drivers.device_setup import DeviceSetup
from nas_drivers.driver import JudgesSessions, NasDriver
from nas_drivers.families.huawei_cli import HuaweiCli
from nas_drivers.inspection import Inspection
from nas_drivers.inspections.huawei import INSPECTION
from nas_drivers.login import cannot_be_told, given_attributes
from nas_drivers.policy import Attribute, BitRate, Method, SessionIdentity, SessionPolicy

_CEILING_BPS: Final = 2**32 - 1
_BY_COA: Final = frozenset(
    {
        "Huawei-Input-Average-Rate",
        "Huawei-Input-Peak-Rate",
        "Huawei-Output-Average-Rate",
        "Huawei-Output-Peak-Rate",
        "Huawei-Qos-Profile-Name",
        "Huawei-Down-QOS-Profile-Name",
    }
)
_DOMAIN: Final = re.compile(r"[A-Za-z0-9._-]{0,64}")


@dataclass(frozen=True, slots=True)
class Options:
    """What differs by release, or is UNCONFIRMED; docs/drivers/huawei.md explains each."""

    ipv4_pool_attribute: Literal["Framed-Pool", "Huawei-Framed-Pool"] = "Framed-Pool"
    filter_attribute: Literal["Filter-Id", "Huawei-Policy-Name"] = "Filter-Id"
    down_qos_profile: bool = False
    class_by_coa: bool = False
    display_suffix: Literal["none", "verbose", "detail"] = "none"
    domain: str = ""

    def __post_init__(self) -> None:
        """Check what becomes part of a command. Raises: ValueError."""
        if not _DOMAIN.fullmatch(self.domain):
            raise ValueError(f"domain = {self.domain!r}: expected at most 64 letters, digits and . _ -")


@dataclass(frozen=True, slots=True)
class HuaweiDriver(JudgesSessions):
    """VRP 8 as PPPoE access concentrator."""

    options: Options = Options()
    vendor: str = "huawei"
    default_coa_port: int = 3799
    inspection: Inspection = INSPECTION

    @property
    def cli(self) -> CliDialect:
        """Its command line, in the form that its release answers."""
        return HuaweiCli(self.options.display_suffix, self.options.domain)

    def login_attributes(self, policy: SessionPolicy) -> tuple[Attribute, ...]:
        """Four rates or the QoS profile, never both, then the names."""
        profile = policy.device_policy if not _goes_by_rate(policy) else None
        named = (
            ("Huawei-Qos-Profile-Name", profile),
            ("Huawei-Down-QOS-Profile-Name", profile if self.options.down_qos_profile else None),
            (self.options.filter_attribute, policy.filter),
            (self.options.ipv4_pool_attribute, policy.ipv4_pool),
            ("Framed-IPv6-Pool", policy.ipv6_pool),
            ("Huawei-Delegated-IPv6-Prefix-Pool", policy.delegated_ipv6_pool),
        )
        return _rates(policy) + given_attributes(named)

    def unsupported(self, policy: SessionPolicy) -> tuple[str, ...]:
        """What has no attribute, and a rate beyond the ceiling with no QoS profile to go by."""
        wanted = (
            ("a burst", policy.burst, ": give the QoS profile its burst sizes, and the profile its name"),
            ("a priority", policy.priority, ": the QoS profile has it"),
            ("a minimum rate", policy.minimum, ": the QoS profile has it"),
            (
                "address lists",
                policy.address_lists,
                ": give restricted subscribers a user group (filter) or a QoS profile",
            ),
        )
        said = cannot_be_told("Huawei", wanted)
        if policy.rate and _goes_by_rate(policy) and not _fits(policy):
            said += (
                f"Huawei's rates end at {_CEILING_BPS} bit/s, which is what goes out: give the profile the name of a QoS profile",
            )
        return said

    def change_methods(self, old: SessionPolicy | None, new: SessionPolicy | None) -> tuple[Method, ...]:
        """CoA where rates or QoS profile alone differ, else a disconnect, by the command line if need be."""
        return ladder_for(old, new, self.login_attributes, by_coa=_BY_COA, cut=(Method.DISCONNECT, Method.CLI))

    def change_attributes(
        self, new: SessionPolicy, *, old: SessionPolicy | None = None, class_octets: bytes | None = None
    ) -> tuple[Attribute, ...]:
        """All four rates even where one differs. Class only where the device is known to take it."""
        live = tuple(one for one in self.login_attributes(new) if one.name in _BY_COA)
        return live + (class_attribute(class_octets) if self.options.class_by_coa else ())

    def identity_attributes(self, identity: SessionIdentity, *, detail: int) -> tuple[Attribute, ...]:
        """User-Name as the device itself wrote it: another one is discarded without an answer."""
        known = name_and_session(identity)
        if detail == 2:
            return known
        known += framed_address(identity)
        return (
            known if detail == 0 else known + framed_prefix(identity) + nas_address(identity) + nas_identifier(identity)
        )

    def runs_under(self, found: DeviceSession, new: SessionPolicy, *, old: SessionPolicy | None) -> bool | None:
        """By its rates, which the page has in whole kbit/s; what a QoS profile gives by its name stands there in other words."""
        if new.rate is None or not _goes_by_rate(new) or found.rate_down_bps is None or found.rate_up_bps is None:
            return None
        down, up = int(_bits(new.rate.down)), int(_bits(new.rate.up))
        return is_same_rate(found.rate_down_bps, down) and is_same_rate(found.rate_up_bps, up)

    def setup_commands(self, setup: DeviceSetup) -> str:
        """For the user view: RADIUS, changes, QoS profiles, the domain, and the user of its command line."""
        lines = ["system-view", "radius local-ip all", "radius-server group corrente"]
        for server in setup.radius_addresses:
            source = (
                f" source ip-address {setup.nas_address}" if server.version == setup.nas_address.version == 4 else ""
            )
            lines += [
                f" radius-server authentication {server}{source} {setup.authentication_port} weight 0",
                f" radius-server accounting {server}{source} {setup.accounting_port} weight 0",
            ]
        lines += [f" radius-server shared-key-cipher {setup.secret}", " radius-server user-name original"]
        lines += [" radius-server retransmit 3 timeout 3", " commit", " quit"]
        lines += [
            f"radius-server authorization {ours} destination-port {setup.coa_port} shared-key-cipher {setup.coa_secret} "
            "server-group corrente"
            for ours in setup.change_addresses
        ]
        for name, policy in setup.device_policies.items():
            lines += [f"qos-profile {name.lower()}", *_car(policy), " quit"]
        lines += _domain(setup)
        return "\n".join([*lines, *_ssh_user(setup), "commit", "return", ""])


def _goes_by_rate(policy: SessionPolicy) -> bool:
    """Whether rates go out: they are asked for, and fit or have no QoS profile to stand in."""
    return policy.rate is not None and (policy.device_policy is None or _fits(policy))


def _fits(policy: SessionPolicy) -> bool:
    return policy.rate is not None and max(policy.rate.down.bps, policy.rate.up.bps) <= _CEILING_BPS


def _rates(policy: SessionPolicy) -> tuple[Attribute, ...]:
    if policy.rate is None or not _goes_by_rate(policy):
        return ()
    up, down = _bits(policy.rate.up), _bits(policy.rate.down)
    return (
        Attribute("Huawei-Input-Average-Rate", ":=", up),
        Attribute("Huawei-Input-Peak-Rate", ":=", up),
        Attribute("Huawei-Output-Average-Rate", ":=", down),
        Attribute("Huawei-Output-Peak-Rate", ":=", down),
    )


def _bits(rate: BitRate) -> str:
    """bit/s as they stand, held to the 32-bit ceiling: `unsupported` says where it bites."""
    return str(min(rate.bps, _CEILING_BPS))


def _car(policy: SessionPolicy) -> list[str]:
    """A QoS profile's own unit is kbit/s; rounded up."""
    if policy.rate is None:
        return [" # Yours: the rates of this profile, such as car cir 300000 pir 300000 outbound"]
    up, down = policy.rate.up.kbit, policy.rate.down.kbit
    return [f" car cir {up} pir {up} inbound", f" car cir {down} pir {down} outbound"]


def _domain(setup: DeviceSetup) -> list[str]:
    return [
        "aaa",
        " authentication-scheme corrente",
        "  authentication-mode radius",
        "  quit",
        " accounting-scheme corrente",
        "  accounting-mode radius",
        f"  accounting interim interval {setup.interim_minutes()}",
        "  accounting send-update",
        "  quit",
        " domain corrente",
        "  authentication-scheme corrente",
        "  accounting-scheme corrente",
        "  radius-server group corrente",
        *(f"  ip-pool {name}" for name in setup.ipv4_pools),
        "  quit",
        " quit",
    ]


def _ssh_user(setup: DeviceSetup) -> list[str]:
    if setup.access_username is None or setup.access_password is None:
        return []
    name = setup.access_username
    return [
        "aaa",
        f" local-user {name} password irreversible-cipher {setup.access_password}",
        f" local-user {name} service-type ssh",
        f" local-user {name} level 3",
        " quit",
        f"ssh user {name} authentication-type password",
        f"ssh user {name} service-type stelnet",
    ]


DRIVER: Final[NasDriver] = HuaweiDriver()
