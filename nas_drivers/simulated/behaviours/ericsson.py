"""Ericsson (Redback) SmartEdge. No manual of its CoA was at hand: **nearly all of this is UNCONFIRMED**, after programs in the field.

- A QoS policy is one of two that stand ready for a policy: `NAME-up`, a policing one for what the subscriber sends, `NAME-down`, a
  metering one for what it gets. One that is not there fails the login.
- QOS-Rate-Inbound and -Outbound, or Dynamic-QoS-Param, are rates in kbit/s over those of the QoS policies.
- Live it changes these rates and Forward-Policy (`in:NAME` for what the subscriber sends). Names of QoS policies, Class and whatever
  else there is in a CoA-Request: 401.
- What identifies a session must match as a whole; none: 402, no such session: 503 (RFC 5176).

Source: FreeRADIUS's dictionary of vendor 2352; docs/drivers/ericsson.md.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from nas_drivers.simulated import wire
from nas_drivers.simulated.behaviour import RFC_KEYS, ChangeRules, DeviceBehaviour, Habits, Nak, Policies
from nas_drivers.simulated.codec import Packet
from nas_drivers.simulated.reading import common_terms, text_in, texts_in
from nas_drivers.simulated.session import Session, Terms
from nas_drivers.simulated.traffic import Rates
from nas_drivers.simulated.wire import ErrorCause

_BITS_PER_KBIT: Final = 1_000
_UP, _DOWN = "-up", "-down"
_RATE: Final = re.compile(r"(\d+)(?: \d+)*")
_PARAM: Final = re.compile(r"(police|meter)-circuit-rate rate-absolute (\d+)")
_CARRIES: Final = frozenset(
    {wire.QOS_RATE_INBOUND, wire.QOS_RATE_OUTBOUND, wire.DYNAMIC_QOS_PARAM, wire.FORWARD_POLICY}
)
_IDENTIFIES: Final = RFC_KEYS | {wire.FRAMED_IPV6_PREFIX, wire.CONTEXT_NAME}


def _reads(accept: Packet, policies: Policies) -> Terms:
    up, down = text_in(accept, wire.QOS_POLICING_PROFILE_NAME), text_in(accept, wire.QOS_METERING_PROFILE_NAME)
    ready = _ready(up, down, policies)
    terms = replace(
        common_terms(accept, rates=None),
        policy_up=up,
        policy_down=down,
        filter=_forward_policy(accept) or text_in(accept, wire.FILTER_ID),
        pool=text_in(accept, wire.FRAMED_POOL) or text_in(accept, wire.IP_ADDRESS_POOL_NAME),
    )
    if ready is None:
        return replace(terms, fails="no such QoS policy")
    told = _told(accept)
    if told is None:
        return replace(terms, fails="an unreadable rate")
    rates = _over(ready, told)
    return replace(terms, rates=None if rates == Rates() else rates)


def _changes(request: Packet, session: Session, _policies: Policies) -> Terms | Nak:
    told = _told(request)
    if told is None:
        return Nak(ErrorCause.INVALID_ATTRIBUTE_VALUE)
    rates = _over(session.rates, told) if told != Rates() else None
    return Terms(rates=rates, filter=_forward_policy(request))


def _ready(up: str | None, down: str | None, policies: Policies) -> Rates | None:
    """What the two QoS policies limit to; None when one is not there, or is of the other kind."""
    limits = []
    for name, suffix in ((up, _UP), (down, _DOWN)):
        base = None if name is None else name.removesuffix(suffix)
        if base is not None and (base == name or base not in policies):
            return None
        limits.append(Rates() if base is None else policies[base])
    return Rates(up_bps=limits[0].up_bps, down_bps=limits[1].down_bps)


def _told(packet: Packet) -> Rates | None:
    """The rates in a packet, which may be none; None when one can't be read."""
    kbits: dict[str, int] = {}
    for key, attribute in (("police", wire.QOS_RATE_INBOUND), ("meter", wire.QOS_RATE_OUTBOUND)):
        text = text_in(packet, attribute)
        match = None if text is None else _RATE.fullmatch(text)
        if match is not None:
            kbits[key] = int(match[1])
        elif text is not None:
            return None
    for text in texts_in(packet, wire.DYNAMIC_QOS_PARAM):
        param = _PARAM.fullmatch(text)
        if param is None:
            return None
        kbits[param[1]] = int(param[2])
    up, down = kbits.get("police"), kbits.get("meter")
    return Rates(up_bps=up and up * _BITS_PER_KBIT, down_bps=down and down * _BITS_PER_KBIT)


def _over(below: Rates, told: Rates) -> Rates:
    return Rates(down_bps=told.down_bps or below.down_bps, up_bps=told.up_bps or below.up_bps)


def _forward_policy(packet: Packet) -> str | None:
    text = text_in(packet, wire.FORWARD_POLICY)
    return None if text is None else text.removeprefix("in:")


BEHAVIOUR: Final = DeviceBehaviour(
    vendor="ericsson",
    habits=Habits(upper_case_mac=False, mac_separator="-"),
    # A circuit, a counter, and the second of its boot.
    session_id=lambda boot, number: f"0D00FFFF{number & 0xFFFFFFFF:08X}-{0x5107AB80 + boot:08X}",
    nas_port_id=lambda number: f"1/1 vlan-id {100 + number % 3900} pppoe {number}",
    reads=_reads,
    rules=ChangeRules(
        identifies=_IDENTIFIES,
        changes=_changes,
        carries=_CARRIES,
    ),
)
