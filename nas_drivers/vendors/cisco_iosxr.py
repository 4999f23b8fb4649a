"""Cisco IOS-XR (ASR 9000 BNG): policy maps or services by their names, in Cisco-AVPair.

It takes no rates: the profile's device policy names a pair of policy maps that stand ready on the router, or a service (a
dynamic template that holds them and more). Of services the old one is ended and the new one begun in one request, which the
router carries out as a unit and undoes as well as it can. A name that its command line does not take can't be on it: it is not sent.

What is given to find a session by must all match, so a change names the username and the session alone unless that is refused.

Source: Cisco, ASR 9000 BNG Configuration Guide 5.2.x (Account Operations, Multi-Action CoA); document 212353; ASR9000/XR: BNG VSA's and
Services (Cisco community 3141601); output of an IOS-XRv 9000. What is UNCONFIRMED: docs/drivers/cisco_iosxr.md.
Next: ../dictionaries/canonical.py
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from nas_drivers.changes import class_attribute, difference, framed_address, name_and_session
from nas_drivers.cli_dialect import CliDialect, CliOutputError, CliStep, cli_word, is_cli_word
from nas_drivers.device_session import DeviceSession
from nas_drivers.device_setup import DeviceSetup
from nas_drivers.driver import NasDriver
from nas_drivers.policy import Attribute, BitRate, Method, SessionIdentity, SessionPolicy

_AVPAIR: Final = "Cisco-AVPair"
_IN: Final = "sub-qos-policy-in"
_OUT: Final = "sub-qos-policy-out"
_ACTIVATE: Final = "subscriber:sa="
_DEACTIVATE: Final = "subscriber:sd="
_UPDATE: Final = "subscriber:command=account-update"
_GROUP: Final = "CORRENTE"
_SENTENCE: Final = "IOS-XR can't be told {} by RADIUS{}"
_READY: Final = ": give the profile a device policy, the name of its policy maps or service"
_FORM: Final = ": a name there is one word of ASCII letters, digits and . _ @ : / -"
_REFUSAL: Final = re.compile(
    r"^\s*(%\s*(?:Invalid|Incomplete|Ambiguous|Unknown|Unrecognized|Bad|Error|This command is not authorized).*)$",
    re.MULTILINE | re.IGNORECASE,
)
_NONE: Final = re.compile(
    r"^\s*%?\s*No (?:matching |active )?(?:subscriber )?sessions?\b", re.MULTILINE | re.IGNORECASE
)
_BLOCK: Final = re.compile(r"^[ \t]*Interface:[ \t]+(?P<interface>\S+)[ \t]*\n", re.MULTILINE)
_FIELD: Final = re.compile(
    r"^[ \t]*(IPv4 Address|Mac Address|Account-Session Id|User name):[ \t]+([^\s,]+)", re.MULTILINE
)
_DOTTED_MAC: Final = re.compile(r"[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}")


@dataclass(frozen=True, slots=True)
class Options:
    """`device_policy_as`: a device policy's name is that of a pair of policy maps, or of a service.

    `avpair_prefix`: what stands before sub-qos-policy-in and -out; all three are seen in the field.
    `in_suffix`, `out_suffix`: what makes the names of the policy maps out of a device policy's name.
    `account_update`: a CoA with policy maps says that it is an account update, as the guide's table has it.
    `ipv4_pool_as`: the attribute that names the pool. `class_by_coa`: a CoA changes Class, so that accounting proves it.
    """

    device_policy_as: Literal["policy_map", "service"] = "policy_map"
    avpair_prefix: Literal["ip", "subscriber", "none"] = "ip"
    in_suffix: str = "-in"
    out_suffix: str = "-out"
    account_update: bool = False
    ipv4_pool_as: Literal["avpair", "framed_pool"] = "avpair"
    class_by_coa: bool = False

    def __post_init__(self) -> None:
        """Raises: ValueError for a suffix that no command line takes."""
        for suffix in (self.in_suffix, self.out_suffix):
            if not is_cli_word("x" + suffix):
                raise ValueError(f"a suffix {suffix!r} does not fit a policy map's name")


@dataclass(frozen=True, slots=True)
class CiscoIosXrCli:
    """Its exec commands. A session is ended by its interface, which only a look at it tells."""

    device_type: str = "cisco_xr"

    def show_session(self, identity: SessionIdentity) -> str | None:
        """With details, for its table has no names."""
        return f"show subscriber session filter username {cli_word(identity.username, what='username')} detail"

    def show_all(self) -> str | None:
        """With details, for its table has no names."""
        return "show subscriber session all detail"

    def read_sessions(self, output: str) -> tuple[DeviceSession, ...]:
        """One for each block that begins with its interface; those without a name have not logged in yet."""
        starts = list(_BLOCK.finditer(output))
        if not starts:
            if _NONE.search(output) and self.refused(output) is None:
                return ()
            raise CliOutputError(f"not a list of subscriber sessions with details: {output[:200]!r}")
        ends = [start.start() for start in starts[1:]] + [len(output)]
        blocks = [
            _session(start["interface"], output[start.end() : end]) for start, end in zip(starts, ends, strict=True)
        ]
        return tuple(one for one in blocks if one.username.lower() not in ("", "unknown"))

    def clear_session(self, identity: SessionIdentity, found: DeviceSession | None) -> tuple[CliStep, ...]:
        """By its interface; none when that is not known."""
        if found is None:
            return ()
        interface = cli_word(found.local_name, what="session's interface")
        command = f"clear subscriber session identifier interface {interface}"
        return (CliStep(command, question=r"\[confirm\]|\[y(?:es)?/n(?:o)?\]", answer="y"),)

    def refused(self, output: str) -> str | None:
        """Lines with a percent sign that speak of the command."""
        found = _REFUSAL.search(output)
        return None if found is None else found[1].strip()


@dataclass(frozen=True, slots=True)
class CiscoIosXrDriver:
    """ASR 9000 and IOS-XRv 9000 as Broadband Network Gateway."""

    options: Options = Options()
    vendor: str = "cisco_iosxr"
    default_coa_port: int = 1700
    cli: CliDialect | None = CiscoIosXrCli()

    def login_attributes(self, policy: SessionPolicy) -> tuple[Attribute, ...]:
        """Policy maps or the service, then what only a login carries."""
        return self._live(policy) + self._by_login(policy)

    def unsupported(self, policy: SessionPolicy) -> tuple[str, ...]:
        """Rates without a device policy, address lists, names that can't be on it."""
        other = ": give restricted subscribers a device policy or a filter"
        wanted: list[tuple[str, object, str]] = [("address lists", policy.address_lists, other)]
        if policy.device_policy is None:
            wanted += [
                ("the rate", policy.rate, _READY),
                ("a burst", policy.burst, _READY),
                ("a priority", policy.priority, _READY),
                ("a minimum rate", policy.minimum, _READY),
            ]
        pool = policy.ipv4_pool if self.options.ipv4_pool_as == "avpair" else None
        for what, name in (("filter", policy.filter), ("pool", pool)):
            wanted.append((f"the {what} {name!r}", name is not None and not is_cli_word(name), _FORM))
        return tuple(_SENTENCE.format(what, instead) for what, value, instead in wanted if value)

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
                said = (_avpair(_DEACTIVATE + ended), *said)
        elif said and self.options.account_update:
            said = (_avpair(_UPDATE), *said)
        return said + class_attribute(class_octets if self.options.class_by_coa else None)

    def identity_attributes(self, identity: SessionIdentity, *, detail: int) -> tuple[Attribute, ...]:
        """Few, for all that is given must match; the address beside them when those few were refused."""
        known = name_and_session(identity)
        return known + framed_address(identity) if detail == 1 else known

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
            lines += [f"username {setup.access_username}", " group netadmin", f" secret 0 {setup.access_password}", "!"]
        return "\n".join([*lines, "commit", "end"]) + "\n"

    def _live(self, policy: SessionPolicy) -> tuple[Attribute, ...]:
        name = policy.device_policy
        if name is None:
            return ()
        if self.options.device_policy_as == "service":
            return (_avpair(_ACTIVATE + name),)
        prefix = "" if self.options.avpair_prefix == "none" else f"{self.options.avpair_prefix}:"
        return (
            _avpair(f"{prefix}{_IN}={name}{self.options.in_suffix}"),
            _avpair(f"{prefix}{_OUT}={name}{self.options.out_suffix}"),
        )

    def _by_login(self, policy: SessionPolicy) -> tuple[Attribute, ...]:
        said = []
        if policy.filter is not None and is_cli_word(policy.filter):
            said.append(_avpair(f"ip:inacl={policy.filter}"))
        if policy.ipv4_pool is not None and self.options.ipv4_pool_as == "framed_pool":
            said.append(Attribute("Framed-Pool", ":=", policy.ipv4_pool))
        elif policy.ipv4_pool is not None and is_cli_word(policy.ipv4_pool):
            said.append(_avpair(f"ip:addr-pool={policy.ipv4_pool}"))
        if policy.ipv6_pool is not None:
            said.append(Attribute("Framed-IPv6-Pool", ":=", policy.ipv6_pool))
        if policy.delegated_ipv6_pool is not None:
            said.append(Attribute("Delegated-IPv6-Prefix-Pool", ":=", policy.delegated_ipv6_pool))
        return tuple(said)

    def _policy_map_commands(self, setup: DeviceSetup) -> list[str]:
        lines, ways = [], (self.options.in_suffix, self.options.out_suffix)
        for name, policy in setup.device_policies.items():
            up, down = (policy.rate.up, policy.rate.down) if policy.rate else (None, None)
            lines += _policy_map(name + ways[0], "police rate", up) + _policy_map(name + ways[1], "shape average", down)
            if self.options.device_policy_as == "service":
                lines += ["dynamic-template", f" type service {name}", f"  service-policy input {name}{ways[0]}"]
                lines += [f"  service-policy output {name}{ways[1]}", " !", "!"]
        return lines


def _avpair(text: str) -> Attribute:
    return Attribute(_AVPAIR, "+=", text)


def _session(interface: str, block: str) -> DeviceSession:
    """The first of each field: what stands further down is of the policies that ran."""
    fields: dict[str, str] = {}
    for name, value in _FIELD.findall(block):
        fields.setdefault(name, value)
    mac = fields.get("Mac Address", "").lower()
    return DeviceSession(
        acct_session_id=fields.get("Account-Session Id", ""),
        username=fields.get("User name", ""),
        framed_ipv4=fields.get("IPv4 Address"),
        mac=mac.replace(".", "") if _DOTTED_MAC.fullmatch(mac) else "",
        local_name=interface,
    )


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


def _pppoe(setup: DeviceSetup) -> list[str]:
    return [
        "dynamic-template",
        f" type ppp {_GROUP}",
        "  ppp authentication chap pap ms-chap",
        f"  accounting aaa list default type session periodic-interval {max(1, setup.interim_interval_s // 60)}",
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
