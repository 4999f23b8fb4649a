"""Cisco IOS-XE (ISG): policy maps by their names, one for each direction, in Cisco-AVPair.

It takes no rates: the profile's device policy names a pair of policy maps that stand ready on the router, `NAME-in` for what
the subscriber sends and `NAME-out` for what it gets. A name that its command line does not take can't be on it: it is not sent.

Live it changes the policy maps. What is given to find a session by must all match (`auth-type all`, its default), so a change
names the username and the session alone unless that is refused.

Source: Cisco, Consolidated Configuration Guide 15.2(4)E (CoA, identification); ISG Configuration Guide, IOS XE 16.9 (RADIUS-Based
Policing); RADIUS Attributes Configuration Guide (addr-pool); output of a CSR1000V. What is UNCONFIRMED: docs/drivers/cisco_iosxe.md.
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
_LIVE: Final = ("sub-qos-policy-in", "sub-qos-policy-out")
_GROUP: Final = "CORRENTE"
# An exec level of its own: 1 can clear nothing, 15 everything.
_LEVEL: Final = 5
_SENTENCE: Final = "IOS-XE can't be told {} by RADIUS{}"
_READY: Final = ": give the profile a device policy, the name of its policy maps"
_FORM: Final = ": a name there is one word of ASCII letters, digits and . _ @ : / -"
_REFUSAL: Final = re.compile(
    r"^\s*(%\s*(?:Invalid|Incomplete|Ambiguous|Unknown|Unrecognized|Bad|Error|Authorization).*"
    r"|Command authorization failed.*)$",
    re.MULTILINE | re.IGNORECASE,
)
_NONE: Final = re.compile(r"%\s*No active Subscriber Sessions", re.IGNORECASE)
_TABLE: Final = re.compile(r"^\s*Uniq ID\s+Interface\s+State\s+Service\s+Up-time", re.MULTILINE)
_ROW: Final = re.compile(r"\s*(?P<uid>\d+)\s+\S+\s+\S+\s+\S+\s+(?P<up>[0-9a-z:]+)\s+\d+\s+(?P<name>\S+)\s*")
_DETAIL: Final = re.compile(
    r"^\s*Type: [^,\n]*, UID: (?P<uid>\d+), State: [^,\n]*, Identity: (?P<name>\S+)[^\n]*\n(?P<rest>(?:[^\n]+\n?)*)",
    re.MULTILINE,
)
_ADDRESS: Final = re.compile(r"IPv4 Address: (\d+\.\d+\.\d+\.\d+)")
_UP_TIME: Final = re.compile(r"Session Up-time: ([0-9a-z:]+)")
_CLOCK: Final = re.compile(r"(\d+):(\d\d):(\d\d)")
_LONG: Final = re.compile(r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?")


@dataclass(frozen=True, slots=True)
class Options:
    """`avpair_prefix`: what stands before sub-qos-policy-in and -out; both are seen in the field.

    `in_suffix`, `out_suffix`: what makes the names of the policy maps out of a device policy's name.
    `ipv4_pool_as`: the attribute that names the pool. `class_by_coa`: a CoA changes Class, so that accounting proves it.
    """

    avpair_prefix: Literal["ip", "subscriber"] = "ip"
    in_suffix: str = "-in"
    out_suffix: str = "-out"
    ipv4_pool_as: Literal["avpair", "framed_pool"] = "avpair"
    class_by_coa: bool = False

    def __post_init__(self) -> None:
        """Raises: ValueError for a suffix that no command line takes."""
        for suffix in (self.in_suffix, self.out_suffix):
            if not is_cli_word("x" + suffix):
                raise ValueError(f"a suffix {suffix!r} does not fit a policy map's name")


@dataclass(frozen=True, slots=True)
class CiscoIosXeCli:
    """Its exec commands. A session's own number (UID) is what ends that one alone."""

    device_type: str = "cisco_xe"

    def show_session(self, identity: SessionIdentity) -> str | None:
        """With details, for it is one."""
        return f"show subscriber session username {cli_word(identity.username, what='username')}"

    def show_all(self) -> str | None:
        """One line each: names and numbers, no addresses."""
        return "show subscriber session"

    def read_sessions(self, output: str) -> tuple[DeviceSession, ...]:
        """Both forms. Neither has Acct-Session-Id; a line without a name is a session that has not logged in yet."""
        details = tuple(_detailed(found) for found in _DETAIL.finditer(output))
        if details:
            return details
        if _TABLE.search(output):
            rows = (_ROW.fullmatch(line) for line in output.splitlines())
            return tuple(
                DeviceSession("", row["name"], up_s=read_up_s(row["up"]), local_name=row["uid"]) for row in rows if row
            )
        if _NONE.search(output) and self.refused(output) is None:
            return ()
        raise CliOutputError(f"not a list of subscriber sessions: {output[:200]!r}")

    def clear_session(self, identity: SessionIdentity, found: DeviceSession | None) -> tuple[CliStep, ...]:
        """By its number; before that is known by name, which ends all of that name. Some releases ask to confirm."""
        if found is not None:
            command = f"clear subscriber session uid {cli_word(found.local_name, what='session number')}"
        else:
            command = f"clear subscriber session username {cli_word(identity.username, what='username')}"
        return (CliStep(command, question=r"\[confirm\]|\[y(?:es)?/n(?:o)?\]", answer="y"),)

    def refused(self, output: str) -> str | None:
        """Lines with a percent sign, but for the one that says there is no session."""
        found = _REFUSAL.search(output)
        return None if found is None else found[1].strip()


@dataclass(frozen=True, slots=True)
class CiscoIosXeDriver:
    """ASR 1000, CSR 1000V and Catalyst 8000 as PPPoE access concentrator."""

    options: Options = Options()
    vendor: str = "cisco_iosxe"
    default_coa_port: int = 1700
    cli: CliDialect | None = CiscoIosXeCli()

    def login_attributes(self, policy: SessionPolicy) -> tuple[Attribute, ...]:
        """The two policy maps, the access list for what the subscriber sends, the pools."""
        said = [Attribute(_AVPAIR, "+=", pair) for pair in self._policy_maps(policy)]
        if policy.filter is not None and is_cli_word(policy.filter):
            said.append(Attribute(_AVPAIR, "+=", f"ip:inacl={policy.filter}"))
        if policy.ipv4_pool is not None and self.options.ipv4_pool_as == "framed_pool":
            said.append(Attribute("Framed-Pool", ":=", policy.ipv4_pool))
        elif policy.ipv4_pool is not None and is_cli_word(policy.ipv4_pool):
            said.append(Attribute(_AVPAIR, "+=", f"ip:addr-pool={policy.ipv4_pool}"))
        named = (
            ("Framed-IPv6-Pool", policy.ipv6_pool),
            ("Delegated-IPv6-Prefix-Pool", policy.delegated_ipv6_pool),
        )
        return (*said, *(Attribute(name, ":=", value) for name, value in named if value is not None))

    def unsupported(self, policy: SessionPolicy) -> tuple[str, ...]:
        """Rates without a device policy, address lists, names that can't be on it."""
        said = []
        if policy.address_lists:
            said.append(_SENTENCE.format("address lists", ": give restricted subscribers a device policy or a filter"))
        if policy.device_policy is None:
            wanted = (
                ("the rate", policy.rate),
                ("a burst", policy.burst),
                ("a priority", policy.priority),
                ("a minimum rate", policy.minimum),
            )
            said += [_SENTENCE.format(what, _READY) for what, value in wanted if value]
        if policy.filter is not None and not is_cli_word(policy.filter):
            said.append(_SENTENCE.format(f"the filter {policy.filter!r}", _FORM))
        pool = policy.ipv4_pool if self.options.ipv4_pool_as == "avpair" else None
        if pool is not None and not is_cli_word(pool):
            said.append(_SENTENCE.format(f"the pool {pool!r}", _FORM))
        return tuple(said)

    def change_methods(self, old: SessionPolicy | None, new: SessionPolicy | None) -> tuple[Method, ...]:
        """CoA where other policy maps are all that differs; an access list and a pool take a new login."""
        if new is None:
            return (Method.DISCONNECT, Method.CLI)
        before = None if old is None else self.login_attributes(old)
        after = self.login_attributes(new)
        if not difference(before, after).all:
            return (Method.COA,)
        same = difference(
            before and [one for one in before if not _is_live(one)], [x for x in after if not _is_live(x)]
        )
        taken_back = old is not None and old.device_policy is not None and new.device_policy is None
        if same.all or taken_back:
            return (Method.DISCONNECT, Method.CLI)
        return (Method.COA, Method.DISCONNECT, Method.CLI)

    def change_attributes(
        self, new: SessionPolicy, *, old: SessionPolicy | None = None, class_octets: bytes | None = None
    ) -> tuple[Attribute, ...]:
        """Both policy maps; the new ones take the place of the old."""
        said = tuple(Attribute(_AVPAIR, "+=", pair) for pair in self._policy_maps(new))
        return said + class_attribute(class_octets if self.options.class_by_coa else None)

    def identity_attributes(self, identity: SessionIdentity, *, detail: int) -> tuple[Attribute, ...]:
        """Few, for all that is given must match; the address beside them when those few were refused."""
        known = name_and_session(identity)
        return known + framed_address(identity) if detail == 1 else known

    def setup_commands(self, setup: DeviceSetup) -> str:
        """For its terminal, as configuration: RADIUS, AAA of PPP, changes, policy maps, access lists, the user by SSH."""
        servers = list(enumerate(setup.radius_addresses, start=1))
        lines = ["configure terminal", "aaa new-model"]
        for number, server in servers:
            lines += [
                f"radius server corrente-{number}",
                f" address ipv{server.version} {server} auth-port {setup.authentication_port} "
                f"acct-port {setup.accounting_port}",
                f" key {setup.secret}",
            ]
        lines += [f"aaa group server radius {_GROUP}", *(f" server name corrente-{number}" for number, _ in servers)]
        lines += [
            f"aaa authentication ppp default group {_GROUP}",
            f"aaa authorization network default group {_GROUP}",
            f"aaa accounting network default start-stop group {_GROUP}",
            f"aaa accounting update newinfo periodic {max(1, setup.interim_interval_s // 60)}",
            "radius-server attribute 44 include-in-access-req all",
            f"! Yours: the interface that has {setup.nas_address}, in: ip radius source-interface INTERFACE",
            "aaa server radius dynamic-author",
            *(f" client {ours} server-key {setup.coa_secret}" for ours in setup.change_addresses),
            f" port {setup.coa_port}",
            " auth-type all",
        ]
        lines += [*self._policy_map_commands(setup), *_access_lists(setup), *_user(setup)]
        lines += [
            "bba-group pppoe CORRENTE",
            " virtual-template 1",
            "interface Virtual-Template1",
            " ppp authentication pap chap ms-chap-v2",
            "end",
        ]
        return "\n".join(lines) + "\n"

    def _policy_maps(self, policy: SessionPolicy) -> tuple[str, ...]:
        if policy.device_policy is None:
            return ()
        suffixes = (self.options.in_suffix, self.options.out_suffix)
        return tuple(
            f"{self.options.avpair_prefix}:{live}={policy.device_policy}{suffix}"
            for live, suffix in zip(_LIVE, suffixes, strict=True)
        )

    def _policy_map_commands(self, setup: DeviceSetup) -> list[str]:
        lines = []
        for name, policy in setup.device_policies.items():
            up, down = (policy.rate.up, policy.rate.down) if policy.rate else (None, None)
            lines += [f"policy-map {name}{self.options.in_suffix}", " class class-default", _limit("police cir", up)]
            lines += [f"policy-map {name}{self.options.out_suffix}", " class class-default"]
            lines.append(_limit("shape average", down))
        return lines


def read_up_s(text: str) -> int | None:
    """`06:29:28`, `1d06h`, `2w3d`, `1y2w` in seconds, to what it says; None for another form."""
    clock = _CLOCK.fullmatch(text)
    if clock is not None:
        return int(clock[1]) * 3600 + int(clock[2]) * 60 + int(clock[3])
    long = _LONG.fullmatch(text)
    if long is None or not text:
        return None
    days = int(long[1] or 0) * 365 + int(long[2] or 0) * 7 + int(long[3] or 0)
    return days * 86_400 + int(long[4] or 0) * 3600


def _is_live(one: Attribute) -> bool:
    return one.name == _AVPAIR and one.value.partition("=")[0].rpartition(":")[2] in _LIVE


def _detailed(found: re.Match[str]) -> DeviceSession:
    address, up = _ADDRESS.search(found["rest"]), _UP_TIME.search(found["rest"])
    return DeviceSession(
        acct_session_id="",
        username=found["name"],
        framed_ipv4=address and address[1],
        up_s=read_up_s(up[1]) if up else None,
        local_name=found["uid"],
    )


def _limit(command: str, rate: BitRate | None) -> str:
    return "  ! Yours: what it does" if rate is None else f"  {command} {rate.bps}"


def _access_lists(setup: DeviceSetup) -> list[str]:
    """Names and the portal, nothing else."""
    lines = []
    for name in setup.filters:
        lines += [f"ip access-list extended {name}", " permit udp any any eq domain", " permit tcp any any eq domain"]
        if setup.portal_address is not None:
            lines.append(f" permit ip any host {setup.portal_address}")
        lines.append(" deny ip any any")
    return lines


def _user(setup: DeviceSetup) -> list[str]:
    """Who may show and clear sessions, and nothing else beyond an ordinary user."""
    if setup.access_username is None or setup.access_password is None:
        return []
    return [
        f"username {setup.access_username} privilege {_LEVEL} secret {setup.access_password}",
        f"privilege exec level {_LEVEL} show subscriber session",
        f"privilege exec level {_LEVEL} clear subscriber session",
    ]


DRIVER: Final[NasDriver] = CiscoIosXeDriver()
