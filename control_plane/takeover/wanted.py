"""What an import wants to be there, in our own words, and what it has to say about each line it read.

Both imports end here: a FreeRADIUS database and a CSV file give the same `Wanted`, and one module makes it.

Next: apply_wanted.py
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from control_plane.policy.profile import ProfileColumns

OwnItem = tuple[str, str, str]


class Verdict(Enum):
    """What becomes of a line. `refused` stands in the way of everything, unless the operator says to skip it."""

    MAKE = "make"
    UNCHANGED = "unchanged"
    NOTE = "note"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report: where it stands in the source, and what becomes of it."""

    verdict: Verdict
    where: str
    text: str


@dataclass(frozen=True, slots=True)
class OwnAttributes:
    """One block of an account's own attributes, in plain values. See radius_hooks/own_attributes.py."""

    check: tuple[OwnItem, ...] = ()
    control: tuple[OwnItem, ...] = ()
    reply: tuple[OwnItem, ...] = ()
    fall_through: bool = False


@dataclass(frozen=True, slots=True)
class WantedPrefix:
    """A static address, prefix or route. `kind` is an account_prefix_kind; `prefix` is canonical with its length."""

    kind: str
    prefix: str
    metric: int | None = None


@dataclass(frozen=True, slots=True)
class WantedAccount:
    """One subscriber account with the contract it needs. The secret is clear here and never printed.

    `customer` names a customer that may have other contracts; empty means one of its own, named after the account.
    """

    where: str
    username: str
    secret_kind: str
    secret: bytes = field(repr=False)
    plan: str
    customer: str = ""
    status: str = "active"
    blocked_because: str = ""
    expires_at: datetime | None = None
    max_sessions: int = 0
    macs: tuple[str, ...] = ()
    own: tuple[OwnAttributes, ...] = ()
    prefixes: tuple[WantedPrefix, ...] = ()


# Of a profile an import wants what a NAS is told, and nothing else.
WantedProfile = ProfileColumns


@dataclass(frozen=True, slots=True)
class WantedPlan:
    """A plan and the profile it gives in full."""

    where: str
    name: str
    profile: WantedProfile


@dataclass(frozen=True, slots=True)
class WantedNas:
    """An access device."""

    where: str
    name: str
    source: str
    vendor: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class WantedSession:
    """A session that is open in the other system. Units: octets and seconds; instants aware."""

    where: str
    username: str
    nas_address: str
    acct_session_id: str
    started_at: datetime
    updated_at: datetime
    session_time_s: int
    octets_in: int
    octets_out: int
    interim_interval_s: int | None
    framed_ipv4: str | None
    framed_ipv6_address: str | None
    framed_ipv6_prefix: str | None
    delegated_ipv6_prefix: str | None
    mac: str
    line: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Everything an import wants, with the findings made on the way to it."""

    nases: tuple[WantedNas, ...] = ()
    plans: tuple[WantedPlan, ...] = ()
    accounts: tuple[WantedAccount, ...] = ()
    sessions: tuple[WantedSession, ...] = ()
    findings: tuple[Finding, ...] = ()
