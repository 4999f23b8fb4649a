"""Fixtures that start real parts: a PostgreSQL of the test run's own, a database a test."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, settings

from control_plane import db
from control_plane.machine.private_postgres import Cluster, make_cluster, start_cluster, stop_cluster
from control_plane.migrate import load_migrations

ROOT = Path(__file__).resolve().parent.parent
_numbers = itertools.count(1)
# No example fails because the machine is slow, and every run tries the same ones.
settings.register_profile("corrente", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("corrente")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL without durability, with a template database made from schema.sql."""
    base = Path(tempfile.mkdtemp(prefix="corrente-pg-"))
    base.chmod(0o755)
    made = Cluster(data=base / "data", socket_dir=base / "run")
    make_cluster(
        made, settings={"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "60"}
    )
    start_cluster(made, log=base / "postgres.log")
    try:
        with db.connect(made.conninfo("postgres"), name="test", autocommit=True) as connection:
            connection.execute("CREATE DATABASE corrente_template")
        with db.connect(made.conninfo("corrente_template"), name="test") as connection:
            connection.execute((ROOT / "schema.sql").read_text())
            for migration in load_migrations():
                connection.execute("INSERT INTO schema_migration (name) VALUES (%s)", (migration.name,))
            connection.execute(
                "SELECT make_month((date '2026-01-01' + make_interval(months => m))::date) FROM generate_series(-1, 14) m"
            )
        yield made
    finally:
        stop_cluster(made, mode="immediate")
        shutil.rmtree(base)


def _fresh_database(cluster: Cluster) -> Iterator[str]:
    name = f"corrente_{next(_numbers)}"
    with db.connect(cluster.conninfo("postgres"), name="test", autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE corrente_template")
        yield cluster.conninfo(name)
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database(cluster: Cluster) -> Iterator[str]:
    """The conninfo of a fresh database made from schema.sql, with partitions from 2025-12 to 2027-03."""
    yield from _fresh_database(cluster)


@pytest.fixture(scope="module")
def module_database(cluster: Cluster) -> Iterator[str]:
    """The same for all tests of a module, which leave it as it was."""
    yield from _fresh_database(cluster)


@pytest.fixture
def unmade(cluster: Cluster) -> Iterator[str]:
    """The conninfo of a database that does not exist yet."""
    name = f"corrente_unmade_{next(_numbers)}"
    yield cluster.conninfo(name)
    with db.connect(cluster.conninfo("postgres"), name="test", autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection]:
    """One open connection to the test's database."""
    with db.connect(database, name="test") as opened:
        yield opened
