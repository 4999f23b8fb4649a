"""Profiles: what the network gives, what each vendor's devices would be told, and whom a change concerns."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from control_plane.access.permissions import Permission
from control_plane.profiles import (
    ProfileNameTakenError,
    add_profile,
    change_profile,
    check_name,
    load_concerned,
    one_way,
    preview_of,
    values_of,
)
from control_plane.store.plan import Profile, hold_profile, load_profiles
from web.acting import person
from web.api._changes import given
from web.api._shapes import NO_CONTROL, Number, shaped, there_is_none, wrong_value
from web.calls import Noun
from web.database import Connection
from web.problems import Problem
from web.surroundings import here
from web.versions import check_version, tell_version

pages = Noun("profiles")
_Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._ -]{1,64}$")]
_Bps = Annotated[int, msgspec.Meta(ge=1_000, le=400_000_000_000, description="bit/s")]
_Seconds = Annotated[int, msgspec.Meta(ge=60, le=31_536_000)]
_Device = Annotated[str, msgspec.Meta(min_length=1, max_length=253, pattern=NO_CONTROL)]
_List = Annotated[str, msgspec.Meta(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f\x7f,;]*$")]
_Lists = Annotated[list[_List], msgspec.Meta(max_length=50)]
_Policy = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,59}$")]
_Priority = Annotated[int, msgspec.Meta(ge=1, le=8)]
_BurstTime = Annotated[int, msgspec.Meta(ge=1, le=3600)]
_Interim = Annotated[int, msgspec.Meta(ge=60, le=86_400)]
_Octets = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]


class ProfileToPreview(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the network would give; what is null is left to the device. `down` is to the subscriber. A rate has both directions.

    Units: bit/s, seconds, octets a calendar month. `instead_of`: a profile that it would take the place of.
    """

    instead_of: Number | None = None
    rate_down_bps: _Bps | None = None
    rate_up_bps: _Bps | None = None
    burst_down_bps: _Bps | None = None
    burst_up_bps: _Bps | None = None
    burst_threshold_down_bps: _Bps | None = None
    burst_threshold_up_bps: _Bps | None = None
    burst_time_s: _BurstTime | None = None
    minimum_down_bps: _Bps | None = None
    minimum_up_bps: _Bps | None = None
    priority: _Priority | None = None
    address_lists: _Lists = []
    ipv4_pool: _Device | None = None
    ipv6_pool: _Device | None = None
    delegated_ipv6_pool: _Device | None = None
    filter: _Device | None = None
    device_policy: _Policy | None = None
    session_timeout_s: _Seconds | None = None
    idle_timeout_s: _Seconds | None = None
    interim_interval_s: _Interim | None = 600


class NewProfile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the network gives; what is null is left to the device. `down` is to the subscriber. A rate has both directions.

    Units: bit/s, seconds, octets a calendar month.
    """

    name: _Name
    rate_down_bps: _Bps | None = None
    rate_up_bps: _Bps | None = None
    burst_down_bps: _Bps | None = None
    burst_up_bps: _Bps | None = None
    burst_threshold_down_bps: _Bps | None = None
    burst_threshold_up_bps: _Bps | None = None
    burst_time_s: _BurstTime | None = None
    minimum_down_bps: _Bps | None = None
    minimum_up_bps: _Bps | None = None
    priority: _Priority | None = None
    address_lists: _Lists = []
    ipv4_pool: _Device | None = None
    ipv6_pool: _Device | None = None
    delegated_ipv6_pool: _Device | None = None
    filter: _Device | None = None
    device_policy: _Policy | None = None
    quota_octets: _Octets | None = None
    session_timeout_s: _Seconds | None = None
    idle_timeout_s: _Seconds | None = None
    interim_interval_s: _Interim | None = 600


class ProfileChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a change names; what it leaves out stays, and what is null is left to the device from now on."""

    name: _Name | msgspec.UnsetType = msgspec.UNSET
    rate_down_bps: _Bps | msgspec.UnsetType | None = msgspec.UNSET
    rate_up_bps: _Bps | msgspec.UnsetType | None = msgspec.UNSET
    burst_down_bps: _Bps | msgspec.UnsetType | None = msgspec.UNSET
    burst_up_bps: _Bps | msgspec.UnsetType | None = msgspec.UNSET
    burst_threshold_down_bps: _Bps | msgspec.UnsetType | None = msgspec.UNSET
    burst_threshold_up_bps: _Bps | msgspec.UnsetType | None = msgspec.UNSET
    burst_time_s: _BurstTime | msgspec.UnsetType | None = msgspec.UNSET
    minimum_down_bps: _Bps | msgspec.UnsetType | None = msgspec.UNSET
    minimum_up_bps: _Bps | msgspec.UnsetType | None = msgspec.UNSET
    priority: _Priority | msgspec.UnsetType | None = msgspec.UNSET
    address_lists: _Lists | msgspec.UnsetType = msgspec.UNSET
    ipv4_pool: _Device | msgspec.UnsetType | None = msgspec.UNSET
    ipv6_pool: _Device | msgspec.UnsetType | None = msgspec.UNSET
    delegated_ipv6_pool: _Device | msgspec.UnsetType | None = msgspec.UNSET
    filter: _Device | msgspec.UnsetType | None = msgspec.UNSET
    device_policy: _Policy | msgspec.UnsetType | None = msgspec.UNSET
    quota_octets: _Octets | msgspec.UnsetType | None = msgspec.UNSET
    session_timeout_s: _Seconds | msgspec.UnsetType | None = msgspec.UNSET
    idle_timeout_s: _Seconds | msgspec.UnsetType | None = msgspec.UNSET
    interim_interval_s: _Interim | msgspec.UnsetType | None = msgspec.UNSET


class NetworkProfile(msgspec.Struct, frozen=True):
    """A profile and the plans that use it. Units: bit/s, seconds, octets a calendar month."""

    id: int
    name: str
    rate_down_bps: int | None
    rate_up_bps: int | None
    burst_down_bps: int | None
    burst_up_bps: int | None
    burst_threshold_down_bps: int | None
    burst_threshold_up_bps: int | None
    burst_time_s: int | None
    minimum_down_bps: int | None
    minimum_up_bps: int | None
    priority: int | None
    address_lists: list[str]
    ipv4_pool: str | None
    ipv6_pool: str | None
    delegated_ipv6_pool: str | None
    filter: str | None
    device_policy: str | None
    quota_octets: int | None
    session_timeout_s: int | None
    idle_timeout_s: int | None
    interim_interval_s: int | None
    plans: list[str]


class ProfileReach(msgspec.Struct, frozen=True):
    """A profile, and whom a change of it concerns: contracts in service, and live sessions that are told at once."""

    profile: NetworkProfile
    contracts: int
    live_sessions: int


class ReplyAttribute(msgspec.Struct, frozen=True):
    """An attribute in the words of the FreeRADIUS dictionary."""

    name: str
    op: str
    value: str


class VendorReply(msgspec.Struct, frozen=True):
    """What a vendor's devices would be told at a login, and by a change of a live session; `methods`: how that is taken to it, best first.

    `unsupported`: what of it they can't be told.
    """

    vendor: str
    login: list[ReplyAttribute]
    change: list[ReplyAttribute]
    methods: list[str]
    unsupported: list[str]


@pages.call(
    "GET",
    "/profiles",
    permission=Permission.NETWORK_SEE,
    answers=list[NetworkProfile],
    does=("profiles.show_all",),
)
def show_all(connection: Connection) -> list[NetworkProfile]:
    """All profiles, by name."""
    return [shaped(NetworkProfile, one) for one in load_profiles(connection)]


@pages.call(
    "GET",
    "/profiles/<int:number>",
    permission=Permission.NETWORK_SEE,
    answers=ProfileReach,
    version="told",
)
def show(connection: Connection, *, number: int) -> ProfileReach:
    """One profile, and whom a change of it would concern."""
    return _told(connection, number)


@pages.call(
    "POST",
    "/profiles/preview",
    permission=Permission.NETWORK_SEE,
    body=ProfileToPreview,
    answers=list[VendorReply],
    does=("profiles.shown",),
)
def preview(connection: Connection, *, body: ProfileToPreview) -> list[VendorReply]:
    """What devices of each vendor that there is would be told; nothing is kept."""
    columns = _columns(body)
    old = columns.pop("instead_of")
    try:
        found = preview_of(connection, here().settings, columns, instead_of=old)
    except ValueError as error:
        raise wrong_value(str(error)) from error
    return [
        VendorReply(
            one.vendor,
            [shaped(ReplyAttribute, attribute) for attribute in one.login],
            [shaped(ReplyAttribute, attribute) for attribute in one.change],
            [method.value for method in one.methods],
            list(one.unsupported),
        )
        for one in found
    ]


@pages.call(
    "POST",
    "/profiles",
    permission=Permission.NETWORK_CHANGE,
    body=NewProfile,
    answers=ProfileReach,
    status=201,
    version="told",
    does=("profiles.new",),
)
def new(connection: Connection, *, body: NewProfile) -> ProfileReach:
    """Add a profile."""
    _check_name(connection, body.name)
    add_profile(connection, _columns(body), actor=person().name)
    return _told(connection, next(one.id for one in load_profiles(connection) if one.name == body.name))


@pages.call(
    "PATCH",
    "/profiles/<int:number>",
    permission=Permission.NETWORK_CHANGE,
    body=ProfileChange,
    answers=ProfileReach,
    version="needed",
    does=("profiles.edit",),
)
def change(connection: Connection, *, number: int, body: ProfileChange) -> ProfileReach:
    """Change a profile: live sessions under it are told at once, and what takes away waits where it is more than the guard lets go."""
    hold_profile(connection, number)
    profile = _known(connection, number)
    there = values_of(profile)
    check_version(there)
    values = given(body)
    if "name" in values:
        _check_name(connection, values["name"], besides=number)
    _check_pairs({**there, **values})
    changed = {name: value for name, value in values.items() if value != there[name]}
    if changed:
        change_profile(connection, profile, changed, actor=person().name)
    return _told(connection, number)


def _columns(body: NewProfile | ProfileToPreview) -> dict[str, Any]:
    columns = msgspec.structs.asdict(body)
    _check_pairs(columns)
    return columns


def _check_pairs(columns: dict[str, Any]) -> None:
    for name in one_way(columns):
        raise wrong_value("both directions, or neither", pointer=f"/{name}")


def _check_name(connection: Connection, name: str, *, besides: int | None = None) -> None:
    try:
        check_name(connection, name, besides=besides)
    except ProfileNameTakenError as error:
        raise Problem(409, str(error)) from error


def _known(connection: Connection, number: int) -> Profile:
    found = next((one for one in load_profiles(connection) if one.id == number), None)
    if found is None:
        raise there_is_none()
    return found


def _told(connection: Connection, number: int) -> ProfileReach:
    profile = _known(connection, number)
    tell_version(values_of(profile))
    return shaped(ProfileReach, load_concerned(connection, profile), profile=shaped(NetworkProfile, profile))
