"""What it takes to bring a session from one policy to another, told by what a device would be told of each. Pure.

The vendor files say which attributes may change while a session runs; this says what differs between two answers.
Next: vendors/mikrotik.py
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address

from nas_drivers.driver import ChangesListsByApi, NasDriver
from nas_drivers.policy import Attribute, Method, SessionIdentity, SessionPolicy


@dataclass(frozen=True, slots=True)
class Difference:
    """Names of attributes: those that have another value now, and those that are said no more."""

    changed: frozenset[str]
    withdrawn: frozenset[str]

    @property
    def all(self) -> frozenset[str]:
        """Every name that differs."""
        return self.changed | self.withdrawn

    def is_covered_by(self, names: frozenset[str]) -> bool:
        """Whether sending these alone brings it about: a CoA-Request can give a new value, and take none back."""
        return not self.withdrawn and self.changed <= names


def difference(old: Iterable[Attribute] | None, new: Iterable[Attribute]) -> Difference:
    """What differs; without `old`, when it is not known, all that `new` says."""
    before, after = _values(old or ()), _values(new)
    return Difference(
        changed=frozenset(name for name, values in after.items() if before.get(name) != values),
        withdrawn=frozenset(before.keys() - after.keys()),
    )


def ladder_for(
    old: SessionPolicy | None,
    new: SessionPolicy | None,
    login_attributes: Callable[[SessionPolicy], Iterable[Attribute]],
    *,
    by_coa: frozenset[str],
    cut: tuple[Method, ...],
) -> tuple[Method, ...]:
    """The ladder on a device that takes new values of the attributes `by_coa` live; `cut` are its ways to end a session.

    `old` None: not known what it runs under; `new` None: the session must end. See NasDriver.change_methods.
    """
    if new is None:
        return cut
    differs = difference(None if old is None else login_attributes(old), login_attributes(new))
    if not differs.all:
        return (Method.COA,)
    return (Method.COA, *cut) if differs.is_covered_by(by_coa) else cut


def way_to(driver: NasDriver, old: SessionPolicy | None, new: SessionPolicy | None) -> tuple[Method, ...]:
    """The ladder as it is gone: the vendor's, but no CoA goes out that would change nothing. Empty: nothing is to be sent.

    A CoA-Request with the identity alone is refused by some devices (402, 404), and its acknowledgement proves nothing. So where
    nothing differs that such a device is told, the session follows as it is, without a packet; where it is not known what it
    runs under, or something differs that no CoA brings, a new login does it.
    Source: RFC 5176 section 2.2: a CoA-Request changes session authorizations.
    """
    ladder = driver.change_methods(old, new)
    if new is None or ladder[0] is not Method.COA or changes_something(driver, old, new):
        return ladder
    return ladder[1:] if old is not None else driver.change_methods(None, None)


def changes_something(driver: NasDriver, old: SessionPolicy | None, new: SessionPolicy) -> bool:
    """Whether the step COA from `old` to `new` does anything: by a packet, or by lists that are known to change beside it."""
    return coa_says_something(driver, old, new) or (old is not None and lists_change(driver, old, new))


def coa_says_something(driver: NasDriver, old: SessionPolicy | None, new: SessionPolicy) -> bool:
    """Whether a CoA from `old` to `new` would say anything that it would not say of `old`."""
    before = () if old is None else driver.change_attributes(old)
    return bool(set(driver.change_attributes(new, old=old)) - set(before))


def lists_change(driver: NasDriver, old: SessionPolicy | None, new: SessionPolicy) -> bool:
    """Whether address lists change by API from `old` to `new`, or may: what a session of unknown policy stands in is not known."""
    if not isinstance(driver, ChangesListsByApi) or driver.live_lists() is None:
        return False
    return old is None or set(old.address_lists) != set(new.address_lists)


def idle_timeout(policy: SessionPolicy) -> tuple[Attribute, ...]:
    """The one timeout that can be changed live without harm.

    Session-Timeout is none: whether a device counts a new one from the login or from now is UNCONFIRMED, so an old session
    may end at once, and a whole cohort that is given the same one redials in the same second. The next login carries it.
    """
    return () if policy.idle_timeout_s is None else (Attribute("Idle-Timeout", ":=", str(policy.idle_timeout_s)),)


def class_attribute(class_octets: bytes | None) -> tuple[Attribute, ...]:
    """A new Class, if there is one. Source: RFC 5176 section 3.6."""
    return () if class_octets is None else (Attribute("Class", ":=", "0x" + class_octets.hex()),)


def name_and_session(identity: SessionIdentity) -> tuple[Attribute, ...]:
    """The two that every request carries. Source: RFC 5176 section 3."""
    return (
        Attribute("User-Name", ":=", identity.username),
        Attribute("Acct-Session-Id", ":=", identity.acct_session_id),
    )


def framed_address(identity: SessionIdentity) -> tuple[Attribute, ...]:
    """The session's IPv4 address."""
    return () if identity.framed_ipv4 is None else (Attribute("Framed-IP-Address", ":=", str(identity.framed_ipv4)),)


def framed_prefix(identity: SessionIdentity) -> tuple[Attribute, ...]:
    """The session's IPv6 prefix, where it has no IPv4 address to be found by. Source: RFC 5176 section 3."""
    if identity.framed_ipv4 is not None or identity.framed_ipv6_prefix is None:
        return ()
    return (Attribute("Framed-IPv6-Prefix", ":=", str(identity.framed_ipv6_prefix)),)


def nas_address(identity: SessionIdentity) -> tuple[Attribute, ...]:
    """What the device calls its own address. Source: RFC 3162 section 2.1."""
    address = identity.nas_address
    if address is None:
        return ()
    name = "NAS-IPv6-Address" if isinstance(address, IPv6Address) else "NAS-IP-Address"
    return (Attribute(name, ":=", str(address)),)


def nas_identifier(identity: SessionIdentity) -> tuple[Attribute, ...]:
    """What the device calls itself."""
    return () if identity.nas_identifier is None else (Attribute("NAS-Identifier", ":=", identity.nas_identifier),)


def mac_address(identity: SessionIdentity, *, upper_case: bool) -> tuple[Attribute, ...]:
    """The subscriber's MAC, as the device itself writes it: with colons."""
    if identity.mac is None:
        return ()
    pairs = ":".join(identity.mac[at : at + 2] for at in range(0, 12, 2))
    return (Attribute("Calling-Station-Id", ":=", pairs.upper() if upper_case else pairs),)


def _values(attributes: Iterable[Attribute]) -> dict[str, tuple[str, ...]]:
    values: dict[str, list[str]] = defaultdict(list)
    for attribute in attributes:
        values[attribute.name].append(attribute.value)
    # The order of a repeated attribute (address lists) means nothing.
    return {name: tuple(sorted(found)) for name, found in values.items()}
