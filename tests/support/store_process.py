"""A policy store reader in a process of its own, as FreeRADIUS is one: LMDB opens a store once a process."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from radius_hooks.policy_store import PolicyReader

_readers: dict[Path, PolicyReader] = {}


def _look(directory: Path, verb: str, arguments: tuple[Any, ...]) -> Any:
    reader = _readers.setdefault(directory, PolicyReader(directory))
    with reader.reading() as view:
        return getattr(view, verb)(*arguments)


class StoreProcess:
    def __init__(self, pool: ProcessPoolExecutor, directory: Path) -> None:
        self._pool = pool
        self._directory = directory

    def __getattr__(self, verb: str) -> Any:
        """`store.account("anna")`: the look-up of that name, done in the other process."""
        return lambda *arguments: self._pool.submit(_look, self._directory, verb, arguments).result(timeout=30)


@contextmanager
def reader_process(directory: Path) -> Iterator[StoreProcess]:
    with ProcessPoolExecutor(max_workers=1, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield StoreProcess(pool, directory)
