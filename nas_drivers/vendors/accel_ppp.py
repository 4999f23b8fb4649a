"""accel-ppp: the rate in Filter-Id as `down/up` in kbit, pools by name.

accel-ppp puts the download first, the opposite of RouterOS. Suffixes are not used: `G` is ten times too large in its
current source. A rate that is no whole number of kbit is rounded up, so that nobody gets less than was sold.

Source: accel-ppp, accel-pppd/shaper/shaper.c, extra/ippool.c, extra/ipv6pool.c; docs/drivers/accel_ppp.md.
Next: ../dictionaries/canonical.py
"""

from __future__ import annotations

from typing import Final

from nas_drivers.driver import NasDriver
from nas_drivers.policy import Attribute, BitRate, SessionPolicy

_BITS_PER_KBIT: Final = 1_000
_NO_WORD: Final = "accel-ppp can't be told {} by RADIUS{}"


class AccelPppDriver:
    """accel-ppp with its shaper reading Filter-Id, as it does by default."""

    vendor: str = "accel_ppp"

    def login_attributes(self, policy: SessionPolicy) -> tuple[Attribute, ...]:
        """The shaper's rate and the names of the pools."""
        rate = f"{_kbit(policy.rate.down)}/{_kbit(policy.rate.up)}" if policy.rate else None
        named = (
            ("Filter-Id", rate),
            ("Framed-Pool", policy.ipv4_pool),
            # Not Framed-IPv6-Pool: its ipv6_pool module reads attribute 172 for addresses and 171 for prefixes.
            ("Stateful-IPv6-Address-Pool", policy.ipv6_pool),
            ("Delegated-IPv6-Prefix-Pool", policy.delegated_ipv6_pool),
        )
        return tuple(Attribute(name, ":=", value) for name, value in named if value is not None)

    def unsupported(self, policy: SessionPolicy) -> tuple[str, ...]:
        """Bursts are its own configuration; address lists and filters it has none by RADIUS."""
        wanted = (
            ("a burst", policy.burst, ": set [shaper] down-burst-factor and up-burst-factor there"),
            ("a priority", policy.priority, ""),
            ("a minimum rate", policy.minimum, ""),
            ("address lists", policy.address_lists, ": give restricted subscribers a pool of their own"),
            ("a filter", policy.filter, ", because Filter-Id carries the rate"),
        )
        return tuple(_NO_WORD.format(what, instead) for what, value, instead in wanted if value)


def _kbit(rate: BitRate) -> int:
    return -(-rate.bps // _BITS_PER_KBIT)


DRIVER: Final[NasDriver] = AccelPppDriver()
