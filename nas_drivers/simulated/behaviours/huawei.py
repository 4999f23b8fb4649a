"""Huawei ME60, NE40E, NetEngine 8000 as their references have it; where they are silent, the awkward answer, marked UNCONFIRMED.

- Rates are CIR and PIR, four attributes in bit/s; what passes is the PIR. A PIR counts only with its CIR beside it. **A CoA with a
  CIR alone raises a PIR that would be below it and never lowers one.**
- A QoS profile is looked for in lower case. One that is not there ends the login (`no-exist-policy offline`, the default); in a CoA
  it is acknowledged and nothing changes (`error-reply version1`, the default; only version2 refuses with 404: UNCONFIRMED what
  version1 does). A profile does not take the place of rates that the session was told (UNCONFIRMED).
- **A CoA whose User-Name is not the session's is discarded.** No such session: 503.
- Filter-Id changes live; Class, pools and timeouts do not, and what it does not know it ignores (UNCONFIRMED).

Source: NetEngine 8000 F1A, HW-Input-Peak-Information-Rate (3), HW-Subscriber-QoS-Profile (17), `radius-server authorization
error-reply`, `radius-server coa update username`; ETC0001084741 (PIR stays).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from nas_drivers.simulated import wire
from nas_drivers.simulated.behaviour import ChangeRules, DeviceBehaviour, Drop, Habits, Policies, sessions_named
from nas_drivers.simulated.codec import Packet
from nas_drivers.simulated.reading import common_terms, number_in, text_in
from nas_drivers.simulated.session import Session, SessionTable, Terms
from nas_drivers.simulated.traffic import Rates

_UP: Final = (wire.HUAWEI_INPUT_AVERAGE_RATE, wire.HUAWEI_INPUT_PEAK_RATE)
_DOWN: Final = (wire.HUAWEI_OUTPUT_AVERAGE_RATE, wire.HUAWEI_OUTPUT_PEAK_RATE)
_KEYS: Final = frozenset({wire.ACCT_SESSION_ID, wire.FRAMED_IP_ADDRESS, wire.NAS_PORT_ID, wire.FRAMED_IPV6_PREFIX})
_IDENTIFIES: Final = _KEYS | {wire.USER_NAME}


def _finds(request: Packet, sessions: SessionTable) -> tuple[Session, ...] | None:
    """By anything but the name where there is something; whether the name is right is looked at then."""
    return (
        sessions_named(request, sessions, _KEYS)
        if _has_key(request)
        else sessions_named(request, sessions, _IDENTIFIES)
    )


def _has_key(request: Packet) -> bool:
    return any(number in _KEYS for number, _ in request.attributes)


def _reads(accept: Packet, policies: Policies) -> Terms:
    up, down = _passes(accept, _UP, None), _passes(accept, _DOWN, None)
    terms = replace(
        common_terms(accept, rates=None if up is None and down is None else Rates(down_bps=down, up_bps=up)),
        filter=text_in(accept, wire.FILTER_ID) or text_in(accept, wire.HUAWEI_POLICY_NAME),
        pool=text_in(accept, wire.FRAMED_POOL) or text_in(accept, wire.HUAWEI_FRAMED_POOL),
        delegated_pool=text_in(accept, wire.HUAWEI_DELEGATED_IPV6_PREFIX_POOL),
    )
    named = _profiles(accept)
    if any(name not in policies for name in named if name is not None):
        return replace(terms, fails="no such QoS profile")
    return _with_profiles(terms, named, policies) if terms.rates is None else terms


def _changes(request: Packet, session: Session, policies: Policies) -> Terms | Drop:
    name = text_in(request, wire.USER_NAME)
    if name is not None and name != session.username:
        return Drop("another User-Name than the session's")
    now, terms = session.rates, Terms(filter=text_in(request, wire.FILTER_ID))
    up, down = _passes(request, _UP, now.up_bps), _passes(request, _DOWN, now.down_bps)
    if up is not None or down is not None:
        terms = replace(terms, rates=Rates(down_bps=down or now.down_bps, up_bps=up or now.up_bps))
    named = _profiles(request)
    told_rates = session.policy_up is None and now != Rates()
    if told_rates or any(one not in policies for one in named if one is not None):
        return terms
    return _with_profiles(terms, named, policies)


def _passes(packet: Packet, pair: tuple[int, int], before: int | None) -> int | None:
    """The PIR of a direction after what a packet says, which may be nothing. Units: bit/s."""
    cir, pir = (number_in(packet, attribute) for attribute in pair)
    if cir is None:
        return None
    return max(cir, before or 0) if pir is None else pir


def _profiles(packet: Packet) -> tuple[str | None, str | None]:
    """For each direction, up first: the second attribute is for the download alone."""
    both, down = text_in(packet, wire.HUAWEI_QOS_PROFILE_NAME), text_in(packet, wire.HUAWEI_DOWN_QOS_PROFILE_NAME)
    return both and both.lower(), (down or both) and (down or both or "").lower()


def _with_profiles(terms: Terms, named: tuple[str | None, str | None], policies: Policies) -> Terms:
    up, down = named
    if up is None or down is None:
        return terms
    rates = Rates(down_bps=policies[down].down_bps, up_bps=policies[up].up_bps)
    return replace(terms, policy_up=up, policy_down=down, rates=rates)


BEHAVIOUR: Final = DeviceBehaviour(
    vendor="huawei",
    habits=Habits(upper_case_mac=False),
    # Its name, slot, port and VLAN, then a number of its own.
    session_id=lambda boot, number: f"BRAS0010000000100{boot & 0xFF:02x}{number & 0xFFFFFFFF:08x}",
    nas_port_id=lambda number: f"slot=1;subslot=0;port=0;vlanid={100 + number % 3900};",
    reads=_reads,
    rules=ChangeRules(identifies=_IDENTIFIES, changes=_changes, finds=_finds),
)
