"""What may be sent to access devices now, and what waits: the share of an hour, exemptions, maintenance, the stop.

Pure. Automation that goes wrong goes wrong for everybody at once, so it may take service from no more than a share of the
live subscribers in an hour; when it wants more, nothing disruptive of it goes until a person has looked. What restores
service waits for nobody, except where nothing at all is sent.

Units: a share in percent; counts are subscribers, not sessions.
Source: docs/decisions/0005 and 0015.
Next: store/guard.py
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from typing import Final

# Over how long the share is counted.
WINDOW: Final = timedelta(hours=1)


class Wait(Enum):
    """Why a change is not sent now; also a label of metrics."""

    NETWORK_STOP = "network_stop"
    MAINTENANCE = "maintenance"
    NO_LONGER_DUE = "no_longer_due"
    EXEMPT = "exempt"
    SHARE = "share"


@dataclass(frozen=True, slots=True)
class GuardLimits:
    """From how many subscribers automation may take service in an hour: the share of those online, or a few always."""

    share_percent: float
    never_less_than: int

    def allowed(self, live: int) -> int:
        """Of `live` subscribers online; a share that falls between two counts as the smaller one."""
        # In hundredths: 2.3 % of 10,000 is 230, which as a float is 229.99…
        return max(self.never_less_than, round(self.share_percent * 100) * live // 10_000)


@dataclass(frozen=True, slots=True)
class Change:
    """One enforcement that wants to go. `account_id` None: a session of nobody, which only a person has cut.

    `by_person`: a person wants it (a restriction placed by hand, or of a run that a person let go). `passed`: it was let
    go before. `exempt` and `not_due` are sentences, empty when there is nothing to say.
    """

    enforcement_id: int
    account_id: int | None
    nas_id: int
    disruptive: bool
    by_person: bool = False
    passed: bool = False
    exempt: str = ""
    not_due: str = ""


@dataclass(frozen=True, slots=True)
class Hour:
    """What automation has done and wants: `cut` subscribers in the last hour, `wanting` more, of `live` online.

    Whoever counts in `cut` counts no second time. `wanting` counts each whose disruptive change is open and was not let go
    yet, those asked about included.
    """

    live: int
    cut: int
    wanting: int


@dataclass(frozen=True, slots=True)
class Situation:
    """What holds for everybody at this moment; sentences are empty when there is nothing to say."""

    stop: str = ""
    maintenance: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether one change goes. `counts`: it is automation's and takes its place in the hour."""

    enforcement_id: int
    wait: Wait | None = None
    reason: str = ""
    counts: bool = False

    @property
    def goes(self) -> bool:
        """It may be sent now."""
        return self.wait is None


def verdict_apart_from_share(change: Change, situation: Situation) -> Verdict | None:
    """What is decided about a change by itself; None when only the share can say."""
    number = change.enforcement_id
    if situation.stop:
        return Verdict(number, Wait.NETWORK_STOP, situation.stop)
    if change.nas_id in situation.maintenance:
        return Verdict(number, Wait.MAINTENANCE, situation.maintenance[change.nas_id])
    if not change.disruptive:
        return Verdict(number)
    if change.not_due:
        return Verdict(number, Wait.NO_LONGER_DUE, change.not_due)
    if change.by_person:
        return Verdict(number)
    if change.exempt:
        return Verdict(number, Wait.EXEMPT, change.exempt)
    return Verdict(number) if change.passed else None


def verdicts_by_share(
    changes: Iterable[Change], hour: Hour, limits: GuardLimits, *, tripped: str = ""
) -> tuple[list[Verdict], str]:
    """The verdicts on what only the share decides, and why the guard trips or has tripped (empty: it has not).

    All or nothing: when more is wanted than may go, none of it goes, because whatever went wrong would have taken the
    share before anybody looked. Once tripped, a person decides; an hour that passes does not.
    """
    allowed = limits.allowed(hour.live)
    reason = tripped
    if not reason and hour.cut + hour.wanting > allowed:
        reason = trip_words(hour, limits)
    if reason:
        return [Verdict(change.enforcement_id, Wait.SHARE, reason) for change in changes], reason
    return [Verdict(change.enforcement_id, counts=True) for change in changes], ""


def verdict_on_placing(hour: Hour, limits: GuardLimits, *, placed: int, placing: int, tripped: str = "") -> str:
    """Why restrictions on `placing` contracts wait for a person; empty: they may count from now on.

    A run is judged when it restricts, and not only when sessions are cut: who redials meanwhile is restricted by the
    login. `placed` contracts were restricted by other runs of the hour; who of them was online is in `cut` or `wanting` too.
    """
    if tripped:
        return tripped
    before = max(hour.cut + hour.wanting, placed)
    if before + placing <= limits.allowed(hour.live):
        return ""
    return trip_words(Hour(live=hour.live, cut=before, wanting=placing), limits)


def trip_words(hour: Hour, limits: GuardLimits) -> str:
    """`waits for a person: 312 of 5,000 subscribers in an hour are more than 100 (2 %)`."""
    allowed = limits.allowed(hour.live)
    by_share = round(limits.share_percent * 100) * hour.live // 10_000 == allowed
    rule = f"{limits.share_percent:g} %" if by_share else "the least that may always go"
    before = f", {hour.cut:,} of them already gone" if hour.cut else ""
    wanted = hour.cut + hour.wanting
    return (
        f"waits for a person: {wanted:,} of {hour.live:,} subscribers online in an hour{before},"
        f" more than {allowed:,} ({rule})"
    )
