"""What was looked at of one device, as values: the steps judge these and nothing else. Pure.

Units: *_s seconds; instants are aware UTC.
Next: steps.py
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from nas_drivers.routeros_setup import SetupFault
from nas_drivers.transport.coa import Outcome


@dataclass(frozen=True, slots=True)
class NasUnderTest:
    """What the steps name: the device, its source as text, where changes go, the servers' ports."""

    name: str
    source: str
    vendor: str
    signs: bool
    verification: str
    coa_address: str
    coa_port: int
    ports: tuple[int, int]
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Heard:
    """What came from the device. `refused` are reasons of the last hour with their counts, `accepted` the logins let in then.

    `dropped_at` is when it last signed with another secret, by the servers' logs; `strangers` are addresses that asked and
    are no NAS; `malformed` packets the login server could not take since it started, of anybody.
    """

    login_at: datetime | None = None
    login_source: str = ""
    accepted_at: datetime | None = None
    accepted: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)
    record_at: datetime | None = None
    dropped_at: datetime | None = None
    strangers: tuple[str, ...] = ()
    malformed: int = 0


@dataclass(frozen=True, slots=True)
class Live:
    """Its live sessions: how many, how many of them are silent for too long, the shortest interval they were told."""

    sessions: int = 0
    stale: int = 0
    interval_s: int | None = None


@dataclass(frozen=True, slots=True)
class Probe:
    """What came of a Disconnect for a session that nobody has.

    `outcome` None: nothing was sent, `withheld` says why. `other_secret`: something answered, and not with our secret.
    `undated`: what came of one without Event-Timestamp, asked when the first had no answer.
    """

    outcome: Outcome | None = None
    withheld: str = ""
    other_secret: bool = False
    dated: bool = True
    undated: Outcome | None = None


@dataclass(frozen=True, slots=True)
class ApiView:
    """What the device's API showed, or `by` another way in. `problem` says why nothing; `off_s` how far its clock is ahead of ours.

    `only_ours` and `only_there` are sessions that one of the two lists has and should not lack, `there` how many it lists.
    """

    configured: bool = False
    by: str = "API"
    tls: bool = True
    pinned: bool = False
    problem: str = ""
    faults: tuple[SetupFault, ...] | None = None
    off_s: float | None = None
    only_ours: tuple[str, ...] = ()
    only_there: tuple[str, ...] = ()
    there: int | None = None
