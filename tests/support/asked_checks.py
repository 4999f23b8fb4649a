"""The worker's job that checks the books, run once over a console's database."""

from __future__ import annotations

from datetime import UTC, datetime

from support.console_world import Console

from control_plane import db
from control_plane.jobs.asked_checks import asked_checks
from control_plane.settings import load_settings


def work(console: Console) -> str:
    """What the job says that it did."""
    settings = load_settings(console.settings_file)
    conninfo = settings.conninfo("corrente_worker")
    with db.connect(conninfo, name="test worker", autocommit=True) as connection:
        return asked_checks(connection, settings, datetime.now(UTC))
