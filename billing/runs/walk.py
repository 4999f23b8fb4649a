"""A walk over batches by some threads, each with its own connection, that take their numbers in the order of the batches.

While one thread computes, the database writes for others. Who has written its batch waits for its turn before it takes
numbers and commits, so documents and numbers are the same as by one thread alone.

Next: billing/runs/batch.py
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import psycopg

from billing.runs.batch import Tally
from billing.runs.desk import Sheaf

Connection = psycopg.Connection[Any]
Connect = Callable[[], AbstractContextManager[Connection]]
# Bills one batch by this connection; the last argument waits for the batch's turn to write.
Bill = Callable[[Connection, Sequence[int], Callable[[], None]], Sheaf]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a walk is, of all that was due when it began."""

    payers: int
    of: int
    tally: Tally


class _Abandoned(Exception):
    """Another thread of the walk failed: what this one has in hand is not written."""


class _Seldom:
    """How many runs of this process are in it, and what the collector was set to before the first."""

    lock = threading.Lock()
    inside = 0
    usual = gc.get_threshold()


@contextmanager
def collecting_seldom() -> Iterator[None]:
    """Within it Python looks for circles of dead objects a hundred times less often: a batch makes many values and no circles,
    and looking for some took a sixth of the time.

    The collector is the process's: of several at once the first sets it, and the last to leave sets it back.
    """
    with _Seldom.lock:
        if not _Seldom.inside:
            _Seldom.usual = gc.get_threshold()
            gc.set_threshold(100 * _Seldom.usual[0], *_Seldom.usual[1:])
        _Seldom.inside += 1
    try:
        yield
    finally:
        with _Seldom.lock:
            _Seldom.inside -= 1
            if not _Seldom.inside:
                gc.set_threshold(*_Seldom.usual)


class Walk:
    """One walk. `stopped` tells whether it ended before all batches were done."""

    def __init__(
        self,
        batches: Iterator[Sequence[int]],
        *,
        of: int,
        progress: Callable[[Progress], None] | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        self.tally = Tally()
        self._batches = enumerate(batches)
        self._of = of
        self._progress = progress
        self._stop = stop or threading.Event()
        self._baton = threading.Condition()
        self._turn = 0
        self._left = True
        self._failed: BaseException | None = None

    @property
    def stopped(self) -> bool:
        """Whether batches are left that nobody took."""
        return self._left

    def go(self, bill: Bill, connect: Connect, own: Connection, *, workers: int) -> None:
        """Do all batches, or those before `stop` is set. Raises: what the first thread that failed raised."""
        others = [threading.Thread(target=self._join, args=(bill, connect), daemon=True) for _ in range(workers - 1)]
        for thread in others:
            thread.start()
        self._work(bill, own)
        for thread in others:
            thread.join()
        if self._failed is not None:
            raise self._failed

    def _join(self, bill: Bill, connect: Connect) -> None:
        try:
            with connect() as connection:
                self._work(bill, connection)
        except BaseException as error:  # noqa: BLE001 - raised again by go(), in the thread that asked
            self._fail(error)

    def _work(self, bill: Bill, connection: Connection) -> None:
        while (taken := self._take()) is not None:
            place, batch = taken
            try:
                self._done(bill(connection, batch, partial(self._wait, place)))
            except _Abandoned:
                return
            except BaseException as error:  # noqa: BLE001 - the same
                self._fail(error)
                return

    def _take(self) -> tuple[int, Sequence[int]] | None:
        with self._baton:
            if self._stop.is_set() or self._failed is not None:
                return None
            taken = next(self._batches, None)
            self._left = taken is not None
            return taken

    def _wait(self, place: int) -> None:
        with self._baton:
            self._baton.wait_for(lambda: self._turn == place or self._failed is not None)
            if self._failed is not None:
                raise _Abandoned

    def _done(self, sheaf: Sheaf) -> None:
        with self._baton:
            self._turn += 1
            self.tally.add(sheaf)
            if self._progress is not None:
                self._progress(Progress(self.tally.payers, self._of, self.tally))
            self._baton.notify_all()

    def _fail(self, error: BaseException) -> None:
        with self._baton:
            self._failed = self._failed or error
            self._baton.notify_all()
