"""`corrente undo`: lift all that one run of automation restricted, and list the runs."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Final

import click

from control_plane.cli._console import Refused, open_database, os_user, print_json, print_table
from control_plane.cli._options import confirm
from control_plane.interventions import undo
from control_plane.quantities import instant_text
from control_plane.settings import Settings
from control_plane.store.automation import Run, load_run, load_runs

_RUNS_SHOWN: Final = 20


@click.command()
@click.argument("run_id", metavar="[RUN]", type=int, required=False)
@click.option("--reason", help="Why, for whoever reads it later.")
@click.option("--dry-run", is_flag=True, help="Show what would be lifted, change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="The runs as one JSON document.")
@click.pass_obj
def command(
    settings: Settings, *, run_id: int | None, reason: str | None, dry_run: bool, yes: bool, as_json: bool
) -> None:
    """Lift every restriction that RUN placed and that is still there; without a RUN, list the last ones.

    Restrictions of other runs and of persons stay. The next run may place them again: mend its cause first, or
    `corrente guard exempt`.
    """
    now = datetime.now(UTC)
    with open_database(settings) as connection:
        if run_id is None:
            _print_runs(load_runs(connection, now=now, limit=_RUNS_SHOWN), settings, as_json=as_json)
            return
        run = load_run(connection, run_id, now=now)
        if run is None:
            raise Refused(f"there is no run {run_id}; `corrente undo` lists the last ones")
        click.echo(
            f"run {run.id} ({run.name}) of {instant_text(run.started_at, settings.zone)} by {run.started_by} placed"
            f" {run.placed:,} restrictions: {run.in_force:,} in force, {run.waiting:,} wait for a person,"
            f" {run.placed - run.in_force - run.waiting:,} are over"
        )
        if not run.in_force + run.waiting:
            raise Refused("there is nothing to lift")
        click.echo(f"{run.contracts:,} contracts would be free of it, {run.online:,} of their subscribers are online")
        if dry_run:
            click.echo("Dry run: nothing was changed.")
            return
        if not reason:
            raise click.UsageError("--reason is needed, for whoever reads it later")
        confirm("Lift them?", yes=yes)
        lifted = undo(connection, run.id, reason=reason, actor=os_user(), now=now)
    click.echo(f"Lifted {lifted:,} restrictions of run {run.id}.")


def _print_runs(runs: list[Run], settings: Settings, *, as_json: bool) -> None:
    if as_json:
        print_json([asdict(run) for run in runs])
        return
    print_table(
        ("RUN", "NAME", "BEGAN", "BY", "PLACED", "IN FORCE", "WAITING", "UNDONE BY"),
        (
            (
                run.id,
                run.name,
                instant_text(run.started_at, settings.zone),
                run.started_by,
                f"{run.placed:,}",
                f"{run.in_force:,}",
                f"{run.waiting:,}",
                run.undone_by,
            )
            for run in runs
        ),
        empty="No automation has run.",
    )
