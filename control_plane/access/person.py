"""Who is at work: a member of staff as the pages, the audit log and the permissions know them. Pure.

Next: permissions.py
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from control_plane.access.permissions import EVERYTHING, OF_A_COLLECTOR, OF_AN_AGENT, Permission

Theme = Literal["auto", "light", "dark"]


@dataclass(frozen=True, slots=True)
class Staff:
    """A member of staff who has signed in, or a token that acts for one.

    `name` is what they sign in with and what the audit log calls them. `collector_id` and `agent_id` bind who has one to what
    is theirs: such a person sees nothing of the rest.
    """

    id: int
    name: str
    full_name: str
    permissions: frozenset[Permission]
    language: str | None = None
    theme: Theme = "auto"
    collector_id: int | None = None
    agent_id: int | None = None

    def may(self, permission: Permission) -> bool:
        """Whether this person has been granted that."""
        return permission in self.permissions

    def limited_to(self, permissions: frozenset[Permission]) -> Staff:
        """The same person with no more than those: a token acts so."""
        return replace(self, permissions=self.permissions & permissions)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who changes staff and roles, and what they may themselves: nobody hands on more than they have."""

    name: str
    permissions: frozenset[Permission] = EVERYTHING


def bound(
    permissions: frozenset[Permission], *, collector_id: int | None, agent_id: int | None
) -> frozenset[Permission]:
    """What is left of permissions for who is bound to a collector or an agent: what is theirs, whatever the roles say."""
    if collector_id is not None:
        return permissions & OF_A_COLLECTOR
    return permissions & OF_AN_AGENT if agent_id is not None else permissions
