"""What a device is configured with so that it and Corrente know each other: filled in by whoever prints the commands. Pure.

Every word of it is fit for a command line, so a vendor file writes them as they stand.

Next: vendors/mikrotik.py
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address

from nas_drivers.cli_dialect import WORD_RULE, CliWordError, cli_word, is_cli_word
from nas_drivers.policy import SessionPolicy

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSetup:
    """One device and this installation, as they face each other. Units: seconds.

    `nas_address` is the device's own address, from which it asks. `change_addresses` are ours that changes come from.
    `policies` are the profiles in use. `access_username` is whom we come as by API or SSH, None where we don't.
    Raises: CliWordError for a name or a secret that no command line takes as it stands.
    """

    nas_name: str
    nas_address: Address
    radius_addresses: tuple[Address, ...]
    change_addresses: tuple[Address, ...]
    secret: str
    coa_secret: str
    coa_port: int
    authentication_port: int = 1812
    accounting_port: int = 1813
    interim_interval_s: int = 600
    policies: tuple[SessionPolicy, ...] = ()
    portal_address: Address | None = None
    access_username: str | None = None
    access_password: str | None = None

    def __post_init__(self) -> None:
        """Check every word."""
        cli_word(self.nas_name, what="the NAS's name")
        for what, secret in (
            ("RADIUS secret", self.secret),
            ("CoA secret", self.coa_secret),
            ("password", self.access_password),
        ):
            if secret is not None and not is_cli_word(secret):
                raise CliWordError(f"{self.nas_name}: its {what} {WORD_RULE}; give it another one to have the commands")
        if self.access_username is not None:
            cli_word(self.access_username, what="the user")
        for policy in self.policies:
            names = (
                policy.device_policy,
                policy.ipv4_pool,
                policy.ipv6_pool,
                policy.delegated_ipv6_pool,
                policy.filter,
            )
            for name in (*policy.address_lists, *names):
                if name is not None:
                    cli_word(name, what="a profile's")

    def interim_minutes(self, *, shortest: int = 1) -> int:
        """The interim interval for a device that counts it in minutes, no shorter than it takes."""
        return max(shortest, self.interim_interval_s // 60)

    @property
    def device_policies(self) -> dict[str, SessionPolicy]:
        """The named policies that must be ready on the device, each with the first profile that names it."""
        found: dict[str, SessionPolicy] = {}
        for policy in self.policies:
            if policy.device_policy is not None:
                found.setdefault(policy.device_policy, policy)
        return found

    @property
    def address_lists(self) -> tuple[str, ...]:
        """The firewall lists that profiles put subscribers into."""
        return _once(name for policy in self.policies for name in policy.address_lists)

    @property
    def ipv4_pools(self) -> tuple[str, ...]:
        """The IPv4 pools that profiles name."""
        return _once(policy.ipv4_pool for policy in self.policies)

    @property
    def filters(self) -> tuple[str, ...]:
        """The filters that profiles name."""
        return _once(policy.filter for policy in self.policies)


def fit_policies(policies: Iterable[SessionPolicy]) -> tuple[tuple[SessionPolicy, ...], tuple[str, ...]]:
    """The policies without the names that no command line takes as they stand, and those names.

    One pool with a blank in its name must not keep a device from all its other commands; whoever prints them says what is
    left out.
    """
    left_out: list[str] = []

    def fits(name: str | None) -> bool:
        if name is not None and not is_cli_word(name):
            left_out.append(name)
        return name is not None and is_cli_word(name)

    fitting = tuple(
        replace(
            policy,
            address_lists=tuple(name for name in policy.address_lists if fits(name)),
            device_policy=policy.device_policy if fits(policy.device_policy) else None,
            ipv4_pool=policy.ipv4_pool if fits(policy.ipv4_pool) else None,
            ipv6_pool=policy.ipv6_pool if fits(policy.ipv6_pool) else None,
            delegated_ipv6_pool=policy.delegated_ipv6_pool if fits(policy.delegated_ipv6_pool) else None,
            filter=policy.filter if fits(policy.filter) else None,
        )
        for policy in policies
    )
    return fitting, _once(left_out)


def _once(names: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name is not None))
