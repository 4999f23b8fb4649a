"""What a person does to profiles, with whom it concerns; each deed has its row in the audit log, in the caller's transaction.

Next: policy/preview.py
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from control_plane import audit
from control_plane.policy.preview import VendorPreview, preview
from control_plane.policy.profile import PROFILE_COLUMNS, ProfileColumns, session_policy
from control_plane.settings import Settings
from control_plane.store.changes import save_changes
from control_plane.store.nas import load_nas_vendors
from control_plane.store.plan import Profile, load_live, load_plans, load_profiles, save_new_profile
from nas_drivers.driver import Drivers, vendor_names

Connection = psycopg.Connection[Any]

_PAIRS: Final = ("rate", "burst", "burst_threshold", "minimum")


class ProfileNameTakenError(ValueError):
    """There is another profile of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is a profile {name} already.")


@dataclass(frozen=True, slots=True)
class Concerned:
    """Whom a change of a profile concerns: contracts in service whose plan names it, and sessions that should run under it now."""

    contracts: int
    live_sessions: int


def load_concerned(connection: Connection, profile: Profile) -> Concerned:
    """Whom a change of it concerns now."""
    contracts = sum(plan.contracts for plan in load_plans(connection) if plan.name in profile.plans)
    return Concerned(contracts, load_live(connection, profile_id=profile.id))


def one_way(columns: Mapping[str, Any]) -> list[str]:
    """The rates that have one direction only, each by the column that lacks: both, or neither."""
    pairs = [(f"{pair}_down_bps", f"{pair}_up_bps") for pair in _PAIRS]
    return [
        down if columns[down] is None else up for down, up in pairs if (columns[down] is None) != (columns[up] is None)
    ]


def values_of(profile: Profile) -> dict[str, Any]:
    """All that can be set of it, by column."""
    values = {name: getattr(profile, name) for name in (*PROFILE_COLUMNS, "quota_octets")}
    return {"name": profile.name, **values, "address_lists": list(profile.address_lists)}


def check_name(connection: Connection, name: str, *, besides: int | None = None) -> None:
    """Pass where no profile, besides that one, has the name. Raises: ProfileNameTakenError."""
    if any(one.name == name and one.id != besides for one in load_profiles(connection)):
        raise ProfileNameTakenError(name)


def preview_of(
    connection: Connection, settings: Settings, columns: Mapping[str, Any], *, instead_of: int | None
) -> list[VendorPreview]:
    """What the vendors that there are devices of would be told for these columns; with no device, all vendors.

    `instead_of` is the number of the profile that live sessions would be taken from. Raises: ValueError for what no session can be given.
    """
    old = next((one for one in load_profiles(connection) if one.id == instead_of), None)
    vendors = sorted(set(load_nas_vendors(connection).values()) & set(vendor_names())) or list(vendor_names())
    policy = session_policy(ProfileColumns(**{name: columns[name] for name in PROFILE_COLUMNS}))
    before = None if old is None else session_policy(old)
    return preview(policy, vendors, Drivers(settings.drivers), before=before)


def add_profile(connection: Connection, columns: Mapping[str, Any], *, actor: str) -> None:
    """Write a new one; `columns` has its name."""
    save_new_profile(connection, columns)
    rest = {name: value for name, value in columns.items() if name != "name"}
    audit.append(connection, actor=actor, action="profile.add", subject=columns["name"], detail=rest)


def change_profile(connection: Connection, profile: Profile, columns: Mapping[str, Any], *, actor: str) -> None:
    """Write what is given, the rest stays."""
    save_changes(connection, "profile", profile.id, columns)
    audit.append(connection, actor=actor, action="profile.set", subject=profile.name, detail=columns)
