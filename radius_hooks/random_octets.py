"""Random octets from the operating system, asked for in advance: one question for some hundreds of session keys.

Next: login.py
"""

from __future__ import annotations

from os import urandom
from typing import Final

_STOCK_OCTETS: Final = 4096


class RandomOctets:
    """A stock of os.urandom(), each octet given away once. FreeRADIUS calls the hook from one thread at a time."""

    def __init__(self) -> None:
        self._stock = b""
        self._next = 0

    def take(self, count: int) -> bytes:
        """`count` octets that nobody has had."""
        first = self._next
        if first + count > len(self._stock):
            self._stock, first = urandom(max(_STOCK_OCTETS, count)), 0
        self._next = first + count
        return self._stock[first : self._next]
