"""A device that follows RFC 5176 to the letter: the strictest one to be prepared for.

Every attribute is mandatory: one it does not support and the whole request is refused. Several sessions that match are all
changed. A rate it can't be told; Filter-Id is the name of a filter.

Source: RFC 5176 sections 2.3, 3 and 3.5; RFC 2866 section 5.5 for the session id.
"""

from __future__ import annotations

from typing import Final

from nas_drivers.simulated import wire
from nas_drivers.simulated.behaviour import RFC_KEYS, ChangeRules, DeviceBehaviour, Habits, Nak, Policies
from nas_drivers.simulated.codec import Packet
from nas_drivers.simulated.reading import common_terms, number_in
from nas_drivers.simulated.session import Session, Terms
from nas_drivers.simulated.wire import ErrorCause

_NUMBERS: Final = frozenset({wire.SESSION_TIMEOUT, wire.IDLE_TIMEOUT, wire.ACCT_INTERIM_INTERVAL})


def _reads(accept: Packet, _policies: Policies) -> Terms:
    return common_terms(accept, rates=None)


def _refuses_service(request: Packet) -> ErrorCause | None:
    if number_in(request, wire.SERVICE_TYPE) != wire.AUTHORIZE_ONLY:
        return None
    has_state = request.first(wire.STATE) is not None
    return ErrorCause.UNSUPPORTED_SERVICE if has_state else ErrorCause.MISSING_ATTRIBUTE


def _changes(request: Packet, _session: Session, _policies: Policies) -> Terms | Nak:
    if any(number in _NUMBERS and len(value) != 4 for number, value in request.attributes):
        return Nak(ErrorCause.INVALID_ATTRIBUTE_VALUE)
    return common_terms(request, rates=None)


BEHAVIOUR: Final = DeviceBehaviour(
    vendor="generic",
    habits=Habits(),
    session_id=lambda boot, number: f"{boot & 0xFFFFFFFF:08X}{number & 0xFFFFFFFF:08X}",
    # A slot, port and VLAN of an access node.
    nas_port_id=lambda number: f"eth 1/{number >> 12}:{number & 0xFFF}",
    reads=_reads,
    rules=ChangeRules(
        identifies=RFC_KEYS,
        changes=_changes,
        carries=_NUMBERS | {wire.FILTER_ID, wire.CLASS},
        refuses_service=_refuses_service,
    ),
)
