"""What a child process of a test runs: it looks into a policy store until told to stop.

It stands here because a child finds it by its name: a package of site-packages may call itself `tests`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from radius_hooks.policy_store import PolicyReader, StoreError


def look_by_opening(directory: Path, started: Any, stop: Any, results: Any) -> None:
    """A reader that opens the store for each look, so that many a switch falls between finding and opening it."""
    looked, problem = 0, ""
    while not stop.is_set():
        reader = PolicyReader(directory)
        try:
            with reader.reading() as view:
                record = view.account("anna")
        except StoreError as error:
            problem = str(error)
            break
        finally:
            reader.close()
        looked += record is not None
        started.set()
    results.put((looked, problem))


def look_as_freeradius(directory: Path, started: Any, stop: Any, results: Any) -> None:
    """A reader that looks as fast as it can, as FreeRADIUS does; the problems it met and the generations it saw."""
    reader, problems, built = PolicyReader(directory), 0, set()
    while not stop.is_set():
        try:
            with reader.reading() as view:
                problems += view.account("user0001") is None
                built.add(view.meta().built_at)
        except Exception:
            problems += 1
        started.set()
    results.put((problems, len(built)))
