"""`corrente up`: run everything on this machine until Ctrl-C."""

from __future__ import annotations

import click
from rich.console import Console

from control_plane.freeradius import FreeradiusError
from control_plane.machine.display import display_for
from control_plane.machine.ports import PortError
from control_plane.machine.private_postgres import PostgresError
from control_plane.machine.state_dir import StateError
from control_plane.machine.supervision import SupervisionError
from control_plane.machine.up import UpError, run_up
from control_plane.migrate import MigrationError
from control_plane.settings import Settings, SettingsError

_EXPECTED = (
    FreeradiusError,
    MigrationError,
    PortError,
    PostgresError,
    SettingsError,
    StateError,
    SupervisionError,
    UpError,
)


@click.command("up")
@click.option("--empty", is_flag=True, help="Start without the demo ISP and its simulated access devices.")
@click.pass_obj
def command(settings: Settings, *, empty: bool) -> None:
    """Run all of Corrente on this machine, with a private PostgreSQL, until Ctrl-C.

    The first start makes everything it needs below the state directory and loads a demo ISP; later starts go on with
    what is there.
    """
    display = display_for(Console(), settings.zone)
    try:
        run_up(settings, display, with_demo=not empty)
    except _EXPECTED as error:
        raise click.ClickException(str(error)) from error
