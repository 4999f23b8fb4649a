"""accel-ppp as its source has it (accel-pppd/radius/dm_coa.c, radius.c, req.c and shaper/shaper.c).

- The session is the first one that fits every identification attribute given; none given or none found: 503.
- NAS-Identifier or NAS-IP-Address of another device: 403.
- A Disconnect-Request is acknowledged before the session ends.
- A CoA-Request acts on the shaper's attribute; then on Class, or else on Session-Timeout. Everything else is acknowledged and
  left as it was; so is a rate it can't read, and a Session-Timeout beside a Class.
- A second request for a session is thrown away while one is being worked on. Answers are never signed.
- Neither Event-Timestamp nor (unless `acct-delay-time=1`) Acct-Delay-Time is sent; session id in the login unless configured
  is not; MAC in lower case; NAS-Port-Type Virtual.
"""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Final

from nas_drivers.simulated import wire
from nas_drivers.simulated.behaviour import (
    NAS_CHOOSES,
    ChangeRules,
    Decision,
    DeviceBehaviour,
    DeviceIdentity,
    Habits,
    common_terms,
    decide_change,
    number_in,
    text_in,
)
from nas_drivers.simulated.codec import Packet
from nas_drivers.simulated.retry import RetryPlan
from nas_drivers.simulated.session import SessionTable, Terms
from nas_drivers.simulated.traffic import Rates
from nas_drivers.simulated.wire import ErrorCause

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
_BITS_PER_KBIT: Final = 1_000
# Its table of suffixes, in kbit; `G` is ten times what it should be.
_UNITS: Final = {"": 1.0, "B": 0.001, "K": 1.0, "M": 1_000.0, "G": 10_000_000.0}
_NUMBER: Final = r"(\d+)([bkmgBKMG]?)"
_PAIR: Final = re.compile(rf"(?:\d+,)?{_NUMBER}(?:[/\\:]{_NUMBER})?$")
_RETRY: Final = RetryPlan(first_s=3, factor=1, longest_s=3, tries=3, jitter=0)


class AccelPppBehaviour:
    """accel-ppp with `sid-in-auth=1`, `acct-on=1` and `acct-delay-time=1`, as our page on it asks for."""

    vendor: str = "accel_ppp"
    habits: Habits = Habits(
        nas_port_type=wire.VIRTUAL,
        first_nas_port=0,
        upper_case_mac=False,
        session_id_in_access_request=True,
        event_timestamp=False,
        delay_time=True,
        counters_in_start=True,
        signs_answers=False,
        repeats_answers=False,
        acks_before_end=True,
        drops_while_pending=True,
        access_retry=_RETRY,
        accounting_retry=replace(_RETRY, rounds=20),
    )

    def session_id(self, boot: int, number: int) -> str:
        """A sequence of sixteen hex digits; it begins anew when its file of sequence numbers is lost."""
        return f"{boot << 32 | number:016x}"

    def nas_port_id(self, number: int) -> str:
        """The name of the interface."""
        return f"ppp{number}"

    def login_terms(self, accept: Packet) -> Terms:
        """The rate in Filter-Id."""
        return _terms(accept)

    def decide(self, request: Packet, sessions: SessionTable, identity: DeviceIdentity) -> Decision:
        """As dm_coa_read and what it calls."""
        return decide_change(_without_own_choice(request), sessions, identity, _RULES)


def _without_own_choice(request: Packet) -> Packet:
    """accel-ppp does not look for a session by the address 255.255.255.254."""
    chosen = number_in(request, wire.FRAMED_IP_ADDRESS)
    if chosen is None or IPv4Address(chosen) != NAS_CHOOSES[0]:
        return request
    return replace(request, attributes=tuple(a for a in request.attributes if a[0] != wire.FRAMED_IP_ADDRESS))


def _terms(packet: Packet) -> Terms:
    shaping = text_in(packet, wire.FILTER_ID)
    rates = None if shaping is None else read_shaping(shaping)
    return replace(common_terms(packet, rates=rates), filter=None)


def read_shaping(value: str) -> Rates | None:
    """`down/up`, or one number for both; None when the shaper can't read it and so leaves the rate alone."""
    match = _PAIR.match(value)
    if match is None:
        return None
    down, down_unit, up, up_unit = match.groups()
    down_bps = int(int(down) * _UNITS[down_unit.upper()] * _BITS_PER_KBIT)
    up_bps = down_bps if up is None else int(int(up) * _UNITS[up_unit.upper()] * _BITS_PER_KBIT)
    return Rates(down_bps=down_bps or None, up_bps=up_bps or None)


def _changed(request: Packet) -> Terms:
    read = _terms(request)
    timeout = read.session_timeout_s if not read.classes else None
    return Terms(rates=read.rates, classes=read.classes, session_timeout_s=timeout)


_RULES: Final = ChangeRules(
    identifies=_IDENTIFIES, terms=_changed, first_only=True, unnamed=ErrorCause.SESSION_NOT_FOUND
)
BEHAVIOUR: Final[DeviceBehaviour] = AccelPppBehaviour()
