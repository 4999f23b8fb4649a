"""What was looked at of one device, as values: the steps judge these and nothing else. Pure.

Units: *_s seconds; instants are aware UTC.
Next: steps.py
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from billing.sentence import Sentence
from control_plane.store.clocks import NasClock
from nas_drivers.inspection import SetupFault
from nas_drivers.transport.coa import Outcome


@dataclass(frozen=True, slots=True)
class NasUnderTest:
    """What the steps name: the device, its source as text, where changes go, the servers' ports, what sets its clock."""

    name: str
    source: str
    vendor: str
    signs: bool
    verification: str
    coa_address: str
    coa_port: int
    ports: tuple[int, int]
    enabled: bool = True
    ntp: str = "by NTP, as its manual says"


@dataclass(frozen=True, slots=True)
class Heard:
    """What came from the device. `refused` are reasons of the last hour with their counts, `accepted` the logins let in then.

    `dropped_at` is when it last signed with another secret, by the servers' logs; `strangers` are addresses that asked and
    are no NAS; `malformed` packets the login server could not take since it started, of anybody. `clock`: what its accounting
    showed of its clock.
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
    clock: NasClock | None = None


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
    withheld: Sentence | str = ""
    other_secret: bool = False
    dated: bool = True
    undated: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Sides:
    """Usernames of sessions that one of the two lists has and should not lack; `there` is how many the device lists.

    `by_id`: by the ids of accounting, else by how many sessions each username has.
    """

    only_ours: tuple[str, ...] = ()
    only_there: tuple[str, ...] = ()
    there: int = 0
    by_id: bool = True


@dataclass(frozen=True, slots=True)
class DeviceView:
    """What the device itself showed, `by` its API or its command line; empty: it has neither.

    `problem` says why nobody got in and `remedy` what to do about it, `not_in` why nobody tried to. Of each thing there is what was seen, or why not: `faults` or
    `no_faults` (`clean` says what no fault means), `off_s` (how far its clock is ahead) or `no_clock`, `sides` or `no_list`.
    """

    by: str = ""
    tls: bool = True
    pinned: bool = False
    problem: Sentence | str = ""
    remedy: str = ""
    not_in: Sentence | str = ""
    faults: tuple[SetupFault, ...] | None = None
    clean: str = "nothing on the device lets subscribers past RADIUS or their rates"
    no_faults: Sentence | str = ""
    off_s: float | None = None
    no_clock: Sentence | str = ""
    sides: Sides | None = None
    no_list: Sentence | str = ""
