"""`corrente resume`: send to access devices again after `corrente stop`."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from control_plane.cli._console import Refused, open_database, os_user
from control_plane.cli._options import confirm
from control_plane.interventions import resume
from control_plane.settings import Settings
from control_plane.store import interventions


@click.command()
@click.option("--dry-run", is_flag=True, help="Show what would be sent, change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def command(settings: Settings, *, dry_run: bool, yes: bool) -> None:
    """Go on after `corrente stop`: what waited is sent, restored service first; the guard still holds what is too much."""
    now = datetime.now(UTC)
    with open_database(settings) as connection:
        if interventions.load_stop(connection) is None:
            raise Refused("nothing is stopped")
        found = interventions.load_open(connection)
        click.echo(
            f"{found.disruptive:,} changes that take away and {found.milder:,} others to {found.nases:,} NASes wait"
        )
        if dry_run:
            click.echo("Dry run: nothing was changed.")
            return
        confirm("Send them?", yes=yes)
        resume(connection, actor=os_user(), now=now)
    click.echo("Access devices are sent to again.")
