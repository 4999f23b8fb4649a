"""Attributes of groups as profiles: taken only where the vendors' rendering gives exactly the same attributes again.

The test is the rendering itself: a profile field is set from an attribute, rendered for every vendor that the network
has, and kept only when each gives back that attribute with that value and nothing else. What does not come back stays
with the account as it stands.

Next: freeradius_accounts.py
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Final

from control_plane.policy.profile import session_policy
from control_plane.takeover.wanted import WantedProfile
from nas_drivers.driver import driver_for

_RATE: Final = re.compile(r"([0-9]{1,12})([kM]?)")
_UNITS: Final = {"": 1, "k": 1_000, "M": 1_000_000}
_LOWEST_BPS, _HIGHEST_BPS = 1_000, 400_000_000_000
_LONGEST_NAME: Final = 253
_LONGEST_LIST_NAME: Final = 60
# The three that have the same RFC attribute everywhere, with the range that schema.sql allows. Units: seconds.
_TIMEOUTS: Final = {
    "Session-Timeout": ("session_timeout_s", 60, 31_536_000),
    "Idle-Timeout": ("idle_timeout_s", 60, 31_536_000),
    "Acct-Interim-Interval": ("interim_interval_s", 60, 86_400),
}

Reply = Mapping[str, tuple[str, ...]]


def profile_for(reply: Reply, vendors: Sequence[str]) -> tuple[WantedProfile, dict[str, tuple[str, ...]]]:
    """The profile that gives as much of `reply` as it can, and exactly the attributes that it gives."""
    profile = WantedProfile()
    given: dict[str, tuple[str, ...]] = {}
    for name, values in reply.items():
        fields = _timeout_fields(name, values) or (_fields_for(name, values, vendors) if vendors else None)
        taken = asdict(profile)
        if fields is not None and not any(taken[key] for key in fields):
            profile = replace(profile, **fields)
            given[name] = values
    if _rendered_alike(profile, _without_timeouts(given), vendors):
        return profile, given
    only_timeouts = {name: values for name, values in given.items() if name in _TIMEOUTS}
    timeouts: dict[str, Any] = {
        field: int(given[name][0]) for name, (field, _, _) in _TIMEOUTS.items() if name in given
    }
    return replace(WantedProfile(), **timeouts), only_timeouts


def _timeout_fields(name: str, values: tuple[str, ...]) -> dict[str, Any] | None:
    field, low, high = _TIMEOUTS.get(name, ("", 0, 0))
    if not field or len(values) != 1 or not low <= int(values[0]) <= high:
        return None
    return {field: int(values[0])}


def _without_timeouts(given: Reply) -> dict[str, tuple[str, ...]]:
    return {name: values for name, values in given.items() if name not in _TIMEOUTS}


def _fields_for(name: str, values: tuple[str, ...], vendors: Sequence[str]) -> dict[str, Any] | None:
    """The profile fields that every vendor renders as this attribute with these values, and as nothing else."""
    for guess in _GUESSES:
        fields = guess(values)
        if fields is not None and _rendered_alike(replace(WantedProfile(), **fields), {name: values}, vendors):
            return fields
    return None


def _rendered_alike(profile: WantedProfile, wanted: Reply, vendors: Sequence[str]) -> bool:
    policy = session_policy(profile)
    for vendor in vendors:
        rendered: dict[str, tuple[str, ...]] = {}
        for attribute in driver_for(vendor).login_attributes(policy):
            rendered[attribute.name] = (*rendered.get(attribute.name, ()), attribute.value)
        if rendered != dict(wanted):
            return False
    return True


def _text_guess(field: str) -> Callable[[tuple[str, ...]], dict[str, Any] | None]:
    def guess(values: tuple[str, ...]) -> dict[str, Any] | None:
        fits = len(values) == 1 and values[0].isprintable() and 0 < len(values[0].encode()) <= _LONGEST_NAME
        return {field: values[0]} if fits else None

    return guess


def _lists_guess(values: tuple[str, ...]) -> dict[str, Any] | None:
    fits = all(value.isprintable() and 0 < len(value) <= _LONGEST_LIST_NAME for value in values)
    return {"address_lists": values} if fits and len(set(values)) == len(values) else None


def _rate_guess(values: tuple[str, ...]) -> dict[str, Any] | None:
    """Rates, burst, threshold, burst time, priority and minimum, in RouterOS's order: up before down.

    Source: RouterOS manual, page RADIUS, "Mikrotik-Rate-Limit".
    """
    groups = values[0].split(" ") if len(values) == 1 else []
    if not 1 <= len(groups) <= 6:
        return None
    fields: dict[str, Any] = {}
    for column, text in zip(("rate", "burst", "burst_threshold"), groups, strict=False):
        rates = _rates(text)
        if rates is None:
            return None
        if rates != (0, 0):
            fields[f"{column}_up_bps"], fields[f"{column}_down_bps"] = rates
    if len(groups) > 3:
        seconds = groups[3].partition("/")[0]
        fields |= {"burst_time_s": int(seconds)} if seconds.isdecimal() and 0 < int(seconds) <= 3600 else {}
    if len(groups) > 4:
        fields |= {"priority": int(groups[4])} if groups[4] in "12345678" else {}
    minimum = _rates(groups[5]) if len(groups) > 5 else None
    if minimum is not None:
        fields["minimum_up_bps"], fields["minimum_down_bps"] = minimum
    return fields if _database_takes(fields) else None


def _rates(text: str) -> tuple[int, int] | None:
    first, slash, second = text.partition("/")
    found = [_RATE.fullmatch(part) for part in (first, second if slash else first)]
    if any(match is None for match in found):
        return None
    up_bps, down_bps = (int(match[1]) * _UNITS[match[2]] for match in found if match is not None)
    return up_bps, down_bps


def _database_takes(fields: Mapping[str, Any]) -> bool:
    """The constraints of the table profile, so that an import is refused in its dry run and not by the database."""
    if any(not _LOWEST_BPS <= value <= _HIGHEST_BPS for name, value in fields.items() if name.endswith("_bps")):
        return False
    get = fields.get
    for way in ("down", "up"):
        parts = ("rate", "burst", "burst_threshold", "minimum")
        rate, burst, threshold, minimum = (get(f"{part}_{way}_bps") for part in parts)
        if burst is not None and (rate is None or burst < rate):
            return False
        if threshold is not None and (burst is None or threshold > burst):
            return False
        if minimum is not None and (rate is None or minimum > rate):
            return False
    needs_burst = get("burst_threshold_down_bps") is not None or get("burst_time_s") is not None
    return not (needs_burst and get("burst_down_bps") is None) and get("rate_down_bps") is not None


_GUESSES: Final[tuple[Callable[[tuple[str, ...]], dict[str, Any] | None], ...]] = (
    _rate_guess,
    _lists_guess,
    _text_guess("ipv4_pool"),
    _text_guess("ipv6_pool"),
    _text_guess("delegated_ipv6_pool"),
    _text_guess("filter"),
)
