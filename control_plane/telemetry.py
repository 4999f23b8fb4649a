"""Logs and metrics: what every process says of itself, declared in one place.

A log line is one JSON object on standard output: a constant event name (`spool.merged`) and fields. ERROR means that a
person must change code or settings; a peer that is down is counted, not shouted. No password, no token, no secret.

The processes of one machine count into small files below the directory that PROMETHEUS_MULTIPROC_DIR names (`corrente up`
sets it), and the web process adds them up for /metrics.

Units: base units in the names (`_seconds`, `_total`); labels have few values.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import orjson
import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import Metric
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
LOGIN_RECORDS: Final = Counter("corrente_login_records", "Login attempts brought into the database", ["outcome"])
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
JOB_RUNS: Final = Counter("corrente_job_runs", "Scheduled jobs by how they ended", ["job", "outcome"])
JOB_SECONDS: Final = Histogram("corrente_job_seconds", "Time a scheduled job took", ["job"])
JOB_OVERRUNS: Final = Counter("corrente_job_overruns", "Scheduled jobs that took longer than their deadline", ["job"])
LEADER_CHANGES: Final = Counter("corrente_leader_terms", "Times a worker of this machine began to lead")
DATABASE_FAILURES: Final = Counter("corrente_database_failures", "Times a process lost the database", ["process"])


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


def machine_registry(directory: Path) -> CollectorRegistry:
    """The counters of all processes of this machine that share `directory`, added up."""
    registry = CollectorRegistry()
    registry.register(_Counters(directory))
    return registry


class _Counters(Collector):
    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def collect(self) -> Iterable[Metric]:
        # A file that a process has made and not begun to fill (its disk may be full) would end every look at the others.
        files = [str(file) for file in self._directory.glob("*.db") if file.stat().st_size]
        found: Iterable[Metric] = MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]
        return found


def counter_value(registry: CollectorRegistry, name: str) -> float:
    """The sum over all labels of one counter, 0 while nobody has counted. `name` ends in `_total`."""
    return sum(sample.value for metric in registry.collect() for sample in metric.samples if sample.name == name)
