"""Nokia 7750 SR OS as its RADIUS Attributes Reference has it; where that is silent, the awkward answer, marked UNCONFIRMED.

- Keys by priority: 1. NAS-Port-Id with an address, 2. Acct-Session-Id, 4. Alc-Subsc-ID-Str (here the username), 5. Alc-Serv-Id with
  an address. The highest one finds; a session that Acct-Session-Id does not mean too: 503. **User-Name is no key.** None of them: 402.
- More than 32 hosts: 501. What it does not support it ignores without a word: 401 is never given.
- Alc-SLA-Prof-Str, 16 letters at most, one that is there: else 407, and a login fails (UNCONFIRMED that both).
- Alc-Subscriber-QoS-Override, kbit/s, over what the SLA profile has: `e` to the subscriber, `i` from it; `pir` of a queue or
  policer, `rate` of the aggregate, root arbiter or scheduler. An override stays until another comes, whatever the SLA profile; one
  for a queue or policer that the profile has not (here any but 1) is kept and does nothing. Another form: 404 (UNCONFIRMED).
- Framed-Pool and Framed-IP-Address in one accept fail the login. Class, pools and timeouts don't change live (UNCONFIRMED).

Source: 7750 SR RADIUS Attributes Reference Guide 14.0.R4, tables 3, 86 and 92, notes to 86; 16.0.R1, note 2 of "About this Guide"
(ignored); 22.5, "Alc-Subscriber-QoS-Override attribute details", "Subscriber host creation" (pool and address).
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from nas_drivers.simulated import wire
from nas_drivers.simulated.behaviour import ChangeRules, DeviceBehaviour, Habits, Nak, Policies, sessions_named
from nas_drivers.simulated.codec import Packet
from nas_drivers.simulated.reading import common_terms, text_in, texts_in
from nas_drivers.simulated.session import Session, SessionTable, Terms
from nas_drivers.simulated.traffic import Rates
from nas_drivers.simulated.wire import ErrorCause

MAX_HOSTS: Final = 32
_LONGEST_NAME: Final = 16
_BITS_PER_KBIT: Final = 1_000
_ADDRESSES: Final = frozenset({wire.FRAMED_IP_ADDRESS, wire.FRAMED_IPV6_PREFIX})
_OVERRIDE: Final = re.compile(
    r"(?P<way>[iIeE]):(?:(?P<object>[qQpP]):(?P<number>\d+):|(?P<aggregate>[rR]|[aA]:root|[sS]:[^:,=]+):)(?P<values>.+)"
)
_VALUE: Final = re.compile(r"([a-z_]+)=(-1|-2|max|\d+)")


def _finds(request: Packet, sessions: SessionTable) -> tuple[Session, ...] | Nak | None:
    session_id = text_in(request, wire.ACCT_SESSION_ID)
    has_address = any(number in _ADDRESSES for number, _ in request.attributes)
    if has_address and request.first(wire.NAS_PORT_ID) is not None:
        found = sessions_named(request, sessions, _ADDRESSES | {wire.NAS_PORT_ID}) or ()
        return tuple(one for one in found if session_id in (None, one.session_id))
    if session_id is not None:
        one = sessions.get(session_id)
        return () if one is None else (one,)
    subscriber = text_in(request, wire.ALC_SUBSC_ID_STR)
    if subscriber is not None:
        hosts = sessions.of(subscriber)
        return Nak(ErrorCause.ADMINISTRATIVELY_PROHIBITED) if len(hosts) > MAX_HOSTS else hosts
    if has_address and request.first(wire.ALC_SERV_ID) is not None:
        return sessions_named(request, sessions, _ADDRESSES)
    return None


def _reads(accept: Packet, policies: Policies) -> Terms:
    terms = replace(
        common_terms(accept, rates=None),
        filter=text_in(accept, wire.ALC_SUBSCRIBER_FILTER),
        ipv6_pool=text_in(accept, wire.ALC_SLAAC_IPV6_POOL) or text_in(accept, wire.FRAMED_IPV6_POOL),
        delegated_pool=text_in(accept, wire.ALC_DELEGATED_IPV6_POOL),
    )
    if terms.pool is not None and terms.address is not None:
        return replace(terms, fails="a pool and an address")
    profile = text_in(accept, wire.ALC_SLA_PROF_STR)
    if profile is not None and not _is_there(profile, policies):
        return replace(terms, fails="no such SLA profile")
    told = _told(accept)
    if told is None:
        return replace(terms, fails="a malformed override")
    ready = Rates() if profile is None else policies[profile]
    rates = _over(ready, told, under=ready)
    return replace(terms, policy_up=profile, policy_down=profile, rates=rates if profile or told else None)


def _changes(request: Packet, session: Session, policies: Policies) -> Terms | Nak:
    profile, told = text_in(request, wire.ALC_SLA_PROF_STR), _told(request)
    if profile is not None and not _is_there(profile, policies):
        return Nak(ErrorCause.INVALID_ATTRIBUTE_VALUE)
    if told is None:
        return Nak(ErrorCause.INVALID_REQUEST)
    if profile is None and not told:
        return Terms()
    before = Rates() if session.policy_down is None else policies.get(session.policy_down, Rates())
    ready = before if profile is None else policies[profile]
    # What differs from the profile it ran under is an override, which stays.
    now = session.rates
    kept = Rates(
        down_bps=ready.down_bps if now.down_bps == before.down_bps else now.down_bps,
        up_bps=ready.up_bps if now.up_bps == before.up_bps else now.up_bps,
    )
    return Terms(policy_up=profile, policy_down=profile, rates=_over(kept, told, under=ready))


def _is_there(profile: str, policies: Policies) -> bool:
    return len(profile) <= _LONGEST_NAME and profile in policies


def _told(packet: Packet) -> dict[str, str] | None:
    """What overrides say that take effect: `e` or `i` -> kbit/s, `-1`, `max` or `-2`; None when one can't be read."""
    told = {}
    for text in texts_in(packet, wire.ALC_SUBSCRIBER_QOS_OVERRIDE):
        match = _OVERRIDE.fullmatch(text)
        values = [_VALUE.fullmatch(one) for one in match["values"].rstrip(",").split(",")] if match else [None]
        if match is None or any(value is None for value in values):
            return None
        said = {value[1]: value[2] for value in values if value is not None}
        rate = said.get("rate") if match["aggregate"] else said.get("pir")
        if rate is not None and match["number"] in (None, "1"):
            told[match["way"].lower()] = rate
    return told


def _over(kept: Rates, told: dict[str, str], *, under: Rates) -> Rates:
    return Rates(
        down_bps=_overridden(told.get("e"), kept.down_bps, under.down_bps),
        up_bps=_overridden(told.get("i"), kept.up_bps, under.up_bps),
    )


def _overridden(word: str | None, kept: int | None, under: int | None) -> int | None:
    match word:
        case None:
            return kept
        case "-2":
            return under
        case "-1" | "max":
            return None
        case _:
            return int(word) * _BITS_PER_KBIT


BEHAVIOUR: Final = DeviceBehaviour(
    vendor="nokia_sros",
    habits=Habits(upper_case_mac=False),
    # In number format: its chassis, a counter, the second of its boot.
    session_id=lambda boot, number: f"24ADFF{number & 0xFFFFFFFF:08X}{0x5107AB80 + boot:08X}",
    nas_port_id=lambda number: f"lag-1:{100 + number % 3900}.{number}",
    reads=_reads,
    rules=ChangeRules(
        identifies=_ADDRESSES | {wire.ACCT_SESSION_ID, wire.NAS_PORT_ID, wire.ALC_SUBSC_ID_STR},
        changes=_changes,
        finds=_finds,
    ),
)
