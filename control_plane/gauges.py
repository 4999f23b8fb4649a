"""Figures that are looked up at each scrape: of this machine, of the database, of one process.

What can't be known now is left out, and `corrente_database_up` says why. Where a label is a NAS's name, only those with the
most rows are named, so that ten thousand access devices don't become ten thousand series.

Units: as the names in telemetry.py say.
Next: telemetry.py
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import psycopg
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from control_plane import telemetry
from control_plane.leadership import LEASE_S, Leadership
from control_plane.machine.live_figures import spool_age_s, spool_octets, store_age_s
from control_plane.pulse import Pulse, elapsed_s
from control_plane.settings import Settings
from control_plane.store.clocks import load_node_clocks
from control_plane.store.drift import DriftFigure, load_figures, tune
from control_plane.store.lease import load_lease

Connection = psycopg.Connection[Any]

NASES_NAMED: Final = 20
_OTHER: Final = "other"
# Drift is measured no more often than this, and takes at most this share of the time.
_DRIFT_EVERY_S: Final = 5.0
_DRIFT_SHARE: Final = 0.05
# A million sessions that are all in drift took 35 s; a scrape waits for much less.
_DRIFT_LIMIT_S: Final = 120.0
_DRIFT_WAIT_S: Final = 2.0

_SESSIONS: Final = "SELECT CASE WHEN stale THEN 'stale' ELSE 'online' END, count(*) FROM session GROUP BY stale"
_LOGINS: Final = (
    "SELECT outcome, reason, count(*) FROM login_attempt WHERE at > now() - interval '1 minute' GROUP BY 1, 2"
)
_OPEN: Final = """
SELECT e.state::text, coalesce(n.name, ''), count(*) FROM enforcement e LEFT JOIN nas n ON n.id = e.nas_id WHERE e.closed_at IS NULL
GROUP BY 1, 2
"""
_ALARMED: Final = """
SELECT coalesce(n.name, ''), count(*) FROM enforcement e LEFT JOIN nas n ON n.id = e.nas_id WHERE e.alarmed_at > now() - interval '1 day'
GROUP BY 1
"""
_CLOSED: Final = (
    "SELECT state::text, count(*) FROM enforcement WHERE closed_at > now() - interval '1 minute' GROUP BY state"
)
_ONE_EACH: Final = """
SELECT (SELECT count(*) FROM enforcement WHERE closed_at IS NULL AND held_since IS NOT NULL),
    (SELECT greatest(0, extract(epoch FROM now() - min(wanted_at))) FROM enforcement WHERE closed_at IS NULL AND held_since IS NULL),
    (SELECT count(*) FROM nas_silence),
    (SELECT count(*) FROM nas_maintenance WHERE ended_at IS NULL AND since <= now() AND (until IS NULL OR now() < until)),
    (SELECT count(*) FROM network_stop WHERE ended_at IS NULL),
    (SELECT count(*) FROM guard_state WHERE tripped_at IS NOT NULL),
    (SELECT count(*) FROM scheduled_job WHERE started_at + make_interval(secs => deadline_s) < clock_timestamp()),
    (SELECT count(*) FROM einvoice WHERE state IN ('rejected_fixable', 'rejected_final', 'blocked') OR (state = 'draft' AND next_try IS NULL) OR contradiction <> ''),
    (SELECT count(*) FROM einvoice_account WHERE blocked_at IS NOT NULL AND enabled),
    (SELECT count(*) FROM webhook_endpoint WHERE disabled_at IS NOT NULL AND removed_at IS NULL),
    (SELECT count(*) FROM webhook_delivery AS d JOIN webhook_endpoint AS e ON e.id = d.endpoint_id WHERE d.state = 'parked' AND e.removed_at IS NULL)
"""
_EACH: Final = (
    telemetry.ENFORCEMENTS_HELD,
    telemetry.ENFORCEMENT_OLDEST,
    telemetry.NAS_SILENT,
    telemetry.NAS_MAINTENANCE,
    telemetry.NETWORK_STOPPED,
    telemetry.GUARD_TRIPPED,
    telemetry.JOBS_OVER_DEADLINE,
    telemetry.EINVOICES_HELD,
    telemetry.EINVOICE_ACCOUNTS_BLOCKED,
    telemetry.WEBHOOKS_DISABLED,
    telemetry.WEBHOOKS_PARKED,
)
_JOBS: Final = """
SELECT name, took_s, failed_at IS NOT NULL, greatest(0, extract(epoch FROM clock_timestamp() - next_at))::float8 FROM scheduled_job
"""


class NodeGauges(Collector):
    """Of the machine this runs on: its spools and its policy store. Nothing where there is neither."""

    def __init__(self, settings: Settings, store_age: Callable[[], float | None] | None = None) -> None:
        self._settings = settings
        self._store_age = store_age or (lambda: store_age_s(settings.policy_dir, now=time.time()))

    def collect(self) -> Iterator[Metric]:
        """The figures as of now."""
        now = time.time()
        spools = {"accounting": self._settings.accounting_spool_dir, "logins": self._settings.login_spool_dir}
        yield telemetry.SPOOL_BYTES.family(((name,), spool_octets(place)) for name, place in spools.items())
        yield telemetry.SPOOL_AGE.family(((name,), spool_age_s(place, now=now)) for name, place in spools.items())
        age_s = self._store_age()
        if age_s is not None:
            yield telemetry.STORE_AGE.one(age_s)


class DatabaseGauges(Collector):
    """Of the whole network, as the database has it: the same wherever it is asked.

    Drift is a pass over all sessions, so it is measured beside the page, again only when that costs little: where it takes
    longer than a moment, the next scrape has it. Another figure that takes longer than the connection allows is left out:
    a slow figure is no database away.
    """

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._drift: Metric | None = None
        self._drift_due = 0.0
        self._measuring: threading.Thread | None = None

    def collect(self) -> Iterator[Metric]:
        """The figures as of now."""
        try:
            with self._connect() as connection:
                measured = [metric for part in _PARTS for metric in _measured(part, connection)]
        except psycopg.Error:
            yield telemetry.DATABASE_UP.one(0)
            return
        self._begin_to_measure_drift()
        yield telemetry.DATABASE_UP.one(1)
        yield from measured
        if self._drift is not None:
            yield self._drift

    def _begin_to_measure_drift(self) -> None:
        measuring = self._measuring
        if measuring is None or (not measuring.is_alive() and elapsed_s() >= self._drift_due):
            measuring = self._measuring = threading.Thread(target=self._measure_drift, name="drift", daemon=True)
            measuring.start()
        measuring.join(_DRIFT_WAIT_S)

    def _measure_drift(self) -> None:
        began, found = elapsed_s(), None
        try:
            with self._connect() as connection, connection.transaction():
                tune(connection)
                connection.execute("SELECT set_config('statement_timeout', %s, true)", (f"{_DRIFT_LIMIT_S:g}s",))
                names = dict(connection.execute("SELECT id, name FROM nas").fetchall())
                found = telemetry.DRIFT.family(drift_counts(load_figures(connection), names).items())
        except psycopg.Error as error:
            telemetry.logger().warning("figures.too_slow", part="drift", problem=str(error).strip())
        ended = elapsed_s()
        self._drift, self._drift_due = found, ended + max(_DRIFT_EVERY_S, (ended - began) / _DRIFT_SHARE)


class ProcessGauges(Collector):
    """Of one process: whether its loops turn, and whether it leads."""

    def __init__(self, process: str, pulses: Sequence[Pulse], leadership: Leadership | None = None) -> None:
        self._process = process
        self._pulses = pulses
        self._leadership = leadership

    def collect(self) -> Iterator[Metric]:
        """The figures as of now."""
        ready = not list(problems_of(self._pulses))
        yield telemetry.READY.family([((self._process,), float(ready))])
        yield telemetry.LOOP_AGE.family(((pulse.loop,), pulse.age_s()) for pulse in self._pulses)
        if self._leadership is not None:
            yield telemetry.WORKER_LEADS.one(float(self._leadership.is_leader()))


def problems_of(pulses: Iterable[Pulse]) -> Iterator[str]:
    """Why a process's work is not done at present, one sentence each."""
    for pulse in pulses:
        yield from pulse.problems()


def by_nas(rows: Iterable[tuple[tuple[str, ...], str, int]], *, named: int = NASES_NAMED) -> dict[tuple[str, ...], int]:
    """Counts by (labels, NAS) as counts by labels with the NAS last, the NASes that have the fewest put together."""
    found = list(rows)
    totals: dict[str, int] = {}
    for _, nas, count in found:
        totals[nas] = totals.get(nas, 0) + count
    kept = set(sorted(totals, key=lambda nas: (-totals[nas], nas))[:named])
    counts: dict[tuple[str, ...], int] = {}
    for labels, nas, count in found:
        key = (*labels, nas if nas in kept else _OTHER)
        counts[key] = counts.get(key, 0) + count
    return counts


def drift_counts(figures: Iterable[DriftFigure], names: Mapping[int, str]) -> dict[tuple[str, ...], int]:
    """Sessions in drift by the reason, by whether a change of them is open, wanted or not to be had, and by NAS."""
    rows = []
    for figure in figures:
        change = "wanted" if figure.to_change else "open" if figure.state else "none"
        rows.append(((figure.reason.value, change), names.get(figure.nas_id, ""), figure.sessions))
    return by_nas(rows)


def _measured(part: Callable[[Connection], Iterator[Metric]], connection: Connection) -> list[Metric]:
    """One part's figures; none when they take too long."""
    try:
        return list(part(connection))
    except psycopg.errors.QueryCanceled:
        telemetry.logger().warning("figures.too_slow", part=part.__name__.strip("_"))
        return []


def _network(connection: Connection) -> Iterator[Metric]:
    yield telemetry.SESSIONS.family(((state,), count) for state, count in connection.execute(_SESSIONS).fetchall())
    logins = connection.execute(_LOGINS).fetchall()
    yield telemetry.LOGINS.family(((outcome, reason), count) for outcome, reason, count in logins)
    yield telemetry.NODE_CLOCK.family(((one.node,), one.ahead_s) for one in load_node_clocks(connection))


def _control_loop(connection: Connection) -> Iterator[Metric]:
    opened = (((state,), nas, count) for state, nas, count in connection.execute(_OPEN).fetchall())
    yield telemetry.ENFORCEMENTS.family(by_nas(opened).items())
    alarmed = (((), nas, count) for nas, count in connection.execute(_ALARMED).fetchall())
    yield telemetry.ENFORCEMENTS_ALARMED.family(by_nas(alarmed).items())
    closed = connection.execute(_CLOSED).fetchall()
    yield telemetry.ENFORCEMENTS_CLOSED.family(((state,), count) for state, count in closed)
    row = connection.execute(_ONE_EACH).fetchone()
    assert row is not None, "a row of aggregates"
    for metric, value in zip(_EACH, row, strict=True):
        # No open change has no oldest: then it has waited for no time.
        yield metric.one(float(value or 0))


def _scheduler(connection: Connection) -> Iterator[Metric]:
    lease = load_lease(connection)
    yield telemetry.LEADER.one(float(lease.left_s > 0))
    yield telemetry.LEADER_TOKEN.one(lease.token)
    if lease.token:
        yield telemetry.LEASE_AGE.one(max(LEASE_S - lease.left_s, 0.0))
    jobs = connection.execute(_JOBS).fetchall()
    yield telemetry.JOB_TOOK.family(((name,), took_s) for name, took_s, _, _ in jobs if took_s is not None)
    yield telemetry.JOB_FAILED.family(((name,), float(failed)) for name, _, failed, _ in jobs)
    yield telemetry.JOB_LATE.family(((name,), late_s) for name, _, _, late_s in jobs)


_PARTS: Final = (_network, _control_loop, _scheduler)
