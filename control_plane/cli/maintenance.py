"""`corrente maintenance`: send nothing to a NAS while somebody works on it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime

import click

from control_plane.cli._console import Connection, Refused, open_database, os_user, print_json, print_table, unknown
from control_plane.cli._group import Group
from control_plane.cli._options import coming_instant, confirm
from control_plane.interventions import begin_maintenance, end_maintenance
from control_plane.quantities import instant_text
from control_plane.settings import Settings
from control_plane.store import interventions
from control_plane.store.nas import Nas, load_nas, load_nases

command = Group("maintenance", help="Send nothing to a NAS while somebody works on it. Logins go on.")


def _known_nas(connection: Connection, name: str) -> Nas:
    nas = load_nas(connection, name)
    if nas is None:
        raise unknown("NAS", name, (one.name for one in load_nases(connection)), also="`corrente nas list` shows them")
    return nas


def _waiting_words(found: interventions.Open) -> str:
    return f"{found.disruptive:,} changes that take away and {found.milder:,} others"


@command.command("on")
@click.argument("nas_name", metavar="NAS")
@click.option("--reason", required=True, help="Why, for whoever reads it later.")
@click.option("--until", metavar="TIME", help="It ends by itself, such as 2026-01-31 18:40 or +2h.")
@click.option("--dry-run", is_flag=True, help="Show what would wait, change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def on_command(settings: Settings, nas_name: str, *, reason: str, until: str | None, dry_run: bool, yes: bool) -> None:
    """Send nothing to NAS: neither cuts nor restored service reach its sessions until it ends."""
    now = datetime.now(UTC)
    end = None if until is None else coming_instant(until, settings.zone, now)
    with open_database(settings) as connection:
        nas = _known_nas(connection, nas_name)
        waiting = interventions.load_open(connection, nas.id)
        click.echo(f"{nas.name}: {nas.live_sessions:,} live sessions; {_waiting_words(waiting)} would wait")
        if dry_run:
            click.echo("Dry run: nothing was changed.")
            return
        confirm(f"Send nothing to {nas.name}?", yes=yes)
        if not begin_maintenance(connection, nas.id, nas.name, reason=reason, until=end, actor=os_user(), now=now):
            raise Refused(f"NAS {nas.name} is in maintenance already: `corrente maintenance list`")
    ending = "`corrente maintenance off`" if end is None else instant_text(end, settings.zone)
    click.echo(f"NAS {nas.name} is in maintenance until {ending}.")


@command.command("off")
@click.argument("nas_name", metavar="NAS")
@click.option("--dry-run", is_flag=True, help="Show what would be sent, change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def off_command(settings: Settings, nas_name: str, *, dry_run: bool, yes: bool) -> None:
    """Send to NAS again, what waited first; the guard still holds what is too much."""
    now = datetime.now(UTC)
    with open_database(settings) as connection:
        nas = _known_nas(connection, nas_name)
        if nas.name not in {one.nas for one in interventions.load_maintenance(connection, now)}:
            raise Refused(f"NAS {nas.name} is not in maintenance")
        click.echo(f"{nas.name}: {_waiting_words(interventions.load_open(connection, nas.id))} wait")
        if dry_run:
            click.echo("Dry run: nothing was changed.")
            return
        confirm("Send them?", yes=yes)
        end_maintenance(connection, nas.id, nas.name, actor=os_user(), now=now)
    click.echo(f"NAS {nas.name} is sent to again.")


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def list_command(settings: Settings, *, as_json: bool) -> None:
    """The NASes in maintenance, until when, why, and what waits for them."""
    with open_database(settings) as connection:
        found = interventions.load_maintenance(connection, datetime.now(UTC))
    if as_json:
        print_json([asdict(one) for one in found])
        return
    zone = settings.zone
    print_table(
        ("NAS", "SINCE", "UNTIL", "WAITING", "BY", "REASON"),
        (
            (
                one.nas,
                instant_text(one.since, zone),
                "it is ended" if one.until is None else instant_text(one.until, zone),
                f"{one.waiting:,}",
                one.placed_by,
                one.reason,
            )
            for one in found
        ),
        empty="No NAS is in maintenance.",
    )
