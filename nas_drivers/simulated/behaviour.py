"""What distinguishes one vendor's device from another's, and what all of them share. Found by file name, as drivers are.

Next: behaviours/mikrotik.py
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final, Protocol

from nas_drivers.errors import NasError
from nas_drivers.simulated import behaviours, wire
from nas_drivers.simulated.codec import Packet
from nas_drivers.simulated.retry import RetryPlan
from nas_drivers.simulated.session import Session, SessionTable, Terms
from nas_drivers.simulated.traffic import Rates
from nas_drivers.simulated.wire import Code, ErrorCause

# Addresses that mean: choose one yourself (RFC 2865 section 5.8).
NAS_CHOOSES: Final = (IPv4Address("255.255.255.254"), IPv4Address("255.255.255.255"))


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
    """Acknowledged; these sessions go on under other terms, which may be none."""

    sessions: tuple[Session, ...]
    terms: Terms


@dataclass(frozen=True, slots=True)
class End:
    """Acknowledged; these sessions are over."""

    sessions: tuple[Session, ...]


Decision = Nak | Drop | Change | End


@dataclass(frozen=True, slots=True)
class Habits:
    """The small things a vendor always does."""

    nas_port_type: int
    first_nas_port: int
    upper_case_mac: bool
    session_id_in_access_request: bool
    event_timestamp: bool
    delay_time: bool
    counters_in_start: bool
    # Whether a CoA- or Disconnect-ACK or NAK is signed when the request was.
    signs_answers: bool
    # Whether a repeated change request gets the first answer again instead of being done again.
    repeats_answers: bool
    # Whether the ACK of a Disconnect-Request leaves before the session has ended.
    acks_before_end: bool
    # Whether a second change request for a session is thrown away while the first is being worked on.
    drops_while_pending: bool
    access_retry: RetryPlan
    accounting_retry: RetryPlan


class DeviceBehaviour(Protocol):
    """One vendor's device."""

    vendor: str
    habits: Habits

    def session_id(self, boot: int, number: int) -> str:
        """The Acct-Session-Id of the session with that number since the boot with that number."""

    def nas_port_id(self, number: int) -> str:
        """The NAS-Port-Id of that session."""

    def login_terms(self, accept: Packet) -> Terms:
        """What an Access-Accept means here."""

    def decide(self, request: Packet, sessions: SessionTable, identity: DeviceIdentity) -> Decision:
        """What a genuine CoA- or Disconnect-Request leads to."""


def behaviour_names() -> tuple[str, ...]:
    """The vendors that can be simulated."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(behaviours.__path__)))


def behaviour_for(vendor: str) -> DeviceBehaviour:
    """The behaviour of a vendor. Raises: UnknownBehaviourError that names the ones there are."""
    if vendor not in behaviour_names():
        raise UnknownBehaviourError(f"no simulated {vendor!r}; there are {', '.join(behaviour_names())}")
    behaviour: DeviceBehaviour = importlib.import_module(f"nas_drivers.simulated.behaviours.{vendor}").BEHAVIOUR
    return behaviour


def number_in(packet: Packet, attribute: int) -> int | None:
    """A 32-bit attribute, None when it is absent or of another length."""
    value = packet.first(attribute)
    return int.from_bytes(value, "big") if value is not None and len(value) == 4 else None


def text_in(packet: Packet, attribute: int) -> str | None:
    """A text attribute; bytes that are no UTF-8 become marks, as a device would show them."""
    value = packet.first(attribute)
    return None if value is None else value.decode("utf-8", "replace")


def common_terms(packet: Packet, *, rates: Rates | None) -> Terms:
    """The attributes that mean the same on every device; the vendor adds its own."""
    chosen = number_in(packet, wire.FRAMED_IP_ADDRESS)
    address = None if chosen is None else IPv4Address(chosen)
    return Terms(
        rates=rates,
        filter=text_in(packet, wire.FILTER_ID),
        pool=text_in(packet, wire.FRAMED_POOL),
        address=None if address in NAS_CHOOSES else address,
        framed_ipv6_prefix=packet.first(wire.FRAMED_IPV6_PREFIX),
        delegated_prefix=packet.first(wire.DELEGATED_IPV6_PREFIX),
        delegated_pool=text_in(packet, wire.DELEGATED_IPV6_PREFIX_POOL),
        session_timeout_s=number_in(packet, wire.SESSION_TIMEOUT),
        idle_timeout_s=number_in(packet, wire.IDLE_TIMEOUT),
        interim_interval_s=number_in(packet, wire.ACCT_INTERIM_INTERVAL),
        classes=packet.all(wire.CLASS),
    )


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


def _refuses_nothing(_request: Packet) -> ErrorCause | None:
    return None


@dataclass(frozen=True, slots=True)
class ChangeRules:
    """What a vendor puts into the walk of `decide_change`: what it identifies by, what it refuses when, what it changes."""

    identifies: frozenset[int]
    # What a change means; everything it leaves out stays as it was.
    terms: Callable[[Packet], Terms]
    # Whether NAS-Identifier must be the device's own, as NAS-IP-Address must.
    identifier_too: bool = True
    # Whether only the first of several sessions is meant.
    first_only: bool = False
    # The answer to a request without identification.
    unnamed: ErrorCause = ErrorCause.MISSING_ATTRIBUTE
    # Asked before identification, before a session is looked for, and before a session that was found is changed.
    refuses_service: Callable[[Packet], ErrorCause | None] = _refuses_nothing
    refuses_attributes: Callable[[Packet], ErrorCause | None] = _refuses_nothing
    refuses_change: Callable[[Packet], ErrorCause | None] = _refuses_nothing


def decide_change(request: Packet, sessions: SessionTable, identity: DeviceIdentity, rules: ChangeRules) -> Decision:
    """The walk that all vendors share: is it for us, what does it ask, about whom, may that be, who is that.

    Source: RFC 5176 sections 3 and 3.5.
    """
    if is_for_another_nas(request, identity, identifier_too=rules.identifier_too):
        return Nak(ErrorCause.NAS_IDENTIFICATION_MISMATCH)
    refused = rules.refuses_service(request)
    if refused is not None:
        return Nak(refused)
    named = sessions_named(request, sessions, rules.identifies)
    if named is None:
        return Nak(rules.unnamed)
    refused = rules.refuses_attributes(request)
    if refused is not None:
        return Nak(refused)
    if not named:
        return Nak(ErrorCause.SESSION_NOT_FOUND)
    meant = named[:1] if rules.first_only else named
    if request.code == Code.DISCONNECT_REQUEST:
        return End(meant)
    refused = rules.refuses_change(request)
    return Nak(refused) if refused is not None else Change(meant, rules.terms(request))
