"""MikroTik RouterOS: a simple queue by Mikrotik-Rate-Limit, firewall address lists, pools.

RouterOS speaks from the router's side: rx is what the subscriber sends (up), tx what it gets (down), and rx comes first.
`G` is no suffix it documents, so rates are written with `M` or `k` when they divide evenly and in plain bits otherwise.

Live it changes what its manual lists: rate limit, filter, idle timeout. Pools and
address lists are not on that list and need a new login. It finds a session by name, id, address and its own NAS-IP-Address.

Source: RouterOS manual, page RADIUS, "Mikrotik-Rate-Limit", "Change of Authorization"; docs/drivers/mikrotik.md.
Next: ../dictionaries/canonical.py
"""

from __future__ import annotations

from typing import Final

from nas_drivers.changes import (
    difference,
    framed_address,
    idle_timeout,
    mac_address,
    name_and_session,
    nas_address,
    nas_identifier,
)
from nas_drivers.driver import NasDriver
from nas_drivers.policy import Attribute, BitRate, Method, RatePair, SessionIdentity, SessionPolicy

# What RouterOS itself uses when a group is left out: it must be written when a later group follows.
_NO_BURST: Final = "0/0"
_DEFAULT_BURST_TIME_S: Final = 1
_LOWEST_PRIORITY: Final = 8
_BY_COA: Final = frozenset({"Mikrotik-Rate-Limit", "Filter-Id"})


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

    def change_methods(self, old: SessionPolicy | None, new: SessionPolicy | None) -> tuple[Method, ...]:
        """CoA for what is on its list, else a disconnect, by the API if need be.

        Address lists by a new login too: an entry made by the API belongs to the address and not to the session, so it would
        wall in whoever is given that address next.
        """
        if new is None:
            return (Method.DISCONNECT, Method.ROUTEROS_API)
        differs = difference(None if old is None else self.login_attributes(old), self.login_attributes(new))
        if not differs.all:
            return (Method.COA,)
        if differs.is_covered_by(_BY_COA):
            return (Method.COA, Method.DISCONNECT, Method.ROUTEROS_API)
        return (Method.DISCONNECT, Method.ROUTEROS_API)

    def change_attributes(self, new: SessionPolicy, *, class_octets: bytes | None = None) -> tuple[Attribute, ...]:
        """Without Class: it is not on the manual's list."""
        return tuple(one for one in self.login_attributes(new) if one.name in _BY_COA) + idle_timeout(new)

    def identity_attributes(self, identity: SessionIdentity, *, detail: int) -> tuple[Attribute, ...]:
        """With the NAS-IP-Address that it put into its own requests: it compares (field report, UNCONFIRMED)."""
        known = name_and_session(identity)
        if detail == 2:
            return known
        known += framed_address(identity) + nas_address(identity)
        return known + nas_identifier(identity) + mac_address(identity, upper_case=True) if detail == 1 else known


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
