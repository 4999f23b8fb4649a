"""From a recorded payment to the open line, at the access device and as the subscriber sees it, while dunning is cutting others.

`python -m benchmarks.restore` measures this alone. Everything runs as it is delivered (edge with shipper, worker, web, FreeRADIUS, a PostgreSQL with default durability) and
everybody has dialled in on devices of several vendors. Those who pay are walled off, a few blocked, on notice, with an open
invoice. In a minute 500 are opened: at the counter, to a collector with his numbered receipts, by a bank's file, by a gateway's notice over HTTP, by a promise and by a proof that a person accepts; beside
them 2,000 are cut, in the portions in which dunning cuts. `--waves`: runs of 2,000 in one transaction, one after the other as long as payments come.

Two clocks begin at the commit. One ends when the device acknowledges; the other when the device itself has the open policy for a session of the
subscriber: by a CoA, or by the login after a Disconnect, or the next login of whoever was blocked, who dials each second.

Beside it, in the same run, what other systems do: radclient started once a session by the program that commits the payment, and a
script that looks once a second.

Units: seconds.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from benchmarks.answering import BenchmarkError
from benchmarks.chain import CUTS, Delays, Rival, cut, cut_wave, cuts_going_on
from benchmarks.devices import devices
from benchmarks.dialled_network import DATABASE, DialledNetwork, dialled_network
from benchmarks.paying import Opened, fill_books, open_all, payers_of, ready, stripe_stand_in
from benchmarks.population import POSTGRES_SETTINGS, postgres, working_directory
from control_plane import db
from control_plane.machine.private_postgres import Cluster

PAYMENTS: Final = 500
IN_S: Final = 60.0
_DEVICES: Final = 40
_OTHERS: Final = 2_500
# With waves of cuts one after the other there must be somebody left to cut.
_OTHERS_FOR_WAVES: Final = 19_500
# Dunning limits so many in one transaction.
_PORTION: Final = 200
_ACK_GOAL_S: Final = 1.0
_OPEN_GOAL_S: Final = 5.0
_LONGEST_S: Final = 120.0
_CALLS: Final = 100
# Where a change was at what time: its row is written by the reconciler, taken by the sender, answered by the device.
_STAGES: Final = """
SELECT e.account_id, extract(epoch FROM d.changed_at)::float8, extract(epoch FROM e.created_at)::float8, extract(epoch FROM e.sent_at)::float8, extract(epoch FROM e.answered_at)::float8
FROM enforcement AS e JOIN desired_policy AS d USING (account_id) WHERE e.account_id = ANY (%s) AND e.level = 'full' AND e.attempt = 1 AND e.answered_at IS NOT NULL
"""


@contextmanager
def portions_going_on(network: DialledNetwork, first: int, count: int, *, in_s: float) -> Iterator[list[int]]:
    """So many cuts over the time, in portions; how many each portion had."""
    stop, cuts, problems = threading.Event(), list[int](), list[BaseException]()

    def run() -> None:
        began = time.monotonic()
        for done in range(0, count, _PORTION):
            if stop.wait(max(0.0, began + done * in_s / count - time.monotonic())):
                return
            portion = range(first + done, first + min(done + _PORTION, count))
            try:
                cut(network.conninfo, portion)
            except BaseException as error:
                problems.append(error)
                raise
            cuts.append(len(portion))

    thread = threading.Thread(target=run, name="cuts")
    thread.start()
    try:
        yield cuts
    finally:
        stop.set()
        thread.join()
    if problems:
        raise BenchmarkError(f"nobody could be cut: {problems[0]}")


@click.command()
@click.option("--share", default=1.0, show_default=True, help="Of the usual numbers.")
@click.option(
    "--waves",
    is_flag=True,
    help="Runs of 2,000 cuts in one transaction, one after the other, as long as payments come.",
)
@click.option("--rivals/--no-rivals", default=True, show_default=True, help="Measure beside it what other systems do.")
def main(share: float, waves: bool, rivals: bool) -> None:
    """Measure and print."""
    payers, cuts = (max(50, int(one * share)) for one in (PAYMENTS, CUTS))
    others = max(2 * cuts, int((_OTHERS_FOR_WAVES if waves else _OTHERS) * share))
    settings = {**POSTGRES_SETTINGS, "track_commit_timestamp": "on"}
    with working_directory() as base, postgres(base, settings) as cluster:
        load = os.getloadavg()[0]
        with (
            stripe_stand_in().listening() as stand_in,
            dialled_network(
                base,
                cluster,
                stand_in.url.removeprefix("http://"),
                devices=_DEVICES,
                subscribers=payers + others,
                restricted=payers,
            ) as network,
        ):
            ways = payers_of(payers)
            fill_books(network.conninfo, range(1, payers + 1))
            with ready(network, stand_in, ways) as prepared:
                acks, first = network.access.acknowledged, payers + 1
                going = (
                    cuts_going_on(
                        lambda wave: cut_wave(network.conninfo, acks, wave), range(first, payers + others + 1), cuts
                    )
                    if waves
                    else portions_going_on(network, first, cuts, in_s=IN_S * share)
                )
                with going as done:
                    opened = open_all(prepared, in_s=IN_S * share)
                    tell(network, opened, sum(done))
        click.echo(f"load {load:.1f} before, {os.getloadavg()[0]:.1f} after")
        if rivals:
            _tell_rivals(base, cluster, payers + others, cuts, share)


def tell(network: DialledNetwork, opened: Opened, cuts: int) -> None:
    """Both delays of each way, and of each way that a device has."""
    at_device = {who: at for who, at in opened.committed.items() if network.has_session(who)}
    acked = network.access.acknowledged.wait(at_device, _LONGEST_S)
    open_at = network.access.opened.wait(opened.committed, _LONGEST_S)
    to_ack = {who: acked[who] - at for who, at in at_device.items()}
    to_open = {who: open_at[who] - at for who, at in opened.committed.items()}
    click.echo(f"{len(to_open)} lines opened, {cuts:,} cut meanwhile")
    for title, named in (("by way", opened.way.__getitem__), ("at the device", network.way_of)):
        click.echo(
            f"{title:32} {'lines':>5}   commit -> ACK, s: p50, p95, max, over {_ACK_GOAL_S:g} s   commit -> open session: p50, p95, max, over {_OPEN_GOAL_S:g} s"
        )
        for name in ("all", *dict.fromkeys(map(named, sorted(to_open)))):
            _tell_one(name, to_ack, to_open, lambda who, name=name, named=named: name in ("all", named(who)))
    _tell_stages(network, opened)
    answered = Delays([open_at[who] - at for who, at in opened.answered.items()])
    recorded = Delays([opened.committed[who] - at for who, at in opened.answered.items()])
    click.echo(
        f"a gateway's notice answered -> recorded: {_told(recorded, _ACK_GOAL_S)}; -> open session: {_told(answered, _OPEN_GOAL_S)}"
    )


def _tell_one(
    name: str, to_ack: Mapping[int, float], to_open: Mapping[int, float], is_meant: Callable[[int], bool]
) -> None:
    acks = [one for who, one in to_ack.items() if is_meant(who)]
    opens = [one for who, one in to_open.items() if is_meant(who)]
    ack = _told(Delays(acks), _ACK_GOAL_S) if acks else "-"
    click.echo(f"{name:32} {len(opens):>5}   {ack:52}{_told(Delays(opens), _OPEN_GOAL_S)}")


def _tell_stages(network: DialledNetwork, opened: Opened) -> None:
    """How long each part of the way took, where the first try was answered."""
    with db.connect(network.conninfo, name="benchmark") as connection:
        rows = connection.execute(_STAGES, (sorted(opened.committed),)).fetchall()
    behind = time.time() - time.monotonic()
    parts = {"worked out": list[float](), "written": list[float](), "taken": list[float](), "answered": list[float]()}
    for who, *moments in rows:
        before = opened.committed[who] + behind
        for part, at in zip(parts.values(), moments, strict=True):
            part.append(at - before)
            before = at
    click.echo(
        "on the way, s: " + "; ".join(f"{name} {_told(Delays(part), _ACK_GOAL_S)}" for name, part in parts.items())
    )


def _told(delays: Delays, goal_s: float) -> str:
    return f"{delays.quantile(0.5):.2f}, {delays.quantile(0.95):.2f}, {max(delays.seen):.2f}, {delays.share_over(goal_s):.1%}"


def _tell_rivals(base: Path, cluster: Cluster, online: int, cuts: int, share: float) -> None:
    """What a program that calls radclient itself takes, and a script that polls, with cuts committed before."""
    calls = max(20, int(_CALLS * share))
    with devices() as running:
        rival = Rival(cluster.conninfo(DATABASE), running)
        rival.make(online)
        with cuts_going_on(rival.call_each, range(calls + 1, online), cuts):
            called = rival.call_at_once(range(1, calls + 1))
        polled = rival.by_script(
            range(1, calls // 2 + 1), cuts=range(online - cuts, online), per_second=PAYMENTS / IN_S
        )
    click.echo(
        f"beside it, commit -> ACK: radclient by the program that commits: {called}; by a script that polls each second: {polled}"
    )


if __name__ == "__main__":
    main()
