"""Hears that there is something to do for a job, and has it run at once instead of at its next time.

A hint and no more: one that is lost costs what the job's own interval is. It comes by NOTIFY with the commit of what is to be
done.

Units: *_s seconds.
Next: scheduler.py
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Final

import psycopg

from billing.store.asked_checks import CHANNEL as CHECK_CHANNEL
from billing.store.catalogue_requests import CHANNEL as CATALOGUE_CHANNEL
from billing.store.gateway_work import RECONCILE_CHANNEL
from control_plane import db, telemetry
from control_plane.settings import Settings
from control_plane.store.password_resets import CHANNEL

# Who takes a gateway's notice in says so: somebody has paid and waits (control_plane/gateways/intake.py). So does who asks for a
# billing run, a price change, a promotion, a check of the books or a look at a provider: they sit before the page; and who asks for a link to set a password anew.
WAKES: Final[Mapping[str, str]] = {
    "corrente_gateway_notice": "gateways",
    "corrente_billing_request": "asked_billing",
    CATALOGUE_CHANNEL: "asked_catalogue",
    CHECK_CHANNEL: "asked_checks",
    RECONCILE_CHANNEL: "reconcile_gateways",
    CHANNEL: "mail_password_resets",
}
# How late a stop is noticed, and how long a database that is away is left alone.
_LISTEN_S: Final = 0.5
_RETRY_S: Final = 2.0


def hear(settings: Settings, stop: threading.Event, wake: Callable[[str], None]) -> None:
    """Call `wake` with a job's name for each hint until `stop` is set. PostgreSQL away is waited out: jobs run at their times."""
    while not stop.is_set():
        try:
            with db.connect(settings.conninfo("corrente_worker"), name="worker wake", autocommit=True) as connection:
                for channel in WAKES:
                    connection.execute(f"LISTEN {channel}")
                while not stop.is_set():
                    for name in {WAKES[note.channel] for note in connection.notifies(timeout=_LISTEN_S, stop_after=1)}:
                        wake(name)
        except psycopg.Error as error:
            telemetry.logger().info("wake.database_away", problem=str(error).strip())
            stop.wait(_RETRY_S)
