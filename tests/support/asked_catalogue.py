"""The worker's job that gives price changes and promotions to contracts, run once over a console's database."""

from __future__ import annotations

from datetime import UTC, datetime

from support.console_world import Console

from control_plane import db
from control_plane.jobs.asked_catalogue import asked_catalogue
from control_plane.settings import Settings


def work(console: Console) -> str:
    """What the job says that it did."""
    with db.connect(console.conninfo, name="test worker", autocommit=True) as connection:
        connection.execute("SET ROLE corrente_worker")
        return asked_catalogue(connection, Settings(), datetime.now(UTC))
