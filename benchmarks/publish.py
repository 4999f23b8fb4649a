"""The policy store at size: how large, how fast built, and how soon a change can be read.

`python -m benchmarks.publish [--accounts 1000000]` makes a PostgreSQL of its own with default durability, fills it, starts
`corrente edge` and prints one table. The delay counts from the moment the writer's COMMIT returned to the moment another
process's look-up gives the new record.

Units: seconds, megabytes (10^6).
"""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click
import psycopg

from control_plane import db
from control_plane.machine.private_postgres import Cluster, make_cluster, start_cluster, stop_cluster
from radius_hooks.policy_store import PolicyReader, StoreError

ROOT: Final = Path(__file__).resolve().parent.parent
_WAIT_S: Final = 900.0
# A sealed ten-letter password: key name, nonce, letters, tag.
_SEALED: Final = "decode(md5(n::text) || md5((n + 1)::text) || substr(md5((n + 2)::text), 1, 20), 'hex')"
_FILL: Final = f"""
INSERT INTO profile (name, rate_down_bps, rate_up_bps) VALUES ('full', 100000000, 20000000), ('slow', 2000000, 1000000), ('pay', 64000, 64000);
INSERT INTO plan (name, profile_id, throttle_profile_id, walled_profile_id) VALUES ('home', 1, 2, 3);
INSERT INTO customer (name) VALUES ('all of them');
INSERT INTO nas (name, source, vendor, sealed_secret) SELECT 'bras' || n, ('10.0.' || n || '.1/32')::cidr, 'mikrotik', {_SEALED} FROM generate_series(1, 200) n;
INSERT INTO contract (customer_id, plan_id, status, starts_on) SELECT 1, 1, 'active', '2024-01-01' FROM generate_series(1, %(n)s);
INSERT INTO subscriber_account (contract_id, username, sealed_secret)
    SELECT n, 'subscriber' || lpad(((n::bigint * 7919) %% %(n)s)::text, 7, '0'), {_SEALED} FROM generate_series(1, %(n)s) n;
INSERT INTO restriction (contract_id, origin, level, reason, placed_by)
    SELECT n, 'dunning', 'walled', 'invoice unpaid', 'dunning' FROM generate_series(1, %(n)s, 50) n;
INSERT INTO account_prefix (account_id, kind, prefix)
    SELECT n, 'framed_ipv4', ('100.64.0.0'::inet + n)::cidr FROM generate_series(1, %(n)s, 20) n
"""


# How many different values a measurement writes; an account takes a thousand.
_VALUES: Final = 450


@dataclass(slots=True)
class Delays:
    """What was committed and when it could be read."""

    waiting: dict[str, tuple[int, float]] = field(default_factory=dict)
    seen: list[float] = field(default_factory=list)

    def quantile(self, share: float) -> float:
        """The delay that this share of the changes stayed within."""
        ordered = sorted(self.seen)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured. Units: seconds, megabytes."""

    accounts: int
    bulk: int
    rate: int
    built_s: float
    built_mb: float
    store_mb: float
    quiet: Delays
    bulk_s: float
    busy: Delays
    busy_mb: float


@contextmanager
def filled_database(base: Path, accounts: int) -> Iterator[str]:
    """A PostgreSQL with so many accounts; its conninfo."""
    cluster = Cluster(data=base / "data", socket_dir=base / "run")
    make_cluster(cluster, settings={"shared_buffers": "'512MB'", "max_wal_size": "'4GB'"})
    start_cluster(cluster, log=base / "postgres.log")
    try:
        with db.connect(cluster.conninfo("postgres"), name="benchmark", autocommit=True) as admin:
            admin.execute("CREATE DATABASE corrente")
        conninfo = cluster.conninfo("corrente")
        with db.connect(conninfo, name="benchmark", autocommit=True) as connection:
            connection.execute((ROOT / "schema.sql").read_text())
            for statement in _FILL.split(";\n"):
                connection.execute(statement, {"n": accounts} if "%(n)s" in statement else None)
            connection.execute("VACUUM ANALYZE")
        yield conninfo
    finally:
        stop_cluster(cluster)


def peak_mb(process_id: int) -> float:
    """The most memory the process ever had, pages of the store's file that it touched included."""
    status = Path(f"/proc/{process_id}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6


def reset_peak(process_id: int) -> None:
    """Count the peak anew from here."""
    Path(f"/proc/{process_id}/clear_refs").write_text("5")


def wait_for_store(reader: PolicyReader, edge: subprocess.Popen[bytes]) -> None:
    """Until a store is there."""
    deadline = time.monotonic() + _WAIT_S
    while time.monotonic() < deadline:
        if edge.poll() is not None:
            raise click.ClickException("the edge ended")
        try:
            with reader.reading():
                return
        except StoreError:
            time.sleep(0.02)
    raise click.ClickException("no store was built")


def look(reader: PolicyReader, delays: Delays, stop: threading.Event) -> None:
    """Look for each change that waits, about every millisecond."""
    while not stop.is_set() or delays.waiting:
        with reader.reading() as view:
            for username, (wanted, committed) in list(delays.waiting.items()):
                record = view.account(username)
                if record is not None and record.max_sessions == wanted:
                    delays.seen.append(time.monotonic() - committed)
                    del delays.waiting[username]
        time.sleep(0.001)


def write(
    connection: psycopg.Connection,
    delays: Delays,
    *,
    accounts: int,
    rate: int,
    seconds: float,
    until: threading.Event,
    lowest: int,
) -> None:
    """Commit `rate` changes a second for `seconds`, and on until the event is set.

    The values written begin at `lowest`, so that what an earlier measurement wrote is never taken for this one's.
    """
    chance = random.Random(lowest)
    began = time.monotonic()
    number = 0
    while time.monotonic() - began < seconds or not until.is_set():
        username = f"subscriber{chance.randrange(accounts):07d}"
        if username not in delays.waiting:
            wanted = lowest + number % _VALUES
            connection.execute(
                "UPDATE subscriber_account SET max_sessions = %s WHERE username = %s", (wanted, username)
            )
            connection.commit()
            delays.waiting[username] = (wanted, time.monotonic())
            number += 1
        time.sleep(max(0.0, began + number / rate - time.monotonic()))


def measured(
    reader: PolicyReader, conninfo: str, *, accounts: int, rate: int, seconds: float, bulk: int = 0
) -> tuple[Delays, float]:
    """Delays of single changes, beside one transaction that changes `bulk` accounts; and how long that one took to be read."""
    delays, stop, bulk_done, took = Delays(), threading.Event(), threading.Event(), 0.0
    looking = threading.Thread(target=look, args=(reader, delays, stop))
    with db.connect(conninfo, name="benchmark writer") as writer, db.connect(conninfo, name="benchmark bulk") as bulky:
        if bulk:
            bulky.execute("UPDATE subscriber_account SET macs = '{020000000001}' WHERE id <= %s", (bulk,))
        else:
            bulk_done.set()
        writing = threading.Thread(
            target=write,
            args=(writer, delays),
            kwargs={
                "accounts": accounts,
                "rate": rate,
                "seconds": seconds,
                "until": bulk_done,
                "lowest": 10 + _VALUES * bool(bulk),
            },
        )
        looking.start()
        writing.start()
        if bulk:
            every = 1 + bulk // 2000
            sample = "SELECT username FROM subscriber_account WHERE id <= %s AND id %% %s = 0"
            names = [row[0] for row in bulky.execute(sample, (bulk, every))]
            bulky.commit()
            began = time.monotonic()
            while not all_have_macs(reader, names):
                time.sleep(0.05)
            took = time.monotonic() - began
            bulk_done.set()
        writing.join()
        stop.set()
        looking.join()
    return delays, took


def all_have_macs(reader: PolicyReader, names: list[str]) -> bool:
    """Whether every one of them (a sample of some two thousand) carries the bulk change."""
    with reader.reading() as view:
        return all((record := view.account(name)) is not None and record.macs for name in names)


def publish_figures(accounts: int, *, bulk: int, rate: int, seconds: float) -> Figures:
    """Fill a database of its own, start an edge on it and measure; nothing is left behind."""
    base = Path(tempfile.mkdtemp(prefix="corrente-publish-"))
    base.chmod(0o755)
    try:
        with filled_database(base, accounts) as conninfo:
            settings = base / "corrente.toml"
            settings.write_text(f'[database]\nconninfo = "{conninfo}"\n')
            began = time.monotonic()
            edge = subprocess.Popen(
                [sys.executable, "-m", "control_plane", "--settings", str(settings), "edge", "--publish-only"], cwd=ROOT
            )
            try:
                reader = PolicyReader(base / "var" / "policy")
                wait_for_store(reader, edge)
                built_s, built_mb = time.monotonic() - began, peak_mb(edge.pid)
                store_mb = next((base / "var" / "policy").glob("gen-*/data.mdb")).stat().st_size / 1e6
                quiet, _ = measured(reader, conninfo, accounts=accounts, rate=rate, seconds=seconds)
                reset_peak(edge.pid)
                busy, bulk_s = measured(reader, conninfo, accounts=accounts, rate=rate, seconds=0, bulk=bulk)
                busy_mb = peak_mb(edge.pid)
            finally:
                edge.terminate()
                edge.wait()
    finally:
        shutil.rmtree(base)
    return Figures(accounts, bulk, rate, built_s, built_mb, store_mb, quiet, bulk_s, busy, busy_mb)


@click.command()
@click.option("--accounts", default=1_000_000, show_default=True, type=click.IntRange(min=1000))
@click.option("--bulk", default=300_000, show_default=True, help="Accounts changed by one transaction.")
@click.option("--rate", default=200, show_default=True, help="Single changes a second.")
@click.option("--seconds", default=30.0, show_default=True, help="How long single changes are made.")
def main(accounts: int, bulk: int, rate: int, seconds: float) -> None:
    """Measure publishing and print a table."""
    figures = publish_figures(accounts, bulk=min(bulk, accounts), rate=rate, seconds=seconds)
    quiet, busy = figures.quiet, figures.busy
    lines = [
        ("accounts published", f"{figures.accounts:,}"),
        ("full publish, process start included", f"{figures.built_s:.1f} s"),
        ("policy store on disk", f"{figures.store_mb:.0f} MB"),
        ("peak memory of the full publish", f"{figures.built_mb:.0f} MB"),
        (f"committed -> readable at {figures.rate}/s, p50", f"{quiet.quantile(0.5):.3f} s"),
        (f"committed -> readable at {figures.rate}/s, p99", f"{quiet.quantile(0.99):.3f} s"),
        ("changes measured", f"{len(quiet.seen):,}"),
        (f"one transaction over {figures.bulk:,} accounts, committed -> all readable", f"{figures.bulk_s:.1f} s"),
        ("single changes meanwhile, p50", f"{busy.quantile(0.5):.3f} s"),
        ("single changes meanwhile, p99", f"{busy.quantile(0.99):.3f} s"),
        ("peak memory meanwhile", f"{figures.busy_mb:.0f} MB"),
    ]
    width = max(len(name) for name, _ in lines)
    click.echo("\n".join(f"{name:<{width}}  {value:>12}" for name, value in lines))


if __name__ == "__main__":
    main()
