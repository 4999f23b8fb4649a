"""Liveness, readiness and metrics.

/health says that this process answers; /ready that the database is reachable and the policy store is kept up to date, so
a change of a contract would reach the next login; /metrics is for Prometheus: what all processes of this machine have counted
(when they share a directory for it, as under `corrente up`), what this machine's spools and policy store look like, and what
the database knows of the whole network. Worker and edge have pages of their own, see control_plane/pages.py.

Anybody may ask, as often as they like: what is answered is worked out once a second at the most, by one at a time (kept.py).

Units: seconds and bytes, as the metric names say.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

import psycopg
from flask import Blueprint, Response
from prometheus_client import CollectorRegistry, generate_latest

from control_plane import db
from control_plane.gauges import DatabaseGauges, NodeGauges
from control_plane.machine.live_figures import OLD_STORE_S, store_age_s
from control_plane.settings import Settings
from control_plane.telemetry import CONTENT_TYPE, counters_directory, machine_registry
from web.kept import Kept
from web.marks import public

_STATEMENT_TIMEOUT_MS: Final = 5000


def health_pages(settings: Settings) -> Blueprint:
    """The three addresses that a monitoring system asks."""
    pages = Blueprint("health", __name__)
    gauges = CollectorRegistry()
    gauges.register(NodeGauges(settings))
    gauges.register(DatabaseGauges(lambda: _database(settings)))
    ready_as_kept = Kept(lambda: list(problems_of(settings, now=time.time())))
    metrics_as_kept = Kept(lambda: _metrics_text(gauges))

    @pages.get("/health")
    @public("a monitoring system asks")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @pages.get("/ready")
    @public("a monitoring system asks")
    def ready() -> tuple[dict[str, object], int]:
        problems = ready_as_kept.answer()
        return {"ready": not problems, "problems": problems}, 503 if problems else 200

    @pages.get("/metrics")
    @public("a monitoring system asks; docs/operations.md says how to keep it from others")
    def metrics() -> Response:
        return Response(metrics_as_kept.answer(), content_type=CONTENT_TYPE)

    return pages


def problems_of(settings: Settings, *, now: float) -> Iterator[str]:
    """Why a changed contract would not reach the next login, one sentence each. Units: `now` in epoch seconds."""
    try:
        with _database(settings) as connection:
            connection.execute("SELECT FROM schema_migration LIMIT 1")
    except psycopg.Error as error:
        yield f"the database does not answer: {str(error).strip().splitlines()[0]}"
    age_s = store_age_s(settings.policy_dir, now=now)
    if age_s is None:
        yield f"there is no policy store at {settings.policy_dir}"
    elif age_s > OLD_STORE_S:
        yield f"the policy store was last compared with the database {age_s:.0f} s ago"


def _database(settings: Settings) -> psycopg.Connection[Any]:
    connection = db.connect(settings.conninfo("corrente_web"), name="web", autocommit=True)
    connection.execute("SELECT set_config('statement_timeout', %s, false)", (str(_STATEMENT_TIMEOUT_MS),))
    return connection


def _metrics_text(gauges: CollectorRegistry) -> bytes:
    counters = counters_directory()
    return (generate_latest(machine_registry(counters)) if counters else b"") + generate_latest(gauges)
