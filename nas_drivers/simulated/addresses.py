"""The address pools of a simulated device: one of its own, and one for each pool name it is told.

Its own is a /16 of 100.64.0.0/10 (RFC 6598), a named one a /16 of 10.0.0.0/8, so that a screen tells them apart.
"""

from __future__ import annotations

from collections import deque
from ipaddress import IPv4Address, IPv6Network
from typing import Final
from zlib import crc32

from nas_drivers.errors import NasError

OWN_POOL: Final = ""
_OWN: Final = int(IPv4Address("100.64.0.0"))
_NAMED: Final = int(IPv4Address("10.0.0.0"))
_PREFIXES: Final = IPv6Network("2001:db8::/32")
_HOSTS: Final = 65_534
_DELEGATED_LENGTH: Final = 56


class PoolEmptyError(NasError):
    """Every address of a pool is in use."""


class Pools:
    """Addresses in use and free ones; a freed address is given out again last."""

    def __init__(self, device: IPv4Address) -> None:
        self._own_base = _OWN + (int(device) % 64 << 16)
        self._next: dict[str, int] = {}
        self._freed: dict[str, deque[IPv4Address]] = {}
        self._prefixes = 0

    def take(self, pool: str) -> IPv4Address:
        """A free address. Raises: PoolEmptyError."""
        number = self._next.get(pool, 0)
        if number < _HOSTS:
            self._next[pool] = number + 1
            return IPv4Address(self._base(pool) + number + 1)
        freed = self._freed.get(pool)
        if not freed:
            raise PoolEmptyError(f"pool {pool or 'of the device'} has no address left of {_HOSTS}")
        return freed.popleft()

    def give_back(self, pool: str, address: IPv4Address) -> None:
        """An address that its session no longer uses. One that RADIUS chose belongs to no pool and is let go."""
        base = self._base(pool)
        if base < int(address) <= base + self._next.get(pool, 0):
            self._freed.setdefault(pool, deque()).append(address)

    def take_prefix(self) -> bytes:
        """A delegated prefix as RADIUS writes it (RFC 4818): it is never given out twice."""
        self._prefixes += 1
        address = int(_PREFIXES.network_address) + (self._prefixes << 128 - _DELEGATED_LENGTH)
        return bytes((0, _DELEGATED_LENGTH)) + address.to_bytes(16, "big")

    def _base(self, pool: str) -> int:
        return self._own_base if pool == OWN_POOL else _NAMED + (crc32(pool.encode()) % 256 << 16)
