"""Juniper MX (Junos): services by their names in ERX-Service-Activate, filters by ERX-Ingress-Policy-Name.

A profile's device policy names a service, a dynamic profile that stands ready on the router. A service that takes the rates as
arguments can stand for profiles that have a rate alone (`rate_service`): exact bit/s, so nothing is rounded.

A new service does not take the place of the old one: a change ends the old and begins the new in one request, so it must be
known which one runs; from 16.1R4 on the router ends before it begins, whatever the order. A username alone changes only the first session
that logged in with it: Acct-Session-Id always goes along.

Source: Junos 13.1, "RADIUS-Initiated Change of Authorization (CoA) Overview" and "Juniper Networks VSAs Supported by the AAA Service
Framework"; 13.2, "RADIUS IETF Attributes Supported by the AAA Service Framework" (Dynamic CoA) and "clear network-access aaa
subscriber"; Feature Explorer 6605 (16.1R4); "Verifying and Managing Subscriber AAA Information"; `show subscribers` of an MX960 and an
MX204. What is UNCONFIRMED: docs/drivers/juniper_mx.md.
Next: ../dictionaries/canonical.py
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from nas_drivers.changes import class_attribute, difference, framed_address, name_and_session
from nas_drivers.cli_dialect import CliDialect, is_cli_word
from nas_drivers.device_session import DeviceSession, holds_service
from nas_drivers.device_setup import DeviceSetup
from nas_drivers.driver import JudgesSessions, NasDriver
from nas_drivers.families.junos_cli import JuniperMxCli
from nas_drivers.inspection import Inspection
from nas_drivers.inspections.juniper_mx import INSPECTION
from nas_drivers.login import cannot_be_told, given_attributes
from nas_drivers.policy import Attribute, Method, RatePair, SessionIdentity, SessionPolicy

# Tagged, as RFC 2868 has it: with a tag for each service. There is one at most.
_ACTIVATE: Final = "ERX-Service-Activate:1"
_DEACTIVATE: Final = "ERX-Service-Deactivate"
_FILTER: Final = "ERX-Ingress-Policy-Name"
_IPV6_FILTER: Final = "ERX-IPv6-Ingress-Policy-Name"
_BY_COA: Final = frozenset({_ACTIVATE, _FILTER, _IPV6_FILTER})
_NAME: Final = "corrente"
_CLI: Final = JuniperMxCli()
_UNIT: Final = 'pp0 unit "$junos-interface-unit"'
_READY: Final = ": give the profile a device policy, the name of a service"
# 50 ms at the rate, and never less than ten packets.
_BURST_PARTS: Final = 20
_SMALLEST_BURST_OCTETS: Final = 15_000
# Minutes; Junos takes no shorter interval.
_SHORTEST_INTERIM: Final = 10


@dataclass(frozen=True, slots=True)
class Options:
    """`rate_service`: the service that takes rates as arguments, for profiles without a device policy; empty: there is none.

    `rate_order`: the order of those two arguments. `ipv6_filters`: a filter's name is sent for IPv6 too, where it must exist.
    `class_by_coa`: a CoA changes Class, so that accounting proves it; Juniper's table says that none does.
    """

    rate_service: str = ""
    rate_order: Literal["up_down", "down_up"] = "up_down"
    ipv6_filters: bool = False
    class_by_coa: bool = False

    def __post_init__(self) -> None:
        """Raises: ValueError for a service's name that no command line takes."""
        if self.rate_service and not is_cli_word(self.rate_service):
            raise ValueError(f"a service {self.rate_service!r} can't be on the router: one plain word")


@dataclass(frozen=True, slots=True)
class JuniperMxDriver(JudgesSessions):
    """MX series as broadband edge, with dynamic PPPoE interfaces."""

    options: Options = Options()
    vendor: str = "juniper_mx"
    default_coa_port: int = 3799
    inspection: Inspection = INSPECTION
    cli: CliDialect | None = _CLI

    def login_attributes(self, policy: SessionPolicy) -> tuple[Attribute, ...]:
        """The service, the filters for what the subscriber sends, the pools."""
        named = (
            (_ACTIVATE, self._service(policy)),
            (_FILTER, policy.filter),
            (_IPV6_FILTER, policy.filter if self.options.ipv6_filters else None),
            ("Framed-Pool", policy.ipv4_pool),
            ("ERX-IPv6-NdRa-Pool-Name", policy.ipv6_pool),
            ("ERX-IPv6-Delegated-Pool-Name", policy.delegated_ipv6_pool),
        )
        return given_attributes(named)

    def unsupported(self, policy: SessionPolicy) -> tuple[str, ...]:
        """Rates for which there is no service, what a service's arguments leave out, address lists."""
        wanted: list[tuple[str, object, str]] = [
            ("address lists", policy.address_lists, ": give restricted subscribers a device policy or a filter")
        ]
        if policy.device_policy is None:
            wanted += [
                ("the rate", policy.rate and not self.options.rate_service, f"{_READY}, or set rate_service"),
                ("a burst", policy.burst, _READY),
                ("a priority", policy.priority, _READY),
                ("a minimum rate", policy.minimum, _READY),
            ]
        return cannot_be_told("Junos", wanted)

    def change_methods(self, old: SessionPolicy | None, new: SessionPolicy | None) -> tuple[Method, ...]:
        """CoA where service and filters are all that differs; a service whose predecessor is not known takes a new login."""
        if new is None:
            return (Method.DISCONNECT, Method.CLI)
        differs = difference(None if old is None else self.login_attributes(old), self.login_attributes(new))
        if not differs.all:
            return (Method.COA,)
        followed = old is not None or self._service(new) is None
        if followed and differs.changed <= _BY_COA and differs.withdrawn <= {_ACTIVATE}:
            return (Method.COA, Method.DISCONNECT, Method.CLI)
        return (Method.DISCONNECT, Method.CLI)

    def change_attributes(
        self, new: SessionPolicy, *, old: SessionPolicy | None = None, class_octets: bytes | None = None
    ) -> tuple[Attribute, ...]:
        """The service that ends, by its name alone, before the one that begins; the filters as they are to be."""
        ended, begun = (None if old is None else self._service(old)), self._service(new)
        said = [one for one in self.login_attributes(new) if one.name in _BY_COA - {_ACTIVATE}]
        if ended != begun:
            if ended is not None:
                said.append(Attribute(_DEACTIVATE, ":=", ended.partition("(")[0]))
            if begun is not None:
                said.append(Attribute(_ACTIVATE, ":=", begun))
        return (*said, *class_attribute(class_octets if self.options.class_by_coa else None))

    def identity_attributes(self, identity: SessionIdentity, *, detail: int) -> tuple[Attribute, ...]:
        """The two that it looks at, the session id above all; the address beside them when those were refused."""
        known = name_and_session(identity)
        return known + framed_address(identity) if detail == 1 else known

    def runs_under(self, found: DeviceSession, new: SessionPolicy, *, old: SessionPolicy | None) -> bool | None:
        """By its service's name: arguments and filters stand there in other words."""
        begun, ended = (None if one is None else self._service(one) for one in (new, old))
        other_filter = old is None or old.filter != new.filter
        if other_filter or any("(" in name for name in (begun, ended) if name):
            return None
        return holds_service(found, begun, ended=ended)

    def setup_commands(self, setup: DeviceSetup) -> str:
        """For configuration mode, or `load set terminal`: RADIUS, access profile, services, filters, PPPoE, the user by SSH."""
        lines = []
        if setup.coa_secret != setup.secret:
            lines.append(
                "# Junos has one secret for an address: where both stand on one machine, leave out the CoA secret"
            )
        for server in setup.radius_addresses:
            lines.append(
                f"set access radius-server {server} port {setup.authentication_port} "
                f"accounting-port {setup.accounting_port} secret {setup.secret} source-address {setup.nas_address}"
            )
        others = [ours for ours in setup.change_addresses if ours not in setup.radius_addresses]
        if others:
            lines.append("# It takes changes only from its authentication servers, and asks them too")
        lines += [f"set access radius-server {ours} secret {setup.coa_secret}" for ours in others]
        servers = (*setup.radius_addresses, *others)
        lines += [f"set access radius-server {ours} dynamic-request-port {setup.coa_port}" for ours in servers]
        profile = f"set access profile {_NAME}"
        lines += [
            f"{profile} authentication-order radius",
            f"{profile} radius authentication-server [ {' '.join(str(one) for one in servers)} ]",
            f"{profile} radius accounting-server [ {' '.join(str(one) for one in setup.radius_addresses)} ]",
            f"{profile} radius options nas-identifier {setup.nas_name}",
            f"{profile} radius options accounting-session-id-format decimal",
            f"{profile} accounting order radius",
            f"{profile} accounting immediate-update",
            f"{profile} accounting coa-immediate-update",
            f"{profile} accounting update-interval {setup.interim_minutes(shortest=_SHORTEST_INTERIM)}",
            f"{profile} accounting statistics volume-time",
            f"set access-profile {_NAME}",
            *_pppoe(has_filters=bool(setup.filters)),
        ]
        for name, policy in setup.device_policies.items():
            lines += _service_commands(name, policy.rate)
        if self.options.rate_service:
            lines.append(
                f"# Yours: the dynamic profile {self.options.rate_service} with two variables, {self.options.rate_order}"
            )
        return "\n".join([*lines, *_filters(setup), *_user(setup)]) + "\n"

    def _service(self, policy: SessionPolicy) -> str | None:
        """What begins it. Units: arguments in bit/s."""
        if policy.device_policy is not None or policy.rate is None or not self.options.rate_service:
            return policy.device_policy
        up, down = policy.rate.up.bps, policy.rate.down.bps
        first, second = (up, down) if self.options.rate_order == "up_down" else (down, up)
        return f"{self.options.rate_service}({first},{second})"


def _pppoe(*, has_filters: bool) -> list[str]:
    unit = f"set dynamic-profiles {_NAME} interfaces {_UNIT}"
    lines = [
        f"{unit} ppp-options pap",
        f"{unit} ppp-options chap",
        f'{unit} pppoe-options underlying-interface "$junos-underlying-interface"',
        f"{unit} pppoe-options server",
        f"{unit} keepalives interval 30",
        f"{unit} family inet unnumbered-address lo0.0",
    ]
    return [*lines, f'{unit} family inet filter input "$junos-input-filter"'] if has_filters else lines


def _service_commands(name: str, rate: RatePair | None) -> list[str]:
    lines = []
    for way, limit in (("input", rate.up if rate else None), ("output", rate.down if rate else None)):
        own, term = f"{name}-{way}", f"set firewall family inet filter {name}-{way} term all then"
        lines += [f"set dynamic-profiles {name} interfaces {_UNIT} family inet filter {way} {own}"]
        lines += [f"set firewall family inet filter {own} interface-specific"]
        if limit is None:
            lines.append(f"# Yours: what {own} does")
        else:
            burst = max(_SMALLEST_BURST_OCTETS, limit.bps // 8 // _BURST_PARTS)
            policer = f"set firewall policer {own}"
            lines += [f"{policer} if-exceeding bandwidth-limit {limit.bps} burst-size-limit {burst}"]
            lines += [f"{policer} then discard", f"{term} policer {own}"]
        lines.append(f"{term} accept")
    return lines


def _filters(setup: DeviceSetup) -> list[str]:
    """Names and the portal, nothing else."""
    lines = []
    for name in setup.filters:
        base = f"set firewall family inet filter {name}"
        lines += [f"{base} interface-specific", f"{base} term names from protocol [ udp tcp ]"]
        lines += [f"{base} term names from destination-port 53", f"{base} term names then accept"]
        if setup.portal_address is not None:
            lines += [f"{base} term portal from destination-address {setup.portal_address}"]
            lines += [f"{base} term portal then accept"]
        lines.append(f"{base} term rest then discard")
    return lines


def _user(setup: DeviceSetup) -> list[str]:
    """Who may show and clear subscribers, and see the configuration without its secrets."""
    if setup.access_username is None or setup.access_password is None:
        return []
    may = "(show subscribers.*)|(clear network-access aaa subscriber.*)"
    user = f"set system login user {setup.access_username}"
    return [
        f"set system login class {_NAME} permissions [ view view-configuration ]",
        f'set system login class {_NAME} allow-commands "{may}"',
        f"{user} class {_NAME}",
        f"{user} authentication plain-text-password-value {setup.access_password}",
    ]


DRIVER: Final[NasDriver] = JuniperMxDriver()
