"""Logs and metrics: what every process says of itself, declared in one place.

A log line is one JSON object on standard output: a constant event name (`spool.merged`) and fields. ERROR means that a
person must change code or settings; a peer that is down is counted, not shouted. No password, no token, no secret.

The processes of one machine count into small files below the directory that PROMETHEUS_MULTIPROC_DIR names (`corrente up`
sets it), and the web process adds them up for /metrics.

Units: base units in the names (`_seconds`, `_total`); labels have few values, and none is called `job` or `instance`:
those are Prometheus's own.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
import structlog
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from structlog.typing import FilteringBoundLogger

ACCOUNTING_RECORDS: Final = Counter(
    "corrente_accounting_records", "Accounting records merged into the database", ["status"]
)
ACCOUNTING_BATCHES: Final = Histogram(
    "corrente_accounting_batch_seconds",
    "Time to merge one batch of accounting records",
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10),
)
UNREADABLE_RECORDS: Final = Counter("corrente_unreadable_records", "Spooled records kept aside for a person", ["kind"])
LOGIN_RECORDS: Final = Counter(
    "corrente_login_records", "Login attempts brought into the database", ["outcome", "reason"]
)
POLICY_CHANGES: Final = Counter("corrente_policy_changes", "Records published to the policy store", ["kind"])
POLICY_FAULTS: Final = Counter(
    "corrente_policy_faults", "Accounts, profiles and NASes that could not be rendered, each time", ["kind"]
)
POLICY_REBUILDS: Final = Counter("corrente_policy_rebuilds", "Policy stores built from nothing")
POLICY_DELAY: Final = Histogram(
    "corrente_policy_delay_seconds",
    "From the start of a change's transaction to its place in the policy store",
    buckets=(0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 30),
)
JOB_RUNS: Final = Counter("corrente_job_runs", "Scheduled jobs by how they ended", ["name", "outcome"])
JOB_SECONDS: Final = Histogram("corrente_job_seconds", "Time a scheduled job took", ["name"])
JOB_OVERRUNS: Final = Counter("corrente_job_overruns", "Scheduled jobs that took longer than their deadline", ["name"])
LEADER_CHANGES: Final = Counter("corrente_leader_terms", "Times a worker of this machine began to lead")
ENFORCEMENT_STEPS: Final = Counter(
    "corrente_enforcement_steps", "Changes to live sessions by where each step left them", ["state"]
)
ENFORCEMENT_ALARMS: Final = Counter("corrente_enforcement_alarms", "Times that a person must look at a change")
MESSAGES: Final = Counter(
    "corrente_messages", "Messages to customers by what became of an attempt", ["channel", "outcome"]
)
RETURNS: Final = Counter("corrente_mail_returns", "Mail that came back, by what it was", ["kind"])
ANSWERS_DISCARDED: Final = Counter(
    "corrente_change_answers_discarded", "Datagrams that came to the sender of changes and were no answer", ["reason"]
)
WEBHOOK_TRIES: Final = Counter("corrente_webhook_tries", "Webhooks sent, by what became of each try", ["outcome"])
EINVOICES: Final = Counter("corrente_einvoices", "E-invoices that the tax authority settled", ["state"])
DATABASE_FAILURES: Final = Counter("corrente_database_failures", "Times a process lost the database", ["process"])
# What only the shipper counts. It is a process of its own beside the edge's publisher.
_OF_SHIPPER: Final = (ACCOUNTING_RECORDS, ACCOUNTING_BATCHES, UNREADABLE_RECORDS, LOGIN_RECORDS)


@dataclass(frozen=True, slots=True)
class LookedUp:
    """A figure that is looked up when it is asked for, and left out when it can't be known: see gauges.py."""

    name: str
    text: str
    labels: tuple[str, ...] = ()

    def family(self, values: Iterable[tuple[tuple[str, ...], float]]) -> GaugeMetricFamily:
        """The metric with a value for each tuple of labels."""
        metric = GaugeMetricFamily(self.name, self.text, labels=self.labels)
        for labels, value in values:
            metric.add_metric(labels, value)
        return metric

    def one(self, value: float) -> GaugeMetricFamily:
        """The metric without labels."""
        return self.family([((), value)])


# Of this process.
READY: Final = LookedUp("corrente_ready", "1 when all of this process's work is done", ("process",))
LOOP_AGE: Final = LookedUp("corrente_loop_age_seconds", "Since a loop of this process last did its work", ("loop",))
WORKER_LEADS: Final = LookedUp("corrente_worker_leads", "1 when this worker leads")
# Of this machine.
SPOOL_BYTES: Final = LookedUp("corrente_spool_bytes", "Octets in the spool, shipped or not", ("spool",))
SPOOL_AGE: Final = LookedUp("corrente_spool_age_seconds", "Age of the oldest record in the spool", ("spool",))
STORE_AGE: Final = LookedUp("corrente_policy_store_age_seconds", "Since the store was compared with the database")
# Of the database, the same wherever it is asked.
DATABASE_UP: Final = LookedUp("corrente_database_up", "1 when the database answers")
SESSIONS: Final = LookedUp("corrente_sessions", "Live sessions", ("state",))
LOGINS: Final = LookedUp("corrente_logins_last_minute", "Logins answered in the last minute", ("outcome", "reason"))
NODE_CLOCK: Final = LookedUp(
    "corrente_node_clock_ahead_seconds", "A RADIUS node's clock less the database's, by its last word", ("node",)
)
# `change` is open when one is on its way, wanted when one is still to be opened, none when nothing can be done now.
DRIFT: Final = LookedUp(
    "corrente_drift_sessions",
    "Live sessions whose policy is not the one they should have; NASes with few of them together as `other`",
    ("reason", "change", "nas"),
)
ENFORCEMENTS: Final = LookedUp(
    "corrente_enforcements",
    "Open changes by state and NAS; NASes with few of them together as `other`",
    ("state", "nas"),
)
ENFORCEMENTS_CLOSED: Final = LookedUp(
    "corrente_enforcements_closed_last_minute", "Changes that came to an end in the last minute", ("state",)
)
ENFORCEMENTS_HELD: Final = LookedUp("corrente_enforcements_held", "Open changes that wait for a person")
ENFORCEMENT_OLDEST: Final = LookedUp(
    "corrente_enforcement_oldest_seconds", "Since the oldest open change that nothing holds was wanted"
)
ENFORCEMENTS_ALARMED: Final = LookedUp(
    "corrente_enforcements_alarmed",
    "Changes of the last day that a person was asked to look at; NASes with few of them together as `other`",
    ("nas",),
)
NAS_SILENT: Final = LookedUp("corrente_nas_silent", "NASes that answer no change request")
NAS_MAINTENANCE: Final = LookedUp("corrente_nas_in_maintenance", "NASes to which nothing is sent for maintenance")
NETWORK_STOPPED: Final = LookedUp("corrente_network_stopped", "1 while a person has stopped all sending")
GUARD_TRIPPED: Final = LookedUp("corrente_guard_tripped", "1 while automatic cuts wait for a person")
EINVOICES_HELD: Final = LookedUp(
    "corrente_einvoices_held", "E-invoices that need a person: rejected, held, blocked or contradictory"
)
EINVOICE_ACCOUNTS_BLOCKED: Final = LookedUp(
    "corrente_einvoice_accounts_blocked", "Accounts of which the tax authority takes nothing"
)
WEBHOOKS_DISABLED: Final = LookedUp("corrente_webhooks_disabled", "Webhook endpoints that are switched off")
WEBHOOKS_PARKED: Final = LookedUp("corrente_webhooks_parked", "Webhooks that were given up and wait for a person")
LEADER: Final = LookedUp("corrente_leader", "1 when a worker leads")
LEADER_TOKEN: Final = LookedUp("corrente_leader_token", "Grows with each change of leader")
LEASE_AGE: Final = LookedUp("corrente_lease_age_seconds", "Since the leader's lease was last renewed")
JOB_TOOK: Final = LookedUp("corrente_job_took_seconds", "What the last run of a scheduled job took", ("name",))
JOB_FAILED: Final = LookedUp("corrente_job_failed", "1 when the last run of a scheduled job failed", ("name",))
JOB_LATE: Final = LookedUp(
    "corrente_job_late_seconds", "Since when a scheduled job is due; 0 when it is not", ("name",)
)
JOBS_OVER_DEADLINE: Final = LookedUp(
    "corrente_jobs_over_deadline", "Scheduled jobs that run and are past their deadline"
)


def start_logging(process: str, *, level: int = logging.INFO) -> FilteringBoundLogger:
    """Send JSON lines to standard output, each with the name of the process; returns the logger."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.dict_tracebacks,
            structlog.processors.JSONRenderer(serializer=_serialise),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stdout),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)
    return logger()


def logger() -> FilteringBoundLogger:
    """The logger of this process."""
    found: FilteringBoundLogger = structlog.get_logger()
    return found


def _serialise(event: dict[str, Any], **_: object) -> str:
    return orjson.dumps(event, default=str).decode()


CONTENT_TYPE: Final = CONTENT_TYPE_LATEST


def counters_directory() -> Path | None:
    """Where this process and its children count, when it was started with such a place."""
    named = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    return Path(named) if named else None


def machine_registry(directory: Path) -> CollectorRegistry:
    """The counters of all processes of this machine that share `directory`, added up."""
    registry = CollectorRegistry()
    registry.register(_Counters(directory))
    return registry


def process_text(pids: Sequence[int], *looked_up: Collector, shipper_apart: bool = False) -> bytes:
    """What the processes `pids` have counted, and the figures of `looked_up`, as Prometheus reads it.

    Without a directory to count in, a process knows of itself alone; `shipper_apart` then leaves out what its child counts,
    because zeros would be untrue.
    """
    gauges = CollectorRegistry()
    for collector in looked_up:
        gauges.register(collector)
    directory = counters_directory()
    if directory is not None:
        counted = CollectorRegistry()
        counted.register(_Counters(directory, pids))
    else:
        counted = REGISTRY
        if shipper_apart:
            counted = CollectorRegistry()
            counted.register(_Without(_OF_SHIPPER))
    return generate_latest(counted) + generate_latest(gauges)


class _Counters(Collector):
    def __init__(self, directory: Path, pids: Sequence[int] | None = None) -> None:
        self._directory = directory
        self._endings = None if pids is None else tuple(f"_{pid}.db" for pid in pids)

    def collect(self) -> Iterable[Metric]:
        # A file that a process has made and not begun to fill (its disk may be full) would end every look at the others.
        files = [str(file) for file in self._directory.glob("*.db") if file.stat().st_size]
        if self._endings is not None:
            files = [file for file in files if file.endswith(self._endings)]
        found: Iterable[Metric] = MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]
        return found


class _Without(Collector):
    """What this process has counted, but for some metrics."""

    def __init__(self, left_out: Iterable[Counter | Histogram]) -> None:
        self._left_out = {metric.name for counter in left_out for metric in counter.collect()}

    def collect(self) -> Iterable[Metric]:
        return [metric for metric in REGISTRY.collect() if metric.name not in self._left_out]


def counter_value(registry: CollectorRegistry, name: str) -> float:
    """The sum over all labels of one counter, 0 while nobody has counted. `name` ends in `_total`."""
    return sum(sample.value for metric in registry.collect() for sample in metric.samples if sample.name == name)
