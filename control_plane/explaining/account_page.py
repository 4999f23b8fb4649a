"""All that is known of one account at one moment: what `corrente account show`, `corrente explain` and the console tell.

Next: explain_now.py
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from zoneinfo import ZoneInfo

import psycopg

from control_plane.explaining.explain_now import steps_of
from control_plane.policy import policy_source
from control_plane.policy.rendering import REVISION_BYTES, profile_revision
from control_plane.store.account import Account, Prefix, load_prefixes
from control_plane.store.history import LoginView, SessionView, Usage, load_logins, load_sessions, load_usage
from control_plane.store.limits import (
    GuardedRow,
    ReliefRow,
    RestrictionRow,
    load_guarded,
    load_reliefs,
    load_restrictions,
)
from control_plane.store.plan import Profile, load_profiles
from radius_hooks.decision import step_at
from radius_hooks.policy_records import PolicyStep

Connection = psycopg.Connection[Any]

LOGINS_SHOWN: Final = 10


class Standing(StrEnum):
    """Whether a session was given what it should have now."""

    AS_WANTED = "as wanted"
    OTHER = "other"
    SHOULD_BE_OFFLINE = "should be offline"
    NOT_KNOWN = "not known"


@dataclass(frozen=True, slots=True)
class GivenPolicy:
    """What a session was given at its login: `profiles` are the names of that content now, none once it was edited."""

    standing: Standing
    profiles: tuple[str, ...]
    wanted: str


@dataclass(frozen=True, slots=True)
class AccountPage:
    """All that is known of one account at one moment."""

    at: datetime
    account: Account
    prefixes: list[Prefix]
    restrictions: list[RestrictionRow]
    reliefs: list[ReliefRow]
    guarded: list[GuardedRow]
    profiles: dict[int, Profile]
    revisions: dict[int, bytes]
    steps: tuple[PolicyStep, ...]
    sessions: list[SessionView]
    logins: list[LoginView]
    usage: Usage


def load_page(connection: Connection, account: Account, *, at: datetime, zone: ZoneInfo) -> AccountPage:
    """The page of an account."""
    restrictions = load_restrictions(connection, account.contract_id, now=at)
    reliefs = load_reliefs(connection, account.contract_id, now=at)
    return AccountPage(
        at=at,
        account=account,
        prefixes=load_prefixes(connection, account.id),
        restrictions=restrictions,
        reliefs=reliefs,
        guarded=load_guarded(connection, account.contract_id, now=at),
        profiles={profile.id: profile for profile in load_profiles(connection)},
        revisions={row.id: profile_revision(row) for row in policy_source.load_profiles(connection)},
        steps=steps_of(account, restrictions, reliefs, at=at, zone=zone),
        sessions=load_sessions(connection, account.id),
        logins=load_logins(connection, account.username, limit=LOGINS_SHOWN),
        usage=load_usage(connection, account.id, today=at.astimezone(zone).date()),
    )


def given_policy(session: SessionView, page: AccountPage) -> GivenPolicy:
    """Which profile the session was given at its login, and whether it is the one that it should have now."""
    desired = step_at(page.steps, page.at.timestamp())
    if session.policy_version is None:
        return GivenPolicy(Standing.NOT_KNOWN, (), "")
    revision = session.policy_version[:REVISION_BYTES]
    known = tuple(page.profiles[number].name for number, one in page.revisions.items() if one == revision)
    if desired.profile_id not in page.revisions:
        return GivenPolicy(Standing.SHOULD_BE_OFFLINE, known, "")
    standing = Standing.AS_WANTED if page.revisions[desired.profile_id] == revision else Standing.OTHER
    return GivenPolicy(standing, known, page.profiles[desired.profile_id].name)
