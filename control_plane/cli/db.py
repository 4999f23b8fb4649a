"""`corrente db`: make the database, bring an older one up to date, say how it stands."""

from __future__ import annotations

from datetime import UTC, datetime

import click
import psycopg

from control_plane.access.people import make_first_administrator
from control_plane.cli._console import Refused, open_database
from control_plane.cli._group import Group
from control_plane.migrate import (
    LOCK_TIMEOUT_S,
    DatabaseAge,
    DatabaseStatus,
    MigrationError,
    create,
    due,
    load_migrations,
    load_status,
    make_database,
    migrate,
)
from control_plane.settings import Settings

command = Group("db", help="Make the database and bring it up to date.")


@command.command("create")
@click.pass_obj
def create_command(settings: Settings) -> None:
    """Make all tables in an empty database; make the database too if the server has none of that name."""
    try:
        made = make_database(settings.conninfo("corrente"))
    except psycopg.Error as error:
        raise Refused(f"the database can't be made: {str(error).strip()}") from error
    with open_database(settings, autocommit=True) as connection:
        try:
            create(connection)
        except MigrationError as error:
            raise Refused(str(error)) from error
        except psycopg.errors.InsufficientPrivilege as error:
            raise Refused(
                f"{error.diag.message_primary}: let an administrator make the roles corrente_edge, corrente_worker, "
                "corrente_web, corrente_lookup, corrente_collector and corrente_console, or run this as one"
            ) from error
        first = make_first_administrator(connection, now=datetime.now(UTC))
        click.echo(f"Database {connection.info.dbname}: {'made, with all tables' if made else 'all tables made'}.")
        if first is not None:
            click.echo(f"Sign in to the console as {first.name} with {first.password} (not shown again).")


@command.command("migrate")
@click.option("--dry-run", is_flag=True, help="Show what would run, change nothing.")
@click.option("--only-pre", is_flag=True, help="Only what is safe while the release before still runs.")
@click.option(
    "--lock-timeout",
    "lock_timeout_s",
    type=click.FloatRange(min=0.1, max=3600),
    default=LOCK_TIMEOUT_S,
    show_default=True,
    help="Seconds to wait for a lock before giving up.",
)
@click.pass_obj
def migrate_command(settings: Settings, *, dry_run: bool, only_pre: bool, lock_timeout_s: float) -> None:
    """Bring an older database up to date, one transaction a file."""
    with open_database(settings, autocommit=True) as connection:
        try:
            known = load_migrations()
            if dry_run:
                _show_plan(load_status(connection, known), only_pre=only_pre)
                return
            ran = migrate(connection, known, only_pre=only_pre, lock_timeout_s=lock_timeout_s)
            status = load_status(connection, known)
        except MigrationError as error:
            raise Refused(str(error)) from error
    for name in ran:
        click.echo(f"applied {name}")
    waiting = [migration.name for migration in status.pending]
    click.echo(f"Waiting for --only-pre to be left out: {', '.join(waiting)}" if waiting else "Up to date.")


def _show_plan(status: DatabaseStatus, *, only_pre: bool) -> None:
    if status.age in (DatabaseAge.EMPTY, DatabaseAge.NEWER):
        raise Refused(_standing(status))
    planned = due(status, only_pre=only_pre)
    for migration in planned:
        click.echo(f"would apply {migration.name}")
    if not planned:
        click.echo("Nothing to apply.")


@command.command("status")
@click.pass_obj
def status_command(settings: Settings) -> None:
    """Say how the database stands to this program; the exit code is 0 only when it is up to date."""
    with open_database(settings) as connection:
        try:
            status = load_status(connection, load_migrations())
        except MigrationError as error:
            raise Refused(str(error)) from error
    if status.age is not DatabaseAge.CURRENT:
        raise Refused(_standing(status))
    click.echo(_standing(status))


def _standing(status: DatabaseStatus) -> str:
    match status.age:
        case DatabaseAge.EMPTY:
            return "empty: run `corrente db create`"
        case DatabaseAge.OLDER:
            return f"older than this program: run `corrente db migrate` for {', '.join(m.name for m in status.pending)}"
        case DatabaseAge.NEWER:
            return f"newer than this program, which does not know {', '.join(status.unknown)}: install that release"
        case DatabaseAge.CURRENT:
            return f"up to date: {len(status.applied)} migrations since the first release"
