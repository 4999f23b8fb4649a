"""`corrente import`: take over what exists, with a dry run that says line by line what would be made."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from control_plane.cli._console import Connection, Refused, open_database, os_user, print_json
from control_plane.cli._group import Group
from control_plane.settings import Settings, SettingsError, secret_keys
from control_plane.takeover import report, store
from control_plane.takeover.apply_wanted import ImportRefusedError, Intent, run_import
from control_plane.takeover.csv_accounts import CsvError, Known, read_accounts
from control_plane.takeover.freeradius_accounts import Network
from control_plane.takeover.freeradius_source import SourceError, load_source
from control_plane.takeover.freeradius_sql import build_wanted
from control_plane.takeover.wanted import Verdict, Wanted
from nas_drivers.dictionaries.reader import DictionaryError, load_dictionary
from nas_drivers.driver import vendor_names
from radius_hooks.sealing import Sealer, SealError

Advance = Callable[[str, int, int], None]
# A larger file is not a list of accounts.
MAX_CSV_OCTETS = 1 << 30
command = Group("import", help="Take over accounts from another system. A dry run unless --apply is given.")


def _common(function: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--json", "as_json", is_flag=True, help="One JSON document instead of lines."),
        click.option("--skip-refused", is_flag=True, help="Make the rest although something is refused."),
        click.option("--apply", is_flag=True, help="Make it: all or nothing, in one transaction."),
    ):
        function = option(function)
    return function


@command.command("freeradius-sql")
@click.option("--from", "source", required=True, metavar="CONNINFO", help="The FreeRADIUS database, read only.")
@click.option("--default-plan", default="imported", show_default=True, help="The plan of users without a group.")
@click.option(
    "--vendor", type=click.Choice(vendor_names()), default="generic", show_default=True,
    help="The vendor of devices whose type in the table nas says none.",
)  # fmt: skip
@_common
@click.pass_obj
def freeradius_sql(
    settings: Settings, source: str, default_plan: str, vendor: str, *, apply: bool, skip_refused: bool, as_json: bool
) -> None:
    """Users, groups, NASes and open sessions of a FreeRADIUS SQL database (PostgreSQL)."""
    try:
        dictionary = load_dictionary(settings.radius.freeradius_dictionary)
    except DictionaryError as error:
        raise Refused(str(error)) from error
    with _progress(as_json) as advance, open_database(settings) as connection:
        try:
            rows = load_source(source, advance)
        except SourceError as error:
            raise Refused(str(error)) from error
        known = {nas.vendor for nas in store.load_nases(connection)}
        connection.rollback()
        network = Network((), default_plan, settings.zone)
        wanted = build_wanted(
            rows, dictionary, network=network, default_vendor=vendor, known_vendors=known, progress=advance
        )
        intent = Intent(os_user(), "freeradius-sql", apply, skip_refused)
        _run(connection, settings, wanted, intent, advance, as_json=as_json)


@command.command("csv")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@_common
@click.pass_obj
def csv(settings: Settings, file: Path, *, apply: bool, skip_refused: bool, as_json: bool) -> None:
    """Accounts in a CSV file; docs/samples/accounts.csv shows its columns."""
    try:
        if file.stat().st_size > MAX_CSV_OCTETS:
            raise Refused(f"{file}: larger than {MAX_CSV_OCTETS} octets: this is no list of accounts")
        octets = file.read_bytes()
    except OSError as error:
        raise Refused(f"{file}: can't be read: {error.strerror}") from error
    with _progress(as_json) as advance, open_database(settings) as connection:
        plans = store.load_plan_ids(connection)
        connection.rollback()
        try:
            wanted = read_accounts(octets, Known(plans, settings.zone, datetime.now(UTC)))
        except CsvError as error:
            raise Refused(f"{file}: {error}") from error
        _run(connection, settings, wanted, Intent(os_user(), file.name, apply, skip_refused), advance, as_json=as_json)


def _run(
    connection: Connection, settings: Settings, wanted: Wanted, intent: Intent, advance: Advance, *, as_json: bool
) -> None:
    try:
        sealer = Sealer(secret_keys(settings))
        findings = run_import(connection, wanted, sealer=sealer, intent=intent, progress=advance)
    except (ImportRefusedError, SettingsError, SealError) as error:
        raise Refused(str(error)) from error
    refused = any(finding.verdict is Verdict.REFUSED for finding in findings)
    applied = intent.apply and (intent.skip_refused or not refused)
    if as_json:
        print_json(report.as_json(findings, applied=applied))
    else:
        sys.stdout.writelines(f"{line}\n" for line in report.lines(findings))
        click.echo(report.summary(findings, applied=applied))
    if intent.apply and not applied:
        raise Refused("nothing was made: mend what is refused, or leave it behind with --skip-refused")
    if not intent.apply:
        click.echo("This was a dry run; --apply makes it.", err=True)
    if refused and not intent.skip_refused:
        raise click.exceptions.Exit(1)


@contextmanager
def _progress(as_json: bool) -> Iterator[Advance]:
    """A bar for each step on a terminal's standard error; nothing elsewhere."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=as_json or not console.is_terminal) as progress:
        tasks: dict[str, int] = {}

        def advance(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = progress.add_task(step, total=total)
            progress.update(tasks[step], completed=done, total=total)  # type: ignore[arg-type]

        yield advance
