"""What distinguishes one vendor's device from another's, and what all of them share. Found by file name, as drivers are.

Next: reading.py
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from types import MappingProxyType
from typing import Final

from nas_drivers.errors import NasError
from nas_drivers.simulated import behaviours, wire
from nas_drivers.simulated.codec import Packet
from nas_drivers.simulated.reading import text_in
from nas_drivers.simulated.retry import RetryPlan
from nas_drivers.simulated.session import Session, SessionTable, Terms
from nas_drivers.simulated.traffic import Rates
from nas_drivers.simulated.wire import Code, ErrorCause

# What stands ready on a device under a name (a profile's device policy), and the rates it limits to; Rates() for none that is
# known. How a vendor makes its own names of it (a suffix for each direction) is the vendor's, as its page in docs/ has it.
Policies = Mapping[str, Rates]
NO_POLICIES: Final[Policies] = MappingProxyType({})
# What any request may carry (RFC 5176 section 3.6).
_ALWAYS: Final = frozenset(
    {
        wire.NAS_IP_ADDRESS,
        wire.NAS_IDENTIFIER,
        wire.NAS_IPV6_ADDRESS,
        wire.PROXY_STATE,
        wire.EVENT_TIMESTAMP,
        wire.MESSAGE_AUTHENTICATOR,
    }
)
# What RFC 5176 section 3 lets a session be found by.
RFC_KEYS: Final = frozenset(
    {
        wire.USER_NAME,
        wire.ACCT_SESSION_ID,
        wire.FRAMED_IP_ADDRESS,
        wire.NAS_PORT,
        wire.NAS_PORT_ID,
        wire.CALLING_STATION_ID,
    }
)
_WITH_A_DISCONNECT: Final = frozenset({wire.REPLY_MESSAGE, wire.ACCT_TERMINATE_CAUSE})
# Two seconds, doubling, sixteen at the most. Source: RFC 5080 section 2.2.1.
_RFC_5080: Final = RetryPlan(first_s=2, factor=2, longest_s=16, tries=3)
_RFC_5080_ACCOUNTING: Final = RetryPlan(first_s=2, factor=2, longest_s=16, tries=5, rounds=0)


class UnknownBehaviourError(NasError):
    """No file in simulated/behaviours has that name."""


@dataclass(frozen=True, slots=True)
class DeviceIdentity:
    """What a device calls itself in its requests."""

    nas_ip_address: IPv4Address
    nas_identifier: str


@dataclass(frozen=True, slots=True)
class Nak:
    """Refused, with an Error-Cause or without one."""

    error_cause: int | None


@dataclass(frozen=True, slots=True)
class Drop:
    """Not answered."""

    reason: str


@dataclass(frozen=True, slots=True)
class Change:
    """Acknowledged; each of these sessions goes on under other terms, which may be none."""

    changes: tuple[tuple[Session, Terms], ...]

    @property
    def sessions(self) -> tuple[Session, ...]:
        """The sessions alone."""
        return tuple(session for session, _ in self.changes)


@dataclass(frozen=True, slots=True)
class End:
    """Acknowledged; these sessions are over."""

    sessions: tuple[Session, ...]


Decision = Nak | Drop | Change | End


@dataclass(frozen=True, slots=True)
class Habits:
    """The small things a vendor always does; what a file leaves out is done as the RFCs have it."""

    nas_port_type: int = wire.ETHERNET
    first_nas_port: int = 1
    # How a MAC address is written.
    upper_case_mac: bool = True
    mac_separator: str = ":"
    mac_group: int = 2
    session_id_in_access_request: bool = True
    event_timestamp: bool = True
    delay_time: bool = True
    counters_in_start: bool = False
    # Whether it listens for change requests at all; where not, its port is closed.
    hears_changes: bool = True
    # Whether a CoA- or Disconnect-ACK or NAK is signed when the request was.
    signs_answers: bool = True
    # Whether a repeated change request gets the first answer again instead of being done again.
    repeats_answers: bool = True
    # Whether the ACK of a Disconnect-Request leaves before the session has ended.
    acks_before_end: bool = False
    # Whether a second change request for a session is thrown away while the first is being worked on.
    drops_while_pending: bool = False
    access_retry: RetryPlan = _RFC_5080
    accounting_retry: RetryPlan = _RFC_5080_ACCOUNTING


def _refuses_nothing(_request: Packet) -> ErrorCause | None:
    return None


@dataclass(frozen=True, slots=True)
class ChangeRules:
    """What a vendor puts into the walk of `_decide`: what it identifies by, what it refuses when, what it changes."""

    identifies: frozenset[int]
    # What a CoA-Request means to a session; what the terms leave out stays as it was. None of several is changed when one refuses.
    changes: Callable[[Packet, Session, Policies], Terms | Nak | Drop]
    # What a CoA-Request may carry beside identification: another attribute and all of it is refused. None: others are ignored.
    carries: frozenset[int] | None = None
    # Whether NAS-Identifier must be the device's own, as NAS-IP-Address must.
    identifier_too: bool = True
    # Whether only the first of several sessions is meant.
    first_only: bool = False
    # The answer to a request without identification, and to one where a session fits some of it but not all.
    unnamed: ErrorCause = ErrorCause.MISSING_ATTRIBUTE
    mismatched: ErrorCause = ErrorCause.SESSION_NOT_FOUND
    # Whether it acknowledges that it ended the sessions of whoever it is named, known to it or not.
    ends_nobody: bool = False
    # Asked before anything is looked for.
    refuses_service: Callable[[Packet], ErrorCause | None] = _refuses_nothing
    # How sessions are found where it is not that all must fit; None when the request names none.
    finds: Callable[[Packet, SessionTable], tuple[Session, ...] | Nak | Drop | None] | None = None


@dataclass(frozen=True, slots=True)
class DeviceBehaviour:
    """One vendor's device: a file in behaviours/ fills it in."""

    vendor: str
    habits: Habits
    # The Acct-Session-Id and the NAS-Port-Id of a session: its number since the boot with that number.
    session_id: Callable[[int, int], str]
    nas_port_id: Callable[[int], str]
    # What an Access-Accept means.
    reads: Callable[[Packet, Policies], Terms]
    rules: ChangeRules
    policies: Policies = field(default_factory=lambda: NO_POLICIES)

    def login_terms(self, accept: Packet) -> Terms:
        """What an Access-Accept means on this device, with what stands ready on it."""
        return self.reads(accept, self.policies)

    def decide(self, request: Packet, sessions: SessionTable, identity: DeviceIdentity) -> Decision:
        """What a genuine CoA- or Disconnect-Request leads to."""
        return _decide(request, sessions, identity, self.rules, self.policies)


def behaviour_names() -> tuple[str, ...]:
    """The vendors that can be simulated."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(behaviours.__path__)))


def behaviour_for(vendor: str, policies: Policies = NO_POLICIES) -> DeviceBehaviour:
    """The behaviour of a vendor's device on which these policies stand ready.

    Raises: UnknownBehaviourError that names the ones there are.
    """
    if vendor not in behaviour_names():
        raise UnknownBehaviourError(f"no simulated {vendor!r}; there are {', '.join(behaviour_names())}")
    behaviour: DeviceBehaviour = importlib.import_module(f"nas_drivers.simulated.behaviours.{vendor}").BEHAVIOUR
    return replace(behaviour, policies=policies)


def is_about(session: Session, attribute: int, value: bytes) -> bool:
    """Whether one identification attribute fits a session. Source: RFC 5176 section 3."""
    match attribute:
        case wire.USER_NAME:
            return value == session.username.encode()
        case wire.ACCT_SESSION_ID:
            return value == session.session_id.encode()
        case wire.FRAMED_IP_ADDRESS:
            return value == session.address.packed
        case wire.NAS_PORT:
            return value == session.nas_port.to_bytes(4, "big")
        case wire.NAS_PORT_ID:
            return value == session.nas_port_id.encode()
        case wire.CALLING_STATION_ID:
            return value == session.calling_station_id.encode()
        case wire.FRAMED_IPV6_PREFIX:
            return value == session.framed_ipv6_prefix
        case wire.CONTEXT_NAME:
            # A device has one context here.
            return True
    raise AssertionError(f"attribute {attribute} identifies no session")


def sessions_named(request: Packet, sessions: SessionTable, by: Iterable[int]) -> tuple[Session, ...] | None:
    """The sessions that fit every attribute of `by` in the request; None when it holds none of them."""
    given = [(number, value) for number, value in request.attributes if number in by]
    if not given:
        return None
    candidates = sessions.candidates(text_in(request, wire.ACCT_SESSION_ID), text_in(request, wire.USER_NAME))
    return tuple(session for session in candidates if all(is_about(session, *item) for item in given))


def is_for_another_nas(request: Packet, identity: DeviceIdentity, *, identifier_too: bool) -> bool:
    """Whether NAS-IP-Address, or NAS-Identifier when `identifier_too`, names another device."""
    address, identifier = request.first(wire.NAS_IP_ADDRESS), text_in(request, wire.NAS_IDENTIFIER)
    if address is not None and address != identity.nas_ip_address.packed:
        return True
    return identifier_too and identifier is not None and identifier != identity.nas_identifier


def _decide(
    request: Packet, sessions: SessionTable, identity: DeviceIdentity, rules: ChangeRules, policies: Policies
) -> Decision:
    """The walk that all vendors share: is it for us, what does it ask, about whom, may that be, who is that.

    Source: RFC 5176 sections 3 and 3.5.
    """
    if is_for_another_nas(request, identity, identifier_too=rules.identifier_too):
        return Nak(ErrorCause.NAS_IDENTIFICATION_MISMATCH)
    refused = rules.refuses_service(request)
    if refused is not None:
        return Nak(refused)
    find = rules.finds or (lambda asked, table: sessions_named(asked, table, rules.identifies))
    named = find(request, sessions)
    if named is None:
        return Nak(rules.unnamed)
    if _carries_too_much(request, rules):
        return Nak(ErrorCause.UNSUPPORTED_ATTRIBUTE)
    if isinstance(named, Nak | Drop):
        return named
    if not named and not (rules.ends_nobody and request.code == Code.DISCONNECT_REQUEST):
        return Nak(rules.mismatched if _some_fits(request, sessions) else ErrorCause.SESSION_NOT_FOUND)
    meant = named[:1] if rules.first_only else named
    return End(meant) if request.code == Code.DISCONNECT_REQUEST else _changed(request, meant, rules, policies)


def _carries_too_much(request: Packet, rules: ChangeRules) -> bool:
    """Whether an attribute is not supported: every one is mandatory. Source: RFC 5176 sections 2.3 and 3."""
    if rules.carries is None:
        return False
    more = _WITH_A_DISCONNECT if request.code == Code.DISCONNECT_REQUEST else rules.carries
    supported = rules.identifies | _ALWAYS | more
    return any(number not in supported for number, _ in request.attributes)


def _some_fits(request: Packet, sessions: SessionTable) -> bool:
    session_id, username = text_in(request, wire.ACCT_SESSION_ID), text_in(request, wire.USER_NAME)
    return (session_id is not None and sessions.get(session_id) is not None) or (
        username is not None and bool(sessions.of(username))
    )


def _changed(
    request: Packet, meant: tuple[Session, ...], rules: ChangeRules, policies: Policies
) -> Change | Nak | Drop:
    changes = []
    for session in meant:
        terms = rules.changes(request, session, policies)
        if not isinstance(terms, Terms):
            return terms
        changes.append((session, terms))
    return Change(tuple(changes))
