"""What changed between two looks at the processes, in words; and a connection that comes back by itself.

Next: screen.py
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any, Final

import psycopg

from control_plane import db
from control_plane.machine.live_figures import (
    RATE_WINDOW_S,
    BooksFigures,
    Drift,
    NetworkFigures,
    drift_of,
    load_books_figures,
    load_live_sessions,
    load_network_figures,
)
from control_plane.machine.screen import ProcessLine
from control_plane.machine.supervision import ProcessState
from control_plane.telemetry import counter_value, machine_registry

# A slow database must not stop the screen, nor the screen load a slow database.
_STATEMENT_TIMEOUT: Final = "2s"
# Measuring drift reads every session: it may take this share of the time.
_DRIFT_SHARE: Final = 0.05
_DRIFT_INTERVAL_S: Final = 2.0
_BOOKS_INTERVAL_S: Final = 5.0


def said_of_processes(
    before: Sequence[ProcessState],
    after: Sequence[ProcessState],
    *,
    exits: Mapping[tuple[str, int], str],
    down: Mapping[str, str],
) -> tuple[tuple[str, ...], dict[str, str]]:
    """What to tell of processes that died, can't be started or run again, and which are down now with what was told.

    A process that dies over and over is told of once. `exits` says by name and pid how each ended; pid 0 where it is not known.
    """
    known = {one.name: one for one in before}
    said, still_down = [], dict(down)
    for now in after:
        was = known.get(now.name)
        if now.state == "RUNNING" and still_down.pop(now.name, ""):
            said.append(f"{now.name} runs again as process {now.pid}")
        if was is not None and was.state == "RUNNING" and now.pid != was.pid:
            ended = exits.get((now.name, was.pid)) or exits.get((now.name, 0))
            how = f" ({ended})" if ended else ""
            said.append(f"{now.name} died{how}" + (f", started again as process {now.pid}" if now.pid else ""))
            if not now.pid:
                still_down[now.name] = "died"
        if now.state == "FATAL" and still_down.get(now.name) != "fatal":
            said.append(f"{now.name} can't be started ({now.problem or 'it ends at once'}); see log/{now.name}.log")
            still_down[now.name] = "fatal"
    return tuple(said), still_down


def process_lines(states: Sequence[ProcessState], *, now: float) -> tuple[ProcessLine, ...]:
    """The processes as the screen shows them. Units: `now` in epoch seconds."""
    return tuple(
        ProcessLine(one.name, one.state, one.pid, max(int(now) - one.started_at, 0) if one.pid else 0) for one in states
    )


@dataclass(slots=True)
class RateMeter:
    """A rate over the last seconds from a counter that only grows; a restart of what counts starts it anew."""

    window_s: float = RATE_WINDOW_S
    _seen: list[tuple[float, float]] = field(default_factory=list)

    def rate(self, value: float, *, now: float) -> float | None:
        """The rate a second; None at the first look. Units: `now` in seconds of any clock that does not jump."""
        if self._seen and value < self._seen[-1][1]:
            self._seen.clear()
        self._seen.append((now, value))
        while len(self._seen) > 2 and now - self._seen[1][0] >= self.window_s:
            self._seen.pop(0)
        (first_at, first), (last_at, last) = self._seen[0], self._seen[-1]
        return None if last_at <= first_at else (last - first) / (last_at - first_at)


class Watcher:
    """Looks at the database, the policy store and the counters about once a second. Whatever is away is None."""

    def __init__(self, conninfo: str, *, policy_dir: Path, metrics_dir: Path, zone: tzinfo = UTC) -> None:
        self._conninfo = conninfo
        self._zone = zone
        self._policy_dir = policy_dir
        self._metrics_dir = metrics_dir
        self._connection: psycopg.Connection[Any] | None = None
        self._records = RateMeter()
        self._drift: Drift | None = None
        self._drift_due = 0.0
        self._books: BooksFigures | None = None
        self._books_due = 0.0

    def look(self) -> NetworkFigures | None:
        """The figures of the database; None while it does not answer."""
        try:
            if self._connection is None:
                self._connection = db.connect(self._conninfo, name="screen", autocommit=True)
                self._connection.execute("SELECT set_config('statement_timeout', %s, false)", (_STATEMENT_TIMEOUT,))
            figures = load_network_figures(self._connection)
            self._measure_drift(self._connection)
            self._count_books(self._connection)
        except psycopg.Error:
            self.close()
            self._drift = None
            return None
        return figures

    def _measure_drift(self, connection: psycopg.Connection[Any]) -> None:
        started = time.monotonic()
        if started < self._drift_due:
            return
        self._drift = drift_of(load_live_sessions(connection), self._policy_dir, now=time.time())
        took_s = time.monotonic() - started
        self._drift_due = time.monotonic() + max(_DRIFT_INTERVAL_S, took_s / _DRIFT_SHARE)

    def _count_books(self, connection: psycopg.Connection[Any]) -> None:
        if time.monotonic() < self._books_due:
            return
        self._books = load_books_figures(connection, datetime.now(UTC).astimezone(self._zone).date())
        self._books_due = time.monotonic() + _BOOKS_INTERVAL_S

    @property
    def books(self) -> BooksFigures | None:
        """The books as last counted."""
        return self._books

    @property
    def drift(self) -> Drift | None:
        """The drift as last measured."""
        return self._drift

    def records_per_s(self) -> float | None:
        """Accounting records that reached the database a second."""
        count = counter_value(machine_registry(self._metrics_dir), "corrente_accounting_records_total")
        return self._records.rate(count, now=time.monotonic())

    def close(self) -> None:
        """Let go of the database."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None
