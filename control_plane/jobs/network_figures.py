"""The job that counts the network once a minute, so that pages show it over time without counting it themselves.

Units: *_S seconds.
Next: scheduler.py
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from control_plane import db
from control_plane.jobs.job import Connection
from control_plane.settings import Settings
from control_plane.store.network_figures import clear_figures, count_logins, count_online

COUNT_EVERY_S: Final = 60.0
# A year to compare with, and a month to look back into when customers complain.
ONLINE_KEPT: Final = timedelta(days=400)
LOGINS_KEPT: Final = timedelta(days=35)
# Attempts that wait in a spool come so much later and are counted still.
_LATE: Final = timedelta(hours=1)


def network_figures(connection: Connection, _settings: Settings, now: datetime) -> str:
    """Count who is online and how logins were answered, and forget figures past their time."""
    minute = now.replace(second=0, microsecond=0)
    with connection.transaction(), db.reading_whole(connection):
        online = count_online(connection, now)
    with connection.transaction():
        count_logins(connection, since=minute - _LATE, before=minute)
        clear_figures(connection, online_before=now - ONLINE_KEPT, logins_before=now - LOGINS_KEPT)
    return f"{online} subscribers online"
