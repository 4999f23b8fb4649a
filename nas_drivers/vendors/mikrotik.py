"""MikroTik RouterOS: a simple queue by Mikrotik-Rate-Limit, firewall address lists, pools.

RouterOS speaks from the router's side: rx is what the subscriber sends (up), tx what it gets (down), and rx comes first.
`G` is no suffix it documents, so rates are written with `M` or `k` when they divide evenly and in plain bits otherwise.

Live it changes what its manual lists: rate limit, filter, idle timeout. Pools and
address lists are not on that list and need a new login, but for lists where its API may change them. It finds a session by name, id, address and its own NAS-IP-Address.

Source: RouterOS manual, page RADIUS, "Mikrotik-Rate-Limit", "Change of Authorization"; docs/drivers/mikrotik.md.
Next: ../dictionaries/canonical.py
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from nas_drivers.changes import (
    framed_address,
    idle_timeout,
    ladder_for,
    lists_change,
    mac_address,
    name_and_session,
    nas_address,
    nas_identifier,
)
from nas_drivers.cli_dialect import CliDialect
from nas_drivers.device_setup import DeviceSetup
from nas_drivers.driver import ChangesListsByApi, NasDriver
from nas_drivers.inspection import Inspection
from nas_drivers.login import given_attributes
from nas_drivers.policy import Attribute, BitRate, Method, RatePair, SessionIdentity, SessionPolicy

# What RouterOS itself uses when a group is left out: it must be written when a later group follows.
_NO_BURST: Final = "0/0"
_DEFAULT_BURST_TIME_S: Final = 1
_LOWEST_PRIORITY: Final = 8
# Entries are renewed at half their time: the least leaves room for a router that can't be reached for some minutes.
_LEAST_TIMEOUT_S: Final = 900
_LONGEST_TIMEOUT_S: Final = 604_800
_LISTS: Final = "Mikrotik-Address-List"
_BY_COA: Final = frozenset({"Mikrotik-Rate-Limit", "Filter-Id"})
# It is asked by its API (../routeros_setup.py), so that there is no question for a command line. Source: RouterOS manual, page NTP.
_INSPECTION: Final = Inspection(
    ntp="/system ntp client set enabled=yes, and /system ntp client servers add address=NTP-SERVER"
)


@dataclass(frozen=True, slots=True)
class Options:
    """`address_list_by_coa`: a CoA moves a live session to other address lists; its manual does not list that.

    `lists_by_api`: where a NAS has an API access, a live session is moved to other address lists by it, by entries that end by
    themselves after `list_entry_timeout_s` unless they are renewed. Units: seconds.

    `nas_address_in_changes`: changes name the NAS-IP-Address of the router's own requests, which it compares with its own.
    """

    address_list_by_coa: bool = False
    lists_by_api: bool = False
    list_entry_timeout_s: int = 3600
    nas_address_in_changes: bool = True

    def __post_init__(self) -> None:
        """Raises: ValueError."""
        if not _LEAST_TIMEOUT_S <= self.list_entry_timeout_s <= _LONGEST_TIMEOUT_S:
            raise ValueError(
                f"list_entry_timeout_s is {self.list_entry_timeout_s}; it can be {_LEAST_TIMEOUT_S} to {_LONGEST_TIMEOUT_S}"
            )
        if self.lists_by_api and self.address_list_by_coa:
            raise ValueError(
                "address lists change live by CoA (address_list_by_coa) or by API (lists_by_api), not both"
            )


@dataclass(frozen=True, slots=True)
class MikrotikDriver(ChangesListsByApi):
    """RouterOS 6 and 7 as PPPoE access concentrator. Its command line is not used: its API ends sessions."""

    options: Options = Options()
    vendor: str = "mikrotik"
    default_coa_port: int = 3799
    inspection: Inspection = _INSPECTION
    cli: CliDialect | None = None

    def login_attributes(self, policy: SessionPolicy) -> tuple[Attribute, ...]:
        """The queue, then the names: address lists (one attribute each), filter chain, pools."""
        limit = _rate_limit(policy)
        named = (
            ("Mikrotik-Rate-Limit", limit),
            ("Filter-Id", policy.filter),
            ("Framed-Pool", policy.ipv4_pool),
            ("Framed-IPv6-Pool", policy.ipv6_pool),
            ("Mikrotik-Delegated-IPv6-Pool", policy.delegated_ipv6_pool),
        )
        lists = tuple(Attribute(_LISTS, "+=", name) for name in policy.address_lists)
        return given_attributes(named) + lists

    def unsupported(self, policy: SessionPolicy) -> tuple[str, ...]:
        """What the grammar can't say, and what no manual says a router obeys."""
        sentences = []
        if policy.rate is None and (policy.burst or policy.priority or policy.minimum):
            sentences.append("RouterOS takes a burst, a priority or a minimum only beside a rate")
        if policy.rate is None and policy.device_policy:
            sentences.append("RouterOS takes rates, not the name of a device policy: give the profile its rate too")
        if len(policy.address_lists) > 1:
            sentences.append(
                "RouterOS's manual speaks of one Mikrotik-Address-List; that it takes several is UNCONFIRMED"
            )
        return tuple(sentences)

    def change_methods(self, old: SessionPolicy | None, new: SessionPolicy | None) -> tuple[Method, ...]:
        """CoA for what is on its list, else a disconnect, by the API if need be.

        Address lists by a new login too, unless they change by API beside the CoA (`live_lists`). Of a session that runs under
        something unknown it is not known which lists it must leave.
        """
        cut = (Method.DISCONNECT, Method.ROUTEROS_API)
        if not self.options.lists_by_api or old is None:
            return ladder_for(old, new, self.login_attributes, by_coa=self._by_coa, cut=cut)
        ladder = ladder_for(old, new, self._without_lists, by_coa=self._by_coa, cut=cut)
        if new is not None and ladder == (Method.COA,) and lists_change(self, old, new):
            return (Method.COA, *cut)
        return ladder

    def live_lists(self) -> int | None:
        """See ChangesListsByApi."""
        return self.options.list_entry_timeout_s if self.options.lists_by_api else None

    def without_live_lists(self) -> MikrotikDriver:
        """See ChangesListsByApi."""
        return replace(self, options=replace(self.options, lists_by_api=False))

    def change_attributes(
        self, new: SessionPolicy, *, old: SessionPolicy | None = None, class_octets: bytes | None = None
    ) -> tuple[Attribute, ...]:
        """Without Class: it is not on the manual's list."""
        return tuple(one for one in self.login_attributes(new) if one.name in self._by_coa) + idle_timeout(new)

    def identity_attributes(self, identity: SessionIdentity, *, detail: int) -> tuple[Attribute, ...]:
        """With the NAS-IP-Address that it put into its own requests: it compares (field report, UNCONFIRMED)."""
        known = name_and_session(identity)
        if detail == 2:
            return known
        known += framed_address(identity) + (nas_address(identity) if self.options.nas_address_in_changes else ())
        return known + nas_identifier(identity) + mac_address(identity, upper_case=True) if detail == 1 else known

    def setup_commands(self, setup: DeviceSetup) -> str:
        """For its terminal: RADIUS, changes, accounting, the user of its API, and the walled garden of each address list."""
        lines = [
            f"/radius add service=ppp address={server} src-address={setup.nas_address} secret={setup.secret} "
            f"authentication-port={setup.authentication_port} accounting-port={setup.accounting_port} timeout=1100ms"
            for server in setup.radius_addresses
        ]
        if setup.coa_secret != setup.secret:
            lines.append(
                "# RouterOS has one secret for an address: where both stand on one machine, leave out the CoA secret"
            )
        # It takes changes only from addresses that it knows, with the secret that stands beside them.
        lines += [
            f"/radius add address={ours} src-address={setup.nas_address} secret={setup.coa_secret}"
            for ours in setup.change_addresses
            if ours not in setup.radius_addresses
        ]
        lines += [
            f"/radius incoming set accept=yes port={setup.coa_port}",
            "/ppp aaa set use-radius=yes accounting=yes interim-update=0s use-circuit-id-in-nas-port-id=yes",
            "/system ntp client set enabled=yes",
        ]
        lines += [
            _accept(f"protocol=udp src-address={ours} dst-port={setup.coa_port}") for ours in setup.change_addresses
        ]
        return "\n".join([*lines, *_api_commands(setup), *_walled_garden(setup)]) + "\n"

    def _without_lists(self, policy: SessionPolicy) -> tuple[Attribute, ...]:
        return tuple(one for one in self.login_attributes(policy) if one.name != _LISTS)

    @property
    def _by_coa(self) -> frozenset[str]:
        return _BY_COA | {_LISTS} if self.options.address_list_by_coa else _BY_COA


def _accept(what: str) -> str:
    return f"/ip firewall filter add chain=input action=accept {what} place-before=0"


def _api_commands(setup: DeviceSetup) -> list[str]:
    """The second way in, over TLS: reads who is online, ends a session that CoA did not end."""
    if setup.access_username is None or setup.access_password is None:
        return []
    hosts = ",".join(str(ours) for ours in setup.change_addresses)
    policy = "api,read,write,!ftp,!local,!telnet,!ssh,!reboot,!policy,!winbox,!password,!web,!sniff,!sensitive,!romon"
    return [
        f"/certificate add name=api common-name={setup.nas_address} days-valid=3650",
        "/certificate sign api",
        f"/ip service set api-ssl certificate=api address={hosts} disabled=no",
        "/ip service set api disabled=yes",
        f"/user group add name=corrente policy={policy}",
        f"/user add name={setup.access_username} group=corrente address={hosts} password={setup.access_password}",
        "/certificate print detail where name=api    # its fingerprint: sha256",
    ]


def _walled_garden(setup: DeviceSetup) -> list[str]:
    """Names and the portal, nothing else."""
    lines = []
    for name in setup.address_lists:
        rule = f"/ip firewall filter add chain=forward src-address-list={name}"
        lines += [f"{rule} protocol={protocol} dst-port=53 action=accept" for protocol in ("udp", "tcp")]
        if setup.portal_address is not None:
            lines.append(f"{rule} dst-address={setup.portal_address} action=accept")
        lines.append(f"{rule} action=drop")
        if setup.portal_address is not None:
            lines.append(
                f"/ip firewall nat add chain=dstnat src-address-list={name} protocol=tcp dst-port=80 "
                f"action=dst-nat to-addresses={setup.portal_address}"
            )
    return lines


def _rate_limit(policy: SessionPolicy) -> str | None:
    """The groups of Mikrotik-Rate-Limit up to the last one that says something: none may be left out before it."""
    if policy.rate is None:
        return None
    burst = policy.burst
    threshold = policy.burst_threshold or policy.rate
    groups: list[tuple[str, object | None]] = [
        (_pair(policy.rate), policy.rate),
        (_pair(burst) if burst else _NO_BURST, burst),
        (_pair(threshold) if burst else _NO_BURST, burst and policy.burst_threshold),
        (_burst_time(policy) if burst else _NO_BURST, burst and policy.burst_time_s),
        (str(policy.priority or _LOWEST_PRIORITY), policy.priority),
        (_pair(policy.minimum) if policy.minimum else "", policy.minimum),
    ]
    while groups[-1][1] is None:
        groups.pop()
    return " ".join(text for text, _ in groups)


def _pair(rates: RatePair) -> str:
    return f"{_rate(rates.up)}/{_rate(rates.down)}"


def _rate(rate: BitRate) -> str:
    if rate.bps % 1_000_000 == 0:
        return f"{rate.bps // 1_000_000}M"
    if rate.bps % 1_000 == 0:
        return f"{rate.bps // 1_000}k"
    return str(rate.bps)


def _burst_time(policy: SessionPolicy) -> str:
    seconds = policy.burst_time_s or _DEFAULT_BURST_TIME_S
    return f"{seconds}/{seconds}"


DRIVER: Final[NasDriver] = MikrotikDriver()
