"""PostgreSQL servers of the tests' own, with Corrente's schema: each starts as a copy of one that was made once.

They stand in memory when the machine has plenty: a database is 1,200 files, and a disk takes ten times as long to make them.
"""

from __future__ import annotations

import fcntl
import functools
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final

import psycopg
from support.edge_process import ROOT

from control_plane import db
from control_plane.machine.private_postgres import (
    Cluster,
    PostgresError,
    make_cluster,
    service_user,
    start_cluster,
    stop_cluster,
)
from control_plane.migrate import load_migrations

TEMPLATE: Final = "corrente_template"
_MEMORY: Final = Path("/dev/shm")
_PREFIX: Final = "corrente-tests-"
# What three workers' servers come to, and as much again for all else that runs.
_PLENTY: Final = 4 << 30
_LONG_AGO_S: Final = 60


def _free_memory() -> int:
    """Octets that may be taken."""
    lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    place = os.statvfs(_MEMORY)
    return min(int(lines["MemAvailable"].split()[0]) << 10, place.f_bavail * place.f_frsize)


def _sweep(place: Path) -> None:
    """What tests left there that were killed: nobody holds its lock. On a disk it would be in nobody's way."""
    for left in place.glob(f"{_PREFIX}*"):
        with suppress(OSError), (left / "lock").open() as lock:
            # What is being made has no lock for a moment.
            if os.fstat(lock.fileno()).st_mtime < time.time() - _LONG_AGO_S:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left)


@functools.cache
def _place() -> Path:
    """Where this process has its servers."""
    with suppress(OSError):
        if _free_memory() >= _PLENTY:
            _sweep(_MEMORY)
            return _MEMORY
    return Path(tempfile.gettempdir())


@contextmanager
def _base() -> Iterator[Path]:
    """A directory that PostgreSQL's user can reach, gone when the block ends."""
    base = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_place()))
    with (base / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        base.chmod(0o755)
        try:
            yield base
        finally:
            shutil.rmtree(base)


@functools.cache
def _pattern() -> IO[bytes]:
    """The data directory of a stopped server whose template has the schema and partitions from 2025-12 to 2027-03, as a tar."""
    with _base() as base:
        made = Cluster(data=base / "data", socket_dir=base / "run")
        make_cluster(made)
        start_again(made)
        with db.connect(made.conninfo("postgres"), name="test", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {TEMPLATE}")
        with db.connect(made.conninfo(TEMPLATE), name="test") as connection:
            connection.execute((ROOT / "schema.sql").read_text())
            for migration in load_migrations():
                connection.execute("INSERT INTO schema_migration (name) VALUES (%s)", (migration.name,))
            connection.execute(
                "SELECT make_month((date '2026-01-01' + make_interval(months => m))::date) FROM generate_series(-1, 14) m"
            )
        stop_cluster(made)
        # A file without a name: however this process ends, it is gone.
        packed = tempfile.TemporaryFile(dir=_place())  # noqa: SIM115 - open as long as this process is
        subprocess.run(["tar", "-C", made.data, "-c", "."], stdout=packed, check=True)
        return packed


@contextmanager
def server(settings: Mapping[str, str]) -> Iterator[Cluster]:
    """One with the database TEMPLATE; it is gone when the block ends."""
    with _base() as base:
        made = Cluster(data=base / "data", socket_dir=base / "run")
        for directory in (made.data, made.socket_dir):
            directory.mkdir(mode=0o700)
            shutil.chown(directory, service_user())
        made.socket_dir.chmod(0o755)
        # By its own name, for the place that it is read from is each reader's own.
        with Path(f"/proc/self/fd/{_pattern().fileno()}").open("rb") as packed:
            subprocess.run(["tar", "-C", made.data, "-xp"], stdin=packed, check=True)
        with (made.data / "postgresql.conf").open("a") as conf:
            own = {"unix_socket_directories": f"'{made.socket_dir}'", **settings}
            conf.writelines(f"{name} = {value}\n" for name, value in own.items())
        start_again(made)
        try:
            yield made
        finally:
            try:
                stop_cluster(made, mode="immediate")
            except PostgresError:  # the test has stopped it and failed before it put it back
                assert not (made.data / "postmaster.pid").exists()


@contextmanager
def own_postgres() -> Iterator[Cluster]:
    """A server of one test alone, as durable as in production, with a database `corrente`."""
    with server({}) as made:
        with db.connect(made.conninfo("postgres"), name="test", autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {TEMPLATE} RENAME TO corrente")
        yield made


def start_again(cluster: Cluster) -> None:
    """Start it, or once more behind a stop."""
    start_cluster(cluster, log=cluster.data.parent / "postgres.log")


def copy_database(connection: psycopg.Connection[Any], name: str, template: str = TEMPLATE) -> None:
    """A database like the other, to which nobody is connected. File by file: block by block through the log costs twice that."""
    connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
