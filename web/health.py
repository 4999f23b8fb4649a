"""Liveness, readiness and metrics.

/health says that this process answers; /ready that the database is reachable and the policy store is kept up to date, so
a change of a contract would reach the next login; /metrics is for Prometheus.

Units: seconds and bytes, as the metric names say.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psycopg
from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from control_plane import db
from control_plane.machine.live_figures import (
    OLD_STORE_S,
    drift_of,
    load_live_sessions,
    spool_age_s,
    spool_octets,
    store_age_s,
)
from control_plane.settings import Settings
from control_plane.telemetry import machine_registry

_STATEMENT_TIMEOUT_MS: Final = 5000


def health_pages(settings: Settings) -> Blueprint:
    """The three addresses that a monitoring system asks."""
    pages = Blueprint("health", __name__)

    @pages.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @pages.get("/ready")
    def ready() -> tuple[dict[str, object], int]:
        problems = list(problems_of(settings, now=time.time()))
        return {"ready": not problems, "problems": problems}, 503 if problems else 200

    @pages.get("/metrics")
    def metrics() -> Response:
        return Response(_metrics_text(settings), content_type=CONTENT_TYPE_LATEST)

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


def _database(settings: Settings) -> psycopg.Connection[tuple[object, ...]]:
    connection = db.connect(settings.conninfo("corrente_web"), name="web", autocommit=True)
    connection.execute("SELECT set_config('statement_timeout', %s, false)", (str(_STATEMENT_TIMEOUT_MS),))
    return connection


def _metrics_text(settings: Settings) -> bytes:
    gauges = CollectorRegistry()
    gauges.register(_Gauges(settings))
    counters = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    return (generate_latest(machine_registry(Path(counters))) if counters else b"") + generate_latest(gauges)


class _Gauges(Collector):
    """What is looked up at each scrape. What can't be known now is left out, and `corrente_database_up` says why."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def collect(self) -> Iterator[Metric]:
        now = time.time()
        yield from self._of_spools(now)
        age_s = store_age_s(self._settings.policy_dir, now=now)
        if age_s is not None:
            yield _gauge("corrente_policy_store_age_seconds", "Since the store was compared with the database", age_s)
        try:
            with _database(self._settings) as connection:
                measured = list(self._of_database(connection, now=now))
        except psycopg.Error:
            yield _gauge("corrente_database_up", "1 when the database answers", 0)
        else:
            yield _gauge("corrente_database_up", "1 when the database answers", 1)
            yield from measured

    def _of_spools(self, now: float) -> Iterator[Metric]:
        spools = {"accounting": self._settings.accounting_spool_dir, "logins": self._settings.login_spool_dir}
        octets = GaugeMetricFamily("corrente_spool_bytes", "Octets in the spool, shipped or not", labels=["spool"])
        age = GaugeMetricFamily("corrente_spool_age_seconds", "Age of the oldest spool file in use", labels=["spool"])
        for name, directory in spools.items():
            octets.add_metric([name], spool_octets(directory))
            age.add_metric([name], spool_age_s(directory, now=now))
        yield from (octets, age)

    def _of_database(self, connection: psycopg.Connection[tuple[object, ...]], *, now: float) -> Iterator[Metric]:
        sessions = GaugeMetricFamily("corrente_sessions", "Live sessions", labels=["state"])
        for stale, count in connection.execute("SELECT stale, count(*) FROM session GROUP BY stale").fetchall():
            sessions.add_metric(["stale" if stale else "online"], float(str(count)))
        yield sessions
        logins = GaugeMetricFamily(
            "corrente_logins_last_minute", "Logins answered in the last minute", labels=["outcome", "reason"]
        )
        for outcome, reason, count in connection.execute(
            "SELECT outcome, reason, count(*) FROM login_attempt WHERE at > now() - interval '1 minute' GROUP BY 1, 2"
        ).fetchall():
            logins.add_metric([str(outcome), str(reason)], float(str(count)))
        yield logins
        row = connection.execute(
            "SELECT count(*) FROM scheduled_job WHERE started_at + make_interval(secs => deadline_s) < clock_timestamp()"
        ).fetchone()
        assert row is not None, "an aggregate has one row"
        yield _gauge(
            "corrente_jobs_over_deadline", "Scheduled jobs that run and are past their deadline", float(str(row[0]))
        )
        drift = drift_of(load_live_sessions(connection), self._settings.policy_dir, now=now)
        if drift is not None:
            yield _gauge("corrente_drift_sessions", "Sessions whose policy is not the one in force", drift.drifted)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    metric = GaugeMetricFamily(name, text)
    metric.add_metric([], value)
    return metric
