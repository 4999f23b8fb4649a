"""`corrente audit`: who did what to what; each day of the log sealed, and the seals verified."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import UTC, date, datetime

import click
import psycopg

from billing.audit_chain import Head, HeadError, read_head
from billing.store import audit
from billing.store.audit import Busy, Finding, Report, Wanted
from control_plane import db
from control_plane.cli._console import Connection, Refused, open_database, print_json, print_table
from control_plane.cli._group import Group
from control_plane.quantities import QuantityError, instant_text, read_instant
from control_plane.settings import Settings

command = Group("audit", help="Who did what to what; each day of the log sealed, and the seals verified.")


@command.command("list")
@click.option("--actor", help="Who acted.")
@click.option("--action", help="What was done, or its beginning: `price` finds price.insert and price.update.")
@click.option("--subject", help="What it was done to, or its beginning.")
@click.option("--request", "request_id", help="All of one command or run of a job.")
@click.option("--since", metavar="TIME", help="From then on, such as 2026-01-31 18:40 or -2d.")
@click.option("--until", metavar="TIME", help="Before then.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def list_command(
    settings: Settings,
    *,
    actor: str | None,
    action: str | None,
    subject: str | None,
    request_id: str | None,
    since: str | None,
    until: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """The newest rows of the log, the newest first."""
    wanted = Wanted(actor, action, subject, request_id, _instant(since, settings), _instant(until, settings))
    with open_database(settings) as connection:
        entries = audit.load_entries(connection, wanted, limit=limit)
    if as_json:
        print_json([asdict(entry) for entry in entries])
        return
    rows = (
        (one.id, instant_text(one.at, settings.zone), one.actor, one.origin, one.action, one.subject) for one in entries
    )
    print_table(("id", "when", "who", "through", "what", "to what"), rows, empty="Nothing in the log is like that.")


@command.command("show")
@click.argument("number", type=int)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def show_command(settings: Settings, number: int, *, as_json: bool) -> None:
    """Row NUMBER of the log with all its details."""
    with open_database(settings) as connection:
        entry = audit.load_entry(connection, number)
    if entry is None:
        raise Refused(f"the audit log has no row {number}: `corrente audit list`")
    if as_json:
        print_json(asdict(entry))
        return
    click.echo(f"{entry.action} of {entry.subject}")
    through = f" through {entry.origin}" if entry.origin else ""
    asked = f", request {entry.request_id}" if entry.request_id else ""
    click.echo(f"  by {entry.actor}{through} at {instant_text(entry.at, settings.zone)}{asked}")
    if entry.detail:
        print_json(entry.detail)


@command.command("seal")
@click.pass_obj
def seal_command(settings: Settings) -> None:
    """Seal the days that are over (UTC), as a worker does by itself. A sealed day takes no more rows."""
    sealed = rows = 0
    with open_database(settings, autocommit=True) as connection:
        today = db.clock(connection).date()
        while (day := audit.next_day(connection, before=today)) is not None:
            with connection.transaction():
                made = audit.seal_day(connection, day)
            if isinstance(made, Busy):
                raise Refused(
                    f"sealed {sealed} days; {day} waits: a transaction that has written into it is open. Try again later"
                )
            sealed, rows = sealed + 1, rows + made.rows
        head = audit.load_head(connection)
    click.echo(f"Sealed {sealed} days with {rows:,} rows." if sealed else "All days that are over are sealed.")
    if head is not None:
        click.echo(f"head {head}")


@command.command("head")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def head_command(settings: Settings, *, as_json: bool) -> None:
    """The digest of the last sealed day. Kept where nobody of this machine can write, it proves all days up to it."""
    with open_database(settings) as connection:
        head = audit.load_head(connection)
    if as_json:
        print_json(None if head is None else {"day": head.day, "digest": head.digest.hex()})
        return
    if head is None:
        raise Refused("no day is sealed yet: a worker seals each day once it is over, or `corrente audit seal` does")
    click.echo(str(head))


@command.command("verify")
@click.option(
    "--head", "heads", multiple=True, metavar="DAY:DIGEST", help="What `corrente audit head` printed earlier."
)
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="Only from this day on.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def verify_command(settings: Settings, *, heads: tuple[str, ...], since: datetime | None, as_json: bool) -> None:
    """Work out every sealed day from its rows. What was changed, put in or taken out is named; then the exit code is 1.

    Who may write everything can also seal all days anew: that shows only against a head that was kept elsewhere.
    """
    try:
        kept = tuple(read_head(text) for text in heads)
    except HeadError as error:
        raise click.UsageError(str(error)) from error
    with open_database(settings) as connection:
        report = _verified(connection, kept, since=since.date() if since else None, tell=not as_json)
    if as_json:
        print_json(_as_json(report))
    else:
        _tell(report, kept)
    if report.findings:
        sys.exit(1)


def _verified(connection: Connection, kept: tuple[Head, ...], *, since: date | None, tell: bool) -> Report:
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    if not (tell and sys.stderr.isatty()):
        return audit.verify(connection, heads=kept, since=since)
    try:
        return audit.verify(
            connection,
            heads=kept,
            since=since,
            progress=lambda day, rows: click.echo(f"\r{day}  {rows:,} rows", err=True, nl=False),
        )
    finally:
        click.echo(err=True)


def _tell(report: Report, kept: tuple[Head, ...]) -> None:
    for finding in report.findings:
        click.echo(f"{finding.day}: {finding.words}")
        for difference in finding.rows:
            click.echo(f"  {difference}")
        if finding.more:
            click.echo("  and more")
    if report.findings:
        click.echo("The audit log is not what it was.")
    elif report.days:
        click.echo(f"OK: {report.days:,} days with {report.rows:,} rows are as they were sealed.")
        if not kept:
            click.echo("Nobody but a head that was kept elsewhere tells whether all of it was sealed anew: --head.")
    else:
        click.echo("No day is sealed yet.")
    if report.unsealed:
        click.echo(f"{report.unsealed:,} rows are of days that are not sealed yet.")
    if report.head is not None:
        click.echo(f"head {report.head}")


def _as_json(report: Report) -> dict[str, object]:
    def finding_json(one: Finding) -> dict[str, object]:
        rows = [{"kind": type(row).__name__.lower(), **asdict(row)} for row in one.rows]
        return {"day": one.day, "problem": one.words, "rows": rows, "more": one.more}

    return {
        "ok": not report.findings,
        "days": report.days,
        "rows": report.rows,
        "unsealed": report.unsealed,
        "head": None if report.head is None else str(report.head),
        "findings": [finding_json(one) for one in report.findings],
    }


def _instant(text: str | None, settings: Settings) -> datetime | None:
    if text is None:
        return None
    try:
        return read_instant(text, zone=settings.zone, now=datetime.now(UTC))
    except QuantityError as error:
        raise click.UsageError(str(error)) from error
