"""A device of which nothing is known but that it speaks RADIUS: attributes of the RFCs and no others.

There is no RFC attribute for a rate, a burst or an address list: `unsupported` says so for each profile that has one.
Live it is trusted with the filter alone; pools need a new login.

Source: RFC 2865 section 5.11, RFC 2869 section 5.18, RFC 3162 section 2.6, RFC 5176 section 3, RFC 6911 section 3.4.
Next: ../dictionaries/canonical.py
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from nas_drivers.changes import (
    class_attribute,
    framed_address,
    framed_prefix,
    idle_timeout,
    ladder_for,
    name_and_session,
    nas_address,
    nas_identifier,
)
from nas_drivers.cli_dialect import CliDialect
from nas_drivers.device_setup import DeviceSetup
from nas_drivers.driver import NO_OPTIONS, NasDriver, NoOptions
from nas_drivers.inspection import Inspection
from nas_drivers.login import given_attributes
from nas_drivers.policy import Attribute, Method, SessionIdentity, SessionPolicy

_BY_COA: Final = frozenset({"Filter-Id"})
_INSPECTION: Final = Inspection(ntp="by NTP, as its manual says")
_NO_WORD: Final = "a generic device has no RADIUS attribute for {}; give the NAS its real vendor, or configure it there"


@dataclass(frozen=True, slots=True)
class GenericDriver:
    """RFC attributes only."""

    options: NoOptions = NO_OPTIONS
    vendor: str = "generic"
    default_coa_port: int = 3799
    inspection: Inspection = _INSPECTION
    cli: CliDialect | None = None

    def login_attributes(self, policy: SessionPolicy) -> tuple[Attribute, ...]:
        """Pools and the filter by their names on the device."""
        named = (
            ("Filter-Id", policy.filter),
            ("Framed-Pool", policy.ipv4_pool),
            ("Framed-IPv6-Pool", policy.ipv6_pool),
            ("Delegated-IPv6-Prefix-Pool", policy.delegated_ipv6_pool),
        )
        return given_attributes(named)

    def unsupported(self, policy: SessionPolicy) -> tuple[str, ...]:
        """Every rate, and address lists."""
        wanted = (
            ("the rate", policy.rate),
            ("a burst", policy.burst),
            ("a priority", policy.priority),
            ("a minimum rate", policy.minimum),
            ("address lists", policy.address_lists),
            ("the name of a device policy", policy.device_policy),
        )
        return tuple(_NO_WORD.format(what) for what, value in wanted if value)

    def change_methods(self, old: SessionPolicy | None, new: SessionPolicy | None) -> tuple[Method, ...]:
        """CoA where the filter alone differs, else a disconnect; there is no third way."""
        return ladder_for(old, new, self.login_attributes, by_coa=_BY_COA, cut=(Method.DISCONNECT,))

    def change_attributes(
        self, new: SessionPolicy, *, old: SessionPolicy | None = None, class_octets: bytes | None = None
    ) -> tuple[Attribute, ...]:
        """The filter, the idle timeout and Class, all in the table of RFC 5176 section 3.6."""
        named = tuple(one for one in self.login_attributes(new) if one.name in _BY_COA)
        return named + idle_timeout(new) + class_attribute(class_octets)

    def identity_attributes(self, identity: SessionIdentity, *, detail: int) -> tuple[Attribute, ...]:
        """With the NAS's own name as RFC 5176 section 3 wants it; no MAC, for each device writes it in its own way."""
        known = name_and_session(identity)
        if detail == 2:
            return known
        known += nas_address(identity) or nas_identifier(identity)
        return known + framed_address(identity) + framed_prefix(identity) if detail == 1 else known

    def setup_commands(self, setup: DeviceSetup) -> str:
        """What to enter, in no device's syntax."""
        servers = [
            f"RADIUS server {server}: authentication port {setup.authentication_port}, accounting port "
            f"{setup.accounting_port}, secret {setup.secret}"
            for server in setup.radius_addresses
        ]
        clients = [
            f"Dynamic authorization (RFC 5176) from {ours}: port {setup.coa_port}, secret {setup.coa_secret}"
            for ours in setup.change_addresses
        ]
        return "\n".join(
            [
                *servers,
                f"Source address of its requests: {setup.nas_address}",
                *clients,
                f"Interim accounting every {setup.interim_interval_s} s where the server names no interval",
                "Accounting-On at boot, Class echoed in accounting, Acct-Session-Id in the Access-Request, Gigawords sent",
                "NTP: a clock that is more than 300 s off drops every change",
                "",
            ]
        )


DRIVER: Final[NasDriver] = GenericDriver()
