"""What a simulated device counts, and one picture of it for tests and screens.

Next: device.py
"""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

# Eight octets each; a device that ran for days must not grow without end.
MAX_LATENCIES: Final = 1_000_000


class Latencies:
    """How long answers took, from the first send. Units: seconds. Beyond the limit the oldest are overwritten."""

    def __init__(self) -> None:
        self._values = array("d")
        self._count = 0

    def add(self, seconds: float) -> None:
        """One more answer."""
        if len(self._values) < MAX_LATENCIES:
            self._values.append(seconds)
        else:
            self._values[self._count % MAX_LATENCIES] = seconds
        self._count += 1

    def percentile(self, share: float) -> float:
        """The latency that this share of the answers did not exceed; 0 when there were none."""
        if not self._values:
            return 0.0
        ordered = sorted(self._values)
        return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]

    def __len__(self) -> int:
        """How many answers there were in all."""
        return self._count


@dataclass(slots=True)
class Statistics:
    """Everything one device counted since it was made; a reboot does not clear it."""

    accepted: int = 0
    rejected: int = 0
    login_unanswered: int = 0
    # Accepted, but the pool it was told had no address left.
    without_address: int = 0
    # Accepted, but the device could not: by why.
    logins_failed: Counter[str] = field(default_factory=Counter)
    # Answers that were thrown away, by why.
    bad_replies: Counter[str] = field(default_factory=Counter)
    # By kind of record: `start`, `interim`, `stop`, `on`, `off`.
    records_made: Counter[str] = field(default_factory=Counter)
    records_answered: Counter[str] = field(default_factory=Counter)
    records_given_up: Counter[str] = field(default_factory=Counter)
    resends: int = 0
    failovers: int = 0
    refused_by_peer: int = 0
    # `coa ack`, `coa nak 503`, `disconnect ack` …
    changes_answered: Counter[str] = field(default_factory=Counter)
    changes_dropped: Counter[str] = field(default_factory=Counter)
    sessions_ended: Counter[str] = field(default_factory=Counter)
    boots: int = 0
    login_latency: Latencies = field(default_factory=Latencies)
    accounting_latency: Latencies = field(default_factory=Latencies)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One device at one moment. Units: seconds."""

    name: str
    address: str
    vendor: str
    online: int
    waiting: int
    accepted: int
    rejected: int
    login_unanswered: int
    records_made: int
    records_answered: int
    login_p50_s: float
    login_p99_s: float
    accounting_p99_s: float
    changes_acked: int
    changes_nacked: int
    changes_dropped: int
    resends: int
    failovers: int


def take_snapshot(
    statistics: Statistics, *, name: str, address: str, vendor: str, online: int, waiting: int
) -> Snapshot:
    """The picture, with latencies worked out."""
    answered = statistics.changes_answered
    return Snapshot(
        name=name,
        address=address,
        vendor=vendor,
        online=online,
        waiting=waiting,
        accepted=statistics.accepted,
        rejected=statistics.rejected,
        login_unanswered=statistics.login_unanswered,
        records_made=statistics.records_made.total(),
        records_answered=statistics.records_answered.total(),
        login_p50_s=statistics.login_latency.percentile(0.5),
        login_p99_s=statistics.login_latency.percentile(0.99),
        accounting_p99_s=statistics.accounting_latency.percentile(0.99),
        changes_acked=sum(count for key, count in answered.items() if key.endswith("ack")),
        changes_nacked=sum(count for key, count in answered.items() if " nak" in key),
        changes_dropped=statistics.changes_dropped.total(),
        resends=statistics.resends,
        failovers=statistics.failovers,
    )
