"""How long who failed to sign in waits before the next try. Pure.

Counted by name and by address apart: one keeps a password from being guessed, the other one guess from being tried on all
names. A right password clears its name and not its address, or a guesser would sign in with a name of their own in between. An
address from which a name got in lately counts that name's failures apart, or whoever knows a name could keep its holder out for ever.

Source: NIST SP 800-63B-4 section 3.2.2 (rate limiting).

Next: totp.py
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

FIRST_WAIT_S: Final = 30
MOST_WAIT_S: Final = 15 * 60
# Failures older than that are forgotten.
BY_NAME_S: Final = 24 * 3600
BY_ADDRESS_S: Final = 3600
# Since somebody got in from there last.
KNOWN_S: Final = 30 * 24 * 3600
FREE_BY_NAME: Final = 5
# An office has one address.
FREE_BY_ADDRESS: Final = 20
_IPV6_OF_A_LINE: Final = 64


@dataclass(frozen=True, slots=True)
class Failures:
    """How many tries failed since they began to count, and when the last of them did."""

    count: int = 0
    last_at: datetime | None = None


def wait_until(failures: Failures, *, free: int) -> datetime | None:
    """When the next try is looked at; None: at once. After `free` failures 30 s, twice as much after each, 15 minutes at most."""
    over = failures.count - free
    if over < 0 or failures.last_at is None:
        return None
    # The exponent has a limit before the power does: a million failures are no number of a million digits.
    wait_s = min(FIRST_WAIT_S * 2 ** min(over, 10), MOST_WAIT_S)
    return failures.last_at + timedelta(seconds=wait_s)


def longest_wait_s(by_name: Failures, by_address: Failures, *, now: datetime) -> int:
    """For how long the next try is not looked at, whole seconds, 0 for not at all."""
    ends = (wait_until(by_name, free=FREE_BY_NAME), wait_until(by_address, free=FREE_BY_ADDRESS))
    return max(0, *(-int((now - end).total_seconds() // 1) for end in ends if end is not None), 0)


def line_of(address: str | None) -> str | None:
    """The address that tries are counted by: in IPv6 the /64, which one line has whole. Raises: ValueError."""
    if address is None:
        return None
    read: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(read, IPv6Address):
        if read.ipv4_mapped is not None:
            return str(read.ipv4_mapped)
        return str(IPv6Network((read, _IPV6_OF_A_LINE), strict=False))
    return str(read)
