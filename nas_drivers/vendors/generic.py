"""A device of which nothing is known but that it speaks RADIUS: attributes of the RFCs and no others.

There is no RFC attribute for a rate, a burst or an address list: `unsupported` says so for each profile that has one.

Source: RFC 2865 section 5.11, RFC 2869 section 5.18, RFC 3162 section 2.6, RFC 6911 section 3.4.
Next: ../dictionaries/canonical.py
"""

from __future__ import annotations

from typing import Final

from nas_drivers.driver import NasDriver
from nas_drivers.policy import Attribute, SessionPolicy

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


DRIVER: Final[NasDriver] = GenericDriver()
