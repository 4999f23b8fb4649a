"""Whether a loop still turns: when it last did, and what keeps it from it. Asked by /ready and the metrics of its process.

Units: *_s seconds of a clock that nobody sets.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from typing import Any, Final

_REASON_OCTETS: Final = 400


def elapsed_s() -> float:
    """A clock that nobody sets, that goes on while the machine sleeps, and that all processes of the machine share."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Pulse:
    """One loop's. It may be handed to a child process when that is made, and then tells of the loop there."""

    def __init__(self, loop: str, *, max_age_s: float) -> None:
        self.loop = loop
        self._max_age_s = max_age_s
        # In shared memory: written by one thread, read by others, each field by itself.
        self._turned_at: Any = multiprocessing.Value("d", elapsed_s(), lock=False)
        self._trouble: Any = multiprocessing.Array("c", _REASON_OCTETS, lock=False)
        self.trouble("it has not begun yet")

    def beat(self) -> None:
        """The loop has done its work once more."""
        self._turned_at.value = elapsed_s()
        if self._trouble.value:
            self._trouble.value = b""

    def trouble(self, reason: str) -> None:
        """The loop goes on, but can't do its work now."""
        self._trouble.value = (reason.strip() or "unknown").encode()[: _REASON_OCTETS - 1]

    def age_s(self) -> float:
        """Since it last did its work."""
        return max(elapsed_s() - float(self._turned_at.value), 0.0)

    def problems(self) -> Iterator[str]:
        """Why its work is not done at present; nothing when it is."""
        reason = self._trouble.value.decode(errors="replace")
        age_s = self.age_s()
        if reason:
            yield f"{self.loop}: {' '.join(reason.split())} (last done {age_s:.0f} s ago)"
        elif age_s > self._max_age_s:
            yield f"{self.loop}: last done {age_s:.0f} s ago; the log says more"
