"""Cisco IOS-XR (ASR 9000 BNG) as its guides have it; where they are silent, the awkward answer, marked UNCONFIRMED.

- All that identifies a session must match: no such session 503; one that matches in part 407 (as IOS-XE, UNCONFIRMED here).
- Policy maps change by `subscriber:command=account-update`; without that command: 402 (UNCONFIRMED).
- `subscriber:sa=NAME` begins a service, `subscriber:sd=NAME` ends one, several in one request and in its order. They are **one unit**: when
  one can't be done, all are undone. An unknown service or policy map: 407; one that does not run: 404 (UNCONFIRMED which causes).
- Services lie over the policy maps and over each other, the last one on top; when one ends, what lies below shows again.
- Anything else in a CoA-Request: 401, Class too (UNCONFIRMED).
- A service or policy map that is not there fails the login (UNCONFIRMED).

Source: ../cisco.py; document 212353, "How Multi-Action CoA Packets are Processed"; ASR 9000 BNG Configuration Guide 5.2.x, Account Operations.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from nas_drivers.simulated import cisco, wire
from nas_drivers.simulated.behaviour import RFC_KEYS, ChangeRules, DeviceBehaviour, Habits, Nak, Policies
from nas_drivers.simulated.cisco import POLICY_IN, POLICY_OUT, Pair
from nas_drivers.simulated.codec import Packet
from nas_drivers.simulated.session import Session, Terms
from nas_drivers.simulated.traffic import Rates
from nas_drivers.simulated.wire import ErrorCause

_PREFIXES: Final = frozenset({"", "ip", "subscriber"})
_POLICY_MAPS: Final = frozenset({POLICY_IN, POLICY_OUT})
_UPDATE: Final = "account-update"


def _reads(accept: Packet, policies: Policies) -> Terms:
    terms = cisco.accept_terms(accept, policies, prefixes=_PREFIXES)
    services = tuple(pair.value for pair in cisco.pairs_in(accept) if _is(pair, "sa"))
    if any(name not in policies for name in services):
        return replace(terms, fails="no such service")
    return replace(terms, services=services, rates=_over(terms.rates, services, policies))


def _changes(request: Packet, session: Session, policies: Policies) -> Terms | Nak:
    pairs = cisco.pairs_in(request)
    if not pairs:
        return Nak(ErrorCause.MISSING_ATTRIBUTE)
    if any(not (_is(pair, "command", "sa", "sd") or _is_policy_map(pair)) for pair in pairs):
        return Nak(ErrorCause.UNSUPPORTED_ATTRIBUTE)
    commands = {pair.value for pair in pairs if pair.key == "command"}
    if any(_is_policy_map(pair) for pair in pairs) and commands != {_UPDATE}:
        return Nak(ErrorCause.MISSING_ATTRIBUTE)
    below = cisco.with_policy_maps(Terms(), pairs, policies, before=_policy_map_rates(session, policies))
    if below is None or any(pair.value not in policies for pair in pairs if pair.key == "sa"):
        return Nak(ErrorCause.INVALID_ATTRIBUTE_VALUE)
    services = _services_after(session.services, pairs)
    if services is None:
        return Nak(ErrorCause.INVALID_REQUEST)
    rates = below.rates or _policy_map_rates(session, policies)
    return replace(below, services=services, rates=_over(rates, services, policies) or Rates())


def _services_after(running: tuple[str, ...], pairs: tuple[Pair, ...]) -> tuple[str, ...] | None:
    """What runs when all is done in its order; None when something is to end that does not run."""
    for pair in pairs:
        if pair.key == "sd":
            if pair.value not in running:
                return None
            running = tuple(name for name in running if name != pair.value)
        elif pair.key == "sa":
            running = (*(name for name in running if name != pair.value), pair.value)
    return running


def _policy_map_rates(session: Session, policies: Policies) -> Rates | None:
    named = ((POLICY_IN, session.policy_up), (POLICY_OUT, session.policy_down))
    pairs = tuple(Pair("ip", key, name) for key, name in named if name is not None)
    terms = cisco.with_policy_maps(Terms(), pairs, policies)
    return None if terms is None else terms.rates


def _over(below: Rates | None, services: tuple[str, ...], policies: Policies) -> Rates | None:
    """The rates with those of the services on top."""
    rates = below
    for name in services:
        ready, under = policies[name], rates or Rates()
        rates = Rates(ready.down_bps or under.down_bps, ready.up_bps or under.up_bps)
    return rates


def _is(pair: Pair, *keys: str) -> bool:
    return pair.prefix == "subscriber" and pair.key in keys


def _is_policy_map(pair: Pair) -> bool:
    return pair.prefix in _PREFIXES and pair.key in _POLICY_MAPS


BEHAVIOUR: Final = DeviceBehaviour(
    vendor="cisco_iosxr",
    habits=Habits(upper_case_mac=False, mac_separator=".", mac_group=4),
    session_id=lambda boot, number: f"{boot & 0xFF:02x}{number & 0xFFFFFF:06x}",
    nas_port_id=lambda number: f"0/0/0/1/{100 + number % 3900}.{number}",
    reads=_reads,
    rules=ChangeRules(
        identifies=RFC_KEYS,
        changes=_changes,
        carries=frozenset({wire.CISCO_AVPAIR}),
        mismatched=ErrorCause.INVALID_ATTRIBUTE_VALUE,
    ),
)
