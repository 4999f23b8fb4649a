"""From a committed change to the NAS that acknowledges it, through the whole loop, beside radclient called once a session.

`python -m benchmarks.chain` measures this alone. `corrente worker` runs as it is delivered, on a PostgreSQL with default
durability, 200 devices on loopback and a live session of each account. A change is the lifting of a restriction; the clock
runs from the moment before its COMMIT to the acknowledgement, as the device itself timed it.

Beside it, on the same devices in the same run, what other systems do: radclient started once a session by the program that
commits, and by a script that looks into a table once a second and works it off in order.

Units: seconds.
Next: devices.py
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
import psycopg

from benchmarks.answering import BenchmarkError
from benchmarks.contest import Row, Spread
from benchmarks.devices import NASES, Acknowledgements, Devices, call_radclient, devices
from benchmarks.network import DATABASE, LiveNetwork, live_network
from benchmarks.population import postgres, working_directory
from control_plane import db
from control_plane.machine.private_postgres import Cluster

# Subscribers online; every one has a session. 2,000 of them are the guard's 2 % of an hour.
ONLINE: Final = 100_000
SINGLE: Final = 400
PER_SECOND: Final = 20
CUTS: Final = 2_000
MANY: Final = 5_000
_CALLS: Final = 150
_GOAL_P95_S: Final = 1.0
_LEAST_A_SECOND: Final = 2_000
_LONGEST_S: Final = 600.0
_POLL_S: Final = 1.0
_LIFT: Final = (
    "UPDATE restriction SET lifted_at = now(), lifted_by = 'payment' WHERE lifted_at IS NULL AND contract_id = ANY (%s)"
)
# By automation, so that the guard counts each.
_CUT: Final = (
    "WITH made AS (INSERT INTO automation_run (name, started_by) VALUES ('dunning', 'benchmark') RETURNING id)"
    " INSERT INTO restriction (contract_id, origin, level, reason, placed_by, run_id)"
    " SELECT number, 'dunning', 'walled', 'invoice unpaid', 'dunning', made.id FROM unnest(%s::bigint[]) AS number, made"
)
_PLACE: Final = (
    "INSERT INTO restriction (contract_id, origin, level, reason, placed_by)"
    " SELECT number, 'admin', 'walled', 'benchmark', 'maria' FROM unnest(%s::bigint[]) AS number"
)


@dataclass(frozen=True, slots=True)
class Delays:
    """From COMMIT to acknowledgement, of each change."""

    seen: list[float]

    def quantile(self, share: float) -> float:
        """What this share of the changes stayed within."""
        ordered = sorted(self.seen)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def share_over(self, limit_s: float) -> float:
        """What share of the changes took longer."""
        return sum(one > limit_s for one in self.seen) / len(self.seen)

    def __str__(self) -> str:
        """`p50 0.07 s, p95 0.09 s, p99 0.11 s`."""
        return ", ".join(f"p{share:g} {self.quantile(share / 100):.2f} s" for share in (50, 95, 99))


@dataclass(slots=True)
class Subscribers:
    """Who is restricted and who is not: each figure takes its own."""

    restricted: list[int]
    _taken: int = 0

    def take(self, count: int) -> list[int]:
        """So many restricted ones that nobody has taken before."""
        taken = self.restricted[self._taken : self._taken + count]
        if len(taken) < count:
            raise BenchmarkError("too few restricted subscribers")
        self._taken += count
        return taken


def commit(connection: psycopg.Connection[Any], statement: str, contracts: Sequence[int]) -> float:
    """Change these in one transaction; when its COMMIT was sent."""
    with connection.transaction():
        connection.execute(statement, (list(contracts),))
        return time.monotonic()


def lift_one_by_one(conninfo: str, acks: Acknowledgements, contracts: Sequence[int], *, per_second: float) -> Delays:
    """Lift one restriction after the other, at moments that do not wait for the answers, and take each one's time."""
    chance, committed = random.Random(1), {}
    with db.connect(conninfo, name="benchmark payments", autocommit=True) as connection:
        at = time.monotonic()
        for contract in contracts:
            at += chance.uniform(0.5, 1.5) / per_second
            time.sleep(max(0.0, at - time.monotonic()))
            began = time.monotonic()
            committed[contract] = max(began, commit(connection, _LIFT, [contract]))
    answered = acks.wait(committed, _LONGEST_S)
    return Delays([answered[contract] - when for contract, when in committed.items()])


@contextmanager
def cuts_going_on(work: Callable[[Sequence[int]], None], contracts: Sequence[int], size: int) -> Iterator[list[int]]:
    """Wave after wave of cuts as long as the block runs; how many each wave had so far. `work` returns when a wave is over."""
    stop, waves = threading.Event(), list[int]()

    def run() -> None:
        for first in range(0, len(contracts), size):
            if stop.is_set():
                return
            wave = contracts[first : first + size]
            waves.append(len(wave))
            work(wave)

    thread = threading.Thread(target=run, name="cuts")
    thread.start()
    try:
        yield waves
    finally:
        stop.set()
        thread.join()


@dataclass(frozen=True, slots=True)
class Burst:
    """Many changes of one transaction. Units: changes a second from COMMIT to the last acknowledgement, microseconds each."""

    per_second: float
    cpu_us: float


def burst(network: LiveNetwork, acks: Acknowledgements, statement: str, contracts: Sequence[int]) -> Burst:
    """Change all of these at once."""
    used = network.worker_cpu_s()
    with db.connect(network.conninfo, name="benchmark run", autocommit=True) as connection:
        began = commit(connection, statement, contracts)
    answered = acks.wait(dict.fromkeys(contracts, began), _LONGEST_S)
    took = max(answered.values()) - began
    return Burst(len(contracts) / took, (network.worker_cpu_s() - used) / len(contracts) * 1e6)


@dataclass(frozen=True, slots=True)
class Rival:
    """How other systems do it: a table of who is restricted, and radclient once a session.

    `called`: by the program that commits, right after it. Else by a script that looks once a second for rows that are not
    done, and works them off in their order.
    """

    conninfo: str
    devices: Devices

    def make(self, numbers: int) -> None:
        """Its tables."""
        with db.connect(self.conninfo, name="benchmark rival", autocommit=True) as connection:
            connection.execute(
                "CREATE TABLE rival_subscriber (number bigint PRIMARY KEY, walled boolean NOT NULL);"
                "CREATE TABLE rival_change (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, number bigint NOT NULL, done boolean NOT NULL DEFAULT false);"
                "CREATE INDEX rival_change_waiting ON rival_change (id) WHERE NOT done"
            )
            connection.execute("INSERT INTO rival_subscriber SELECT n, true FROM generate_series(1, %s) n", (numbers,))

    def change(self, connection: psycopg.Connection[Any], numbers: Sequence[int], *, queue: bool) -> float:
        """Commit a change of these; when its COMMIT was sent."""
        with connection.transaction():
            connection.execute(
                "UPDATE rival_subscriber SET walled = NOT walled WHERE number = ANY (%s)", (list(numbers),)
            )
            if queue:
                connection.execute("INSERT INTO rival_change (number) SELECT unnest(%s::bigint[])", (list(numbers),))
            return time.monotonic()

    def call_at_once(self, numbers: Sequence[int]) -> Delays:
        """One payment after the other by a program that commits, and then calls."""
        committed = {}
        with db.connect(self.conninfo, name="benchmark rival", autocommit=True) as connection:
            for number in numbers:
                committed[number] = self.change(connection, [number], queue=False)
                call_radclient(self.devices.of(number), number)
        return self._delays(committed)

    def call_each(self, numbers: Sequence[int]) -> None:
        """A run of cuts that calls for one after the other."""
        with db.connect(self.conninfo, name="benchmark rival cuts", autocommit=True) as connection:
            self.change(connection, numbers, queue=False)
        for number in numbers:
            call_radclient(self.devices.of(number), number)

    def by_script(self, numbers: Sequence[int], *, cuts: Sequence[int], per_second: float) -> Delays:
        """Payments, and cuts committed before them at once, by the script that looks once a second."""
        stop = threading.Event()
        script = threading.Thread(target=self._script, args=(stop,), name="script")
        script.start()
        chance, committed = random.Random(2), {}
        try:
            with db.connect(self.conninfo, name="benchmark rival", autocommit=True) as connection:
                if cuts:
                    self.change(connection, cuts, queue=True)
                for number in numbers:
                    time.sleep(chance.uniform(0.5, 1.5) / per_second)
                    committed[number] = self.change(connection, [number], queue=True)
            return self._delays(committed)
        finally:
            stop.set()
            script.join()

    def _script(self, stop: threading.Event) -> None:
        with db.connect(self.conninfo, name="benchmark script", autocommit=True) as connection:
            while not stop.is_set():
                for change, number in connection.execute(
                    "SELECT id, number FROM rival_change WHERE NOT done ORDER BY id"
                ).fetchall():
                    if stop.is_set():
                        return
                    call_radclient(self.devices.of(number), number)
                    connection.execute("UPDATE rival_change SET done = true WHERE id = %s", (change,))
                stop.wait(_POLL_S)

    def _delays(self, committed: dict[int, float]) -> Delays:
        answered = self.devices.acknowledged.wait(committed, _LONGEST_S)
        return Delays([answered[number] - when for number, when in committed.items()])


def chain_rows(base: Path, cluster: Cluster, *, rounds: int, share: float = 1.0) -> list[Row]:
    """Everything on one network, ours first; `share` of the usual numbers."""
    single, cuts, many, calls = (max(20, int(one * share)) for one in (SINGLE, CUTS, MANY, _CALLS))
    online = max(8 * many, int(ONLINE * share))
    restricted = 2 * single + rounds * many
    with (
        devices() as running,
        live_network(base, cluster, running, subscribers=online, restricted=restricted) as network,
    ):
        who = Subscribers(list(range(1, restricted + 1)))
        others = list(range(restricted + 1, online + 1))
        acks = running.acknowledged
        alone = lift_one_by_one(network.conninfo, acks, who.take(single), per_second=PER_SECOND)
        lifts, places = [], []
        for _ in range(rounds):
            numbers = who.take(many)
            lifts.append(burst(network, acks, _LIFT, numbers))
            places.append(burst(network, acks, _PLACE, numbers))
        with cuts_going_on(lambda wave: cut_wave(network.conninfo, acks, wave), others, cuts) as waves:
            beside = lift_one_by_one(network.conninfo, acks, who.take(single), per_second=PER_SECOND)
    with devices() as running:
        rival = Rival(cluster.conninfo(DATABASE), running)
        rival.make(online)
        called = rival.call_at_once(range(1, calls + 1))
        with cuts_going_on(rival.call_each, range(calls + 1, online), cuts):
            called_beside = rival.call_at_once(range(1, calls + 1))
        polled = rival.by_script(range(1, calls // 2 + 1), cuts=(), per_second=PER_SECOND / 2)
        polled_beside = rival.by_script(
            range(1, calls // 2 + 1), cuts=range(online - cuts, online), per_second=PER_SECOND / 2
        )
        began = time.monotonic()
        rival.call_each(range(1, calls + 1))
        one_by_one = calls / (time.monotonic() - began)
    every = Spread.of([one.per_second for one in (*lifts, *places)])
    cpu = Spread.of([one.cpu_us for one in (*lifts, *places)])
    return [
        _delay_row(f"change committed -> CoA-ACK, {single} payments one by one", alone, called, polled),
        _delay_row(
            f"the same beside waves of {cuts:,} cuts ({sum(waves):,} cut meanwhile)",
            beside,
            called_beside,
            polled_beside,
        ),
        Row(
            f"{many:,} changes of one transaction, to the last CoA-ACK, {NASES} NASes, one worker",
            f"{every.median:,.0f}/s ({every.low:,.0f}-{every.high:,.0f}), {cpu.median:.0f} µs CPU of the worker",
            f"radclient called once a session: {one_by_one:,.0f}/s",
            f"{every.median / one_by_one:.1f}x",
        ),
    ]


def cut_wave(conninfo: str, acks: Acknowledgements, wave: Sequence[int]) -> None:
    """A run of dunning restricts these; returns when the last device has acknowledged."""
    acks.wait(dict.fromkeys(wave, cut(conninfo, wave)), _LONGEST_S)


def cut(conninfo: str, contracts: Sequence[int]) -> float:
    """A run of dunning restricts these in one transaction; when its COMMIT was sent."""
    with db.connect(conninfo, name="benchmark dunning", autocommit=True) as connection:
        return commit(connection, _CUT, contracts)


def _delay_row(what: str, ours: Delays, called: Delays, polled: Delays) -> Row:
    return Row(
        what,
        str(ours),
        f"radclient by the program that commits: {called}; by a script that polls each second: {polled}",
        f"{called.quantile(0.95) / ours.quantile(0.95):.1f}x; {polled.quantile(0.95) / ours.quantile(0.95):.1f}x (p95)",
        f"p95 {_GOAL_P95_S:g} s",
        ours.quantile(0.95) <= _GOAL_P95_S,
    )


@click.command()
@click.option("--share", default=1.0, show_default=True, help="Of the usual numbers.")
@click.option("--rounds", default=2, show_default=True, help="Of the changes in one transaction.")
def main(share: float, rounds: int) -> None:
    """Measure and print."""
    with working_directory() as base, postgres(base) as cluster:
        for row in chain_rows(base, cluster, rounds=rounds, share=share):
            click.echo(f"{row.what}: {row.measured}; {row.beside}; {row.ratio}; at least {row.at_least}: {row.met}")


if __name__ == "__main__":
    main()
