"""Addresses that nobody can have, or two accounts hold: the database refuses them, the dry run names them first. Pure."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final, NamedTuple

from control_plane.takeover.wanted import Finding, Verdict, WantedAccount

# The ranges that account_prefix refuses: devices take them as an order to pick from a pool, or as none (RFC 2865 5.8).
_NOBODYS: Final = tuple(
    (network.version, int(network.network_address), int(network.broadcast_address))
    for network in map(ip_network, ("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3", "::/8", "fe80::/10", "ff00::/8"))
)
# The shortest prefix that account_prefix takes of each kind, for IPv4 and IPv6.
_SHORTEST: Final = {
    "framed_ipv4": {4: 32},
    "framed_ipv6_address": {6: 128},
    "framed_ipv6_prefix": {6: 32},
    "delegated_ipv6_prefix": {6: 32},
    "route": {4: 8, 6: 16},
}


def is_assignable(network: IPv4Network | IPv6Network, kind: str) -> bool:
    """Whether the table account_prefix takes it as that kind."""
    shortest = _SHORTEST[kind].get(network.version)
    if shortest is None or network.prefixlen < shortest:
        return False
    first, last = int(network.network_address), int(network.broadcast_address)
    return all(last < low or first > high for version, low, high in _NOBODYS if version == network.version)


class _Held(NamedTuple):
    version: int
    first: int
    length: int
    order: int
    prefix: str
    holder: str


def shared_prefix_findings(accounts: Sequence[WantedAccount]) -> tuple[frozenset[str], list[Finding]]:
    """The accounts that name a prefix twice, or one that lies in or holds one of an earlier account; a finding for each."""
    by_name = {account.username: account for account in accounts}
    twice = {account.username: prefix for account in accounts if (prefix := _named_twice(account)) is not None}
    holdings = [
        (prefix.prefix, order, account.username)
        for order, account in enumerate(accounts)
        for prefix in account.prefixes
    ]
    clashes = overlapping(holdings)
    findings = [
        Finding(Verdict.REFUSED, by_name[name].where, f"{prefix} overlaps {other_prefix} of {other}: one holder each")
        for name, (prefix, other, other_prefix) in sorted(clashes.items())
    ]
    findings += [
        Finding(Verdict.REFUSED, by_name[name].where, f"{prefix} stands there twice")
        for name, prefix in sorted(twice.items())
    ]
    return frozenset(clashes.keys() | twice.keys()), findings


def _named_twice(account: WantedAccount) -> str | None:
    """A prefix that the account names twice. As a route beside an address it is no repetition."""
    seen: set[tuple[bool, str]] = set()
    for prefix in account.prefixes:
        named = (prefix.kind == "route", prefix.prefix)
        if named in seen:
            return prefix.prefix
        seen.add(named)
    return None


def overlapping(holdings: Iterable[tuple[str, int, str]]) -> dict[str, tuple[str, str, str]]:
    """For each holder that comes second: its prefix, who came first, and with which prefix.

    `holdings` are (prefix, order, holder). Prefixes either hold one another or are apart, so one pass in order of their
    first address with the enclosing ones on a stack sees every pair that touches.
    """
    found: dict[str, tuple[str, str, str]] = {}
    stack: list[_Held] = []
    for held in sorted(_Held(*prefix_order(holding[0]), holding[1], holding[0], holding[2]) for holding in holdings):
        while stack and not _encloses(stack[-1], held):
            stack.pop()
        for outer in stack:
            if outer.holder != held.holder:
                earlier, later = sorted((outer, held), key=lambda one: one.order)
                found.setdefault(later.holder, (later.prefix, earlier.holder, earlier.prefix))
        stack.append(held)
    return found


def prefix_order(prefix: str) -> tuple[int, int, int]:
    """Family, first address and length, which sort a prefix before those that it holds."""
    # A quarter of the time of the class in ipaddress, which a hundred thousand accounts feel.
    text, _, length = prefix.partition("/")
    version, family = (6, socket.AF_INET6) if ":" in text else (4, socket.AF_INET)
    return version, int.from_bytes(socket.inet_pton(family, text), "big"), int(length)


def _encloses(outer: _Held, inner: _Held) -> bool:
    bits = 32 if outer.version == 4 else 128
    return outer.version == inner.version and inner.first < outer.first + (1 << (bits - outer.length))
