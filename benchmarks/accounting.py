"""From the spool to PostgreSQL: accounting records a second merged into sessions, usage and history.

    python -m benchmarks.accounting [--accounts 100000] [--records 400000]

The spool holds a whole life of each session: a Start, interims ten minutes apart, a Stop, with the attributes that a
RouterOS device sends. Every session is of a known account, so each record raises its hour and its day. `ship()` is for
the comparison with rlm_sql in the same run.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.population import POSTGRES_SETTINGS
from benchmarks.processors import processor_ms
from control_plane import db
from control_plane.accounting.shipper import Shipper
from control_plane.machine.private_postgres import Cluster, make_cluster, start_cluster, stop_cluster
from control_plane.settings import Settings

ROOT: Final = Path(__file__).resolve().parent.parent
NASES: Final = 50
INTERVAL_S: Final = 600


@dataclass(frozen=True, slots=True)
class Shipped:
    """What was merged and in which time."""

    records: int
    seconds: float

    @property
    def per_second(self) -> float:
        """Records a second."""
        return self.records / self.seconds


@dataclass(frozen=True, slots=True)
class Life:
    """One moment in the life of all sessions. Units: seconds since their start."""

    kind: str
    time_s: int


def lives(records_a_session: int) -> Iterator[Life]:
    """Start, interims, Stop."""
    yield Life("Start", 0)
    for number in range(1, records_a_session - 1):
        yield Life("Interim-Update", number * INTERVAL_S)
    yield Life("Stop", (records_a_session - 1) * INTERVAL_S)


def record(number: int, life: Life, *, began_at: int) -> str:
    """One record as FreeRADIUS's detail module writes it. Units: epoch seconds."""
    at = began_at + life.time_s
    header = time.strftime("%a %b %e %H:%M:%S %Y", time.gmtime(at))
    address = f"{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    octets_in, octets_out = life.time_s * (10_000 + number % 1000), life.time_s * (100_000 + number % 1000)
    ended = "\tAcct-Terminate-Cause = User-Request\n" if life.kind == "Stop" else ""
    return (
        f"{header}\n\tPacket-Src-IP-Address = 127.0.1.{number % NASES + 1}\n\tPacket-Dst-IP-Address = 127.0.0.1\n"
        f"\tPacket-Src-Port = 40000\n\tPacket-Dst-Port = 1813\n\tService-Type = Framed-User\n\tFramed-Protocol = PPP\n"
        f'\tNAS-Port = {number}\n\tNAS-Port-Type = Ethernet\n\tUser-Name = "user{number:07d}"\n'
        f'\tCalling-Station-Id = "02:00:{number >> 24 & 255:02X}:{number >> 16 & 255:02X}:{number >> 8 & 255:02X}:'
        f'{number & 255:02X}"\n\tCalled-Station-Id = "pppoe"\n\tNAS-Port-Id = "ether{number}"\n'
        f'\tAcct-Session-Id = "81{began_at & 0xFFFF:04x}{number:06x}"\n\tFramed-IP-Address = 10.{address}\n'
        f"\tAcct-Authentic = RADIUS\n\tClass = 0x434f31{began_at:08x}{number:024x}0011223344556677\n"
        f"\tAcct-Status-Type = {life.kind}\n\tAcct-Session-Time = {life.time_s}\n"
        f"\tAcct-Input-Octets = {octets_in & 0xFFFFFFFF}\n\tAcct-Input-Gigawords = {octets_in >> 32}\n"
        f"\tAcct-Input-Packets = 1000\n\tAcct-Output-Octets = {octets_out & 0xFFFFFFFF}\n"
        f"\tAcct-Output-Gigawords = {octets_out >> 32}\n\tAcct-Output-Packets = 2000\n{ended}"
        f'\tNAS-Identifier = "bras-{number % NASES}"\n\tAcct-Delay-Time = 0\n\tNAS-IP-Address = 127.0.1.{number % NASES + 1}\n'
        f"\tTimestamp = {at}\n\n\n"
    )


def write_spool(settings: Settings, lives_of_all: list[Life], *, accounts: int, began_at: int) -> int:
    """Append every session's record of these moments to the live spool file; returns how many."""
    with (settings.accounting_spool_dir / "detail").open("a") as file:
        for life in lives_of_all:
            file.writelines(record(number, life, began_at=began_at) for number in range(accounts))
    return len(lives_of_all) * accounts


def ship(settings: Settings, records: int) -> Shipped:
    """Merge what is spooled; the time until the last record is committed."""
    shipper = Shipper(settings)
    began = time.perf_counter()
    try:
        while shipper.turn():
            pass
        return Shipped(records, time.perf_counter() - began)
    finally:
        shipper.disconnect()


def add_accounts(conninfo: str, accounts: int) -> None:
    """The NASes and accounts that the records are of."""
    with db.connect(conninfo, name="benchmark") as connection:
        connection.execute(
            "INSERT INTO nas (name, source, vendor, sealed_secret) SELECT 'bras-' || n, ('127.0.1.' || n)::cidr, "
            "'mikrotik', %s FROM generate_series(1, %s) n",
            (bytes(40), NASES),
        )
        connection.execute("INSERT INTO profile (name) VALUES ('Home')")
        connection.execute(
            "INSERT INTO plan (name, profile_id, throttle_profile_id, walled_profile_id) SELECT 'Home', id, id, id FROM profile"
        )
        connection.execute("INSERT INTO customer (name) VALUES ('All')")
        connection.execute(
            "INSERT INTO contract (customer_id, plan_id, status) SELECT c.id, p.id, 'active' FROM customer c, plan p"
        )
        connection.execute(
            "INSERT INTO subscriber_account (contract_id, username, sealed_secret) SELECT contract.id, "
            "'user' || lpad((n - 1)::text, 7, '0'), %s FROM contract, generate_series(1, %s) n",
            (bytes(48), accounts),
        )
    with db.connect(conninfo, name="benchmark", autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


@contextmanager
def database(base: Path) -> Iterator[str]:
    """A PostgreSQL with fsync on and an empty database made from schema.sql; its conninfo."""
    cluster = Cluster(data=base / "data", socket_dir=base / "run")
    make_cluster(cluster, settings=POSTGRES_SETTINGS)
    start_cluster(cluster, log=base / "postgres.log")
    try:
        with db.connect(cluster.conninfo("postgres"), name="benchmark", autocommit=True) as connection:
            connection.execute("CREATE DATABASE corrente")
        with db.connect(cluster.conninfo("corrente"), name="benchmark") as connection:
            connection.execute((ROOT / "schema.sql").read_text())
        yield cluster.conninfo("corrente")
    finally:
        stop_cluster(cluster, mode="immediate")


def settings_below(base: Path, conninfo: str) -> Settings:
    """Default settings with their state below `base`."""
    settings = msgspec.convert({"base_dir": str(base), "database": {"conninfo": conninfo}}, Settings)
    settings.accounting_spool_dir.mkdir(parents=True)
    settings.login_spool_dir.mkdir(parents=True)
    return settings


def main() -> None:
    """Measure and print, a line a kind of record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=100_000)
    parser.add_argument("--records", type=int, default=400_000)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="corrente-bench-") as name:
        base = Path(name)
        base.chmod(0o755)
        with database(base) as conninfo:
            add_accounts(conninfo, chosen.accounts)
            settings = settings_below(base, conninfo)
            began_at = int(time.time()) // 3600 * 3600 - 86400
            total = Shipped(0, 0.0)
            postgres = int((base / "data" / "postmaster.pid").read_text().splitlines()[0])
            for life in lives(max(2, chosen.records // chosen.accounts)):
                written = write_spool(settings, [life], accounts=chosen.accounts, began_at=began_at)
                before = processor_ms([os.getpid()]), processor_ms([postgres])
                shipped = ship(settings, written)
                ours, theirs = (
                    (processor_ms([root]) - used) * 1000 / written
                    for root, used in zip((os.getpid(), postgres), before, strict=True)
                )
                print(
                    f"{life.kind:15} {shipped.records:9,} records {shipped.per_second:9,.0f}/s,"
                    f" processor time {ours:.0f} µs and PostgreSQL's {theirs:.0f} µs a record",
                    flush=True,
                )
                total = Shipped(total.records + shipped.records, total.seconds + shipped.seconds)
            print(f"{'all':15} {total.records:9,} records {total.per_second:9,.0f}/s")


if __name__ == "__main__":
    main()
