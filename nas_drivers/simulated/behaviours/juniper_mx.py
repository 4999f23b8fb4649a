"""Juniper MX (Junos) as its guides have it; where they are silent, the awkward answer, marked UNCONFIRMED.

- User-Name or Acct-Session-Id identify a session: by User-Name only the first that logged in with it is meant. Neither: 402.
  An address beside them must be the session's (UNCONFIRMED: JunosE takes one, the guide of the MX does not name it).
- A third party's attribute: 401, and so are Class and Session-Timeout, which a CoA does not change (that they are refused and not
  ignored is UNCONFIRMED). What does not fit a cause is refused without one.
- Services: ERX-Service-Deactivate (66) are all done before ERX-Service-Activate (65, tagged), as from Junos 16.1R4 on. **A service does
  not take the place of another**: where two run, both limit. A service that is not on the router, or that does not run: refused
  without a cause; nothing of the request is done (UNCONFIRMED).
- A service that knows no rate by itself takes two as arguments, up and down, in bit/s: `speed(30000000,300000000)`. Its bare name
  ends it, whatever its arguments (UNCONFIRMED).
- Filters for what the subscriber sends (10) and gets (11) change live.
- A service that is not there fails the login (`required-at-login`, UNCONFIRMED as the default). Session ids are decimal.

Source: Junos 13.1, "RADIUS-Initiated CoA Overview" (tables 1 and 2, note on User-Name); Feature Explorer 6605 (order); JunosE 11.0,
"Supported Error-Cause Codes" (401, 402, 404, 503, 504, 506 or none); Junos 13.2, "RADIUS IETF
Attributes Supported by the AAA Service Framework" (Dynamic CoA).
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

_SERVICE: Final = re.compile(r"([A-Za-z0-9._-]+)(?:\((\d+),(\d+)\))?")
_KEYS: Final = frozenset({wire.USER_NAME, wire.ACCT_SESSION_ID})
_IDENTIFIES: Final = _KEYS | {wire.FRAMED_IP_ADDRESS}
_CARRIES: Final = frozenset(
    {
        wire.ERX_SERVICE_ACTIVATE,
        wire.ERX_SERVICE_DEACTIVATE,
        wire.ERX_INGRESS_POLICY_NAME,
        wire.ERX_EGRESS_POLICY_NAME,
        wire.ERX_IPV6_INGRESS_POLICY_NAME,
        wire.ERX_IPV6_EGRESS_POLICY_NAME,
    }
)
# A first octet up to this is a tag, else the beginning of the text. Source: RFC 2868 section 3.3.
_LAST_TAG: Final = "\x1f"


def _finds(request: Packet, sessions: SessionTable) -> tuple[Session, ...] | None:
    if all(request.first(key) is None for key in _KEYS):
        return None
    return sessions_named(request, sessions, _IDENTIFIES)


def _reads(accept: Packet, policies: Policies) -> Terms:
    services = _activated(accept)
    rates = _rates_of(services, policies)
    return replace(
        common_terms(accept, rates=rates),
        services=services,
        fails="no such service" if rates is None else None,
        filter=text_in(accept, wire.ERX_INGRESS_POLICY_NAME),
        ipv6_pool=text_in(accept, wire.ERX_IPV6_NDRA_POOL_NAME),
        delegated_pool=text_in(accept, wire.ERX_IPV6_DELEGATED_POOL_NAME),
    )


def _changes(request: Packet, session: Session, policies: Policies) -> Terms | Nak:
    ended, begun = texts_in(request, wire.ERX_SERVICE_DEACTIVATE), _activated(request)
    running = session.services
    for name in ended:
        left = tuple(one for one in running if name not in (one, one.partition("(")[0]))
        if left == running:
            return Nak(None)
        running = left
    running = (*running, *(one for one in begun if one not in running))
    rates = _rates_of(running, policies)
    if rates is None:
        return Nak(None)
    return Terms(
        services=running,
        rates=rates if ended or begun else None,
        filter=text_in(request, wire.ERX_INGRESS_POLICY_NAME),
    )


def _activated(packet: Packet) -> tuple[str, ...]:
    """The services that begin, without their tags."""
    texts = texts_in(packet, wire.ERX_SERVICE_ACTIVATE)
    return tuple(text[1:] if text[:1] <= _LAST_TAG else text for text in texts)


def _rates_of(services: tuple[str, ...], policies: Policies) -> Rates | None:
    """What is left when all of them limit; None when one is not on the router."""
    each = [_rate_of(service, policies) for service in services]
    known = [rates for rates in each if rates is not None]
    if len(known) != len(each):
        return None
    down = [rates.down_bps for rates in known if rates.down_bps is not None]
    up = [rates.up_bps for rates in known if rates.up_bps is not None]
    return Rates(down_bps=min(down, default=None), up_bps=min(up, default=None))


def _rate_of(service: str, policies: Policies) -> Rates | None:
    match = _SERVICE.fullmatch(service)
    if match is None or match[1] not in policies:
        return None
    ready = policies[match[1]]
    takes_rates = ready == Rates()
    if match[2] is None:
        return ready
    return Rates(up_bps=int(match[2]), down_bps=int(match[3])) if takes_rates else None


BEHAVIOUR: Final = DeviceBehaviour(
    vendor="juniper_mx",
    habits=Habits(upper_case_mac=False),
    session_id=lambda boot, number: str((boot << 24) + number),
    nas_port_id=lambda number: f"ge-1/0/0.{3221225472 + number}:{100 + number % 3900}",
    reads=_reads,
    rules=ChangeRules(
        identifies=_IDENTIFIES,
        changes=_changes,
        carries=_CARRIES,
        first_only=True,
        finds=_finds,
    ),
)
