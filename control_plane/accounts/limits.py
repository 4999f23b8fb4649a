"""Limits on a contract by hand: a restriction placed or lifted, and what the account gets for it, before anything is written.

Next: ../store/limits.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import psycopg

from billing.store.contract_page import load_not_paid
from control_plane import audit
from control_plane.accounts.not_done import NotDoneError, Why
from control_plane.explaining.explain_now import steps_of
from control_plane.store.account import Account
from control_plane.store.limits import (
    ReliefRow,
    RestrictionRow,
    load_reliefs,
    load_restrictions,
    save_lift,
    save_new_restriction,
)
from control_plane.store.plan import Profile, load_profiles
from radius_hooks.decision import step_at
from radius_hooks.policy_records import PolicyStep

Connection = psycopg.Connection[Any]

ORIGINS: Final = ("admin", "dunning", "customer_pause", "abuse", "legal", "technical")
LEVELS: Final = ("throttle", "walled", "blocked")


@dataclass(frozen=True, slots=True)
class Limits:
    """What limits an account, and what it gets for it."""

    account: Account
    restrictions: list[RestrictionRow]
    reliefs: list[ReliefRow]
    profiles: dict[int, Profile]
    now: datetime
    zone: ZoneInfo

    def step(self) -> PolicyStep:
        """What it gets now."""
        steps = steps_of(self.account, self.restrictions, self.reliefs, at=self.now, zone=self.zone)
        return step_at(steps, self.now.timestamp())

    def with_one(self, placed: RestrictionRow) -> Limits:
        """The same with one restriction more."""
        return replace(self, restrictions=[*self.restrictions, placed])

    def without(self, numbers: Sequence[int]) -> Limits:
        """The same without these restrictions."""
        return replace(self, restrictions=[row for row in self.restrictions if row.id not in numbers])


def load_limits(connection: Connection, account: Account, *, zone: ZoneInfo, now: datetime) -> Limits:
    """The limits of an account's contract that count now or will."""
    return Limits(
        account=account,
        restrictions=load_restrictions(connection, account.contract_id, now=now),
        reliefs=load_reliefs(connection, account.contract_id, now=now),
        profiles={profile.id: profile for profile in load_profiles(connection)},
        now=now,
        zone=zone,
    )


def place_restriction(connection: Connection, account: Account, placed: RestrictionRow) -> int:
    """Limit the account's contract; the restriction's number."""
    number = save_new_restriction(connection, account.contract_id, placed)
    detail = {
        "restriction": number,
        "level": placed.level,
        "origin": placed.origin,
        "reason": placed.reason,
        "until": placed.until,
    }
    audit.append(connection, actor=placed.placed_by, action="account.restrict", subject=account.username, detail=detail)
    return number


def chosen_restrictions(limits: Limits, *, origin: str | None, numbers: Sequence[int]) -> list[int]:
    """The restrictions that are meant. Several without a word which are not lifted together by accident. Raises: NotDoneError."""
    rows, contract_id = limits.restrictions, limits.account.contract_id
    listed = "; ".join(f"{row.id} {row.level} ({row.origin}): {row.reason}" for row in rows) or "none"
    missing = set(numbers) - {row.id for row in rows}
    if missing:
        raise NotDoneError(Why.NOT_OF_CONTRACT, number=min(missing), contract=contract_id, listed=listed)
    chosen = [row.id for row in rows if (not numbers or row.id in numbers) and (origin is None or row.origin == origin)]
    if not chosen:
        raise NotDoneError(Why.NONE_SUCH, contract=contract_id, listed=listed)
    if len(chosen) > 1 and origin is None and not numbers:
        raise NotDoneError(Why.NAME_WHICH, listed=listed)
    return chosen


def refuse_not_paid(connection: Connection, limits: Limits, chosen: Sequence[int]) -> None:
    """Days that are not paid end with what they are not paid for: that is a deed of the contract. Raises: NotDoneError."""
    not_paid = load_not_paid(connection, list(chosen))
    if not_paid:
        origin = next(row.origin for row in limits.restrictions if row.id == not_paid[0])
        raise NotDoneError(Why.NOT_PAID, number=not_paid[0], contract=limits.account.contract_id, origin=origin)


def lift_restrictions(
    connection: Connection, limits: Limits, chosen: Sequence[int], *, reason: str, actor: str
) -> None:
    """Lift these. Raises: NotDoneError when another lifted one of them in this moment, or no reason is given."""
    if not reason.strip():
        raise NotDoneError(Why.NO_REASON)
    if save_lift(connection, list(chosen), lifted_by=actor, at=limits.now) != len(chosen):
        raise NotDoneError(Why.LIFTED_MEANWHILE)
    detail = {"restrictions": list(chosen), "reason": reason}
    audit.append(connection, actor=actor, action="account.lift", subject=limits.account.username, detail=detail)
