"""Bulk changes that wait to be worked off, put in order of the store's pages while small changes pass.

A bulk change of 300,000 accounts takes seconds to sort; that is done over a second connection by a second thread, and the
publisher's own goes on answering to small ones meanwhile.

Next: publisher.py
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from control_plane.publishing.change_feed import Changes


class Backlog:
    """Keys to look at again, taken in parts. `order` sorts accounts; what it raises is raised by take()."""

    def __init__(self, order: Callable[[array[int]], array[int]]) -> None:
        self._order = order
        self._changes = Changes()
        self._unordered: array[int] = array("q")
        self._ordering: Future[array[int]] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="order")

    def __bool__(self) -> bool:
        """Whether anything is left, what is being ordered included."""
        return bool(len(self._changes) or self._unordered or self._ordering is not None)

    @property
    def ready(self) -> bool:
        """Whether take() has something to give at once."""
        return bool(len(self._changes)) or (self._ordering is not None and self._ordering.done())

    def add(self, changes: Changes) -> None:
        """Take over the keys of a large read."""
        self._unordered.extend(changes.accounts)
        changes.accounts = array("q")
        self._changes.add(changes)
        self._order_next()

    def take(self, count: int) -> Changes:
        """Up to `count` keys of each kind that are ready."""
        if self._ordering is not None and self._ordering.done():
            self._changes.accounts.extend(self._ordering.result())
            self._ordering = None
            self._order_next()
        return self._changes.take(count)

    def close(self) -> None:
        """Let go of everything; what was not taken is read again from the position that is stored."""
        self._thread.shutdown(cancel_futures=True)

    def _order_next(self) -> None:
        if self._unordered and self._ordering is None:
            self._ordering = self._thread.submit(self._order, self._unordered)
            self._unordered = array("q")
