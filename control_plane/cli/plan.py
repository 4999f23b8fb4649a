"""`corrente plan`: what is sold, and what each plan means on the network."""

from __future__ import annotations

import click

from control_plane import audit
from control_plane.cli._console import (
    Connection,
    changed_words,
    open_database,
    os_user,
    print_json,
    print_table,
    unknown,
)
from control_plane.cli._group import Group
from control_plane.cli._options import confirm, tell_live
from control_plane.cli._plan_terms import hours_, quota
from control_plane.quantities import octets_text
from control_plane.settings import Settings
from control_plane.store.changes import save_changes
from control_plane.store.plan import Plan, load_live, load_plans, load_profiles, save_new_plan

command = Group("plan", help="Plans: what is sold, and the profiles it means in full, throttled and walled.")
for part in (hours_, quota):
    command.add_command(part)


@command.command("add")
@click.argument("name")
@click.option("--profile", required=True, help="What the plan gives in full.")
@click.option("--throttle", required=True, help="The profile under a throttle, or with the quota used up.")
@click.option("--walled", required=True, help="The profile in the walled garden: payment pages and help.")
@click.pass_obj
def add(settings: Settings, name: str, *, profile: str, throttle: str, walled: str) -> None:
    """Add plan NAME from three profiles."""
    with open_database(settings) as connection:
        ids = _profile_ids(connection, profile, throttle, walled)
        save_new_plan(
            connection,
            name,
            profile_id=ids[profile],
            throttle_profile_id=ids[throttle],
            walled_profile_id=ids[walled],
        )
        detail = {"profile": profile, "throttle": throttle, "walled": walled}
        audit.append(connection, actor=os_user(), action="plan.add", subject=name, detail=detail)
    click.echo(f"Added plan {name}: {profile}; throttled {throttle}; walled {walled}.")


def _profile_ids(connection: Connection, *wanted: str | None) -> dict[str, int]:
    """The numbers of all profiles by name; refuses a wanted one that is not there."""
    ids = {known.name: known.id for known in load_profiles(connection)}
    for name in wanted:
        if name is not None and name not in ids:
            raise unknown("profile", name, ids, also="`corrente profile add` makes one")
    return ids


@command.command("set")
@click.argument("name")
@click.option("--name", "new_name", help="Rename it.")
@click.option("--profile", help="What the plan gives in full.")
@click.option("--throttle", help="The profile under a throttle, or with the quota used up.")
@click.option("--walled", help="The profile in the walled garden.")
@click.option("--dry-run", is_flag=True, help="Show what would change, change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def set_(
    settings: Settings,
    name: str,
    *,
    new_name: str | None,
    profile: str | None,
    throttle: str | None,
    walled: str | None,
    dry_run: bool,
    yes: bool,
) -> None:
    """Change what is given of plan NAME; the rest stays. Every contract of it gets the change."""
    given = {"profile_id": profile, "throttle_profile_id": throttle, "walled_profile_id": walled}
    with open_database(settings) as connection:
        ids = _profile_ids(connection, *given.values())
        columns: dict[str, object] = {column: ids[wanted] for column, wanted in given.items() if wanted is not None}
        columns |= {"name": new_name} if new_name is not None else {}
        if not columns:
            raise click.UsageError("nothing to change: name at least one option")
        plans = {plan.name: plan for plan in load_plans(connection)}
        if name not in plans:
            raise unknown("plan", name, plans)
        plan = plans[name]
        click.echo(f"{plan.contracts:,} contracts in service have plan {name}")
        for label, before, after in (
            ("profile", plan.profile, profile),
            ("throttled", plan.throttle_profile, throttle),
            ("walled", plan.walled_profile, walled),
        ):
            if after is not None:
                click.echo(f"  {label:12}{before} -> {after}")
        tell_live(load_live(connection, plan_id=plan.id))
        if dry_run:
            click.echo("Dry run: nothing was changed.")
            return
        confirm("Go on?", yes=yes)
        save_changes(connection, "plan", plans[name].id, columns)
        detail = {"name": new_name, **given}
        audit.append(connection, actor=os_user(), action="plan.set", subject=name, detail=detail)
    click.echo(f"Changed plan {name}: {changed_words(columns)}.")


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def list_(settings: Settings, *, as_json: bool) -> None:
    """List all of them."""
    with open_database(settings) as connection:
        plans = load_plans(connection)
    if as_json:
        print_json(plans)
        return
    print_table(
        ("NAME", "PROFILE", "HOURS", "QUOTA", "THROTTLED", "WALLED", "CONTRACTS IN SERVICE"),
        (
            (
                plan.name,
                plan.profile,
                ", ".join(plan.hours),
                _quota_words(plan),
                plan.throttle_profile,
                plan.walled_profile,
                plan.contracts,
            )
            for plan in plans
        ),
        empty="There is no plan yet: corrente plan add NAME --profile P --throttle P --walled P",
    )


def _quota_words(plan: Plan) -> str:
    if plan.quota_octets is None:
        return ""
    return f"{octets_text(plan.quota_octets)}, {' '.join(plan.quota_steps) or 'the usual steps'}"
