"""ZTE ZXR10 M6000 and its like: sustained rates in 32 bits, or QoS profiles by name, one a direction.

Nearly all of it is UNCONFIRMED: no manual of its RADIUS attributes was at hand. Programs in the field send the rates in bit/s (some)
and in kbit/s (others), so the unit is an option; its default is the one by which a wrong guess leaves nobody without a line.
Nothing is changed live unless an option says that the device does it: a change is a new login. Its command line is not used.

Source: FreeRADIUS's dictionary of vendor 3902 (attributes 82, 83, 89, 94, 228 to 237); ZXROSNG command reference, AAA (templates);
docs/drivers/zte.md.
Next: ../dictionaries/canonical.py
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
from nas_drivers.device_setup import DeviceSetup
from nas_drivers.driver import NasDriver
from nas_drivers.inspection import Inspection
from nas_drivers.login import cannot_be_told, given_attributes
from nas_drivers.policy import Attribute, BitRate, Method, SessionIdentity, SessionPolicy

_LARGEST: Final = 2**32 - 1
_UNIT_BPS: Final = {"bit/s": 1, "kbit/s": 1_000}
_SUFFIX: Final = re.compile(r"[A-Za-z0-9._-]{0,20}")
_PROFILES: Final = frozenset(
    {"ZTE-QOS-Profile-Up", "ZTE-QoS-Profile-Down", "ZTE-QoS-Profile-Up-v6", "ZTE-QoS-Profile-Down-v6"}
)
_RATES: Final = frozenset(
    {"ZTE-Rate-Ctrl-SCR-Up", "ZTE-Rate-Ctrl-SCR-Down", "ZTE-Rate-Ctrl-SCR-Up-v6", "ZTE-Rate-Ctrl-SCR-Down-v6"}
)
# UNCONFIRMED. Source: ZXR10 command manual, `ntp server`.
_INSPECTION: Final = Inspection(ntp="ntp server NTP-SERVER")


@dataclass(frozen=True, slots=True)
class Options:
    """All UNCONFIRMED; docs/drivers/zte.md explains each. Raises: ValueError for a suffix that no name can have."""

    rate_unit: Literal["bit/s", "kbit/s"] = "bit/s"
    ipv6_twins: bool = False
    up_suffix: str = ""
    down_suffix: str = ""
    filter_attribute: Literal["none", "Filter-Id"] = "none"
    qos_by_coa: bool = False
    class_by_coa: bool = False

    def __post_init__(self) -> None:
        """Check what becomes part of a profile's name."""
        for name in ("up_suffix", "down_suffix"):
            if not _SUFFIX.fullmatch(getattr(self, name)):
                raise ValueError(f"{name} = {getattr(self, name)!r}: expected at most 20 letters, digits and . _ -")


@dataclass(frozen=True, slots=True)
class ZteDriver:
    """A ZTE access concentrator, as far as its dictionary tells."""

    options: Options = Options()
    vendor: str = "zte"
    default_coa_port: int = 3799
    inspection: Inspection = _INSPECTION
    cli: CliDialect | None = None

    def login_attributes(self, policy: SessionPolicy) -> tuple[Attribute, ...]:
        """A rate each direction or a QoS profile each, never both, then the names."""
        up, down = self._rate_words(policy) if self._goes_by_rate(policy) else (None, None)
        profile = None if self._goes_by_rate(policy) else policy.device_policy
        profile_up = None if profile is None else profile + self.options.up_suffix
        profile_down = None if profile is None else profile + self.options.down_suffix
        v6 = self.options.ipv6_twins
        named = (
            ("ZTE-Rate-Ctrl-SCR-Up", up),
            ("ZTE-Rate-Ctrl-SCR-Down", down),
            ("ZTE-Rate-Ctrl-SCR-Up-v6", up if v6 else None),
            ("ZTE-Rate-Ctrl-SCR-Down-v6", down if v6 else None),
            ("ZTE-QOS-Profile-Up", profile_up),
            ("ZTE-QoS-Profile-Down", profile_down),
            ("ZTE-QoS-Profile-Up-v6", profile_up if v6 else None),
            ("ZTE-QoS-Profile-Down-v6", profile_down if v6 else None),
            ("Filter-Id", policy.filter if self.options.filter_attribute == "Filter-Id" else None),
            ("Framed-Pool", policy.ipv4_pool),
            ("Framed-IPv6-Pool", policy.ipv6_pool),
            ("Delegated-IPv6-Prefix-Pool", policy.delegated_ipv6_pool),
        )
        return given_attributes(named)

    def unsupported(self, policy: SessionPolicy) -> tuple[str, ...]:
        """What has no attribute that is understood, and a rate that 32 bits don't hold."""
        filtered = self.options.filter_attribute == "none" and policy.filter
        wanted = (
            ("a burst", policy.burst, ": the units of its burst attributes are UNCONFIRMED; a QoS profile has them"),
            ("a priority", policy.priority, ": a QoS profile has it"),
            ("a minimum rate", policy.minimum, ": a QoS profile has it"),
            ("address lists", policy.address_lists, ": give restricted subscribers a pool or QoS profile of their own"),
            ("a filter", filtered, " unless option filter_attribute says how"),
        )
        said = cannot_be_told("ZTE", wanted)
        if self._goes_by_rate(policy) and not self._fits(policy):
            said += (
                f"ZTE's rates end at {_LARGEST} {self.options.rate_unit}, which is what goes out: "
                "give the profile the name of a QoS profile",
            )
        return said

    def change_methods(self, old: SessionPolicy | None, new: SessionPolicy | None) -> tuple[Method, ...]:
        """A disconnect, unless an option trusts CoA with rates and QoS profiles; there is no third way."""
        return ladder_for(old, new, self.login_attributes, by_coa=self._by_coa, cut=(Method.DISCONNECT,))

    def change_attributes(
        self, new: SessionPolicy, *, old: SessionPolicy | None = None, class_octets: bytes | None = None
    ) -> tuple[Attribute, ...]:
        """Both rates or both names, by option alone."""
        live = tuple(one for one in self.login_attributes(new) if one.name in self._by_coa)
        return live + (class_attribute(class_octets) if self.options.class_by_coa else ())

    def identity_attributes(self, identity: SessionIdentity, *, detail: int) -> tuple[Attribute, ...]:
        """Name, id and address: RFC 5176 section 3. What it compares is UNCONFIRMED."""
        known = name_and_session(identity)
        if detail == 2:
            return known
        known += framed_address(identity)
        return (
            known if detail == 0 else known + framed_prefix(identity) + nas_address(identity) + nas_identifier(identity)
        )

    def setup_commands(self, setup: DeviceSetup) -> str:
        """Groups and AAA templates; what is UNCONFIRMED stands as a remark of what to enter."""
        lines = ["configure terminal"]
        for kind, port in (("authentication", setup.authentication_port), ("accounting", setup.accounting_port)):
            lines.append(f"radius {kind}-group corrente")
            lines += [
                f"  server {place} {server} master key {setup.secret} port {port}"
                for place, server in enumerate(setup.radius_addresses, start=1)
            ]
            lines += [f"  nas-ip-address {setup.nas_address}", "exit"]
        lines += [
            *("aaa-authentication-template 2001", "  aaa-authentication-type radius"),
            *("  authentication-radius-group corrente", "exit"),
            *("aaa-authorization-template 2001", "  aaa-authorization-type radius"),
            *("  authorization-radius-group corrente", "exit"),
            *("aaa-accounting-template 2001", "  aaa-accounting-type radius"),
            *("  accounting-radius-group first corrente", "exit"),
        ]
        lines += [
            f"! Yours: dynamic authorization (RFC 5176) from {ours}, port {setup.coa_port}, secret {setup.coa_secret}"
            for ours in setup.change_addresses
        ]
        lines.append(
            f"! Yours: interim accounting every {setup.interim_interval_s} s where the server names no interval"
        )
        for name, policy in setup.device_policies.items():
            up = down = "its rate"
            if policy.rate is not None:
                up, down = f"{policy.rate.up.kbit} kbit/s", f"{policy.rate.down.kbit} kbit/s"
            lines += [
                f"! Yours: QoS profile {name}{self.options.up_suffix} with {up} up",
                f"! Yours: QoS profile {name}{self.options.down_suffix} with {down} down",
            ]
        return "\n".join([*lines, "end", ""])

    @property
    def _by_coa(self) -> frozenset[str]:
        return _RATES | _PROFILES if self.options.qos_by_coa else frozenset()

    def _units(self, rate: BitRate) -> int:
        """In the option's unit, rounded up."""
        return rate.in_units(_UNIT_BPS[self.options.rate_unit])

    def _fits(self, policy: SessionPolicy) -> bool:
        return policy.rate is not None and max(self._units(policy.rate.down), self._units(policy.rate.up)) <= _LARGEST

    def _goes_by_rate(self, policy: SessionPolicy) -> bool:
        return policy.rate is not None and (policy.device_policy is None or self._fits(policy))

    def _rate_words(self, policy: SessionPolicy) -> tuple[str | None, str | None]:
        """Up and down, held to 32 bits: `unsupported` says where that bites."""
        if policy.rate is None:
            return None, None
        return str(min(self._units(policy.rate.up), _LARGEST)), str(min(self._units(policy.rate.down), _LARGEST))


DRIVER: Final[NasDriver] = ZteDriver()
