"""`corrente stop`: send nothing to any access device, from now until `corrente resume`."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from control_plane.cli._console import Refused, open_database, os_user
from control_plane.cli._options import confirm
from control_plane.interventions import stop as stop_network
from control_plane.quantities import instant_text
from control_plane.settings import Settings
from control_plane.store import interventions


@click.command()
@click.option("--reason", required=True, help="Why, for whoever reads it later.")
@click.option("--dry-run", is_flag=True, help="Show what would wait, change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def command(settings: Settings, *, reason: str, dry_run: bool, yes: bool) -> None:
    """Stop all changes to live sessions: no cut, and no restored service either. Logins and accounting go on.

    What a worker has sent already can't be called back.
    """
    now = datetime.now(UTC)
    with open_database(settings) as connection:
        stop = interventions.load_stop(connection)
        if stop is not None:
            since = instant_text(stop.since, settings.zone)
            raise Refused(f"everything is stopped already, since {since} by {stop.placed_by}: {stop.reason}")
        found = interventions.load_open(connection)
        click.echo(
            f"{found.disruptive:,} changes that take away and {found.milder:,} others to {found.nases:,} NASes would wait"
        )
        if dry_run:
            click.echo("Dry run: nothing was changed.")
            return
        confirm("Send nothing to any access device?", yes=yes)
        stop_network(connection, reason=reason, actor=os_user(), now=now)
    click.echo("Everything is stopped. Go on with `corrente resume`.")
