"""`corrente plan hours` and `quota`: hours with another profile, and what happens at which share of the quota."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import time
from typing import Final

import click

from control_plane import audit
from control_plane.cli._console import Connection, Refused, open_database, os_user, unknown
from control_plane.cli._options import confirm
from control_plane.settings import Settings
from control_plane.store.plan import Plan, load_plans, load_profiles
from control_plane.store.plan_terms import remove_hours, save_hours, save_quota_steps

_HOURS: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])")
_STEP: Final = re.compile(r"([1-9][0-9]{0,3})=(notice|throttle)")
_MOST_PERCENT: Final = 1000


@click.command("hours")
@click.argument("name")
@click.argument("hours")
@click.option("--profile", help="What the plan gives in full at these hours.")
@click.option("--remove", is_flag=True, help="Take these hours away.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def hours_(settings: Settings, name: str, *, hours: str, profile: str | None, remove: bool, yes: bool) -> None:
    """Let plan NAME give another profile at HOURS of every day, such as 22:00-06:00, by the clock of the billing zone.

    Sessions that are online change with the clock.
    """
    begins, ends = _read_hours(hours)
    if remove == (profile is not None):
        raise click.UsageError("give --profile, or --remove without it")
    with open_database(settings) as connection:
        plan = _known_plan(connection, name)
        confirm(f"{plan.contracts} contracts in service have plan {name}. Go on?", yes=yes)
        if profile is None:
            if not remove_hours(connection, plan.id, begins=begins, ends=ends):
                raise Refused(f"plan {name} has no hours {hours}")
        else:
            ids = {known.name: known.id for known in load_profiles(connection)}
            if profile not in ids:
                raise unknown("profile", profile, ids, also="`corrente profile add` makes one")
            save_hours(connection, plan.id, begins=begins, ends=ends, profile_id=ids[profile])
        detail = {"hours": hours, "profile": profile}
        audit.append(connection, actor=os_user(), action="plan.hours", subject=name, detail=detail)
    click.echo(f"Plan {name} at {hours}: {profile or 'as at other hours'}.")


def _read_hours(text: str) -> tuple[time, time]:
    match = _HOURS.fullmatch(text)
    if match is None:
        raise click.UsageError(f"{text!r}: expected hours such as 22:00-06:00")
    numbers = [int(part) for part in match.groups()]
    begins, ends = time(numbers[0], numbers[1]), time(numbers[2], numbers[3])
    if begins == ends:
        raise click.UsageError(f"{text!r}: they end where they begin; what holds all day is the plan's own profile")
    return begins, ends


def _known_plan(connection: Connection, name: str) -> Plan:
    plans = {plan.name: plan for plan in load_plans(connection)}
    if name not in plans:
        raise unknown("plan", name, plans)
    return plans[name]


@click.command("quota")
@click.argument("name")
@click.argument("steps", nargs=-1)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def quota(settings: Settings, name: str, *, steps: Sequence[str], yes: bool) -> None:
    """Say what happens at which share of the quota of plan NAME: STEPS such as 80=notice 100=throttle.

    Without STEPS the usual ones hold, which are these two. The quota itself is the profile's: `corrente profile set --quota`.
    """
    wanted = [_read_step(text) for text in steps]
    if len({percent for percent, _ in wanted}) < len(wanted) or [a for _, a in wanted].count("throttle") > 1:
        raise click.UsageError("one step a share, and one throttle")
    with open_database(settings) as connection:
        plan = _known_plan(connection, name)
        confirm(f"{plan.contracts} contracts in service have plan {name}. Go on?", yes=yes)
        save_quota_steps(connection, plan.id, wanted)
        audit.append(connection, actor=os_user(), action="plan.quota", subject=name, detail={"steps": list(steps)})
    click.echo(f"Quota of plan {name}: {' '.join(steps) or 'the usual steps'}.")


def _read_step(text: str) -> tuple[int, str]:
    match = _STEP.fullmatch(text)
    if match is None or int(match[1]) > _MOST_PERCENT:
        raise click.UsageError(f"{text!r}: expected PERCENT=notice or PERCENT=throttle, such as 80=notice")
    return int(match[1]), match[2]
