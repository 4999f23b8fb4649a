"""When a request is sent again, and when the device turns to its other server.

Source: RFC 5080 section 2.2.1.
Next: radius_client.py
"""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetryPlan:
    """How one server is asked. Units: seconds. `tries` counts sends; `rounds` how often all servers are gone through.

    0 rounds: without end, as accounting may.
    """

    first_s: float = 2.0
    factor: float = 2.0
    longest_s: float = 16.0
    tries: int = 3
    rounds: int = 1
    jitter: float = 0.1

    def wait_s(self, sent: int, chance: random.Random) -> float:
        """How long to wait after the `sent`-th send (from 1) to one server."""
        plain = min(self.longest_s, self.first_s * self.factor ** min(sent - 1, 32))
        return plain * chance.uniform(1 - self.jitter, 1 + self.jitter)
