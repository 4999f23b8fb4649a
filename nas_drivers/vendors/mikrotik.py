"""MikroTik RouterOS: a simple queue by Mikrotik-Rate-Limit, firewall address lists, pools.

RouterOS speaks from the router's side: rx is what the subscriber sends (up), tx what it gets (down), and rx comes first.
`G` is no suffix it documents, so rates are written with `M` or `k` when they divide evenly and in plain bits otherwise.

Source: RouterOS manual, page RADIUS, "Mikrotik-Rate-Limit"; docs/drivers/mikrotik.md.
Next: ../dictionaries/canonical.py
"""

from __future__ import annotations

from typing import Final

from nas_drivers.driver import NasDriver
from nas_drivers.policy import Attribute, BitRate, RatePair, SessionPolicy

# What RouterOS itself uses when a group is left out: it must be written when a later group follows.
_NO_BURST: Final = "0/0"
_DEFAULT_BURST_TIME_S: Final = 1
_LOWEST_PRIORITY: Final = 8


class MikrotikDriver:
    """RouterOS 6 and 7 as PPPoE access concentrator."""

    vendor: str = "mikrotik"

    def login_attributes(self, policy: SessionPolicy) -> tuple[Attribute, ...]:
        """The queue, then the names: address lists (one attribute each), filter chain, pools."""
        limit = _rate_limit(policy)
        named = (
            ("Mikrotik-Rate-Limit", limit),
            ("Filter-Id", policy.filter),
            ("Framed-Pool", policy.ipv4_pool),
            ("Framed-IPv6-Pool", policy.ipv6_pool),
            ("Mikrotik-Delegated-IPv6-Pool", policy.delegated_ipv6_pool),
        )
        lists = tuple(Attribute("Mikrotik-Address-List", "+=", name) for name in policy.address_lists)
        return tuple(Attribute(name, ":=", value) for name, value in named if value is not None) + lists

    def unsupported(self, policy: SessionPolicy) -> tuple[str, ...]:
        """What the grammar can't say, and what no manual says a router obeys."""
        sentences = []
        if policy.rate is None and (policy.burst or policy.priority or policy.minimum):
            sentences.append("RouterOS takes a burst, a priority or a minimum only beside a rate")
        if len(policy.address_lists) > 1:
            sentences.append(
                "RouterOS's manual speaks of one Mikrotik-Address-List; that it takes several is UNCONFIRMED"
            )
        return tuple(sentences)


def _rate_limit(policy: SessionPolicy) -> str | None:
    """The groups of Mikrotik-Rate-Limit up to the last one that says something: none may be left out before it."""
    if policy.rate is None:
        return None
    burst = policy.burst
    threshold = policy.burst_threshold or policy.rate
    groups: list[tuple[str, object | None]] = [
        (_pair(policy.rate), policy.rate),
        (_pair(burst) if burst else _NO_BURST, burst),
        (_pair(threshold) if burst else _NO_BURST, burst and policy.burst_threshold),
        (_burst_time(policy) if burst else _NO_BURST, burst and policy.burst_time_s),
        (str(policy.priority or _LOWEST_PRIORITY), policy.priority),
        (_pair(policy.minimum) if policy.minimum else "", policy.minimum),
    ]
    while groups[-1][1] is None:
        groups.pop()
    return " ".join(text for text, _ in groups)


def _pair(rates: RatePair) -> str:
    return f"{_rate(rates.up)}/{_rate(rates.down)}"


def _rate(rate: BitRate) -> str:
    if rate.bps % 1_000_000 == 0:
        return f"{rate.bps // 1_000_000}M"
    if rate.bps % 1_000 == 0:
        return f"{rate.bps // 1_000}k"
    return str(rate.bps)


def _burst_time(policy: SessionPolicy) -> str:
    seconds = policy.burst_time_s or _DEFAULT_BURST_TIME_S
    return f"{seconds}/{seconds}"


DRIVER: Final[NasDriver] = MikrotikDriver()
