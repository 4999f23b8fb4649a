"""RouterOS as its manual describes it; where the manual is silent, the awkward answer, marked UNCONFIRMED.

- The CoA list of the manual: rate limit, filter, timeouts and a few more. Address, pool and routes can't be changed; that
  RouterOS refuses them with 401 is UNCONFIRMED.
- An attribute on neither list, Mikrotik-Address-List above all, is acknowledged and ignored: UNCONFIRMED, and the case that
  a sender must survive.
- NAS-IP-Address must be the router's own (field report, UNCONFIRMED; that the answer is 403 too).
- A request without any identification: 402, UNCONFIRMED. No such session: 503.
- A repeated Disconnect-Request is looked up again, so it finds nothing: 503, UNCONFIRMED.

Source: RouterOS manual, page RADIUS; radius reference 3.1.
"""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import IPv4Network
from typing import Final

from nas_drivers.simulated import wire
from nas_drivers.simulated.behaviour import ChangeRules, DeviceBehaviour, Habits, Nak, Policies
from nas_drivers.simulated.codec import Packet
from nas_drivers.simulated.reading import common_terms, text_in, texts_in
from nas_drivers.simulated.retry import RetryPlan
from nas_drivers.simulated.session import Session, Terms
from nas_drivers.simulated.traffic import Rates
from nas_drivers.simulated.wire import ErrorCause

_IDENTIFIES: Final = frozenset(
    {wire.USER_NAME, wire.ACCT_SESSION_ID, wire.FRAMED_IP_ADDRESS, wire.NAS_PORT_ID, wire.CALLING_STATION_ID}
)
_UNCHANGEABLE: Final = frozenset(
    {
        wire.FRAMED_POOL,
        wire.FRAMED_ROUTE,
        wire.FRAMED_IPV6_PREFIX,
        wire.FRAMED_IPV6_POOL,
        wire.DELEGATED_IPV6_PREFIX,
        wire.DELEGATED_IPV6_PREFIX_POOL,
        wire.MIKROTIK_DELEGATED_IPV6_POOL,
    }
)
# An address in these means: take one from the pool of the default profile.
_TAKE_FROM_POOL: Final = (IPv4Network("127.0.0.0/8"), IPv4Network("224.0.0.0/3"))
_UNITS: Final = {"": 1, "k": 1_000, "M": 1_000_000}
_PAIR: Final = re.compile(r"(\d+)([kM]?)(?:/(\d+)([kM]?))?$")
_MAX_GROUPS: Final = 6
_PRIORITY_GROUP: Final = 4
# The manual gives 300 ms as default timeout, its examples 1100 ms; three tries: UNCONFIRMED.
_RETRY: Final = RetryPlan(first_s=1.1, factor=1, longest_s=1.1, tries=3, jitter=0)


def _reads(accept: Packet, _policies: Policies) -> Terms:
    """RouterOS words on top of the common ones; a rate it can't read is no limit (UNCONFIRMED)."""
    terms = _terms(accept)
    if terms.address is not None and any(terms.address in network for network in _TAKE_FROM_POOL):
        return replace(terms, address=None)
    return terms


def _changes(request: Packet, _session: Session, _policies: Policies) -> Terms | Nak:
    if any(number in _UNCHANGEABLE for number, _ in request.attributes):
        return Nak(ErrorCause.UNSUPPORTED_ATTRIBUTE)
    limit = text_in(request, wire.MIKROTIK_RATE_LIMIT)
    if limit is not None and read_rate_limit(limit) is None:
        return Nak(ErrorCause.INVALID_ATTRIBUTE_VALUE)
    # Not on its list: new address lists, an interim interval, another Class.
    return replace(_terms(request), address_lists=(), interim_interval_s=None, classes=())


def _terms(packet: Packet) -> Terms:
    limit = text_in(packet, wire.MIKROTIK_RATE_LIMIT)
    terms = common_terms(packet, rates=None if limit is None else read_rate_limit(limit))
    return replace(
        terms,
        address_lists=texts_in(packet, wire.MIKROTIK_ADDRESS_LIST),
        delegated_pool=text_in(packet, wire.MIKROTIK_DELEGATED_IPV6_POOL) or terms.delegated_pool,
    )


def read_rate_limit(limit: str) -> Rates | None:
    """The steady rates in a Mikrotik-Rate-Limit, rx being the subscriber's upload; None when RouterOS can't read it.

    A rate of 0 is no limit.
    """
    groups = limit.split()
    if not 1 <= len(groups) <= _MAX_GROUPS:
        return None
    pairs = [_PAIR.match(group) for group in groups]
    if any(pair is None for pair in pairs):
        return None
    if len(groups) > _PRIORITY_GROUP and re.fullmatch("[1-8]", groups[_PRIORITY_GROUP]) is None:
        return None
    assert pairs[0] is not None
    rx, rx_unit, tx, tx_unit = pairs[0].groups()
    up = int(rx) * _UNITS[rx_unit]
    down = up if tx is None else int(tx) * _UNITS[tx_unit]
    return Rates(down_bps=down or None, up_bps=up or None)


BEHAVIOUR: Final = DeviceBehaviour(
    vendor="mikrotik",
    habits=Habits(
        first_nas_port=15728640,
        repeats_answers=False,
        access_retry=_RETRY,
        accounting_retry=replace(_RETRY, rounds=20),
    ),
    # Two digits for the service, one for the boot, five for the session: a million sessions a boot.
    session_id=lambda boot, number: f"81{boot & 0xF:x}{number & 0xFFFFF:05x}",
    # The interface its PPPoE server runs on.
    nas_port_id=lambda number: f"ether2.{100 + number % 3900}",
    reads=_reads,
    rules=ChangeRules(identifies=_IDENTIFIES, changes=_changes, identifier_too=False),
)
