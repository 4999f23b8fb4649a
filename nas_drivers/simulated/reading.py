"""The attributes of a packet that mean the same on every device. Pure.

Next: behaviours/generic.py
"""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Final

from nas_drivers.simulated import wire
from nas_drivers.simulated.codec import Packet
from nas_drivers.simulated.session import Terms
from nas_drivers.simulated.traffic import Rates

# Addresses that mean: choose one yourself (RFC 2865 section 5.8).
NAS_CHOOSES: Final = (IPv4Address("255.255.255.254"), IPv4Address("255.255.255.255"))


def number_in(packet: Packet, attribute: int) -> int | None:
    """A 32-bit attribute, None when it is absent or of another length."""
    value = packet.first(attribute)
    return int.from_bytes(value, "big") if value is not None and len(value) == 4 else None


def text_in(packet: Packet, attribute: int) -> str | None:
    """A text attribute; bytes that are no UTF-8 become marks, as a device would show them."""
    value = packet.first(attribute)
    return None if value is None else value.decode("utf-8", "replace")


def texts_in(packet: Packet, attribute: int) -> tuple[str, ...]:
    """Every text attribute of that number, in order."""
    return tuple(value.decode("utf-8", "replace") for value in packet.all(attribute))


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
        ipv6_pool=text_in(packet, wire.FRAMED_IPV6_POOL),
        delegated_prefix=packet.first(wire.DELEGATED_IPV6_PREFIX),
        delegated_pool=text_in(packet, wire.DELEGATED_IPV6_PREFIX_POOL),
        session_timeout_s=number_in(packet, wire.SESSION_TIMEOUT),
        idle_timeout_s=number_in(packet, wire.IDLE_TIMEOUT),
        interim_interval_s=number_in(packet, wire.ACCT_INTERIM_INTERVAL),
        classes=packet.all(wire.CLASS),
    )
