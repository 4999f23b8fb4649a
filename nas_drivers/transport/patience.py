"""When a request is sent again, and when it is given up. Pure.

Source: RFC 5080 section 2.2.1: first wait IRT, then doubled with up to MRT, each RAND off by 10 %; MRC sends, MRD in all.
Next: coa.py
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """How long an answer is waited for. Units: seconds; `jitter` is a share of a wait, to both sides."""

    first_s: float = 2.0
    longest_s: float = 16.0
    sends: int = 5
    total_s: float = 30.0
    jitter: float = 0.1

    def waits(self, chance: Callable[[], float]) -> Iterator[float]:
        """Seconds to wait after each send, one number a send; they never add up to more than `total_s`.

        `chance` gives a number in [0, 1). A send that could not be waited for is not made.
        """
        left = self.total_s
        wait = 0.0
        for _ in range(self.sends):
            off = (2 * chance() - 1) * self.jitter
            wait = self.first_s * (1 + off) if wait == 0 else wait * (2 + off)
            if wait > self.longest_s:
                wait = self.longest_s * (1 + off)
            if left <= 0:
                return
            yield min(wait, left)
            left -= wait
