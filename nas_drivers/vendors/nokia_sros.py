"""Nokia 7750 SR OS: an SLA profile by its name, and overrides of its rates in kbit/s on top.

`e` is to the subscriber, `i` from it. Which queue or policer of the profile carries a subscriber's traffic is the operator's
design, so it is an option. A rate that is no whole number of kbit/s is rounded up: nobody gets less than was sold.

SR OS finds a session by the highest key that a request has, and all others must mean the same one, or it answers 503: NAS-Port-Id with
one address stands first, then Acct-Session-Id as a number. Both go out, and after a 503 Acct-Session-Id alone: a host of a retail
service, or a NAS-Port-Id with a prefix, is not found by the first.
The command line shows and never clears: a command that ends one session is UNCONFIRMED.

Source: Nokia 7750 SR RADIUS Attributes Reference Guide 14.0.R4 (3HE 10793), table 3 (attributes 12, 13, 126, 131, 181) and section
2.4.1 with table 86 (keys); 22.5.R1, "Alc-Subscriber-QoS-Override attribute details"; 23.3.R1, "RADIUS CoA and disconnect message
attributes"; MD-CLI Command Reference 23.10 (`aaa radius coa-port`); docs/drivers/nokia_sros.md.
Next: ../dictionaries/canonical.py
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final, Literal

from nas_drivers.changes import (
    class_attribute,
    framed_address,
    framed_prefix,
    ladder_for,
    name_and_session,
    nas_address,
)
from nas_drivers.cli_dialect import WORD_RULE, CliDialect, CliOutputError, CliStep, cli_word, is_cli_word
from nas_drivers.device_session import DeviceSession, holds_names, mac_of
from nas_drivers.device_setup import DeviceSetup
from nas_drivers.driver import JudgesSessions, NasDriver
from nas_drivers.inspection import Inspection
from nas_drivers.login import cannot_be_told, given_attributes
from nas_drivers.policy import Attribute, BitRate, Method, SessionIdentity, SessionPolicy

# Minutes; SR OS takes no shorter interval.
_SHORTEST_INTERIM: Final = 5
_OVERRIDE: Final = re.compile(r"[ie]:(?:[qp]:[1-9][0-9]?|a:root|s:[A-Za-z0-9._-]{1,32})|e:r")
_BY_COA: Final = frozenset({"Alc-SLA-Prof-Str", "Alc-Subsc-Prof-Str", "Alc-Subscriber-QoS-Override"})
# What lets subscribers past RADIUS (a local user database, a fallback of the authentication policy) is not looked at:
# UNCONFIRMED how a user with few rights prints it. Source: MD-CLI Command Reference 23.10, system time ntp.
_INSPECTION: Final = Inspection(ntp='/configure system time ntp server NTP-SERVER router-instance "Base"')


@dataclass(frozen=True, slots=True)
class Options:
    """What the operator's design or the release decides; docs/drivers/nokia_sros.md explains each.

    `down_override`, `up_override`: the object that carries the rate, as in the attribute: `e:q:1`, `i:p:1`, `e:r`, `i:a:root`.
    Raises: ValueError for one that is none, or in the wrong direction.
    """

    down_override: str = "e:q:1"
    up_override: str = "i:q:1"
    cir_too: bool = False
    subscriber_profile: str = ""
    longest_profile_name: int = 16
    ipv6_pool_attribute: Literal["Alc-SLAAC-IPv6-Pool", "Framed-IPv6-Pool"] = "Alc-SLAAC-IPv6-Pool"
    filter_attribute: Literal["none", "Alc-Subscriber-Filter"] = "none"
    class_by_coa: bool = False
    port_key: bool = True
    subscriber_id_is_username: bool = False

    def __post_init__(self) -> None:
        """Check what becomes part of an attribute."""
        for name, direction in (("down_override", "e"), ("up_override", "i")):
            value = getattr(self, name)
            if not _OVERRIDE.fullmatch(value) or value[0] != direction:
                raise ValueError(f"{name} = {value!r}: expected {direction}:q:1, {direction}:p:1 or the like")
        if not 1 <= self.longest_profile_name <= 253:
            raise ValueError(f"longest_profile_name = {self.longest_profile_name}: expected 1 to 253")
        if self.subscriber_profile and not is_cli_word(self.subscriber_profile):
            raise ValueError(f"subscriber_profile = {self.subscriber_profile!r}: {WORD_RULE}")
        if len(self.subscriber_profile) > self.longest_profile_name:
            raise ValueError(f"subscriber_profile = {self.subscriber_profile!r}: longer than longest_profile_name")


@dataclass(frozen=True, slots=True)
class NokiaCli:
    """Shows subscribers by their subscriber id, which is of use only where the operator made that the username."""

    subscriber_id_is_username: bool
    device_type: str = "nokia_sros"

    def show_session(self, identity: SessionIdentity) -> str | None:
        """Not known where the subscriber id is another: no filter by username is confirmed."""
        if not self.subscriber_id_is_username:
            return None
        return f"show service active-subscribers hierarchy subscriber {cli_word(identity.username, what='username')}"

    def show_all(self) -> str | None:
        """The same tree of everybody."""
        return "show service active-subscribers hierarchy" if self.subscriber_id_is_username else None

    def read_sessions(self, output: str) -> tuple[DeviceSession, ...]:
        """The sessions in the tree: subscriber id, MAC and IPv4 address. It has no session id."""
        found: list[DeviceSession] = []
        subscriber = sla = ""
        for line in output.splitlines():
            if match := _SUBSCRIBER.match(line):
                subscriber, sla = match[1], ""
            elif match := _SLA.search(line):
                sla = match[1]
            elif subscriber and (match := _SESSION.search(line)):
                found.append(DeviceSession("", subscriber, mac=mac_of(match[1]), policies=(f"sla={sla}",) * bool(sla)))
            elif found and (match := _HOST.search(line)):
                found[-1] = replace(found[-1], framed_ipv4=match[1])
        if not found and not _NOBODY.search(output):
            raise CliOutputError("the answer is no tree of active subscribers, nor says there is none")
        return tuple(found)

    def clear_session(self, identity: SessionIdentity, found: DeviceSession | None) -> tuple[CliStep, ...]:
        """No steps: UNCONFIRMED. A Disconnect-Request is the way."""
        return ()

    def refused(self, output: str) -> str | None:
        """`MINOR: …` and `Error: …`; that there is no such subscriber is none."""
        match = re.search(r"^[ \t]*(?:MINOR|MAJOR|CRITICAL|Error):.*$", output, re.MULTILINE)
        return None if match is None or _NOBODY.search(match[0]) else match[0].strip()


@dataclass(frozen=True, slots=True)
class NokiaDriver(JudgesSessions):
    """SR OS with enhanced subscriber management and direct maps of profile names."""

    options: Options = Options()
    vendor: str = "nokia_sros"
    default_coa_port: int = 3799
    inspection: Inspection = _INSPECTION

    @property
    def cli(self) -> CliDialect:
        """Its command line, which shows only."""
        return NokiaCli(self.options.subscriber_id_is_username)

    def login_attributes(self, policy: SessionPolicy) -> tuple[Attribute, ...]:
        """Profiles by name, then the overrides (one attribute each), then pools and filter."""
        shaped = policy.rate is not None or policy.device_policy is not None
        filters = policy.filter if self.options.filter_attribute == "Alc-Subscriber-Filter" else None
        named = (
            ("Alc-Subsc-Prof-Str", (self.options.subscriber_profile or None) if shaped else None),
            ("Alc-SLA-Prof-Str", policy.device_policy),
            ("Alc-Subscriber-Filter", filters),
            ("Framed-Pool", policy.ipv4_pool),
            (self.options.ipv6_pool_attribute, policy.ipv6_pool),
            ("Alc-Delegated-IPv6-Pool", policy.delegated_ipv6_pool),
        )
        said = given_attributes(named)
        if policy.rate is None:
            return said
        overrides = (
            _override(self.options.down_override, policy.rate.down, cir_too=self.options.cir_too),
            _override(self.options.up_override, policy.rate.up, cir_too=self.options.cir_too),
        )
        return said + tuple(Attribute("Alc-Subscriber-QoS-Override", "+=", text) for text in overrides)

    def unsupported(self, policy: SessionPolicy) -> tuple[str, ...]:
        """What the SLA profile has in itself, and a name that is too long for it."""
        filtered = self.options.filter_attribute == "none" and policy.filter
        wanted = (
            ("a burst", policy.burst, ": the SLA profile has its burst sizes"),
            ("a priority", policy.priority, ": the SLA profile has it"),
            ("a minimum rate", policy.minimum, ": the SLA profile has it"),
            ("address lists", policy.address_lists, ": give restricted subscribers an SLA profile with a filter"),
            ("a filter", filtered, " unless option filter_attribute says how: or put it into the SLA profile"),
        )
        said = cannot_be_told("SR OS", wanted)
        name = policy.device_policy
        if name is not None and len(name) > self.options.longest_profile_name:
            said += (
                f"SR OS takes {self.options.longest_profile_name} letters of an SLA profile's name at most; "
                f"{name} ends the login (option longest_profile_name)",
            )
        return said

    def change_methods(self, old: SessionPolicy | None, new: SessionPolicy | None) -> tuple[Method, ...]:
        """CoA where profiles and overrides alone differ, else a disconnect; there is no third way."""
        return ladder_for(old, new, self.login_attributes, by_coa=_BY_COA, cut=(Method.DISCONNECT,))

    def change_attributes(
        self, new: SessionPolicy, *, old: SessionPolicy | None = None, class_octets: bytes | None = None
    ) -> tuple[Attribute, ...]:
        """Profiles and overrides. Class only where the device is known to take it."""
        live = tuple(one for one in self.login_attributes(new) if one.name in _BY_COA)
        return live + (class_attribute(class_octets) if self.options.class_by_coa else ())

    def identity_attributes(self, identity: SessionIdentity, *, detail: int) -> tuple[Attribute, ...]:
        """NAS-Port-Id with one address or prefix, neither of them a key alone, then Acct-Session-Id."""
        known = name_and_session(identity)
        address = framed_address(identity) + framed_prefix(identity)
        port = (Attribute("NAS-Port-Id", ":=", identity.nas_port_id),) if identity.nas_port_id and address else ()
        if (self.options.port_key and port and detail != 2) or detail == 1:
            known += address + port
        return known + nas_address(identity) if detail == 1 else known

    def runs_under(self, found: DeviceSession, new: SessionPolicy, *, old: SessionPolicy | None) -> bool | None:
        """By the SLA profile in the tree, which has no overrides: where there is one, another profile alone is telling."""
        if new.device_policy is None:
            return None
        holds = holds_names(found, frozenset({f"sla={new.device_policy}"}))
        return None if holds and new.rate is not None else holds

    def setup_commands(self, setup: DeviceSetup) -> str:
        """For the MD-CLI: RADIUS, changes, both policies, and an SLA profile for each device policy."""
        lines = ["edit-config exclusive"]
        for place, server in enumerate(setup.radius_addresses, start=1):
            lines += [
                f'/configure router "Base" radius server "corrente-{place}" address {server} secret {setup.secret} '
                f"auth-port {setup.authentication_port} acct-port {setup.accounting_port} accept-coa true",
                f'/configure aaa radius server-policy "corrente" servers server {place} server-name "corrente-{place}"',
            ]
        if setup.coa_secret != setup.secret:
            lines.append(
                "# SR OS has one secret for an address: where both stand on one machine, leave out the CoA secret"
            )
        lines += [
            f'/configure router "Base" radius server "corrente-coa-{place}" address {ours} secret {setup.coa_secret} '
            "accept-coa true"
            for place, ours in enumerate(setup.change_addresses, start=1)
            if ours not in setup.radius_addresses
        ]
        lines += _policies(setup)
        subscribers = f'/configure subscriber-mgmt sub-profile "{self.options.subscriber_profile or "corrente"}"'
        lines.append(f'{subscribers} radius-accounting policy ["corrente"]')
        for name, policy in setup.device_policies.items():
            lines += self._sla_profile(name, policy)
        return "\n".join([*lines, "commit", ""])

    def _sla_profile(self, name: str, policy: SessionPolicy) -> list[str]:
        """With QoS policies of the same name, for a design of one queue or policer a direction; others are yours."""
        lines = []
        for way, override in (("egress", self.options.down_override), ("ingress", self.options.up_override)):
            kind, number = {"q": "queue", "p": "policer"}.get(override[2]), override.rpartition(":")[2]
            if kind is None:
                lines.append(f'# Yours: QoS policy sap-{way} "{name}", for override {override}')
            else:
                rate = None if policy.rate is None else policy.rate.down if way == "egress" else policy.rate.up
                pir = "max" if rate is None else str(rate.kbit)
                lines.append(f'/configure qos sap-{way} "{name}" {kind} {number} rate pir {pir}')
            lines.append(f'/configure subscriber-mgmt sla-profile "{name}" {way} qos sap-{way} policy-name "{name}"')
        return lines


def _policies(setup: DeviceSetup) -> list[str]:
    minutes = setup.interim_minutes(shortest=_SHORTEST_INTERIM)
    servers = '/configure aaa radius server-policy "corrente"'
    login = '/configure subscriber-mgmt radius-authentication-policy "corrente"'
    accounting = '/configure subscriber-mgmt radius-accounting-policy "corrente"'
    maps = '/configure subscriber-mgmt sub-ident-policy "corrente"'
    return [
        f"/configure aaa radius coa-port {setup.coa_port}",
        f'{servers} servers router-instance "Base" source-address {setup.nas_address}',
        f"{servers} acct-on-off",
        f'{login} radius-server-policy "corrente"',
        f"{login} pppoe-access-method pap-chap",
        f"{login} include-radius-attribute circuit-id true remote-id true mac-address true nas-identifier true",
        f"{login} include-radius-attribute acct-session-id type session",
        f"{login} include-radius-attribute calling-station-id type mac",
        f"{login} include-radius-attribute nas-port-id",
        f'{accounting} radius-server-policy "corrente"',
        f"{accounting} session-id-format number",
        f"{accounting} session-accounting admin-state enable interim-update true host-update true",
        f"{accounting} update-interval interval {minutes}",
        f"{accounting} include-radius-attribute user-name true std-acct-attributes true acct-delay-time true",
        f"{accounting} include-radius-attribute framed-ip-address true framed-ipv6-prefix true delegated-ipv6-prefix true",
        f"{accounting} include-radius-attribute mac-address true nas-identifier true sla-profile true sub-profile true",
        f"{accounting} include-radius-attribute nas-port-id",
        f"{maps} sla-profile-map use-direct-map-as-default true",
        f"{maps} sub-profile-map use-direct-map-as-default true",
    ]


def _override(target: str, rate: BitRate, *, cir_too: bool) -> str:
    """`e:q:1:pir=300000`; the objects above queues and policers call it `rate`."""
    if target[2] not in "qp":
        return f"{target}:rate={rate.kbit}"
    return f"{target}:pir={rate.kbit},cir={rate.kbit}" if cir_too else f"{target}:pir={rate.kbit}"


_NOBODY: Final = re.compile(r"No Such Subscriber|Number of active subscribers\s*:\s*0\b", re.IGNORECASE)
# `-- NAME` at the margin; below it `PPP-session - mac:…` and `|-- 100.64.0.5 - IPCP`.
_SUBSCRIBER: Final = re.compile(r"-- (\S+)\s*$")
_SESSION: Final = re.compile(r"(?:PPP|IPOE)-session - mac:([0-9a-fA-F:]{17})\b")
# `+-- sap:[1/1/c2/1:201.100] - sla:home-300` above the sessions that run under it.
_SLA: Final = re.compile(r"-- sap:\[\S+\] - sla:(\S+)\s*$")
_HOST: Final = re.compile(r"-- ([0-9]{1,3}(?:\.[0-9]{1,3}){3}) - (?:IPCP|DHCP)\b")

DRIVER: Final[NasDriver] = NokiaDriver()
