"""A BRAS comes back and all its subscribers dial at once: is everyone answered, and is every Start kept?

Each accepted login sends its Start at once, with the Class it was given, as a PPPoE server does. Afterwards the
database is asked whether each session is there exactly once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from benchmarks.contest import Row
from benchmarks.freeradius import Running
from benchmarks.load import BuiltLane, Generator, LoadPlan, LoadResult, QueueLane
from benchmarks.packets import (
    ACCESS_ACCEPT,
    CLASS,
    AccountingStatus,
    AccountingWord,
    Subscriber,
    access_request,
    accounting_request,
    attributes_of,
)
from benchmarks.population import RADIUS_SECRET
from control_plane import db

LOGINS: Final = 20_000
# How many source ports the BRAS uses for logins, and as many again for accounting, with how many requests out each.
_PORTS: Final = 8
_WINDOW: Final = 64
# What a RouterOS device waits for an answer before it sends again.
_RESEND_S: Final = 1.1
# A login is tried as often as a PPPoE client waits for; accounting is sent until it is answered (RFC 5080 section 2.2.1).
_LOGIN_TRIES: Final = 5
_START_TRIES: Final = 100
_LONGEST_S: Final = 120.0
_ARRIVAL_TIMEOUT_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class StormResult:
    """What a storm did. `kept` counts the sessions found in the database afterwards, `doubled` those found twice."""

    load: LoadResult
    logins: int
    kept: int
    doubled: int
    kept_after_s: float

    @property
    def p99_ms(self) -> float:
        return self.load.percentile_ms(0.99)

    @property
    def is_complete(self) -> bool:
        return self.load.answers == 2 * self.logins and self.kept == self.logins and not self.doubled


class _Storm:
    """The lanes of one storm, and the way from an Accept to its Start."""

    def __init__(self, server: Running, subscribers: Sequence[Subscriber], *, run: str) -> None:
        self._run, self._at = run, int(time.time())
        logins = LoadPlan(
            server.authentication,
            RADIUS_SECRET,
            window=_WINDOW,
            duration_s=_LONGEST_S,
            timeout_s=_RESEND_S,
            tries=_LOGIN_TRIES,
            repeat=False,
        )
        starts = replace(logins, target=server.accounting, tries=_START_TRIES)
        dealt: list[list[bytes]] = [[] for _ in range(_PORTS)]
        self._who: dict[bytes, Subscriber] = {}
        for number, subscriber in enumerate(subscribers):
            lane = dealt[number % _PORTS]
            packet = access_request(subscriber, identifier=len(lane) % 256, secret=RADIUS_SECRET)
            self._who[packet[4:20]] = subscriber
            lane.append(packet)
        self._queues = [QueueLane(starts, self._start) for _ in range(_PORTS)]
        self._lanes = [*(BuiltLane(logins, packets) for packets in dealt), *self._queues]
        self._waiting = len(subscribers)
        self.generator = Generator(logins, self._lanes, on_reply=self._replied)

    def _start(self, item: object, identifier: int) -> bytes:
        assert isinstance(item, tuple)
        subscriber, class_value = item
        word = AccountingWord(
            AccountingStatus.START, f"81{self._run}{subscriber.number:06x}", at=self._at, class_value=class_value
        )
        return accounting_request(subscriber, word, identifier=identifier, secret=RADIUS_SECRET)

    def _replied(self, request: bytes, reply: bytes) -> None:
        subscriber = self._who.get(request[4:20])
        if subscriber is None:
            return  # the answer to a Start
        self._waiting -= 1
        if reply[0] == ACCESS_ACCEPT:
            class_value = dict(attributes_of(reply)).get(CLASS, b"")
            self._queues[subscriber.number % _PORTS].queue.append((subscriber, class_value))
        if not self._waiting:
            for queue in self._queues:
                queue.closed = True


def run_storm(
    server: Running, subscribers: Sequence[Subscriber], count_kept: Callable[[], tuple[int, int]], *, run: str
) -> StormResult:
    """One storm of these subscribers, and then a look into the database until all Starts are there or time is up.

    `count_kept` returns how many sessions of this run the database holds, and how many it holds more than once.
    """
    storm = _Storm(server, subscribers, run=run)
    started = time.monotonic()
    try:
        load = storm.generator.run()
    finally:
        storm.generator.close()
    deadline = time.monotonic() + _ARRIVAL_TIMEOUT_S
    kept, doubled = count_kept()
    while kept < len(subscribers) and time.monotonic() < deadline:
        time.sleep(0.1)
        kept, doubled = count_kept()
    return StormResult(load, len(subscribers), kept, doubled, time.monotonic() - started)


def counter(conninfo: str, table: str, *, run: str) -> Callable[[], tuple[int, int]]:
    """Counts the sessions of one run in Corrente's `session` or in rlm_sql's `radacct`."""
    name = {"session": "acct_session_id", "radacct": "acctsessionid"}[table]
    query = (
        f"SELECT count(*), count(*) FILTER (WHERE n > 1) "
        f"FROM (SELECT count(*) AS n FROM {table} WHERE {name} LIKE %s GROUP BY {name}) AS by_session"
    )

    def count() -> tuple[int, int]:
        with db.connect(conninfo, name="bench") as connection:
            row = connection.execute(query, (f"81{run}%",)).fetchone()
        assert row is not None
        return row[0], row[1]

    return count


def storm_row(ours: StormResult, theirs: StormResult) -> Row:
    """The storm in the table."""
    return Row(
        f"storm: {ours.logins:,} logins with their Starts after a BRAS reboot",
        _told(ours),
        f"rlm_sql: {_told(theirs)}",
        f"{theirs.load.elapsed_s / ours.load.elapsed_s:.1f}x faster over",
        "all answered, none lost, p99 1 s",
        ours.is_complete and ours.p99_ms < 1000,
    )


def _told(result: StormResult) -> str:
    load = result.load
    return (
        f"{load.answers:,} of {2 * result.logins:,} answered in {load.elapsed_s:.1f} s, p99 {result.p99_ms:.0f} ms, "
        f"{load.resent} sent again; {result.kept:,} sessions in the database after {result.kept_after_s:.1f} s, "
        f"{result.doubled} twice"
    )
