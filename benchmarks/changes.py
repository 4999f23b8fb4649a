"""Exchanges of CoA with 200 NASes from one worker, beside radclient called once a session, as other systems do it.

`python -m benchmarks.changes` measures this alone. The NASes are one process with a socket on each of 200 loopback addresses; it
checks every request's authenticator and acknowledges. Window and rate of each NAS are the defaults of a new NAS.

Units: exchanges a second, microseconds of the worker's processor time.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import selectors
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import md5
from typing import Final

from benchmarks.answering import BenchmarkError
from benchmarks.contest import Row, Spread
from nas_drivers.driver import driver_for
from nas_drivers.policy import BitRate, RatePair, SessionIdentity, SessionPolicy
from nas_drivers.transport.coa import Acked, ChangeRequest, ChangeSender, ChangeTarget

NASES: Final = 200
SECRET: Final = b"a shared secret of 32 characters"
_LEAST_A_SECOND: Final = 2_000
_EXCHANGES: Final = 20_000
_CALLS: Final = 150
_SLOWER: Final = SessionPolicy(rate=RatePair(BitRate(8_000_000), BitRate(800_000)))


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn gave."""

    rate: float
    cpu_us: float


def _answer_for_ever(opened: Sequence[socket.socket]) -> None:
    selector = selectors.EpollSelector()
    for one in opened:
        selector.register(one, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            assert isinstance(key.fileobj, socket.socket)
            _answer_all(key.fileobj)


def _answer_all(opened: socket.socket) -> None:
    while True:
        try:
            raw, source = opened.recvfrom(4096)
        except BlockingIOError:
            return
        if md5(raw[:4] + bytes(16) + raw[20:] + SECRET).digest() == raw[4:20]:
            head = bytes((raw[0] + 1, raw[1], 0, 20))
            opened.sendto(head + md5(head + raw[4:20] + SECRET).digest(), source)


@contextmanager
def nases(count: int) -> Iterator[list[ChangeTarget]]:
    """So many devices, each at its own address, as long as the block lasts."""
    opened: list[socket.socket] = []
    for number in range(count):
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        opened.append(one)
        one.setblocking(False)
        one.bind((f"127.0.{110 + number // 250}.{number % 250 + 1}", 0))
    process = multiprocessing.get_context("fork").Process(target=_answer_for_ever, args=(opened,), daemon=True)
    process.start()
    try:
        yield [
            ChangeTarget(number, *one.getsockname(), secret=SECRET)  # type: ignore[misc]  # address and port
            for number, one in enumerate(opened)
        ]
    finally:
        process.terminate()
        process.join()
        for one in opened:
            one.close()


def _request(number: int) -> ChangeRequest:
    driver = driver_for("mikrotik")
    identity = SessionIdentity(f"subscriber{number:07}", f"81{number:06x}")
    attributes = driver.identity_attributes(identity, detail=0) + driver.change_attributes(_SLOWER)
    return ChangeRequest(43, attributes)


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
                sender.send(targets[number % len(targets)], _request(number), on_packet=count)
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
    """One radclient a session, one after the other: make a process, send, wait, read what it printed."""
    began = time.perf_counter()
    for number in range(calls):
        target = targets[number % len(targets)]
        lines = "\n".join(f'{one.name} = "{one.value}"' for one in _request(number).attributes)
        done = subprocess.run(
            ["radclient", "-t", "2", "-r", "3", f"{target.address}:{target.port}", "coa", SECRET.decode()],
            input=lines,
            capture_output=True,
            text=True,
            check=False,
        )
        if "Received CoA-ACK" not in done.stdout:
            raise BenchmarkError(f"radclient was not answered: {done.stdout}{done.stderr}")
    return Turn(calls / (time.perf_counter() - began), 0.0)


def exchange_row(*, rounds: int, share: float = 1.0) -> Row:
    """Turns of both, the first of each not counted; `share` of the usual number of exchanges."""
    ours: list[Turn] = []
    theirs: list[Turn] = []
    with nases(NASES) as targets:
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
