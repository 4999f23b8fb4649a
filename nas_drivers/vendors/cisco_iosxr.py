"""Cisco IOS-XR (ASR 9000 BNG): policy maps or services by their names, in Cisco-AVPair.

It takes no rates: the profile's device policy names a pair of policy maps that stand ready on the router, or a service (a
dynamic template that holds them and more). Of services the old one is ended and the new one begun in one request, which the
router carries out as a unit and undoes as well as it can. What it shares with IOS-XE is in ../cisco.py.

Source: Cisco, ASR 9000 BNG Configuration Guide 5.2.x (Account Operations, Multi-Action CoA); document 212353; ASR9000/XR: BNG VSA's and
Services (Cisco community 3141601); xrdocs, Cloud Native BNG tutorials (RADIUS profiles of an ASR 9000: `subscriber:`); output of an
IOS-XRv 9000. What is UNCONFIRMED: docs/drivers/cisco_iosxr.md.
Next: ../dictionaries/canonical.py
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from nas_drivers.changes import class_attribute, difference
from nas_drivers.cli_dialect import CliDialect, is_cli_word
from nas_drivers.device_session import DeviceSession, holds_names, holds_service
from nas_drivers.device_setup import DeviceSetup
from nas_drivers.driver import JudgesSessions, NasDriver
from nas_drivers.families import cisco
from nas_drivers.families.cisco_output import told_names
from nas_drivers.families.iosxr_cli import CiscoIosXrCli
from nas_drivers.inspection import Inspection
from nas_drivers.inspections.cisco_iosxr import INSPECTION
from nas_drivers.policy import Attribute, BitRate, Method, SessionIdentity, SessionPolicy

_ACTIVATE: Final = "subscriber:sa="
_DEACTIVATE: Final = "subscriber:sd="
_UPDATE: Final = "subscriber:command=account-update"
_GROUP: Final = "CORRENTE"
_READY: Final = "its policy maps or service"


@dataclass(frozen=True, slots=True)
class Options:
    """`device_policy_as`: a device policy's name is that of a pair of policy maps, or of a service.

    `avpair_prefix`: what stands before sub-qos-policy-in and -out and the access lists; all three are seen in the field.
    `in_suffix`, `out_suffix`: what makes the names of the policy maps out of a device policy's name.
    `account_update`: a CoA with policy maps says that it is an account update, as the guide's table has it.
    `ipv4_pool_as`: the attribute that names the pool. `class_by_coa`: a CoA changes Class, so that accounting proves it.
    `ipv6_filters`: a filter's name is sent for IPv6 too, where it must exist.
    `silence_is_none`: the router lists no session by saying nothing but the time.
    """

    device_policy_as: Literal["policy_map", "service"] = "policy_map"
    avpair_prefix: Literal["ip", "subscriber", "none"] = "subscriber"
    in_suffix: str = "-in"
    out_suffix: str = "-out"
    account_update: bool = True
    ipv4_pool_as: Literal["avpair", "framed_pool"] = "avpair"
    class_by_coa: bool = False
    ipv6_filters: bool = False
    silence_is_none: bool = False

    def __post_init__(self) -> None:
        """Raises: ValueError for a suffix that no command line takes, and for two that are the same."""
        cisco.check_suffixes(self.in_suffix, self.out_suffix)


@dataclass(frozen=True, slots=True)
class CiscoIosXrDriver(JudgesSessions):
    """ASR 9000 and IOS-XRv 9000 as Broadband Network Gateway."""

    options: Options = Options()
    vendor: str = "cisco_iosxr"
    default_coa_port: int = 1700
    inspection: Inspection = INSPECTION

    @property
    def cli(self) -> CliDialect:
        """Its command line, as this installation's answers."""
        return CiscoIosXrCli(self.options.silence_is_none)

    def login_attributes(self, policy: SessionPolicy) -> tuple[Attribute, ...]:
        """Policy maps or the service, then what only a login carries."""
        return self._live(policy) + self._by_login(policy)

    def unsupported(self, policy: SessionPolicy) -> tuple[str, ...]:
        """Rates without a device policy, address lists, names that can't be on it."""
        pool_as = self.options.ipv4_pool_as
        return cisco.unsupported(policy, device="IOS-XR", ready=_READY, ipv4_pool_as=pool_as)

    def change_methods(self, old: SessionPolicy | None, new: SessionPolicy | None) -> tuple[Method, ...]:
        """CoA where the device policy is all that differs; a service whose predecessor is not known takes a new login."""
        if new is None:
            return (Method.DISCONNECT, Method.CLI)
        if not difference(None if old is None else self.login_attributes(old), self.login_attributes(new)).all:
            return (Method.COA,)
        same = not difference(None if old is None else self._by_login(old), self._by_login(new)).all
        # A policy map takes the place of another; it is not known what takes it away. A service is ended by its name.
        if self.options.device_policy_as == "service":
            can_follow = old is not None
        else:
            can_follow = new.device_policy is not None or old is None or old.device_policy is None
        if same and can_follow:
            return (Method.COA, Method.DISCONNECT, Method.CLI)
        return (Method.DISCONNECT, Method.CLI)

    def change_attributes(
        self, new: SessionPolicy, *, old: SessionPolicy | None = None, class_octets: bytes | None = None
    ) -> tuple[Attribute, ...]:
        """Both policy maps, or the service that ends before the one that begins."""
        said = self._live(new)
        if self.options.device_policy_as == "service":
            ended = old.device_policy if old is not None else None
            if ended == new.device_policy:
                said = ()
            elif ended is not None:
                said = (cisco.avpair(_DEACTIVATE + ended), *said)
        elif said and self.options.account_update:
            said = (cisco.avpair(_UPDATE), *said)
        return said + class_attribute(class_octets if self.options.class_by_coa else None)

    def identity_attributes(self, identity: SessionIdentity, *, detail: int) -> tuple[Attribute, ...]:
        """Few, for all that is given must match; the address beside them when those few were refused."""
        return cisco.identity_attributes(identity, detail=detail)

    def runs_under(self, found: DeviceSession, new: SessionPolicy, *, old: SessionPolicy | None) -> bool | None:
        """By both policy maps or by the service, as its interface has them."""
        wanted, before = (told_names(() if one is None else self.login_attributes(one)) for one in (new, old))
        if self.options.device_policy_as == "policy_map":
            return holds_names(found, wanted)
        return holds_service(found, next(iter(wanted), None), ended=next(iter(before), None))

    def setup_commands(self, setup: DeviceSetup) -> str:
        """For its terminal, as configuration to commit: RADIUS, AAA, changes, policy maps, PPPoE, the user by SSH."""
        lines = ["configure terminal"]
        servers = [
            f"{server} auth-port {setup.authentication_port} acct-port {setup.accounting_port}"
            for server in setup.radius_addresses
        ]
        for server in servers:
            lines += [f"radius-server host {server}", f" key 0 {setup.secret}", "!"]
        lines += [f"aaa group server radius {_GROUP}", *(f" server {server}" for server in servers), "!"]
        lines += [
            f"! Yours: the interface that has {setup.nas_address}, in: radius source-interface INTERFACE vrf default",
            *(
                f"aaa {what} subscriber default group {_GROUP}"
                for what in ("authentication", "authorization", "accounting")
            ),
            "aaa server radius dynamic-author",
            f" port {setup.coa_port}",
        ]
        for ours in setup.change_addresses:
            lines += [f" client {ours} vrf default", f"  server-key 0 {setup.coa_secret}", " !"]
        lines += ["!", *self._policy_map_commands(setup), *_access_lists(setup), *_pppoe(setup)]
        if setup.access_username is not None and setup.access_password is not None:
            lines += _user(setup.access_username, setup.access_password)
        return "\n".join([*lines, "commit", "end"]) + "\n"

    def _live(self, policy: SessionPolicy) -> tuple[Attribute, ...]:
        name = policy.device_policy
        if name is None:
            return ()
        if self.options.device_policy_as == "service":
            return (cisco.avpair(_ACTIVATE + name),)
        suffixes = (self.options.in_suffix, self.options.out_suffix)
        return cisco.policy_maps(name, prefix=self._prefix, suffixes=suffixes)

    def _by_login(self, policy: SessionPolicy) -> tuple[Attribute, ...]:
        said = cisco.names_by_login(policy, prefix=self._prefix, ipv4_pool_as=self.options.ipv4_pool_as)
        if not self.options.ipv6_filters or policy.filter is None or not is_cli_word(policy.filter):
            return said
        return (*said, cisco.avpair(f"{self._prefix}ipv6_inacl={policy.filter}"))

    @property
    def _prefix(self) -> str:
        return "" if self.options.avpair_prefix == "none" else f"{self.options.avpair_prefix}:"

    def _policy_map_commands(self, setup: DeviceSetup) -> list[str]:
        lines, ways = [], (self.options.in_suffix, self.options.out_suffix)
        for name, policy in setup.device_policies.items():
            up, down = cisco.limits(policy)
            lines += _policy_map(name + ways[0], "police rate", up) + _policy_map(name + ways[1], "shape average", down)
            if self.options.device_policy_as == "service":
                lines += ["dynamic-template", f" type service {name}", f"  service-policy input {name}{ways[0]}"]
                lines += [f"  service-policy output {name}{ways[1]}", " !", "!"]
        return lines


def _policy_map(name: str, command: str, rate: BitRate | None) -> list[str]:
    limit = ["  ! Yours: what it does"] if rate is None else [f"  {command} {rate.bps} bps"]
    # A police is a block of its own.
    closed = ["  !"] if command.startswith("police") and rate is not None else []
    return [f"policy-map {name}", " class class-default", *limit, *closed, " !", " end-policy-map", "!"]


def _access_lists(setup: DeviceSetup) -> list[str]:
    """Names and the portal, nothing else."""
    lines = []
    for name in setup.filters:
        lines += [f"ipv4 access-list {name}", " 10 permit udp any any eq domain", " 20 permit tcp any any eq domain"]
        if setup.portal_address is not None:
            lines.append(f" 30 permit ipv4 any host {setup.portal_address}")
        lines += [" 40 deny ipv4 any any", "!"]
    return lines


def _user(name: str, password: str) -> list[str]:
    """Who may look, and clear what belongs to the task `network`: a task group of its own beside the predefined `operator`."""
    return [
        *(f"taskgroup {_GROUP}", " task read network", " task execute network", "!"),
        *(f"usergroup {_GROUP}", f" taskgroup {_GROUP}", "!"),
        *(f"username {name}", " group operator", f" group {_GROUP}", f" secret 0 {password}", "!"),
    ]


def _pppoe(setup: DeviceSetup) -> list[str]:
    return [
        "dynamic-template",
        f" type ppp {_GROUP}",
        "  ppp authentication chap pap ms-chap",
        f"  accounting aaa list default type session periodic-interval {setup.interim_minutes()}",
        *("  ! Yours: ipv4 unnumbered INTERFACE, ppp ipcp peer-address pool POOL", " !", "!"),
        *(f"class-map type control subscriber match-any {_GROUP}", " match protocol ppp", " end-class-map", "!"),
        f"policy-map type control subscriber {_GROUP}",
        *(" event session-start match-first", f"  class type control subscriber {_GROUP} do-until-failure"),
        *(f"   10 activate dynamic-template {_GROUP}", "  !", " !"),
        *(" event session-activate match-first", f"  class type control subscriber {_GROUP} do-until-failure"),
        *("   10 authenticate aaa list default", "  !", " !", " end-policy-map", "!"),
        *(f"pppoe bba-group {_GROUP}", " service selection disable", "!"),
    ]


DRIVER: Final[NasDriver] = CiscoIosXrDriver()
