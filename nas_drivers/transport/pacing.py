"""How fast one NAS is spoken to, and which identifiers are free. Pure: the caller says what time it is.

Source: RFC 5176 section 6.3: within the 300 s in which a device may take a request for a replay, no identifier is used
again from the same port, so that one port carries 256 requests in that time.
Next: patience.py
"""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, field
from typing import Final

IDENTIFIERS: Final = 256
QUARANTINE_S: Final = 300.0
# 131,072 requests to one device in 300 s; beyond that they wait for an identifier.
MAX_PORTS: Final = 512
# Requests may begin this much early, so that a busy loop needs no timer for each. Units: seconds.
_EARLY_S: Final = 0.01


@dataclass(slots=True)
class Pace:
    """A steady rate without bursts beyond 10 ms' worth. Units: `per_s` requests a second; times seconds of one clock."""

    per_s: float
    _next_at: float = -math.inf

    def wait_s(self, now: float) -> float:
        """How long until the next request may begin; 0 for now."""
        wait = self._next_at - now - _EARLY_S
        return wait if wait > 0 else 0.0

    def take(self, now: float) -> None:
        """One begins."""
        self._next_at = max(self._next_at, now) + 1 / self.per_s


@dataclass(slots=True)
class IdentifierPool:
    """The identifiers of one NAS over all source ports: (port number, identifier), in turn.

    `_free_at` holds for each when it may be used again; infinity while it is in use.
    """

    max_ports: int = MAX_PORTS
    quarantine_s: float = QUARANTINE_S
    _free_at: array[float] = field(default_factory=lambda: array("d"))
    _turn: int = 0

    def take(self, now: float, ports: int) -> tuple[int, int] | float:
        """A free pair, on the ports there are if possible (`ports`), else on one more.

        When there is none: the moment at which one may be free, which is infinity while all of them are in use.
        """
        known = len(self._free_at)
        if known and self._free_at[self._turn] <= now:
            slot = self._turn
            self._turn = (slot + 1) % known
        elif known < self.max_ports * IDENTIFIERS and known // IDENTIFIERS <= ports:
            slot = known
            self._free_at.append(math.inf)
        else:
            return self._free_at[self._turn] if known else math.inf
        self._free_at[slot] = math.inf
        return divmod(slot, IDENTIFIERS)

    def give_back(self, pair: tuple[int, int], now: float) -> None:
        """The exchange is over; the identifier rests."""
        self._free_at[pair[0] * IDENTIFIERS + pair[1]] = now + self.quarantine_s
