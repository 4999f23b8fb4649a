"""Many documents printed into files, by several processes: each has a connection and presses of its own.

A document that can't be printed stops no other. A file is there whole or not at all.

Next: billing/operations/printing.py
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import psycopg

from billing.errors import BillingError
from billing.operations.printing import PrintShop
from control_plane import db

# What a process takes at once: so few that all end together, so many that asking costs nothing.
_BATCH: Final = 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """A document and the file that it goes to."""

    document_id: int
    file: Path
    language: str | None = None


class PrintingStoppedError(BillingError):
    """A run of papers ended before its end."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A document that could not be printed, and why."""

    document_id: int
    why: str


def print_files(
    wanted: Sequence[Wanted], *, conninfo: str, folder: Path, processes: int, done: Callable[[int], None]
) -> list[Failed]:
    """Prints them all; `done` hears how many more are. Returns those that could not be printed.

    Raises: PrintingStoppedError.
    """
    batches = list(_batches(wanted, max(1, min(_BATCH, -(-len(wanted) // processes)))))
    if processes <= 1 or len(batches) == 1:
        return _in_order(batches, conninfo, folder, done)
    failed: list[Failed] = []
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(processes, len(batches)), context, _begin, (conninfo, folder))
    try:
        for batch, found in zip(batches, pool.map(_print_here, batches), strict=True):
            failed += found
            done(len(batch))
    except BrokenProcessPool as error:
        raise PrintingStoppedError("a process that prints was ended from outside; what is there is whole") from error
    finally:
        # After Ctrl-C nothing more is begun; what is in hand is finished.
        pool.shutdown(cancel_futures=True)
    return failed


def _in_order(
    batches: Iterable[Sequence[Wanted]], conninfo: str, folder: Path, done: Callable[[int], None]
) -> list[Failed]:
    failed: list[Failed] = []
    with _reader(conninfo) as connection, PrintShop(folder) as shop:
        for batch in batches:
            for one in batch:
                failed += _print(connection, shop, one)
                done(1)
    return failed


def _batches(wanted: Sequence[Wanted], size: int) -> Iterator[Sequence[Wanted]]:
    rest = iter(wanted)
    while batch := tuple(islice(rest, size)):
        yield batch


# What a process of the pool has open, for all of its batches.
_here: list[tuple[psycopg.Connection[Any], PrintShop]] = []


def _begin(conninfo: str, folder: Path) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _here.append((_reader(conninfo), PrintShop(folder)))


def _end_with_parent() -> None:
    """Who is killed can't tell its processes, and they would wait for work for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "this is a process of a pool"
    parent.join()
    os._exit(1)


def _reader(conninfo: str) -> psycopg.Connection[Any]:
    connection = db.connect(conninfo, name="papers", autocommit=True, origin="command")
    db.expect_few_rows(connection)
    return connection


def _print_here(batch: Sequence[Wanted]) -> list[Failed]:
    connection, shop = _here[0]
    return [failed for one in batch for failed in _print(connection, shop, one)]


def _print(connection: psycopg.Connection[Any], shop: PrintShop, one: Wanted) -> list[Failed]:
    try:
        write_whole(one.file, shop.document(connection, one.document_id, language=one.language))
    except BillingError as error:
        return [Failed(one.document_id, str(error))]
    except OSError as error:
        return [Failed(one.document_id, f"can't write {one.file}: {error.strerror}")]
    return []


def write_whole(file: Path, content: bytes) -> None:
    """Beside its place first, then there: who looks finds all of it. Raises: OSError."""
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)
