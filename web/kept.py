"""An answer that is worked out once for all who ask within a second.

For what anybody may ask without signing in: however many ask, one of them works, and so holds one connection to the database.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar

_Answer = TypeVar("_Answer")
KEPT_S: Final = 1.0


class Kept(Generic[_Answer]):
    """One question. While it is being asked again, others are told what was answered before; the first time they wait."""

    def __init__(self, ask: Callable[[], _Answer], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._ask, self._clock = ask, clock
        self._asking = threading.Lock()
        self._kept: tuple[float, _Answer] | None = None

    def answer(self) -> _Answer:
        """What was answered less than a second ago, or before what somebody is asking at this moment; else a new answer."""
        kept = self._kept
        if kept is not None and self._clock() - kept[0] < KEPT_S:
            return kept[1]
        if not self._asking.acquire(blocking=kept is None):
            assert kept is not None, "who has nothing to tell waits"
            return kept[1]
        try:
            if self._kept is kept:
                answer = self._ask()
                self._kept = self._clock(), answer
                return answer
            assert self._kept is not None, "it was asked while this one waited"
            return self._kept[1]
        finally:
            self._asking.release()
