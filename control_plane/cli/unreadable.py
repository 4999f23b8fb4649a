"""`corrente unreadable`: spooled records that had no effect, why, and once more when the cause is gone."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Final

import click

from control_plane import audit
from control_plane.accounting.parked import retry_parked
from control_plane.accounting.spool import Parked
from control_plane.cli._console import open_database, os_user, print_json, print_table
from control_plane.cli._group import Group
from control_plane.quantities import instant_text
from control_plane.settings import Settings
from control_plane.store.parked import load_newest_parked, load_parked_counts

command = Group("unreadable", help="Spooled records that had no effect: why, and once more when the cause is gone.")
_KINDS: Final = click.Choice([kind.value for kind in Parked])
_KIND_HELP: Final = "Only these: the record's fault, refused by the database, or a bug of Corrente's own."


@command.command("list")
@click.option("--kind", type=_KINDS, help=_KIND_HELP)
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document, with the text of each record.")
@click.pass_obj
def list_command(settings: Settings, *, kind: str | None, limit: int, as_json: bool) -> None:
    """What waits, newest first, and what stands against it."""
    with open_database(settings) as connection:
        found = load_newest_parked(connection, kind=None if kind is None else Parked(kind), limit=limit)
        counts = load_parked_counts(connection)
    if as_json:
        print_json([asdict(record) for record in found])
        return
    zone = settings.zone
    print_table(
        ("number", "parked", "node", "kind", "tried again", "problem"),
        (
            (
                record.id,
                instant_text(record.at, zone),
                record.node,
                record.kind.value,
                "" if record.tried_at is None else instant_text(record.tried_at, zone),
                record.problem.partition("\n")[0],
            )
            for record in found
        ),
        empty="no record waits",
    )
    if counts:
        click.echo(f"In all: {', '.join(f'{count} {kind.value}' for kind, count in counts.items())}.")


@command.command("retry")
@click.option("--kind", type=_KINDS, help=_KIND_HELP)
@click.option("--dry-run", is_flag=True, help="Say what would come of it, change nothing.")
@click.pass_obj
def retry_command(settings: Settings, *, kind: str | None, dry_run: bool) -> None:
    """Merge what waits and whose cause is gone: a device registered later, a bug mended by a newer release.

    A record is merged exactly once and taken off the list with that; the others stay with what stands against them now.
    """
    with open_database(settings, autocommit=True) as connection:

        def note(count: int) -> None:
            audit.append(connection, actor=os_user(), action="unreadable.retry", subject=f"{count} records")

        retried = retry_parked(
            connection,
            settings,
            kind=None if kind is None else Parked(kind),
            dry_run=dry_run,
            now=datetime.now(UTC),
            note=note,
        )
    click.echo(f"{'Would merge' if dry_run else 'Merged'} {retried.merged}; {retried.left.total()} stay.")
    for (parked, problem), count in retried.left.most_common():
        click.echo(f"  {count} {parked.value}: {problem}")
