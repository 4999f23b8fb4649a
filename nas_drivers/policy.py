"""What a NAS can be told about a session, in no vendor's words.

Down is to the subscriber, up is from the subscriber; each vendor file turns that into its own words, units and order.

Next: driver.py
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Final

_BITS_PER_KBIT: Final = 1_000


@dataclass(frozen=True, slots=True)
class BitRate:
    """A rate. Units: bit/s. A type of its own so that no bare number is ever a rate."""

    bps: int

    def __post_init__(self) -> None:
        """Raises: ValueError outside 1 kbit/s to 400 Gbit/s, the range that schema.sql allows."""
        if not 1_000 <= self.bps <= 400_000_000_000:
            raise ValueError(f"a rate of {self.bps} bit/s is outside 1 kbit/s to 400 Gbit/s")

    def in_units(self, unit_bps: int) -> int:
        """How many of a coarser unit it is told as: rounded up, so that nobody gets less than was sold."""
        return -(-self.bps // unit_bps)

    @property
    def kbit(self) -> int:
        """In kbit/s, rounded up."""
        return self.in_units(_BITS_PER_KBIT)


@dataclass(frozen=True, slots=True)
class RatePair:
    """A rate for each direction."""

    down: BitRate
    up: BitRate


@dataclass(frozen=True, slots=True)
class SessionPolicy:
    """A profile as a NAS may enforce it. None means: leave it to the NAS. Units: *_s seconds.

    `device_policy` is the name under which devices that take names instead of rates have this policy ready (policy maps,
    SLA and QoS profiles, services). How a vendor makes its own names of it is an option of that vendor. A device that takes
    rates goes by the rate, and the other way round: neither is missed where the other says it.
    """

    rate: RatePair | None = None
    burst: RatePair | None = None
    burst_threshold: RatePair | None = None
    burst_time_s: int | None = None
    priority: int | None = None
    minimum: RatePair | None = None
    address_lists: tuple[str, ...] = ()
    ipv4_pool: str | None = None
    ipv6_pool: str | None = None
    delegated_ipv6_pool: str | None = None
    filter: str | None = None
    session_timeout_s: int | None = None
    idle_timeout_s: int | None = None
    interim_interval_s: int | None = None
    device_policy: str | None = None


@dataclass(frozen=True, slots=True)
class Attribute:
    """One RADIUS attribute in the words of the FreeRADIUS dictionary; `op` is `:=`, `=` or `+=`."""

    name: str
    op: str
    value: str


class Method(Enum):
    """A way to reach a live session; the values are those of the database's enforcement_method."""

    COA = "coa"
    DISCONNECT = "disconnect"
    ROUTEROS_API = "routeros_api"
    CLI = "cli"


@dataclass(frozen=True, slots=True)
class SessionIdentity:
    """What is known of a live session that a device may find it by. None: not known.

    `nas_address` and `nas_identifier` are what the device calls itself in its own requests. `mac` is twelve hex digits in
    lower case. `nas_port_id` is the port as the device itself named it in accounting.
    `class_octets` is the Class that the session carries now.
    """

    username: str
    acct_session_id: str
    nas_address: IPv4Address | IPv6Address | None = None
    nas_identifier: str | None = None
    framed_ipv4: IPv4Address | None = None
    framed_ipv6_prefix: IPv6Network | None = None
    mac: str | None = None
    nas_port_id: str | None = None
    class_octets: bytes | None = None
