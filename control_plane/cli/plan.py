"""`corrente plan`: what is sold, and what each plan means on the network."""

from __future__ import annotations

import click

from control_plane import audit
from control_plane.cli._console import open_database, os_user, print_json, print_table, unknown
from control_plane.settings import Settings
from control_plane.store.plan import load_plans, load_profiles, save_new_plan

command = click.Group("plan", help="Plans: what is sold, and the profiles it means in full, throttled and walled.")


@command.command("add")
@click.argument("name")
@click.option("--profile", required=True, help="What the plan gives in full.")
@click.option("--throttle", required=True, help="The profile under a throttle, or with the quota used up.")
@click.option("--walled", required=True, help="The profile in the walled garden: payment pages and help.")
@click.pass_obj
def add(settings: Settings, name: str, *, profile: str, throttle: str, walled: str) -> None:
    """Add plan NAME from three profiles."""
    with open_database(settings) as connection:
        ids = {known.name: known.id for known in load_profiles(connection)}
        for wanted in (profile, throttle, walled):
            if wanted not in ids:
                raise unknown("profile", wanted, ids, also="`corrente profile add` makes one")
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
        ("NAME", "PROFILE", "THROTTLED", "WALLED", "CONTRACTS IN SERVICE"),
        ((plan.name, plan.profile, plan.throttle_profile, plan.walled_profile, plan.contracts) for plan in plans),
        empty="There is no plan yet: corrente plan add NAME --profile P --throttle P --walled P",
    )
