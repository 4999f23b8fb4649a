"""What `corrente check` says of the control loop: whether anything keeps changes from the access devices.

Next: checks.py
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import psycopg

from control_plane.findings import Finding, ok, warn
from control_plane.quantities import instant_text
from control_plane.store.enforcement_list import load_enforcements
from control_plane.store.interventions import load_maintenance, load_stop, load_trip

_ALARMS_COUNTED: Final = 1000


def check_loop(connection: psycopg.Connection[Any], zone: ZoneInfo) -> Iterator[Finding]:
    """What a person placed or the guard decided, and what a person must look at; times in `zone`."""
    well = True
    for finding in (
        *_stopped(connection, zone),
        *_tripped(connection, zone),
        *_maintained(connection, zone),
        *_alarmed(connection),
    ):
        well = False
        yield finding
    if well:
        yield ok("control loop", "nothing is stopped, held or in maintenance")


def _stopped(connection: psycopg.Connection[Any], zone: ZoneInfo) -> Iterator[Finding]:
    stop = load_stop(connection)
    if stop is not None:
        text = f"EVERYTHING IS STOPPED since {instant_text(stop.since, zone)} by {stop.placed_by}: {stop.reason}"
        yield warn("control loop", text, "`corrente resume` sends to access devices again")


def _tripped(connection: psycopg.Connection[Any], zone: ZoneInfo) -> Iterator[Finding]:
    trip = load_trip(connection)
    if trip is not None:
        at, why = trip
        text = f"the guard tripped {instant_text(at, zone)}: {why}"
        yield warn(
            "control loop", text, "`corrente guard status` shows what waits, `corrente guard release` lets it go"
        )


def _maintained(connection: psycopg.Connection[Any], zone: ZoneInfo) -> Iterator[Finding]:
    for one in load_maintenance(connection, datetime.now(UTC)):
        until = "with no end" if one.until is None else f"until {instant_text(one.until, zone)}"
        text = f"NAS {one.nas} is in maintenance {until}, {one.waiting:,} changes wait ({one.placed_by}: {one.reason})"
        yield warn("control loop", text, f"corrente maintenance off {one.nas}")


def _alarmed(connection: psycopg.Connection[Any]) -> Iterator[Finding]:
    alarms = len(load_enforcements(connection, alarms=True, limit=_ALARMS_COUNTED))
    if alarms:
        more = " or more" if alarms == _ALARMS_COUNTED else ""
        yield warn("control loop", f"{alarms:,}{more} changes need a person", "`corrente enforcement list --alarms`")
