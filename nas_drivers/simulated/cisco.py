"""What IOS-XE and IOS-XR have in common: Cisco-AVPair, policy maps for each direction, all identification must match. Pure.

- A policy map is one of two that stand ready for a policy: `NAME-in` for what the subscriber sends, `NAME-out` for what it gets.
- Where several things identify a session all must match; where one does and another does not: 407.

Source: Cisco, Consolidated Configuration Guide 15.2(4)E, "Session Identification" (407: Invalid Attribute Value); ISG Configuration
Guide, IOS XE 16.9, "RADIUS-Based Policing"; ASR 9000 BNG Configuration Guide 5.2.x.
Next: behaviours/cisco_iosxe.py
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from nas_drivers.simulated import wire
from nas_drivers.simulated.behaviour import Policies
from nas_drivers.simulated.codec import Packet
from nas_drivers.simulated.reading import common_terms, text_in, texts_in
from nas_drivers.simulated.session import Terms
from nas_drivers.simulated.traffic import Rates

POLICY_IN: Final = "sub-qos-policy-in"
POLICY_OUT: Final = "sub-qos-policy-out"
_SUFFIXES: Final = {POLICY_IN: "-in", POLICY_OUT: "-out"}


@dataclass(frozen=True, slots=True)
class Pair:
    """One Cisco-AVPair, `prefix:key=value`; the prefix may be missing."""

    prefix: str
    key: str
    value: str


def pairs_in(packet: Packet) -> tuple[Pair, ...]:
    """Every pair, in order; one without an equals sign has an empty value."""
    found = []
    for text in texts_in(packet, wire.CISCO_AVPAIR):
        name, _, value = text.partition("=")
        prefix, _, key = name.rpartition(":")
        found.append(Pair(prefix, key, value))
    return tuple(found)


def policy_map_rate(pair: Pair, policies: Policies) -> Rates | None:
    """What the policy map that a pair names limits its direction to; None when there is no such map on the router."""
    name = pair.value.removesuffix(_SUFFIXES[pair.key])
    if name == pair.value or name not in policies:
        return None
    ready = policies[name]
    return Rates(up_bps=ready.up_bps) if pair.key == POLICY_IN else Rates(down_bps=ready.down_bps)


def with_policy_maps(
    terms: Terms, pairs: tuple[Pair, ...], policies: Policies, *, before: Rates | None = None
) -> Terms | None:
    """The terms with the policy maps that the pairs name, over the rates there were; None when one is not there."""
    rates, changed = before or Rates(), False
    for pair in pairs:
        if pair.key not in _SUFFIXES:
            continue
        limit = policy_map_rate(pair, policies)
        if limit is None:
            return None
        changed = True
        if pair.key == POLICY_IN:
            rates, terms = replace(rates, up_bps=limit.up_bps), replace(terms, policy_up=pair.value)
        else:
            rates, terms = replace(rates, down_bps=limit.down_bps), replace(terms, policy_down=pair.value)
    return replace(terms, rates=rates) if changed else terms


def accept_terms(accept: Packet, policies: Policies, *, prefixes: frozenset[str]) -> Terms:
    """What an Access-Accept means: policy maps, the access list for what the subscriber sends, the pool.

    A policy map that is not there fails the login (UNCONFIRMED; a router may also let the subscriber in without).
    """
    pairs = tuple(pair for pair in pairs_in(accept) if pair.prefix in prefixes)
    named = {pair.key: pair.value for pair in pairs}
    terms = replace(
        common_terms(accept, rates=None),
        filter=named.get("inacl"),
        pool=named.get("addr-pool") or text_in(accept, wire.FRAMED_POOL),
    )
    return with_policy_maps(terms, pairs, policies) or replace(terms, fails="no such policy map")
