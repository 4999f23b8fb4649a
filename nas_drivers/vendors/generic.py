"""A device of which nothing is known but that it speaks RADIUS: attributes of the RFCs and no others.

There is no RFC attribute for a rate, a burst or an address list: `unsupported` says so for each profile that has one.
Live it is trusted with the filter alone; pools need a new login.

Source: RFC 2865 section 5.11, RFC 2869 section 5.18, RFC 3162 section 2.6, RFC 5176 section 3, RFC 6911 section 3.4.
Next: ../dictionaries/canonical.py
"""

from __future__ import annotations

from typing import Final

from nas_drivers.changes import (
    class_attribute,
    difference,
    framed_address,
    framed_prefix,
    idle_timeout,
    name_and_session,
    nas_address,
    nas_identifier,
)
from nas_drivers.driver import NasDriver
from nas_drivers.policy import Attribute, Method, SessionIdentity, SessionPolicy

_BY_COA: Final = frozenset({"Filter-Id"})
_NO_WORD: Final = "a generic device has no RADIUS attribute for {}; give the NAS its real vendor, or configure it there"


class GenericDriver:
    """RFC attributes only."""

    vendor: str = "generic"

    def login_attributes(self, policy: SessionPolicy) -> tuple[Attribute, ...]:
        """Pools and the filter by their names on the device."""
        named = (
            ("Filter-Id", policy.filter),
            ("Framed-Pool", policy.ipv4_pool),
            ("Framed-IPv6-Pool", policy.ipv6_pool),
            ("Delegated-IPv6-Prefix-Pool", policy.delegated_ipv6_pool),
        )
        return tuple(Attribute(name, ":=", value) for name, value in named if value is not None)

    def unsupported(self, policy: SessionPolicy) -> tuple[str, ...]:
        """Every rate, and address lists."""
        wanted = (
            ("the rate", policy.rate),
            ("a burst", policy.burst),
            ("a priority", policy.priority),
            ("a minimum rate", policy.minimum),
            ("address lists", policy.address_lists),
        )
        return tuple(_NO_WORD.format(what) for what, value in wanted if value)

    def change_methods(self, old: SessionPolicy | None, new: SessionPolicy | None) -> tuple[Method, ...]:
        """CoA where the filter alone differs, else a disconnect; there is no third way."""
        if new is None:
            return (Method.DISCONNECT,)
        differs = difference(None if old is None else self.login_attributes(old), self.login_attributes(new))
        if not differs.all:
            return (Method.COA,)
        return (Method.COA, Method.DISCONNECT) if differs.is_covered_by(_BY_COA) else (Method.DISCONNECT,)

    def change_attributes(self, new: SessionPolicy, *, class_octets: bytes | None = None) -> tuple[Attribute, ...]:
        """The filter, the idle timeout and Class, all in the table of RFC 5176 section 3.6."""
        named = tuple(one for one in self.login_attributes(new) if one.name in _BY_COA)
        return named + idle_timeout(new) + class_attribute(class_octets)

    def identity_attributes(self, identity: SessionIdentity, *, detail: int) -> tuple[Attribute, ...]:
        """With the NAS's own name as RFC 5176 section 3 wants it; no MAC, for each device writes it in its own way."""
        known = name_and_session(identity)
        if detail == 2:
            return known
        known += nas_address(identity) or nas_identifier(identity)
        return known + framed_address(identity) + framed_prefix(identity) if detail == 1 else known


DRIVER: Final[NasDriver] = GenericDriver()
