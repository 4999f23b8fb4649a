"""Exchanges of CoA with 200 NASes from one worker, beside radclient called once a session, as other systems do it.

`python -m benchmarks.changes` measures this alone. The NASes are one process with a socket on each of 200 loopback addresses; it
checks every request's authenticator and acknowledges. Window and rate of each NAS are the defaults of a new NAS.

Units: exchanges a second, microseconds of the worker's processor time.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Final

from benchmarks.answering import BenchmarkError
from benchmarks.contest import Row, Spread
from benchmarks.devices import NASES, call_radclient, devices, request
from nas_drivers.transport.coa import Acked, ChangeSender, ChangeTarget

_LEAST_A_SECOND: Final = 2_000
_EXCHANGES: Final = 20_000
_CALLS: Final = 150


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn gave."""

    rate: float
    cpu_us: float


async def _ask_all(targets: list[ChangeTarget], exchanges: int) -> Turn:
    sender = ChangeSender()
    packets = 0

    def count(_: object) -> None:
        nonlocal packets
        packets += 1

    began, cpu = time.perf_counter(), time.process_time()
    try:
        outcomes = await asyncio.gather(
            *(
                sender.send(targets[number % len(targets)], request(number), on_packet=count)
                for number in range(exchanges)
            )
        )
    finally:
        await sender.close()
    took, used = time.perf_counter() - began, time.process_time() - cpu
    unlike = [outcome for outcome in outcomes if not isinstance(outcome, Acked)]
    if unlike:
        raise BenchmarkError(f"{len(unlike)} of {exchanges} changes were not acknowledged: {unlike[0]}")
    return Turn(exchanges / took, used / exchanges * 1e6)


def _call_all(targets: list[ChangeTarget], calls: int) -> Turn:
    """One radclient a session, one after the other."""
    began = time.perf_counter()
    for number in range(calls):
        call_radclient(targets[number % len(targets)], number)
    return Turn(calls / (time.perf_counter() - began), 0.0)


def exchange_row(*, rounds: int, share: float = 1.0) -> Row:
    """Turns of both, the first of each not counted; `share` of the usual number of exchanges."""
    ours: list[Turn] = []
    theirs: list[Turn] = []
    with devices() as running:
        targets = running.targets
        for number in range(rounds + 1):
            turns = asyncio.run(_ask_all(targets, int(_EXCHANGES * share))), _call_all(targets, int(_CALLS * share))
            if number:
                ours.append(turns[0])
                theirs.append(turns[1])
    rate, beside = Spread.of([turn.rate for turn in ours]), Spread.of([turn.rate for turn in theirs])
    ratio = Spread.of([one.rate / other.rate for one, other in zip(ours, theirs, strict=True)])
    cpu = Spread.of([turn.cpu_us for turn in ours])
    return Row(
        f"CoA exchanges, {NASES} NASes, one worker",
        f"{rate.median:,.0f}/s ({rate.low:,.0f}-{rate.high:,.0f}), {cpu.median:.0f} µs CPU",
        f"radclient called once a session: {beside.median:,.0f}/s ({beside.low:,.0f}-{beside.high:,.0f})",
        f"{ratio.median:.1f}x ({ratio.low:.1f}-{ratio.high:.1f})",
        f"{_LEAST_A_SECOND:,}/s",
        rate.median >= _LEAST_A_SECOND,
    )


if __name__ == "__main__":
    found = exchange_row(rounds=5)
    print(f"{found.what}: {found.measured}; {found.beside}; {found.ratio}; at least {found.at_least}: {found.met}")
