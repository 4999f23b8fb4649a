"""A house at the volume that the console promises to stay quick at: its PostgreSQL, filled once and kept between runs.

100,000 customers with two years of documents and payments, ten lines each, every line online, and their traffic by hour and by day. The
database fills itself set by set (house_rows.py), each step in one transaction that is marked when it is done: a fill that was
broken off goes on where it stood. Usage comes into partitions without indexes, which are made once a partition is full.

Next: console.py
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql

from benchmarks.books import fill_books
from benchmarks.house_rows import STEPS, USAGE
from billing.dunning.policy_data import default_policy
from billing.store.acting import acting
from billing.store.dunning_policies import load_policies, save_version
from control_plane import db
from control_plane.machine.private_postgres import ROLES, Cluster, make_cluster, start_cluster, stop_cluster
from control_plane.migrate import load_migrations as shipped
from control_plane.migrate import load_status, migrate

DATABASE: Final = "house"
_MONTHS: Final = 24
_EVERY: Final = 2
_HOURS_SHARE: Final = 0.48
# A secret that nobody opens: sealing makes 32 octets longer, so a shorter one is refused.
_SEALED: Final = bytes(48)
# Durability costs nothing where nothing is to survive, and WAL is not kept of what is filled in the transaction that made its table.
_SETTINGS: Final = {
    "shared_buffers": "3GB",
    "effective_cache_size": "12GB",
    "random_page_cost": "1.1",
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "'16GB'",
    "checkpoint_timeout": "'30min'",
    "maintenance_work_mem": "1GB",
    "max_connections": "200",
    "autovacuum": "off",
}


class OtherSizeError(Exception):
    """The folder holds a house of another size."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is in it. `sessions` are lines as well: every one is online; `usage` are rows by hour and by day together."""

    customers: int = 100_000
    sessions: int = 1_000_000
    usage: int = 100_000_000

    @property
    def hours(self) -> int:
        """For how many hours each line has a row."""
        return round(self.usage * _HOURS_SHARE / self.sessions)

    @property
    def days(self) -> int:
        """For how many days each line has a row."""
        return round(self.usage / self.sessions) - self.hours


@contextmanager
def open_house(folder: Path, size: Size) -> Iterator[Cluster]:
    """A running PostgreSQL with so much in `folder`, filled as far as it was not.

    Raises: OtherSizeError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    cluster = Cluster(data=folder / "postgres", socket_dir=folder / "postgres-run")
    make_cluster(cluster, settings=_SETTINGS)
    start_cluster(cluster, log=folder / "postgres.log")
    try:
        _Fill(folder, cluster.conninfo(DATABASE), size).go_on(cluster)
        yield cluster
    finally:
        stop_cluster(cluster, mode="fast")


class _Fill:
    """What was filled is in `filled.json`, by step."""

    def __init__(self, folder: Path, conninfo: str, size: Size) -> None:
        self._file = folder / "filled.json"
        self._conninfo = conninfo
        self._size = size
        known = json.loads(self._file.read_text()) if self._file.exists() else {"size": asdict(size), "steps": []}
        if known["size"] != asdict(size):
            raise OtherSizeError(f"{folder} holds {known['size']}: ask for that, or name another folder")
        self._done: list[str] = known["steps"]

    def go_on(self, cluster: Cluster) -> None:
        if not self._done:
            with db.connect(cluster.conninfo("postgres"), name="benchmark", autocommit=True) as admin:
                admin.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(DATABASE)))
                admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
        self._step("books", self._books)
        for name in STEPS:
            self._step(name, lambda name=name: self._rows(name))
        self._step("policy", self._policy)
        for table, part, first, last in self._parts():
            self._step(part, lambda of=(table, part, first, last): self._usage(*of))
        self._step("statistics", self._statistics)
        with db.connect(self._conninfo, name="benchmark", autocommit=True) as connection:
            if load_status(connection, shipped()).pending:
                migrate(connection)

    def _step(self, name: str, work: Any) -> None:
        if name in self._done:
            return
        print(f"… {name}", file=sys.stderr, end=" ", flush=True)
        began = time.monotonic()
        work()
        self._done.append(name)
        self._file.write_text(json.dumps({"size": asdict(self._size), "steps": self._done}))
        print(f"{time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)

    def _books(self) -> None:
        today = _today()
        whole = today.year * 12 + today.month - 1 - (_MONTHS - _EVERY + 1)
        first = date(whole // 12, whole % 12 + 1, 1)
        fill_books(self._conninfo, self._size.customers, _MONTHS, _EVERY, first=first, with_runs=True)

    def _rows(self, name: str) -> None:
        facts = {"customers": self._size.customers, "sessions": self._size.sessions, "sealed": _SEALED}
        with db.connect(self._conninfo, name="benchmark") as connection:
            connection.execute("SET session_replication_role = replica; SET work_mem = '512MB'; SET jit = off")
            for statement in STEPS[name].split(";\n"):
                connection.execute(statement, facts)
            _count_on(connection)

    def _policy(self) -> None:
        with db.connect(self._conninfo, name="benchmark") as connection:
            acting(connection, "benchmark")
            for role in ROLES:
                connection.execute(sql.SQL("ALTER ROLE {} LOGIN").format(sql.Identifier(role)))
            for issuer, policies in load_policies(connection).items():
                data = default_policy(policies.place)
                save_version(
                    connection,
                    issuer,
                    data,
                    name="usual",
                    since=_today() - timedelta(days=365),
                    reason="benchmark",
                    by="benchmark",
                )

    def _parts(self) -> Iterator[tuple[str, str, datetime, datetime]]:
        """Each table's months: table, partition, first and last instant that rows are made for."""
        now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        midnight = now.replace(hour=0)
        spans = {
            "usage_hour": (now - timedelta(hours=self._size.hours - 1), now, timedelta(hours=1)),
            "usage_day": (midnight - timedelta(days=self._size.days - 1), midnight, timedelta(days=1)),
        }
        for table, (first, last, step) in spans.items():
            begin = first
            while begin <= last:
                month = begin.replace(day=1, hour=0)
                following = (month + timedelta(days=32)).replace(day=1)
                yield table, f"{table}_{month:%Y%m}", begin, min(last, following - step)
                begin = following

    def _usage(self, table: str, part: str, first: datetime, last: datetime) -> None:
        following = (first.replace(day=1, hour=0) + timedelta(days=32)).replace(day=1)
        facts = {
            "part": part,
            "table": table,
            "month": f"'{first.replace(day=1):%Y-%m-%d}'",
            "first": f"'{first.isoformat()}'",
            "last": f"'{last.isoformat()}'",
            "following": f"'{following:%Y-%m-%d}'",
            "accounts": self._size.sessions,
        }
        with db.connect(self._conninfo, name="benchmark") as connection:
            connection.execute("SET timezone = 'UTC'; SET jit = off; SET max_parallel_maintenance_workers = 2")
            for statement in (
                "SELECT make_month({month}::date)",
                "DROP TABLE {part}",
                "CREATE TABLE {part} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)",
                USAGE[table],
                "ALTER TABLE {table} ATTACH PARTITION {part} FOR VALUES FROM ({month}) TO ({following})",
            ):
                connection.execute(statement.format(**facts), {})

    def _statistics(self) -> None:
        with db.connect(self._conninfo, name="benchmark", autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")


def _count_on(connection: psycopg.Connection[Any]) -> None:
    """Identities go on behind the rows that brought their own numbers."""
    columns = connection.execute(
        "SELECT c.relname, a.attname FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid"
        " WHERE a.attidentity <> '' AND c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace"
    ).fetchall()
    for table, column in columns:
        connection.execute(
            sql.SQL(
                "SELECT setval(pg_get_serial_sequence({}, {}), m) FROM (SELECT max({}) AS m FROM {}) AS t WHERE m IS NOT NULL"
            ).format(sql.Literal(table), sql.Literal(column), sql.Identifier(column), sql.Identifier(table))
        )


def remove_house(folder: Path) -> None:
    """Throw it away."""
    shutil.rmtree(folder, ignore_errors=True)


def _today() -> date:
    return datetime.now(UTC).date()
