"""A run in a process of its own, which can be killed at its n-th round trip to the database."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from typing import Any

import psycopg
from support.billing_world import go_on

from billing.runs.billing_run import issue_run
from billing.store.runs import load_run
from control_plane import db

Connect = Callable[[str], Any]
# Forked, for a start of Python takes longer than the run; nothing of the test runs on in it.
_FORK = multiprocessing.get_context("fork")


class _Counted(psycopg.Connection[Any]):
    """Dies by SIGKILL instead of its n-th round trip: a statement, a row copied, BEGIN or COMMIT."""

    left: int | None = None

    def wait(self, *arguments: Any, **more: Any) -> Any:
        cls = type(self)
        if cls.left is not None:
            cls.left -= 1
            if cls.left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return super().wait(*arguments, **more)


def _run(conninfo: str, run_id: int, die_after: int | None, batch: int, workers: int) -> None:
    with db.connect(conninfo, name="test", autocommit=True) as connection:
        run = load_run(connection, run_id)
    assert run is not None

    def connect() -> Any:
        return db.connect_as(_Counted, conninfo, name="test billing", autocommit=True)

    _Counted.left = die_after
    issue_run(connect, run, made_by="job billing", batch=batch, workers=workers)


def begin(conninfo: str, run_id: int, *, die_after: int | None = None, batch: int = 3, workers: int = 1) -> Any:
    """Start the run in a process; the answer has `join()` and `exitcode`."""
    process = _FORK.Process(target=_run, args=(conninfo, run_id, die_after, batch, workers))
    process.start()
    return process


def in_process(work: Callable[[Connect], None], *, die_after: int) -> bool:
    """Whether work in a process of its own died at that round trip; False: it needed fewer and is done.

    `work` gets what opens connections (autocommit) that are counted.
    """

    def counted(conninfo: str) -> Any:
        return db.connect_as(_Counted, conninfo, name="test jobs", autocommit=True)

    def begun() -> None:
        _Counted.left = die_after
        work(counted)

    process = _FORK.Process(target=begun)
    process.start()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL), f"the work ended by itself with {process.exitcode}"
    return bool(process.exitcode)


def killed_after(conninfo: str, run_id: int, die_after: int, **more: Any) -> bool:
    """Whether a run died at that round trip; False: it needed fewer and is done."""
    process = begin(conninfo, run_id, die_after=die_after, **more)
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL), f"the run ended by itself with {process.exitcode}"
    return bool(process.exitcode)


__all__ = ["begin", "go_on", "killed_after"]
