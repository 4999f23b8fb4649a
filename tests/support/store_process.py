"""A policy store reader in a process of its own, as FreeRADIUS is one: LMDB opens a store once a process.

One such process for all tests of a run, which ends with them: a start of Python takes longer than a test.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from radius_hooks.policy_store import PolicyReader

ROOT = Path(__file__).resolve().parents[2]


class _Process:
    """Answers one question after the other, until nobody can ask any more."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, directory: Path, verb: str, arguments: tuple[Any, ...]) -> Any:
        with self._turn:
            if self._process is None or self._process.poll() is not None:
                self._process = subprocess.Popen(
                    [sys.executable, __file__],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    env={**os.environ, "PYTHONPATH": str(ROOT)},
                )
            questions, answers = self._process.stdin, self._process.stdout
            assert questions is not None
            assert answers is not None
            pickle.dump((directory, verb, arguments), questions)
            questions.flush()
            found, error = pickle.load(answers)
        if error is not None:
            raise error
        return found


_process = _Process()


class StoreProcess:
    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __getattr__(self, verb: str) -> Any:
        """`store.account("anna")`: the look-up of that name, done in the other process."""
        return lambda *arguments: _process.ask(self._directory, verb, arguments)


@contextmanager
def reader_process(directory: Path) -> Iterator[StoreProcess]:
    store = StoreProcess(directory)
    try:
        yield store
    finally:
        store.close()


def _answer(readers: dict[Path, PolicyReader], directory: Path, verb: str, arguments: tuple[Any, ...]) -> Any:
    if verb == "close":
        if directory in readers:
            readers.pop(directory).close()
        return None
    if directory not in readers:
        readers[directory] = PolicyReader(directory)
    with readers[directory].reading() as view:
        return getattr(view, verb)(*arguments)


def _serve() -> None:
    readers: dict[Path, PolicyReader] = {}
    while True:
        try:
            directory, verb, arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            told = _answer(readers, directory, verb, arguments), None
        except Exception as error:  # the asker's to raise
            told = None, error
        pickle.dump(told, sys.stdout.buffer)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    _serve()
