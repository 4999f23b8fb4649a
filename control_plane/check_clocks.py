"""What `corrente check` says of clocks: this machine's and every RADIUS node's, against the database's.

A change is proven by accounting that was received after it. The receipt has the node's time and the change the database's, so a
node that is ahead makes old records look like new ones, and one that is behind makes new ones look old.

Units: seconds; above 0 ahead of the database.
Next: checks.py
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

import psycopg

from control_plane.findings import Finding, fail, ok, warn
from control_plane.quantities import off_text
from control_plane.store.clocks import load_node_clocks

# What the proof of a change forgives; beyond a minute it is wrong more often than right.
_WARN_S: Final = 2.0
_FAIL_S: Final = 60.0
_ADVICE: Final = "set its clock by NTP, as on every machine of Corrente: chronyc tracking, or timedatectl"


def check_clocks(connection: psycopg.Connection[Any]) -> Iterator[Finding]:
    """This machine, then each node whose edge was heard in the last minute; one line when all are right."""
    well = 0
    for name, ahead_s, means in _clocks(connection):
        text = f"{name} is {off_text(ahead_s)}"
        if abs(ahead_s) > _WARN_S:
            yield (fail if abs(ahead_s) > _FAIL_S else warn)("clocks", f"{text}: {means}", _ADVICE)
        else:
            well += 1
    if well:
        yield ok("clocks", f"{well} within {_WARN_S:g} s of the database's")


def _clocks(connection: psycopg.Connection[Any]) -> Iterator[tuple[str, float, str]]:
    yield (
        "this machine",
        _ahead_here(connection),
        "an access device that checks the time drops what a worker here dates",
    )
    for node in load_node_clocks(connection):
        ahead = "sessions look as if they ignored a change, and are disconnected for it"
        behind = "changes are not proven by accounting, and silent sessions are closed late"
        yield f"RADIUS node {node.node}", node.ahead_s, ahead if node.ahead_s > 0 else behind


def _ahead_here(connection: psycopg.Connection[Any]) -> float:
    """This machine's clock, in the middle of the question, less the database's."""
    began = time.time()
    row = connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
    assert row is not None
    return (began + time.time()) / 2 - float(row[0])
