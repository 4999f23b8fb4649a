"""accel-ppp as its source has it, alone on a host and inside VyOS. Pure.

- The session is the first one that fits every identification attribute given; none given or none found: 503.
- NAS-Identifier or NAS-IP-Address of another device: 403.
- A Disconnect-Request is acknowledged before the session ends.
- A CoA-Request acts on the shaper's attribute; then on Class, or else on Session-Timeout. Everything else is acknowledged and
  left as it was; so is a rate it can't read, and a Session-Timeout beside a Class.
- A second request for a session is thrown away while one is being worked on. Answers are never signed.
- Neither Event-Timestamp nor (unless `acct-delay-time=1`) Acct-Delay-Time is sent; session id in the login unless configured
  is not; MAC in lower case; NAS-Port-Type Virtual.

Source: accel-ppp, accel-pppd/radius/dm_coa.c, radius.c, req.c and shaper/shaper.c.
Next: behaviours/accel_ppp.py
"""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Final

from nas_drivers.simulated import wire
from nas_drivers.simulated.behaviour import RFC_KEYS, ChangeRules, DeviceBehaviour, Habits, Policies, sessions_named
from nas_drivers.simulated.codec import Packet
from nas_drivers.simulated.reading import NAS_CHOOSES, common_terms, number_in, text_in
from nas_drivers.simulated.retry import RetryPlan
from nas_drivers.simulated.session import Session, SessionTable, Terms
from nas_drivers.simulated.traffic import Rates
from nas_drivers.simulated.wire import ErrorCause

_BITS_PER_KBIT: Final = 1_000
# Its table of suffixes, in kbit; `G` is ten times what it should be.
_UNITS: Final = {"": 1.0, "B": 0.001, "K": 1.0, "M": 1_000.0, "G": 10_000_000.0}
_NUMBER: Final = r"(\d+)([bkmgBKMG]?)"
_PAIR: Final = re.compile(rf"(?:\d+,)?{_NUMBER}(?:[/\\:]{_NUMBER})?$")
_RETRY: Final = RetryPlan(first_s=3, factor=1, longest_s=3, tries=3, jitter=0)
_HABITS: Final = Habits(
    nas_port_type=wire.VIRTUAL,
    first_nas_port=0,
    upper_case_mac=False,
    event_timestamp=False,
    counters_in_start=True,
    signs_answers=False,
    repeats_answers=False,
    acks_before_end=True,
    drops_while_pending=True,
    access_retry=_RETRY,
    accounting_retry=replace(_RETRY, rounds=20),
)


def accel_ppp_as(vendor: str) -> DeviceBehaviour:
    """accel-ppp in that vendor's box: `sid-in-auth=1`, `acct-on=1` and `acct-delay-time=1`, as our pages ask for or VyOS writes."""
    return DeviceBehaviour(
        vendor=vendor,
        habits=_HABITS,
        # A sequence of sixteen hex digits; it begins anew when its file of sequence numbers is lost.
        session_id=lambda boot, number: f"{boot << 32 | number:016x}",
        # The name of the interface.
        nas_port_id=lambda number: f"ppp{number}",
        reads=_reads,
        rules=ChangeRules(
            identifies=RFC_KEYS,
            changes=_changes,
            first_only=True,
            unnamed=ErrorCause.SESSION_NOT_FOUND,
            finds=_finds,
        ),
    )


def _finds(request: Packet, sessions: SessionTable) -> tuple[Session, ...] | None:
    """accel-ppp does not look for a session by the address 255.255.255.254."""
    chosen = number_in(request, wire.FRAMED_IP_ADDRESS)
    if chosen is None or IPv4Address(chosen) != NAS_CHOOSES[0]:
        return sessions_named(request, sessions, RFC_KEYS)
    return sessions_named(request, sessions, RFC_KEYS - {wire.FRAMED_IP_ADDRESS})


def _reads(accept: Packet, _policies: Policies) -> Terms:
    """The rate in Filter-Id."""
    shaping = text_in(accept, wire.FILTER_ID)
    rates = None if shaping is None else read_shaping(shaping)
    return replace(
        common_terms(accept, rates=rates),
        filter=None,
        # Its ipv6_pool module reads another attribute than the RFC's 100.
        ipv6_pool=text_in(accept, wire.STATEFUL_IPV6_ADDRESS_POOL),
    )


def _changes(request: Packet, _session: Session, policies: Policies) -> Terms:
    read = _reads(request, policies)
    timeout = read.session_timeout_s if not read.classes else None
    return Terms(rates=read.rates, classes=read.classes, session_timeout_s=timeout)


def read_shaping(value: str) -> Rates | None:
    """`down/up`, or one number for both; None when the shaper can't read it and so leaves the rate alone."""
    match = _PAIR.match(value)
    if match is None:
        return None
    down, down_unit, up, up_unit = match.groups()
    down_bps = int(int(down) * _UNITS[down_unit.upper()] * _BITS_PER_KBIT)
    up_bps = down_bps if up is None else int(int(up) * _UNITS[up_unit.upper()] * _BITS_PER_KBIT)
    return Rates(down_bps=down_bps or None, up_bps=up_bps or None)
