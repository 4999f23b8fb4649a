"""The subscribers, plans and databases that all servers under test share.

Everyone gets the same accounts, passwords and reply attributes; only where they are kept differs.

Next: rivals.py
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.packets import Subscriber
from control_plane.machine.private_postgres import Cluster, make_cluster, start_cluster, stop_cluster

RADIUS_SECRET: Final = b"a-secret-of-24-octets-ok"
SERVICE_USER: Final = "freerad"
STOCK_CONFIG: Final = Path("/etc/freeradius/3.0")

# The same for every database of a run. Durability is PostgreSQL's own default: fsync and synchronous_commit are on.
# Checkpoints are kept out of the short runs of everyone alike.
POSTGRES_SETTINGS: Final = {
    "shared_buffers": "512MB",
    "max_connections": "100",
    "max_wal_size": "'8GB'",
    "checkpoint_timeout": "'30min'",
    "autovacuum_naptime": "'10s'",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan as the servers know it. Units: Mbit/s."""

    name: str
    down_mbps: int
    up_mbps: int

    @property
    def reply(self) -> tuple[tuple[str, str], ...]:
        """The reply attributes of a login, as a RouterOS device gets them."""
        return (
            ("Mikrotik-Rate-Limit", f"{self.up_mbps}M/{self.down_mbps}M"),
            ("Framed-Pool", "subscribers"),
            ("Session-Timeout", "86400"),
            ("Acct-Interim-Interval", "600"),
        )


PLANS: Final = (Plan("home-30", 30, 3), Plan("home-100", 100, 20), Plan("home-300", 300, 100), Plan("office", 900, 900))


def plan_of(subscriber: Subscriber) -> Plan:
    """Which plan a subscriber has."""
    return PLANS[subscriber.number % len(PLANS)]


@contextmanager
def working_directory() -> Iterator[Path]:
    """A directory that the database's and FreeRADIUS's users can enter; gone when the block ends."""
    base = Path(tempfile.mkdtemp(prefix="corrente-bench-"))
    base.chmod(0o755)
    try:
        yield base
    finally:
        shutil.rmtree(base)


@contextmanager
def postgres(base: Path, settings: dict[str, str] = POSTGRES_SETTINGS) -> Iterator[Cluster]:
    """A PostgreSQL of the run's own, on a socket only, that FreeRADIUS may enter (for the rival)."""
    cluster = Cluster(data=base / "postgres", socket_dir=base / "postgres-run")
    service_users = (SERVICE_USER,) if os.geteuid() == 0 else ()
    make_cluster(cluster, settings=settings, os_users=service_users)
    start_cluster(cluster, log=base / "postgres.log")
    try:
        yield cluster
    finally:
        stop_cluster(cluster, mode="immediate")
