"""What a NAS can be told about a session, in no vendor's words.

Down is to the subscriber, up is from the subscriber; each vendor file turns that into its own words, units and order.

Next: driver.py
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BitRate:
    """A rate. Units: bit/s. A type of its own so that no bare number is ever a rate."""

    bps: int

    def __post_init__(self) -> None:
        """Raises: ValueError outside 1 kbit/s to 400 Gbit/s, the range that schema.sql allows."""
        if not 1_000 <= self.bps <= 400_000_000_000:
            raise ValueError(f"a rate of {self.bps} bit/s is outside 1 kbit/s to 400 Gbit/s")


@dataclass(frozen=True, slots=True)
class RatePair:
    """A rate for each direction."""

    down: BitRate
    up: BitRate


@dataclass(frozen=True, slots=True)
class SessionPolicy:
    """A profile as a NAS may enforce it. None means: leave it to the NAS. Units: *_s seconds."""

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


@dataclass(frozen=True, slots=True)
class Attribute:
    """One RADIUS attribute in the words of the FreeRADIUS dictionary; `op` is `:=`, `=` or `+=`."""

    name: str
    op: str
    value: str
