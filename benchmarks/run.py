"""Runs the benchmarks and prints one table: what was promised, what was measured, what a rival did in the same run.

    python -m benchmarks.run [--quick] [--only access,accounting,storm,…]

Times are never asserted: a row that does not hold is told, and the exit code stays zero. The exit code is one when a
figure would be worthless: an answer of the wrong kind, a forged reply, a server that does not start.
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks import answering, storm
from benchmarks.accounting import ship
from benchmarks.chain import chain_rows
from benchmarks.changes import exchange_row
from benchmarks.contest import Row, Spread, problems, ratio, take_turns, times, told
from benchmarks.freeradius import Running
from benchmarks.load import LoadPlan, LoadResult, run_load
from benchmarks.packets import Subscriber
from benchmarks.population import RADIUS_SECRET, postgres, working_directory
from benchmarks.product import Product, clear_spools, corrente_server, edge, installation
from benchmarks.publish import publish_figures
from benchmarks.responder import trivial_responder
from benchmarks.rivals import RIVAL_DATABASE, constant_server, files_server, fill_rival_database, sql_server
from control_plane.machine.private_postgres import Cluster

THREADS: Final = 4
_TABLE_MARK: Final = "<!-- table -->"
# Sessions made ready for a turn, of five records each: more than will be answered in it.
_OUR_SESSIONS_A_SECOND: Final = 9_000
_RIVAL_SESSIONS_A_SECOND: Final = 3_000


@dataclass(frozen=True, slots=True)
class Scale:
    """How long and how big."""

    accounts: int
    rounds: int
    turn_s: float
    storm_logins: int
    storm_rounds: int
    publish_accounts: int


FULL: Final = Scale(
    accounts=100_000, rounds=9, turn_s=3.0, storm_logins=20_000, storm_rounds=3, publish_accounts=1_000_000
)
QUICK: Final = Scale(
    accounts=10_000, rounds=2, turn_s=1.0, storm_logins=2_000, storm_rounds=1, publish_accounts=100_000
)


@dataclass(frozen=True, slots=True)
class Bench:
    """What all parts share: directories, a database server, the subscribers, an installed Corrente."""

    base: Path
    cluster: Cluster
    subscribers: list[Subscriber]
    product: Product
    scale: Scale


def generator_row(bench: Bench) -> list[Row]:
    """What the generator reaches when the server has nothing to do: far above, or the rest says nothing."""
    lanes = answering.login_packets(bench.subscribers)
    with trivial_responder() as target:
        # The widest window: its rests are what holds it back otherwise, not its work.
        result = run_load(LoadPlan(target, RADIUS_SECRET, window=256, duration_s=bench.scale.turn_s), lanes)
    cpu_us = result.cpu_s / max(1, result.answers) * 1e6
    return [
        Row("the generator alone, against a responder that knows nothing", f"{result.rate:,.0f}/s, {cpu_us:.1f} µs CPU")
    ]


def access_rows(bench: Bench) -> list[Row]:
    """Logins by PAP: Corrente, the files module bare and with the same duties, rlm_sql bare and as stock."""
    lanes = answering.login_packets(bench.subscribers)
    with ExitStack() as stack:
        enter = stack.enter_context
        servers = [
            enter(corrente_server(bench.product)),
            enter(files_server(bench.base, bench.subscribers, threads=THREADS, with_duties=False)),
            enter(files_server(bench.base, bench.subscribers, threads=THREADS, with_duties=True)),
            enter(constant_server(bench.base, bench.subscribers)),
            enter(sql_server(bench.base, bench.cluster, threads=THREADS, log_logins=False)),
            enter(sql_server(bench.base, bench.cluster, threads=THREADS, log_logins=True)),
        ]
        turns = take_turns(
            servers,
            lambda server: answering.measure_logins(server, lanes, duration_s=bench.scale.turn_s),
            rounds=bench.scale.rounds,
        )
    _refuse(problems(turns))
    ours, bare, dutiful, constant, sql, stock = (turns[server.name] for server in servers)
    rows = []
    for name, theirs, least in (
        ("rlm_sql, stock site (radpostauth)", stock, 10.0),
        ("rlm_sql, no login log", sql, None),
        ("`files`, the same duties", dutiful, 0.8),
        ("`files`, bare", bare, 0.8),
        ("a hook with ready answers in a dictionary", constant, None),
    ):
        spread = ratio(ours, theirs)
        rows.append(
            Row(
                f"Access-Requests answered, {bench.scale.accounts:,} accounts",
                told(ours),
                f"{name}: {told(theirs)}",
                times(spread),
                f"{least:g}x" if least else "",
                spread.median >= least if least else None,
            )
        )
    return rows


def accounting_rows(bench: Bench) -> list[Row]:
    """Accounting: how fast it is answered, and how fast the spool reaches the database, beside rlm_sql doing both at once."""
    numbers = itertools.count()
    shipped: list[float] = []
    settings = bench.product.settings
    clear_spools(bench.product)

    def measure(server: Running) -> LoadResult:
        ours = server.name == "corrente"
        sessions = int(bench.scale.turn_s * (_OUR_SESSIONS_A_SECOND if ours else _RIVAL_SESSIONS_A_SECOND))
        packets = answering.accounting_packets(bench.subscribers, sessions=sessions, run=f"{next(numbers):04x}")
        result = answering.measure_accounting(server, packets, duration_s=bench.scale.turn_s)
        if ours:
            shipped.append(ship(settings, result.answers).per_second)
        return result

    with ExitStack() as stack:
        servers = [
            stack.enter_context(corrente_server(bench.product)),
            stack.enter_context(sql_server(bench.base, bench.cluster, threads=THREADS, log_logins=False)),
            stack.enter_context(sql_server(bench.base, bench.cluster, threads=4 * THREADS, log_logins=False)),
        ]
        turns = take_turns(servers, measure, rounds=bench.scale.rounds)
    _refuse(problems(turns))
    ours, *rivals = (turns[server.name] for server in servers)
    rate = Spread.of(shipped[1:])
    rows = []
    for server, theirs in zip(servers[1:], rivals, strict=True):
        answered = ratio(ours, theirs)
        beside = f"{server.name}: {told(theirs)}"
        rows.append(
            Row("Accounting-Requests answered", told(ours), beside, times(answered), "4x", answered.median >= 4)
        )
        merged = Spread.of([one / other.rate for one, other in zip(shipped[1:], theirs, strict=True)])
        measured = f"{rate.median:,.0f}/s ({rate.low:,.0f}-{rate.high:,.0f})"
        rows.append(
            Row(
                "spool to PostgreSQL: sessions, usage, history",
                measured,
                beside,
                times(merged),
                "5x",
                merged.median >= 5,
            )
        )
    return rows


def storm_rows(bench: Bench) -> list[Row]:
    """Storms through the whole product, its edge at work, and through rlm_sql; the worst of each is told."""
    subscribers = bench.subscribers[: bench.scale.storm_logins]
    ours, theirs = [], []
    for number in range(bench.scale.storm_rounds):
        run = f"f{number:03x}"
        clear_spools(bench.product)
        with corrente_server(bench.product) as server, edge(bench.product):
            count = storm.counter(bench.product.conninfo, "session", run=run)
            ours.append(storm.run_storm(server, subscribers, count, run=run))
        with sql_server(bench.base, bench.cluster, threads=THREADS, log_logins=True) as server:
            count = storm.counter(bench.cluster.conninfo(RIVAL_DATABASE), "radacct", run=run)
            theirs.append(storm.run_storm(server, subscribers, count, run=run))
    worst = max(ours, key=lambda one: (not one.is_complete, one.p99_ms))
    return [storm.storm_row(worst, min(theirs, key=lambda one: one.p99_ms))]


def publish_rows(bench: Bench) -> list[Row]:
    """The policy store at size, on a database of its own."""
    accounts = bench.scale.publish_accounts
    figures = publish_figures(accounts, bulk=accounts * 3 // 10, rate=200, seconds=10 * bench.scale.turn_s)
    share = accounts / 1_000_000
    p99_s = figures.quiet.quantile(0.99)
    return [
        Row(
            f"policy store of {accounts:,} accounts",
            f"{figures.store_mb:.0f} MB",
            at_least=f"{150 * share:.0f} MB",
            met=figures.store_mb <= 150 * share,
        ),
        Row(
            f"full publish of {accounts:,} accounts from PostgreSQL, process start included",
            f"{figures.built_s:.1f} s, {figures.built_mb:.0f} MB of memory",
            at_least=f"{30 * share:.0f} s, 500 MB",
            met=figures.built_s <= 30 * share and figures.built_mb <= 500,
        ),
        Row(
            f"change committed -> answered differently, {figures.rate} changes a second",
            f"p50 {figures.quiet.quantile(0.5):.2f} s, p99 {p99_s:.2f} s",
            f"beside one transaction over {figures.bulk:,} accounts: p99 {figures.busy.quantile(0.99):.2f} s",
            at_least="p99 0.5 s",
            met=p99_s <= 0.5,
        ),
    ]


def change_rows(bench: Bench) -> list[Row]:
    """CoA to many NASes from one worker, beside one radclient a session: the sender alone, and from the commit on."""
    share = 0.1 if bench.scale is QUICK else 1.0
    chain = chain_rows(bench.base, bench.cluster, rounds=min(3, bench.scale.rounds), share=share)
    return [exchange_row(rounds=bench.scale.rounds, share=share), *chain]


PARTS: Final[dict[str, Callable[[Bench], list[Row]]]] = {
    "generator": generator_row,
    "access": access_rows,
    "accounting": accounting_rows,
    "publish": publish_rows,
    "storm": storm_rows,
    "changes": change_rows,
}


def _refuse(found: Sequence[str]) -> None:
    if found:
        raise answering.BenchmarkError("; ".join(found))


def machine() -> str:
    """What this was measured on."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    memory_gb = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    freeradius = _first_line(["/usr/sbin/freeradius", "-v"]).split(",")[0].removeprefix("radiusd: ")
    database = _first_line(["/usr/lib/postgresql/15/bin/postgres", "--version"])
    now = datetime.now(tz=UTC).date().isoformat()
    return (
        f"{now}; {model}, {os.cpu_count()} cores, {memory_gb:.0f} GB; {freeradius}; {database}; "
        f"Python {platform.python_version()}; Linux {platform.release().split('-')[0]}; load before {os.getloadavg()[0]:.1f}"
    )


def _first_line(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    lines = ["| what | Corrente | beside it | ratio | at least | held |", "| --- | --- | --- | --- | --- | --- |"]
    held = {True: "yes", False: "**no**", None: ""}
    lines += [
        f"| {row.what} | {row.measured} | {row.beside} | {row.ratio} | {row.at_least} | {held[row.met]} |"
        for row in rows
    ]
    return "\n".join(lines)


def keep(text: str) -> None:
    """Put machine and table into README.md, where the last ones were."""
    readme = Path(__file__).with_name("README.md")
    before, _, rest = readme.read_text().partition(_TABLE_MARK)
    _, next_heading, after = rest.partition("\n## ")
    readme.write_text(f"{before}{_TABLE_MARK}\n{text}\n{next_heading}{after}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a short run at a tenth of the size; its ratios are rough")
    parser.add_argument("--only", default=",".join(PARTS), help=f"parts, by comma: {', '.join(PARTS)}")
    parser.add_argument("--keep", action="store_true", help="put the table into benchmarks/README.md")
    asked = parser.parse_args()
    wanted = asked.only.split(",")
    if set(wanted) - set(PARTS):
        parser.error(f"unknown parts {set(wanted) - set(PARTS)}; there are {', '.join(PARTS)}")
    scale = QUICK if asked.quick else FULL
    subscribers = [Subscriber(number) for number in range(scale.accounts)]
    measured_on = machine()
    rows: list[Row] = []
    with working_directory() as base, postgres(base) as cluster:
        fill_rival_database(cluster, subscribers)
        with installation(base, cluster, subscribers) as product:
            bench = Bench(base, cluster, subscribers, product, scale)
            for name in wanted:
                print(f"… {name}", file=sys.stderr, flush=True)
                rows += PARTS[name](bench)
    text = f"{measured_on}\n\n{table(rows)}"
    print(text)
    if asked.keep:
        keep(text)


if __name__ == "__main__":
    try:
        main()
    except answering.BenchmarkError as error:
        sys.exit(f"benchmarks: {error}")
