"""A PostgreSQL of one test alone, with Corrente's schema, to be stopped and put back."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from support.edge_process import ROOT

from control_plane import db
from control_plane.machine.private_postgres import Cluster, PostgresError, make_cluster, start_cluster, stop_cluster


@contextmanager
def own_postgres() -> Iterator[Cluster]:
    """The server with a database `corrente`; it is gone when the block ends."""
    base = Path(tempfile.mkdtemp(prefix="corrente-own-"))
    base.chmod(0o755)
    made = Cluster(data=base / "data", socket_dir=base / "run")
    make_cluster(made)
    start_again(made)
    try:
        with db.connect(made.conninfo("postgres"), name="test", autocommit=True) as connection:
            connection.execute("CREATE DATABASE corrente")
        with db.connect(made.conninfo("corrente"), name="test") as connection:
            connection.execute((ROOT / "schema.sql").read_text())
        yield made
    finally:
        with suppress(PostgresError):  # the test has stopped it and failed before it put it back
            stop_cluster(made, mode="immediate")
        shutil.rmtree(base)


def start_again(cluster: Cluster) -> None:
    start_cluster(cluster, log=cluster.data.parent / "postgres.log")
