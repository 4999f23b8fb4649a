"""A simulated device of any vendor with Anna's session and another one, without a socket; and our words as octets of its dictionary."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Final

from support.simulated_sessions import IDENTITY, accept, change_request, live_session, table_of

from nas_drivers.dictionaries.canonical import canonical_value
from nas_drivers.dictionaries.reader import Dictionary, load_dictionary
from nas_drivers.driver import driver_for
from nas_drivers.policy import Attribute, SessionIdentity, SessionPolicy
from nas_drivers.simulated import codec
from nas_drivers.simulated.behaviour import Change, Decision, DeviceBehaviour, Policies, behaviour_for
from nas_drivers.simulated.requests import station_id
from nas_drivers.simulated.session import Session, Terms
from nas_drivers.simulated.traffic import Rates

_MBIT: Final = 1_000_000
# What stands ready on the device: the policies that tests/support/conformance.py and the suites name.
READY: Final[Policies] = {
    "home-300": Rates(down_bps=300 * _MBIT, up_bps=30 * _MBIT),
    "home-100": Rates(down_bps=100 * _MBIT, up_bps=10 * _MBIT),
    "walled": Rates(down_bps=1 * _MBIT, up_bps=1 * _MBIT),
    "fiber-10g": Rates(down_bps=10_000 * _MBIT, up_bps=5_000 * _MBIT),
}


@lru_cache(maxsize=1)
def freeradius_dictionary() -> Dictionary:
    """What the attributes are called and numbered there."""
    return load_dictionary("/usr/share/freeradius/dictionary")


def on_wire(attributes: Iterable[Attribute]) -> bytes:
    """The attributes as octets, by FreeRADIUS's dictionary: nothing of our encoder is used."""
    return b"".join(_encoded(attribute) for attribute in attributes)


def _encoded(attribute: Attribute) -> bytes:
    name, _, tag = attribute.name.partition(":")
    found = freeradius_dictionary().attribute(name)
    assert found is not None, attribute
    text = canonical_value(found, attribute.value)
    number = found.number | (found.vendor.number << 8 if found.vendor else 0)
    match found.kind:
        case "string":
            # RFC 2868 section 3.3: the tag is the first octet.
            return codec.octets(number, (bytes((int(tag),)) if tag else b"") + text.replace("\\\\", "\\").encode())
        case "integer":
            return codec.octets(number, struct.pack("!I", int(text)))
        case "octets":
            return codec.octets(number, bytes.fromhex(text[2:]))
        case "ipaddr":
            return codec.octets(number, IPv4Address(text).packed)
        case "ipv6addr":
            return codec.octets(number, IPv6Address(text).packed)
        case "ipv6prefix":
            prefix = IPv6Network(text)
            return codec.octets(number, bytes((0, prefix.prefixlen)) + prefix.network_address.packed)
    raise AssertionError(f"{attribute.name} is {found.kind}")


@dataclass
class OneSession:
    """A device on which Anna has logged in under a policy, by our driver's words."""

    vendor: str
    policy: SessionPolicy
    behaviour: DeviceBehaviour = field(init=False)
    terms: Terms = field(init=False)
    session: Session = field(init=False)

    def __post_init__(self) -> None:
        """Her login."""
        self.behaviour = behaviour_for(self.vendor, READY)
        self.session = live_session("81000001", "anna", port=0xAB)
        self.session.calling_station_id = station_id("0200000000ab", self.behaviour.habits)
        words = driver_for(self.vendor).login_attributes(self.policy)
        self.terms = self.behaviour.login_terms(accept(on_wire(words)))
        assert self.terms.fails is None, self.terms.fails
        self.session.take_on(self.terms, 0.0)
        if self.terms.rates is None:
            self.session.meter.change(Rates(), 0.0)

    def identified(self, detail: int = 0) -> tuple[Attribute, ...]:
        """How our driver names her session."""
        known = SessionIdentity("anna", "81000001", framed_ipv4=self.session.address)
        return driver_for(self.vendor).identity_attributes(known, detail=detail)

    def asked(self, code: int, attributes: Iterable[Attribute]) -> Decision:
        """What the device decides, which has Bruno's session too."""
        other = live_session("81000002", "bruno", address="100.64.0.2", port=8)
        request = change_request(code, on_wire(attributes))
        return self.behaviour.decide(request, table_of(self.session, other), IDENTITY)

    def carry_out(self, change: Change) -> None:
        """The change takes effect."""
        for session, terms in change.changes:
            session.take_on(terms, 1.0)

    def state(self) -> tuple[object, ...]:
        """All that a policy makes of a session; pools and lists are given at login alone."""
        one, login = self.session, self.terms
        now = (one.rates, one.policy_up, one.policy_down, sorted(one.services), one.filter)
        return (*now, login.pool, login.ipv6_pool, login.delegated_pool, login.address_lists)
