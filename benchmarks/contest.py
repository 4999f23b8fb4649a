"""Servers measured in turns, and what a row of the table says.

The machine is shared and noisy, so no server runs its whole time at once: they take turns of some seconds, and each
ratio is made of two turns that lie next to each other. What is told is the median of those ratios with the range.

Next: run.py
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.freeradius import Running
from benchmarks.load import LoadResult

Measure = Callable[[Running], LoadResult]
MICROSECONDS: Final = 1e6


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of one server. Units: answers a second, microseconds of the server's processor time an answer."""

    result: LoadResult
    server_cpu_us: float

    @property
    def rate(self) -> float:
        return self.result.rate


@dataclass(frozen=True, slots=True)
class Spread:
    """A median with the range it comes from."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of what was measured. Raises: ValueError when nothing was."""
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `met` is None where there is nothing to hold, only something to know."""

    what: str
    measured: str
    beside: str = ""
    ratio: str = ""
    at_least: str = ""
    met: bool | None = None


def take_turns(servers: Sequence[Running], measure: Measure, *, rounds: int) -> dict[str, list[Turn]]:
    """Measure each server once a round; the first round warms all of them up and is not kept."""
    turns: dict[str, list[Turn]] = {server.name: [] for server in servers}
    for number in range(rounds + 1):
        for server in servers:
            cpu = server.cpu_s()
            result = measure(server)
            used = (server.cpu_s() - cpu) / max(1, len(result.latencies_us)) * MICROSECONDS
            if number:
                turns[server.name].append(Turn(result, used))
    return turns


def rates(turns: Sequence[Turn]) -> Spread:
    """Answers a second over the turns."""
    return Spread.of([turn.rate for turn in turns])


def ratio(ours: Sequence[Turn], theirs: Sequence[Turn]) -> Spread:
    """How many times their rate ours is, round by round."""
    return Spread.of([one.rate / other.rate for one, other in zip(ours, theirs, strict=True)])


def told(turns: Sequence[Turn]) -> str:
    """A server's turns in one cell: rate with its range, latencies, processor time, and losses if there were any."""
    rate = rates(turns)
    p50, p99 = (statistics.median(turn.result.percentile_ms(share) for turn in turns) for share in (0.5, 0.99))
    cpu = statistics.median(turn.server_cpu_us for turn in turns)
    lost = sum(turn.result.lost for turn in turns)
    return (
        f"{rate.median:,.0f}/s ({rate.low:,.0f}-{rate.high:,.0f}), p50 {p50:.1f} ms, p99 {p99:.1f} ms, {cpu:.0f} µs CPU"
        + (f", {lost} lost" if lost else "")
    )


def times(spread: Spread) -> str:
    """A ratio as the table shows it."""
    digits = 2 if spread.median < 10 else 1
    return f"{spread.median:.{digits}f}x ({spread.low:.{digits}f}-{spread.high:.{digits}f})"


def problems(turns: dict[str, list[Turn]]) -> list[str]:
    """What makes figures worthless: forged replies, answers of the wrong kind are the caller's to look for."""
    return [
        f"{name}: {turn.result.forged} of {turn.result.checked} replies checked are not genuine"
        for name, list_of_turns in turns.items()
        for turn in list_of_turns
        if turn.result.forged
    ]
