"""Fixtures that start real parts: a PostgreSQL of the test run's own, a database a test."""

from __future__ import annotations

import gc
import itertools
import signal
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Final

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from support.own_postgres import copy_database, server

from control_plane import db
from control_plane.machine.private_postgres import Cluster

ROOT = Path(__file__).resolve().parent.parent
_numbers = itertools.count(1)
# No example fails because the machine is slow, and every run tries the same ones.
settings.register_profile("corrente", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("corrente")


# Who starts the tests in a script's background has Ctrl-C ignored, and so would have every child in which a test presses it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# They take minutes each: begun last, one of them would be left alone at the end.
_LONG: Final = (
    "tests/flows/test_virtual_year.py",
    "tests/radius/test_scenarios.py",
    "tests/flows/test_up.py",
    "tests/radius/test_mixed_fleet.py",
    "tests/radius/test_enforcement.py",
    "tests/radius/test_enforcement_lists.py",
    "tests/radius/test_peer_pppd.py",
    "tests/flows/test_walks.py",
    "tests/db/test_publisher.py",
    "tests/db/test_leadership.py",
    "tests/db/test_accounting_streams.py",
    "tests/db/test_edge_outages.py",
)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Without looking for what could be freed: the tests that are found are there to the end, and nobody looks through them again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long files first, the others as they are found."""
    ranks = {ROOT / name: rank for rank, name in enumerate(_LONG)}
    items.sort(key=lambda item: ranks.get(item.path, len(_LONG)))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL without durability, with a template database made from schema.sql."""
    quick = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "60"}
    # Nothing is replicated from it, and its log lies in memory.
    quick |= {"wal_level": "minimal", "max_wal_senders": "0", "max_wal_size": "256MB"}
    with server(quick) as made:
        yield made


def _fresh_database(cluster: Cluster) -> Iterator[str]:
    name = f"corrente_{next(_numbers)}"
    with db.connect(cluster.conninfo("postgres"), name="test", autocommit=True) as admin:
        copy_database(admin, name)
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
