"""Plans: what each means on the network, at which hours and with which quota."""

from __future__ import annotations

from datetime import time
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from control_plane.access.permissions import Permission
from control_plane.catalogue import add_plan, change_plan, set_hours, set_quota_steps
from control_plane.store.plan import Plan, hold_plan, load_live, load_plan, load_plan_ids, load_plans, load_profiles
from web.acting import person
from web.api._changes import given
from web.api._shapes import NO_CONTROL, shaped, there_is_none, wrong_value
from web.calls import Noun, Slice
from web.database import Connection
from web.versions import check_version, tell_version

pages = Noun("plans")

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=NO_CONTROL)]
Clock = Annotated[str, msgspec.Meta(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$", description="such as 22:00")]


class NetworkPlan(msgspec.Struct, frozen=True):
    """A plan and its three profiles by name. `hours` have another profile, such as `22:00-06:00 Home 500`; `quota_steps` such as `80=notice`,
    none where the usual ones hold. `contracts` are in service, `live` sessions are online. Units: octets a calendar month.
    """

    id: int
    name: str
    profile: str
    throttle_profile: str
    walled_profile: str
    contracts: int
    quota_octets: int | None
    hours: list[str]
    quota_steps: list[str]


class PlanReach(NetworkPlan, frozen=True):
    """A plan, and how many sessions of it are online (`live`): a change of it reaches them within seconds."""

    live: int


class NewPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A plan of three profiles by name; a product sells it."""

    name: Name
    profile: Name
    throttle_profile: Name
    walled_profile: Name


class PlanChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What changes of a plan."""

    name: Name | UnsetType = UNSET
    profile: Name | UnsetType = UNSET
    throttle_profile: Name | UnsetType = UNSET
    walled_profile: Name | UnsetType = UNSET


class PlanHours(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hours of every day with another profile; without a profile the plan's own holds at them again."""

    begins: Clock
    ends: Clock
    profile: Name | None = None


class QuotaStep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What happens at a percentage of the quota."""

    percent: Annotated[int, msgspec.Meta(ge=1, le=1000)]
    action: Literal["notice", "throttle"]


class QuotaSteps(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All steps of a plan; none: the usual ones."""

    steps: Annotated[list[QuotaStep], msgspec.Meta(max_length=20)]


@pages.call("GET", "/plans", permission=Permission.CATALOGUE_SEE, answers=Slice[NetworkPlan], does=("plans.list_",))
def find(connection: Connection) -> Slice[NetworkPlan]:
    """All plans, by name."""
    return Slice([shaped(NetworkPlan, one) for one in load_plans(connection)], None)


@pages.call(
    "GET",
    "/plans/<int:number>",
    permission=Permission.CATALOGUE_SEE,
    answers=PlanReach,
    version="told",
    does=("plans.show",),
)
def show(connection: Connection, *, number: int) -> PlanReach:
    """One plan, and how many it reaches."""
    return _told(connection, number)


@pages.call(
    "POST",
    "/plans",
    permission=Permission.CATALOGUE_SEE,
    also=(Permission.CATALOGUE_CHANGE,),
    body=NewPlan,
    answers=PlanReach,
    status=201,
    version="told",
    does=("plans.new",),
)
def new(connection: Connection, *, body: NewPlan) -> PlanReach:
    """Add a plan; a product then says what it costs."""
    _check_name(connection, body.name, besides=None)
    values = _columns(connection, given(body))
    profiles = (values["profile_id"], values["throttle_profile_id"], values["walled_profile_id"])
    add_plan(connection, body.name, profiles, actor=person().name)
    return _told(connection, load_plan_ids(connection)[body.name])


@pages.call(
    "PATCH",
    "/plans/<int:number>",
    permission=Permission.CATALOGUE_SEE,
    also=(Permission.CATALOGUE_CHANGE,),
    body=PlanChange,
    answers=PlanReach,
    version="needed",
    does=("plans.edit",),
)
def change(connection: Connection, *, number: int, body: PlanChange) -> PlanReach:
    """Change a plan: its contracts get the change, and what is online follows within seconds."""
    hold_plan(connection, number)
    plan = _known(connection, number)
    check_version(_seen(plan))
    values = given(body)
    if "name" in values:
        _check_name(connection, values["name"], besides=number)
    change_plan(connection, plan, _columns(connection, values), actor=person().name)
    return _told(connection, number)


@pages.call(
    "PUT",
    "/plans/<int:number>/hours",
    permission=Permission.CATALOGUE_SEE,
    also=(Permission.CATALOGUE_CHANGE,),
    body=PlanHours,
    answers=PlanReach,
    does=("plans.hours",),
)
def hours(connection: Connection, *, number: int, body: PlanHours) -> PlanReach:
    """Give a plan another profile at some hours of every day, or no longer."""
    plan = _known(connection, number)
    if body.begins == body.ends:
        raise wrong_value("they end where they begin: what holds all day is the plan's own profile", pointer="/ends")
    profiles = {one.name: one for one in load_profiles(connection)}
    if body.profile is not None and body.profile not in profiles:
        raise wrong_value("there is no such profile", pointer="/profile")
    span = (time.fromisoformat(body.begins), time.fromisoformat(body.ends))
    set_hours(connection, plan, span, None if body.profile is None else profiles[body.profile], actor=person().name)
    return _told(connection, number)


@pages.call(
    "PUT",
    "/plans/<int:number>/quota-steps",
    permission=Permission.CATALOGUE_SEE,
    also=(Permission.CATALOGUE_CHANGE,),
    body=QuotaSteps,
    answers=PlanReach,
    does=("plans.quota",),
)
def quota(connection: Connection, *, number: int, body: QuotaSteps) -> PlanReach:
    """Say what happens at which share of a plan's quota."""
    plan = _known(connection, number)
    shares = [one.percent for one in body.steps]
    if len(set(shares)) < len(shares) or [one.action for one in body.steps].count("throttle") > 1:
        raise wrong_value("one step a share, and one throttle", pointer="/steps")
    set_quota_steps(connection, plan, [(one.percent, one.action) for one in body.steps], actor=person().name)
    return _told(connection, number)


def _known(connection: Connection, number: int) -> Plan:
    found = load_plan(connection, number)
    if found is None:
        raise there_is_none()
    return found


def _told(connection: Connection, number: int) -> PlanReach:
    plan = _known(connection, number)
    tell_version(_seen(plan))
    return shaped(PlanReach, plan, live=load_live(connection, plan_id=number))


def _seen(plan: Plan) -> tuple[str, ...]:
    return plan.name, plan.profile, plan.throttle_profile, plan.walled_profile


def _check_name(connection: Connection, name: str, *, besides: int | None) -> None:
    if load_plan_ids(connection).get(name, besides) != besides:
        raise wrong_value("there is one of this name already", pointer="/name")


def _columns(connection: Connection, values: dict[str, Any]) -> dict[str, Any]:
    """With profiles by number. Raises: Problem."""
    profiles = {one.name: one.id for one in load_profiles(connection)}
    columns = {}
    for name, value in values.items():
        if name == "name":
            columns[name] = value
        elif value in profiles:
            columns[f"{name}_id"] = profiles[value]
        else:
            raise wrong_value("there is no such profile", pointer=f"/{name}")
    return columns
