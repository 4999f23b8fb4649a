"""`corrente freeradius`: the FreeRADIUS configuration for these settings, written where it is wanted."""

from __future__ import annotations

from pathlib import Path

import click

from control_plane import freeradius
from control_plane.freeradius import FreeradiusError
from control_plane.settings import Settings


@click.command("freeradius")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--check", is_flag=True, help="Let FreeRADIUS check what was written.")
@click.pass_obj
def command(settings: Settings, directory: Path, check: bool) -> None:
    """Write FreeRADIUS's configuration into DIRECTORY, which must be empty or ours.

    FreeRADIUS started with `-n authentication` answers logins, with `-n accounting` it takes accounting. `corrente up`
    writes and starts both by itself. For a FreeRADIUS that runs already see freeradius-config/README.md.
    """
    try:
        target = freeradius.render(settings, directory)
    except (FreeradiusError, OSError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{target}: written")
    if check:
        if said := freeradius.refusal(target):
            raise click.ClickException(f"FreeRADIUS refuses it:\n{said[-2000:]}")
        click.echo("FreeRADIUS accepts it")
