"""Cisco IOS-XE (ISG) as its guides have it; where they are silent, the awkward answer, marked UNCONFIRMED.

- All that identifies a session must match (`auth-type all`, the default): no such session 503; one that matches in part 407.
- `sub-qos-policy-in` and `-out` take the place of the policy maps. A map that is not on the router: 407 (UNCONFIRMED which cause).
- `subscriber:command=activate-service` and `deactivate-service` with `subscriber:service-name`. What a service sets anew deletes
  the older setting, which does not come back when it ends. An unknown service: 407; one that does not run: 404 (UNCONFIRMED).
- Anything else in a CoA-Request: 401, and so is an access list, a pool, a timeout or Class (UNCONFIRMED); nothing at all: 402.
- Session ids count from one after each boot, unless `radius-server unique-ident` gives their first two digits: here it does.

Source: ../cisco.py; Multiservice Activation and Deactivation in a CoA Message, IOS XE 16.12; RADIUS Attributes Configuration Guide.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from nas_drivers.simulated import wire
from nas_drivers.simulated.behaviour import RFC_KEYS, ChangeRules, DeviceBehaviour, Habits, Nak, Policies
from nas_drivers.simulated.cisco import (
    POLICY_IN,
    POLICY_OUT,
    Pair,
    accept_terms,
    pairs_in,
    with_policy_maps,
)
from nas_drivers.simulated.codec import Packet
from nas_drivers.simulated.session import Session, Terms
from nas_drivers.simulated.traffic import Rates
from nas_drivers.simulated.wire import ErrorCause

_PREFIXES: Final = frozenset({"ip", "subscriber"})
_KEYS: Final = frozenset({POLICY_IN, POLICY_OUT, "command", "service-name"})


def _reads(accept: Packet, policies: Policies) -> Terms:
    return accept_terms(accept, policies, prefixes=_PREFIXES)


def _changes(request: Packet, session: Session, policies: Policies) -> Terms | Nak:
    pairs = pairs_in(request)
    if not pairs:
        return Nak(ErrorCause.MISSING_ATTRIBUTE)
    if any(pair.prefix not in _PREFIXES or pair.key not in _KEYS for pair in pairs):
        return Nak(ErrorCause.UNSUPPORTED_ATTRIBUTE)
    terms = with_policy_maps(Terms(), pairs, policies, before=session.rates)
    if terms is None:
        return Nak(ErrorCause.INVALID_ATTRIBUTE_VALUE)
    return _with_service(terms, pairs, session, policies)


def _with_service(terms: Terms, pairs: tuple[Pair, ...], session: Session, policies: Policies) -> Terms | Nak:
    told = {pair.key: pair.value for pair in pairs if pair.prefix == "subscriber"}
    command, name = told.get("command"), told.get("service-name")
    match command:
        case None:
            return terms if name is None else Nak(ErrorCause.INVALID_REQUEST)
        case "activate-service" if name is not None:
            if name not in policies:
                return Nak(ErrorCause.INVALID_ATTRIBUTE_VALUE)
            running = tuple(one for one in session.services if one != name)
            return replace(terms, services=(*running, name), rates=policies[name])
        case "deactivate-service" if name is not None:
            if name not in session.services:
                return Nak(ErrorCause.INVALID_REQUEST)
            return replace(terms, services=tuple(one for one in session.services if one != name), rates=Rates())
        case _:
            return Nak(ErrorCause.INVALID_REQUEST)


BEHAVIOUR: Final = DeviceBehaviour(
    vendor="cisco_iosxe",
    habits=Habits(upper_case_mac=False, mac_separator=".", mac_group=4, nas_port_type=wire.VIRTUAL),
    session_id=lambda boot, number: f"{boot & 0xFF:02X}{number & 0xFFFFFF:06X}",
    nas_port_id=lambda number: f"0/0/1/{100 + number % 3900}",
    reads=_reads,
    rules=ChangeRules(
        identifies=RFC_KEYS,
        changes=_changes,
        carries=frozenset({wire.CISCO_AVPAIR}),
        mismatched=ErrorCause.INVALID_ATTRIBUTE_VALUE,
    ),
)
