"""An event loop whose clock stands still while there is something to do and jumps to the next timer when there is not.

    run_jumping(story())     # as asyncio.run, but hours of waiting take no time and last exactly as long as they say

Only for what lives in the loop alone: a process or thread outside would be waited for by a clock that has run away.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

_Result = TypeVar("_Result")

# So long, of the machine's time, the kernel has to hand over a datagram before the clock jumps.
_GRACE_S: Final = 0.02
# And so long takes each turn of the loop: who waits for less than a clock can show would wait for ever.
_TURN_S: Final = 1e-6


class _Selector(selectors.DefaultSelector):
    """Waits for what has come already; else the clock jumps by what it was to wait. `now` is the clock, in seconds."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What can be read or written."""
        self.now += _TURN_S
        if timeout is None:
            return super().select(None)
        found = super().select(min(timeout, _GRACE_S))
        if not found:
            self.now += max(timeout, 0.0)
        return found


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._clock = _Selector()
        super().__init__(self._clock)

    def time(self) -> float:
        """Its own clock."""
        return self._clock.now


def run_jumping(story: Coroutine[Any, Any, _Result]) -> _Result:
    """The story's result."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(story)
