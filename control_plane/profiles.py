"""What a person does to profiles, with whom it concerns; each deed has its row in the audit log, in the caller's transaction.

Next: policy/preview.py
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

from control_plane import audit
from control_plane.store.changes import save_changes
from control_plane.store.plan import Profile, load_live, load_plans, save_new_profile

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Concerned:
    """Whom a change of a profile concerns: contracts in service whose plan names it, and sessions that should run under it now."""

    contracts: int
    live_sessions: int


def load_concerned(connection: Connection, profile: Profile) -> Concerned:
    """Whom a change of it concerns now."""
    contracts = sum(plan.contracts for plan in load_plans(connection) if plan.name in profile.plans)
    return Concerned(contracts, load_live(connection, profile_id=profile.id))


def add_profile(connection: Connection, columns: Mapping[str, Any], *, actor: str) -> None:
    """Write a new one; `columns` has its name."""
    save_new_profile(connection, columns)
    rest = {name: value for name, value in columns.items() if name != "name"}
    audit.append(connection, actor=actor, action="profile.add", subject=columns["name"], detail=rest)


def change_profile(connection: Connection, profile: Profile, columns: Mapping[str, Any], *, actor: str) -> None:
    """Write what is given, the rest stays."""
    save_changes(connection, "profile", profile.id, columns)
    audit.append(connection, actor=actor, action="profile.set", subject=profile.name, detail=columns)
