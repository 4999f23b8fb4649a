"""Ericsson (Redback) SmartEdge: QoS policies by name, one a direction, and rates on top of them.

Policing is taken for what the subscriber sends, metering for what it gets: so programs in the field have it, no manual at hand
says it (UNCONFIRMED, an option). Rates go out in kbit/s, the unit of its command line, rounded up: nobody gets less than was sold.

Live it is trusted with rates and forward policy, as seen in the field; names of QoS policies only by option. Its own command
line is not used.

Source: FreeRADIUS's dictionary of vendor 2352 (attributes 4, 36, 87, 88, 92, 156, 157, 196); SmartEdge System Administrator Guide,
Configuring RADIUS 65/1543-CRA 119 1170/1-V1 ("RADIUS CoA Servers"); docs/drivers/ericsson.md.
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
from nas_drivers.policy import Attribute, BitRate, Method, RatePair, SessionIdentity, SessionPolicy

_NAME: Final = re.compile(r"[A-Za-z0-9._-]{0,60}")
_BY_COA: Final = frozenset({"QOS-Rate-Inbound", "QOS-Rate-Outbound", "Dynamic-QoS-Param", "Forward-Policy"})
_PROFILES: Final = frozenset({"Qos-Policing-Profile-Name", "Qos-Metering-Profile-Name"})
# Source: SmartEdge OS command list, `ntp server`.
_INSPECTION: Final = Inspection(ntp="ntp server NTP-SERVER")


@dataclass(frozen=True, slots=True)
class Options:
    """What is UNCONFIRMED or the operator's design; docs/drivers/ericsson.md explains each.

    Raises: ValueError for a suffix or context that no name can have, and for two directions with one name.
    """

    rate_attribute: Literal["QOS-Rate", "Dynamic-QoS-Param", "none"] = "QOS-Rate"
    policing_is_up: bool = True
    up_suffix: str = "-up"
    down_suffix: str = "-down"
    profiles_by_coa: bool = False
    filter_attribute: Literal["Forward-Policy", "Filter-Id", "none"] = "Forward-Policy"
    ipv4_pool_attribute: Literal["Framed-Pool", "Ip-Address-Pool-Name"] = "Framed-Pool"
    context: str = ""
    class_by_coa: bool = False

    def __post_init__(self) -> None:
        """Check what becomes part of a name."""
        for name in ("up_suffix", "down_suffix", "context"):
            if not _NAME.fullmatch(getattr(self, name)):
                raise ValueError(f"{name} = {getattr(self, name)!r}: expected letters, digits and . _ - alone")
        if self.up_suffix == self.down_suffix:
            raise ValueError("up_suffix: the same as down_suffix, but a QoS policy is policing or metering, never both")


@dataclass(frozen=True, slots=True)
class EricssonDriver:
    """SmartEdge OS as PPPoE access concentrator."""

    options: Options = Options()
    vendor: str = "ericsson"
    default_coa_port: int = 3799
    inspection: Inspection = _INSPECTION
    cli: CliDialect | None = None

    def login_attributes(self, policy: SessionPolicy) -> tuple[Attribute, ...]:
        """QoS policies by name, rates on top of them, then the other names."""
        profile = policy.device_policy
        up = None if profile is None else profile + self.options.up_suffix
        down = None if profile is None else profile + self.options.down_suffix
        policing, metering = (up, down) if self.options.policing_is_up else (down, up)
        named = (
            ("Qos-Policing-Profile-Name", policing),
            ("Qos-Metering-Profile-Name", metering),
            (self.options.ipv4_pool_attribute, policy.ipv4_pool),
            ("Framed-IPv6-Pool", policy.ipv6_pool),
            ("Delegated-IPv6-Prefix-Pool", policy.delegated_ipv6_pool),
        )
        said = given_attributes(named)
        if policy.filter is not None and self.options.filter_attribute != "none":
            # For what comes from the subscriber: that is what a walled garden holds back.
            said += (Attribute(self.options.filter_attribute, ":=", f"in:{policy.filter}"),)
        return said + self._rates(policy.rate)

    def unsupported(self, policy: SessionPolicy) -> tuple[str, ...]:
        """What the QoS policy has in itself, and a rate where options leave it no attribute."""
        unrated = self.options.rate_attribute == "none" and policy.device_policy is None and policy.rate
        filtered = self.options.filter_attribute == "none" and policy.filter
        wanted = (
            ("a rate", unrated, " as the options stand: give the profile the name of a QoS policy"),
            ("a burst", policy.burst, ": its QoS policy has the burst"),
            ("a priority", policy.priority, ": its QoS policy has it"),
            ("a minimum rate", policy.minimum, ": its QoS policy has it"),
            ("address lists", policy.address_lists, ": give restricted subscribers a forward policy (filter)"),
            ("a filter", filtered, " unless option filter_attribute says how"),
        )
        return cannot_be_told("SmartEdge", wanted)

    def change_methods(self, old: SessionPolicy | None, new: SessionPolicy | None) -> tuple[Method, ...]:
        """CoA where rates or forward policy alone differ, else a disconnect; there is no third way."""
        return ladder_for(old, new, self.login_attributes, by_coa=self._by_coa, cut=(Method.DISCONNECT,))

    def change_attributes(
        self, new: SessionPolicy, *, old: SessionPolicy | None = None, class_octets: bytes | None = None
    ) -> tuple[Attribute, ...]:
        """Both rates, the forward policy, and the names by option. Class only where the device is known to take it."""
        live = tuple(one for one in self.login_attributes(new) if one.name in self._by_coa)
        return live + (class_attribute(class_octets) if self.options.class_by_coa else ())

    def identity_attributes(self, identity: SessionIdentity, *, detail: int) -> tuple[Attribute, ...]:
        """With the context where the option has one: subscribers live in contexts."""
        known = name_and_session(identity)
        if self.options.context:
            known += (Attribute("Context-Name", ":=", self.options.context),)
        if detail != 1:
            return known
        return (
            known
            + framed_address(identity)
            + framed_prefix(identity)
            + nas_address(identity)
            + nas_identifier(identity)
        )

    def setup_commands(self, setup: DeviceSetup) -> str:
        """For configuration mode: RADIUS, accounting and changes of one context, and two QoS policies a device policy."""
        lines = ["configure", f"context {self.options.context or 'local'}"]
        lines += [" aaa authentication subscriber radius", " aaa accounting subscriber radius"]
        lines.append(f" aaa update subscriber {setup.interim_minutes()}")
        for server in setup.radius_addresses:
            lines += [
                f" radius server {server} key {setup.secret} port {setup.authentication_port}",
                f" radius accounting server {server} key {setup.secret} port {setup.accounting_port}",
            ]
        lines += [
            f" radius coa server {ours} key {setup.coa_secret} port {setup.coa_port}" for ours in setup.change_addresses
        ]
        lines += [
            f" ! Yours: an interface with address {setup.nas_address} as source of RADIUS packets",
            *(f" ! Yours: the addresses of pool {name}" for name in setup.ipv4_pools),
            "exit",
        ]
        for name, policy in setup.device_policies.items():
            lines += self._qos_policy(
                name + self.options.up_suffix, None if policy.rate is None else policy.rate.up, up=True
            )
            lines += self._qos_policy(
                name + self.options.down_suffix, None if policy.rate is None else policy.rate.down, up=False
            )
        lines += [f"! Yours: forward policy {name}, for what comes from the subscriber" for name in setup.filters]
        return "\n".join([*lines, "commit", "end", ""])

    def _qos_policy(self, name: str, rate: BitRate | None, *, up: bool) -> list[str]:
        kind = "policing" if up == self.options.policing_is_up else "metering"
        if rate is None:
            return [f"qos policy {name} {kind}", " ! Yours: its rate", "exit"]
        # A tenth of a second's worth in octets, no less than ten full packets.
        burst = max(15_000, rate.bps // 80)
        return [f"qos policy {name} {kind}", f" rate {rate.kbit} burst {burst}", "exit"]

    @property
    def _by_coa(self) -> frozenset[str]:
        return _BY_COA | _PROFILES if self.options.profiles_by_coa else _BY_COA

    def _rates(self, rate: RatePair | None) -> tuple[Attribute, ...]:
        """Inbound is from the subscriber; as policing and metering they go by what those are taken for."""
        if rate is None or self.options.rate_attribute == "none":
            return ()
        up, down = rate.up.kbit, rate.down.kbit
        if self.options.rate_attribute == "QOS-Rate":
            return (
                Attribute("QOS-Rate-Inbound", ":=", str(up)),
                Attribute("QOS-Rate-Outbound", ":=", str(down)),
            )
        police, meter = (up, down) if self.options.policing_is_up else (down, up)
        return (
            Attribute("Dynamic-QoS-Param", "+=", f"police-circuit-rate rate-absolute {police}"),
            Attribute("Dynamic-QoS-Param", "+=", f"meter-circuit-rate rate-absolute {meter}"),
        )


DRIVER: Final[NasDriver] = EricssonDriver()
