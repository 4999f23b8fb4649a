"""A device that follows RFC 5176 to the letter: the strictest one to be prepared for.

Every attribute is mandatory: one it does not support and the whole request is refused. Several sessions that match are all
changed. A rate it can't be told; Filter-Id is the name of a filter.

Source: RFC 5176 sections 2.3, 3 and 3.5; RFC 2866 section 5.5 for the session id.
"""

from __future__ import annotations

from typing import Final

from nas_drivers.simulated import wire
from nas_drivers.simulated.behaviour import (
    ChangeRules,
    Decision,
    DeviceBehaviour,
    DeviceIdentity,
    Habits,
    common_terms,
    decide_change,
    number_in,
)
from nas_drivers.simulated.codec import Packet
from nas_drivers.simulated.retry import RetryPlan
from nas_drivers.simulated.session import SessionTable, Terms
from nas_drivers.simulated.wire import Code, ErrorCause

_IDENTIFIES: Final = frozenset(
    {
        wire.USER_NAME,
        wire.ACCT_SESSION_ID,
        wire.FRAMED_IP_ADDRESS,
        wire.NAS_PORT,
        wire.NAS_PORT_ID,
        wire.CALLING_STATION_ID,
    }
)
_ALWAYS: Final = frozenset(
    {wire.NAS_IP_ADDRESS, wire.NAS_IDENTIFIER, wire.PROXY_STATE, wire.EVENT_TIMESTAMP, wire.MESSAGE_AUTHENTICATOR}
)
_NUMBERS: Final = frozenset({wire.SESSION_TIMEOUT, wire.IDLE_TIMEOUT, wire.ACCT_INTERIM_INTERVAL})
_CHANGEABLE: Final = _NUMBERS | {wire.FILTER_ID, wire.CLASS}
# RFC 5176 section 3.6: what a Disconnect-Request may carry beside identification.
_WITH_A_DISCONNECT: Final = frozenset({wire.REPLY_MESSAGE, wire.ACCT_TERMINATE_CAUSE})
_RFC_5080: Final = RetryPlan(first_s=2, factor=2, longest_s=16, tries=3)


class GenericBehaviour:
    """RFC 5176 without exceptions."""

    vendor: str = "generic"
    habits: Habits = Habits(
        nas_port_type=wire.ETHERNET,
        first_nas_port=1,
        upper_case_mac=True,
        session_id_in_access_request=True,
        event_timestamp=True,
        delay_time=True,
        counters_in_start=False,
        signs_answers=True,
        repeats_answers=True,
        acks_before_end=False,
        drops_while_pending=False,
        access_retry=_RFC_5080,
        accounting_retry=RetryPlan(first_s=2, factor=2, longest_s=16, tries=5, rounds=0),
    )

    def session_id(self, boot: int, number: int) -> str:
        """Boot and session, sixteen hex digits."""
        return f"{boot & 0xFFFFFFFF:08X}{number & 0xFFFFFFFF:08X}"

    def nas_port_id(self, number: int) -> str:
        """A slot, port and VLAN of an access node."""
        return f"eth 1/{number >> 12}:{number & 0xFFF}"

    def login_terms(self, accept: Packet) -> Terms:
        """RFC attributes; no rate among them."""
        return common_terms(accept, rates=None)

    def decide(self, request: Packet, sessions: SessionTable, identity: DeviceIdentity) -> Decision:
        """In the order of RFC 5176: NAS, kind of service, identification, attributes, session."""
        return decide_change(request, sessions, identity, _RULES)


def _refused_service(request: Packet) -> ErrorCause | None:
    if number_in(request, wire.SERVICE_TYPE) != wire.AUTHORIZE_ONLY:
        return None
    has_state = request.first(wire.STATE) is not None
    return ErrorCause.UNSUPPORTED_SERVICE if has_state else ErrorCause.MISSING_ATTRIBUTE


def _refused_attributes(request: Packet) -> ErrorCause | None:
    more = _WITH_A_DISCONNECT if request.code == Code.DISCONNECT_REQUEST else _CHANGEABLE
    supported = _IDENTIFIES | _ALWAYS | more
    if any(number not in supported for number, _ in request.attributes):
        return ErrorCause.UNSUPPORTED_ATTRIBUTE
    if any(number in _NUMBERS and len(value) != 4 for number, value in request.attributes):
        return ErrorCause.INVALID_ATTRIBUTE_VALUE
    return None


_RULES: Final = ChangeRules(
    identifies=_IDENTIFIES,
    terms=lambda request: common_terms(request, rates=None),
    refuses_service=_refused_service,
    refuses_attributes=_refused_attributes,
)
BEHAVIOUR: Final[DeviceBehaviour] = GenericBehaviour()
