"""Cisco IOS-XE (ISG): policy maps by their names, one for each direction, in Cisco-AVPair.

It takes no rates: the profile's device policy names a pair of policy maps that stand ready on the router, `NAME-in` for what
the subscriber sends and `NAME-out` for what it gets.

Live it changes the policy maps; `auth-type all` (its default) has everything match that a change names. What it shares with
IOS-XR is in ../cisco.py.

Source: Cisco, Consolidated Configuration Guide 15.2(4)E (CoA, identification); ISG Configuration Guide, IOS XE 16.9 (RADIUS-Based
Policing) and 16.6 (ISG Accounting: `show subscriber session`); genieparser, iosxe/show_subscriber.py; output of a CSR1000V.
What is UNCONFIRMED: docs/drivers/cisco_iosxe.md.
Next: ../dictionaries/canonical.py
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from nas_drivers.changes import class_attribute, difference
from nas_drivers.cli_dialect import CliDialect, CliOutputError, CliStep, cli_word
from nas_drivers.device_session import DeviceSession, holds_names, ipv4_of, up_of
from nas_drivers.device_setup import DeviceSetup
from nas_drivers.driver import JudgesSessions, NasDriver
from nas_drivers.families import cisco
from nas_drivers.families.cisco_output import read_policy_maps, told_names
from nas_drivers.inspection import Inspection
from nas_drivers.inspections.cisco_iosxe import INSPECTION
from nas_drivers.policy import Attribute, BitRate, Method, SessionIdentity, SessionPolicy

_GROUP: Final = "CORRENTE"
# An exec level of its own: 1 can clear nothing, 15 everything.
# It is pasted by somebody who came in by SSH, perhaps: the next login must have a way in.
_LOGINS_FIRST: Final = (
    "! Yours, before the next line where it is new: how people log in, such as aaa authentication login default local"
)
_LEVEL: Final = 5
_READY: Final = "its policy maps"
_NONE: Final = re.compile(r"%\s*No active Subscriber Sessions", re.IGNORECASE)
_TABLE: Final = re.compile(r"^[ \t]*Uniq ID\s+Interface\s+State\s+Service\s+Up-time", re.MULTILINE)
_ROW: Final = re.compile(r"\s*(?P<uid>\d+)\s+\S+\s+\S+\s+\S+\s+(?P<up>[0-9a-z:]+)\s+\d+\s+(?P<name>\S+)\s*")
_DETAIL: Final = re.compile(
    r"^[ \t]*Type: [^,\n]*, UID: (?P<uid>\d+), State: [^,\n]*, Identity: (?P<name>\S+)[^\n]*\n(?P<rest>(?:[^\n]+\n?)*)"
    r"(?P<more>(?:(?!Type: )[^\n]*\n)*)",
    re.MULTILINE,
)
# What `show subscriber session` printed before, and prints to `detailed`: a flow of a session has a number and no name.
_CLASSIC: Final = re.compile(
    r"^Unique Session ID: (?P<uid>\d+)[ \t]*\n[ \t]*Identifier:[ \t]*(?P<name>\S*)[^\n]*\n(?P<rest>(?:[^\n]+\n?)*)",
    re.MULTILINE,
)
_ADDRESS: Final = re.compile(r"IPv4 Address: (\d+\.\d+\.\d+\.\d+)")
_UP_TIME: Final = re.compile(r"Session Up-time: (.+?)(?:, Last Changed|$)", re.MULTILINE)
_CLOCK: Final = re.compile(r"(\d{1,9}):(\d\d):(\d\d)")
_WORD: Final = re.compile(r"(\d{1,9}) (second|minute|hour|day|week|year)s?")
_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800, "year": 31_536_000}
_LONG: Final = re.compile(r"(?:(\d{1,9})y)?(?:(\d{1,9})w)?(?:(\d{1,9})d)?(?:(\d{1,9})h)?")


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
        """Raises: ValueError for a suffix that no command line takes, and for two that are the same."""
        cisco.check_suffixes(self.in_suffix, self.out_suffix)


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
        """All three forms. None has Acct-Session-Id; a line without a name is a session that has not logged in yet."""
        details = [*_DETAIL.finditer(output), *_CLASSIC.finditer(output)]
        if details:
            return tuple(_detailed(found) for found in details if found["name"])
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
        return (CliStep(command, question=cisco.CONFIRMATION, answer="y"),)

    def refused(self, output: str) -> str | None:
        """Lines with a percent sign, but for the one that says there is no session."""
        return cisco.refused(output)


@dataclass(frozen=True, slots=True)
class CiscoIosXeDriver(JudgesSessions):
    """ASR 1000, CSR 1000V and Catalyst 8000 as PPPoE access concentrator."""

    options: Options = Options()
    vendor: str = "cisco_iosxe"
    default_coa_port: int = 1700
    inspection: Inspection = INSPECTION
    cli: CliDialect | None = CiscoIosXeCli()

    def login_attributes(self, policy: SessionPolicy) -> tuple[Attribute, ...]:
        """The two policy maps, the access list for what the subscriber sends, the pools."""
        return self._policy_maps(policy) + self._by_login(policy)

    def unsupported(self, policy: SessionPolicy) -> tuple[str, ...]:
        """Rates without a device policy, address lists, names that can't be on it."""
        pool_as = self.options.ipv4_pool_as
        return cisco.unsupported(policy, device="IOS-XE", ready=_READY, ipv4_pool_as=pool_as)

    def change_methods(self, old: SessionPolicy | None, new: SessionPolicy | None) -> tuple[Method, ...]:
        """CoA where other policy maps are all that differs; an access list and a pool take a new login."""
        if new is None:
            return (Method.DISCONNECT, Method.CLI)
        if not difference(None if old is None else self.login_attributes(old), self.login_attributes(new)).all:
            return (Method.COA,)
        same = not difference(None if old is None else self._by_login(old), self._by_login(new)).all
        taken_back = old is not None and old.device_policy is not None and new.device_policy is None
        if not same or taken_back:
            return (Method.DISCONNECT, Method.CLI)
        return (Method.COA, Method.DISCONNECT, Method.CLI)

    def change_attributes(
        self, new: SessionPolicy, *, old: SessionPolicy | None = None, class_octets: bytes | None = None
    ) -> tuple[Attribute, ...]:
        """Both policy maps; the new ones take the place of the old."""
        return self._policy_maps(new) + class_attribute(class_octets if self.options.class_by_coa else None)

    def identity_attributes(self, identity: SessionIdentity, *, detail: int) -> tuple[Attribute, ...]:
        """Few, for all that is given must match; the address beside them when those few were refused."""
        return cisco.identity_attributes(identity, detail=detail)

    def runs_under(self, found: DeviceSession, new: SessionPolicy, *, old: SessionPolicy | None) -> bool | None:
        """By both policy maps, as the details of one session have them."""
        return holds_names(found, told_names(self.login_attributes(new)))

    def setup_commands(self, setup: DeviceSetup) -> str:
        """For its terminal, as configuration: RADIUS, AAA of PPP, changes, policy maps, access lists, the user by SSH."""
        servers = list(enumerate(setup.radius_addresses, start=1))
        lines = ["configure terminal", _LOGINS_FIRST, "aaa new-model"]
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
            f"aaa accounting update newinfo periodic {setup.interim_minutes()}",
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

    def _policy_maps(self, policy: SessionPolicy) -> tuple[Attribute, ...]:
        suffixes = (self.options.in_suffix, self.options.out_suffix)
        return cisco.policy_maps(policy.device_policy, prefix=f"{self.options.avpair_prefix}:", suffixes=suffixes)

    def _by_login(self, policy: SessionPolicy) -> tuple[Attribute, ...]:
        return cisco.names_by_login(policy, prefix="ip:", ipv4_pool_as=self.options.ipv4_pool_as)

    def _policy_map_commands(self, setup: DeviceSetup) -> list[str]:
        lines = []
        for name, policy in setup.device_policies.items():
            up, down = cisco.limits(policy)
            lines += [f"policy-map {name}{self.options.in_suffix}", " class class-default", _limit("police cir", up)]
            lines += [f"policy-map {name}{self.options.out_suffix}", " class class-default"]
            lines.append(_limit("shape average", down))
        return lines


def read_up_s(text: str) -> int | None:
    """`06:29:28`, `1d06h`, `2w3d`, `1y2w`, `3 minutes, 45 seconds` in seconds, to what it says; None for another form."""
    clock = _CLOCK.fullmatch(text)
    if clock is not None:
        return up_of(int(clock[1]) * 3600 + int(clock[2]) * 60 + int(clock[3]))
    words = [_WORD.fullmatch(part) for part in text.split(", ")]
    if all(words):
        return up_of(sum(int(word[1]) * _SECONDS[word[2]] for word in words if word))
    long = _LONG.fullmatch(text)
    if long is None or not text:
        return None
    days = int(long[1] or 0) * 365 + int(long[2] or 0) * 7 + int(long[3] or 0)
    return up_of(days * 86_400 + int(long[4] or 0) * 3600)


def _detailed(found: re.Match[str]) -> DeviceSession:
    address, up = _ADDRESS.search(found["rest"]), _UP_TIME.search(found["rest"])
    more = found.groupdict().get("more")  # the older form has its policies in words of its own
    return DeviceSession(
        acct_session_id="",
        username=found["name"],
        framed_ipv4=ipv4_of(address and address[1]),
        up_s=read_up_s(up[1]) if up else None,
        local_name=found["uid"],
        policies=None if more is None else read_policy_maps(more),
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
    """Who may show and clear sessions and show the login lists, and nothing else beyond an ordinary user."""
    if setup.access_username is None or setup.access_password is None:
        return []
    return [
        f"username {setup.access_username} privilege {_LEVEL} secret {setup.access_password}",
        f"privilege exec level {_LEVEL} show subscriber session",
        f"privilege exec level {_LEVEL} clear subscriber session",
        f"privilege exec level {_LEVEL} show aaa method-lists",
        f"! Yours: without aaa authorization exec default local, or a list of your own, that user arrives at level 1, not {_LEVEL}",
    ]


DRIVER: Final[NasDriver] = CiscoIosXeDriver()
