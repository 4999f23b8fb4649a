"""What a profile gives on the network, as the columns of its table hold it: their one list in code, and their policy.

The edge, the commands and an import each add what else they need; the columns and what they mean stand here alone.

Units: bit/s and seconds, as in schema.sql.
Next: rendering.py
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from nas_drivers.policy import BitRate, RatePair, SessionPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileColumns:
    """What a NAS is told. Names and order go into a profile's revision, which every live session carries."""

    rate_down_bps: int | None = None
    rate_up_bps: int | None = None
    burst_down_bps: int | None = None
    burst_up_bps: int | None = None
    burst_threshold_down_bps: int | None = None
    burst_threshold_up_bps: int | None = None
    burst_time_s: int | None = None
    priority: int | None = None
    minimum_down_bps: int | None = None
    minimum_up_bps: int | None = None
    address_lists: Sequence[str] = ()
    ipv4_pool: str | None = None
    ipv6_pool: str | None = None
    delegated_ipv6_pool: str | None = None
    filter: str | None = None
    session_timeout_s: int | None = None
    idle_timeout_s: int | None = None
    interim_interval_s: int | None = None
    device_policy: str | None = None


PROFILE_COLUMNS: Final = tuple(field.name for field in fields(ProfileColumns))
# Newer than revisions that live sessions carry: while empty they are not hashed, or an upgrade would change everybody.
UNHASHED_WHILE_EMPTY: Final = frozenset({"device_policy"})


def content_of(profile: ProfileColumns) -> dict[str, Any]:
    """All of it by name, as JSON can hold it."""
    found = {name: getattr(profile, name) for name in PROFILE_COLUMNS}
    return {**found, "address_lists": list(profile.address_lists)}


def read_content(content: Mapping[str, Any]) -> ProfileColumns | None:
    """What `content_of` gave in this release or an older one; None when it speaks of what this one no longer knows."""
    known = {name: value for name, value in content.items() if name in PROFILE_COLUMNS}
    lost = [value for name, value in content.items() if name not in PROFILE_COLUMNS]
    return None if any(value is not None for value in lost) else ProfileColumns(**known)


def session_policy(profile: ProfileColumns) -> SessionPolicy:
    """A profile in no vendor's words. Raises: ValueError for a rate out of range."""
    return SessionPolicy(
        rate=_pair(profile.rate_down_bps, profile.rate_up_bps),
        burst=_pair(profile.burst_down_bps, profile.burst_up_bps),
        burst_threshold=_pair(profile.burst_threshold_down_bps, profile.burst_threshold_up_bps),
        burst_time_s=profile.burst_time_s,
        priority=profile.priority,
        minimum=_pair(profile.minimum_down_bps, profile.minimum_up_bps),
        address_lists=tuple(profile.address_lists),
        ipv4_pool=profile.ipv4_pool,
        ipv6_pool=profile.ipv6_pool,
        delegated_ipv6_pool=profile.delegated_ipv6_pool,
        filter=profile.filter,
        session_timeout_s=profile.session_timeout_s,
        idle_timeout_s=profile.idle_timeout_s,
        interim_interval_s=profile.interim_interval_s,
        device_policy=profile.device_policy,
    )


def _pair(down_bps: int | None, up_bps: int | None) -> RatePair | None:
    return None if down_bps is None or up_bps is None else RatePair(BitRate(down_bps), BitRate(up_bps))
