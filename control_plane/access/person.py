"""Who is at work: a member of staff as the pages, the audit log and the permissions know them. Pure.

Next: permissions.py
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from control_plane.access.permissions import Permission

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
