"""How many Access-Requests and Accounting-Requests a second are answered, beside the rivals."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from benchmarks.freeradius import Running
from benchmarks.load import LoadPlan, LoadResult, run_load
from benchmarks.packets import (
    ACCESS_ACCEPT,
    ACCOUNTING_RESPONSE,
    AccountingStatus,
    AccountingWord,
    Subscriber,
    access_request,
    accounting_request,
)
from benchmarks.population import RADIUS_SECRET

# Four source ports with 32 requests out each: enough to keep four threads of any of these servers busy, and little
# enough that none of it waits in a socket.
LANES: Final = 4
WINDOW: Final = 32
# A number with no factor in common with the population's: the order of arrival has nothing to do with the order stored.
_STRIDE: Final = 7919
_SESSIONS_A_BLOCK: Final = 500


class BenchmarkError(Exception):
    """A figure would be worthless: answers of the wrong kind, or forged ones."""


def login_packets(subscribers: Sequence[Subscriber], *, chap: bool = False) -> list[list[bytes]]:
    """A login of each subscriber, dealt out to the lanes in scattered order."""
    lanes: list[list[bytes]] = [[] for _ in range(LANES)]
    for number in range(len(subscribers)):
        lane = lanes[number % LANES]
        subscriber = subscribers[number * _STRIDE % len(subscribers)]
        lane.append(access_request(subscriber, identifier=len(lane) % 256, secret=RADIUS_SECRET, chap=chap))
    return lanes


def accounting_packets(subscribers: Sequence[Subscriber], *, sessions: int, run: str) -> list[list[bytes]]:
    """Sessions of a Start, three Interims and a Stop each, interleaved in blocks as a BRAS interleaves subscribers.

    `run` makes the session ids differ from those of other runs: a record is never sent twice.
    """
    lanes: list[list[bytes]] = [[] for _ in range(LANES)]
    began = int(time.time()) - 3600
    words = (AccountingStatus.START, *[AccountingStatus.INTERIM] * 3, AccountingStatus.STOP)
    for block in range(0, sessions, _SESSIONS_A_BLOCK):
        for turn, status in enumerate(words):
            for number in range(block, min(block + _SESSIONS_A_BLOCK, sessions)):
                # A session stays on its lane, so that its records keep their order.
                lane = lanes[number % LANES]
                lane.append(
                    accounting_request(
                        subscribers[number * _STRIDE % len(subscribers)],
                        AccountingWord(
                            status,
                            f"81{run}{number:06x}",
                            at=began + turn * 600,
                            session_time_s=turn * 600,
                            octets_in=turn * 10_000_000,
                            octets_out=turn * 100_000_000,
                        ),
                        identifier=len(lane) % 256,
                        secret=RADIUS_SECRET,
                    )
                )
    return lanes


def measure_logins(server: Running, lanes: Sequence[Sequence[bytes]], *, duration_s: float) -> LoadResult:
    """One turn of logins; all of them must be accepted."""
    plan = LoadPlan(server.authentication, RADIUS_SECRET, window=WINDOW, duration_s=duration_s)
    return _all_of_kind(server, run_load(plan, lanes), ACCESS_ACCEPT)


def measure_accounting(server: Running, lanes: Sequence[Sequence[bytes]], *, duration_s: float) -> LoadResult:
    """One turn of accounting; ends early when all records are answered."""
    plan = LoadPlan(server.accounting, RADIUS_SECRET, window=WINDOW, duration_s=duration_s, repeat=False)
    return _all_of_kind(server, run_load(plan, lanes), ACCOUNTING_RESPONSE)


def _all_of_kind(server: Running, result: LoadResult, code: int) -> LoadResult:
    if set(result.answered) - {code} or not result.answered:
        raise BenchmarkError(f"{server.name} answered {result.answered}, all should have code {code}")
    return result
