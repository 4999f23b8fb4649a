"""`corrente payment import` and `files`: files of banks, each line once, with a dry run that says what would become of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from billing.banking.bank_line import BankFileError, BankLine
from billing.banking.csv_file import RefusedRow
from billing.operations.bank_import import Fate, Taken, take_file, work_lines
from billing.operations.bank_reading import Read, foresee_file, read_statements
from billing.store.bank_files import load_files, load_new
from billing.store.issuers import load_issuers
from control_plane import audit
from control_plane.cli._books import open_books, today_of
from control_plane.cli._console import Connection, Refused, os_user, print_json, print_table
from control_plane.cli._payment_bank import known_account_at_bank, line_fields, read_bank_file
from control_plane.settings import Settings
from nas_drivers.errors import printable

_SHOWN: Final = 40
_STATES: Final = ("recorded", "waiting", "returned", "ignored")
_WORDS: Final = {"recorded": "matched", "waiting": "for a person", "returned": "came back", "ignored": "ignored"}


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
@click.option("--bank", help="Which account it is of; needed for CSV and pain.002 where there are several.")
@click.option("--dry-run", is_flag=True, help="Show what would become of each line; write nothing.")
@click.option("--skip-refused", is_flag=True, help="Take the rest although rows of a CSV can't be read.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of lines.")
@click.pass_obj
def import_(
    settings: Settings, file: Path | None, *, bank: str | None, dry_run: bool, skip_refused: bool, as_json: bool
) -> None:
    """Take in a FILE of a bank: camt.053, camt.054, pain.002, or CSV by the layout of its account.

    Each line counts once, however often it is told. Clear matches are recorded at once, the rest waits: `corrente payment queue list`.
    Without a FILE, what an import that was cut short has left is worked.
    """
    with open_books(settings) as connection:
        if file is None:
            if dry_run:
                raise click.UsageError("--dry-run looks at a FILE")
            _work(connection, None, as_json=as_json)
            return
        octets = read_bank_file(file)
        statements, refused = _read(connection, octets, bank, settings)
        for row in refused:
            click.echo(printable(f"refused  row {row.number}: {row.reason}"), err=True)
        if refused and not (skip_refused or dry_run):
            raise Refused(
                "nothing was taken: mend the file or the layout, or leave these rows behind with --skip-refused"
            )
        if dry_run:
            _foresee(connection, statements, as_json=as_json)
            return
        taken = take_file(connection, octets, name=file.name, statements=statements, actor=os_user())
        detail = {"file": file.name, "new": taken.new, "known": taken.known, "refused": len(refused)}
        audit.append(
            connection, actor=os_user(), action="bank_file.import", subject=f"bank_file {taken.file_id}", detail=detail
        )
        connection.commit()
        _work(connection, taken, as_json=as_json)


@click.command("files")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def files(settings: Settings, *, limit: int, as_json: bool) -> None:
    """The newest files of banks, with how many of their lines wait."""
    with open_books(settings) as connection:
        found = load_files(connection, limit=limit)
    if as_json:
        print_json(found)
        return
    rows = ((one.id, one.name, one.form, one.lines, one.unread or None, one.waiting or None, f"{one.made_at.astimezone(settings.zone):%Y-%m-%d %H:%M}", one.made_by) for one in found)  # fmt: skip
    print_table(("NUMBER", "FILE", "FORM", "NEW LINES", "NOT LOOKED AT", "WAITING", "AT", "BY"), rows, empty="None.")


def _read(
    connection: Connection, octets: bytes, bank: str | None, settings: Settings
) -> tuple[Read, Sequence[RefusedRow]]:
    """The statements of a file with the account that each is of."""
    account = None if bank is None else known_account_at_bank(connection, bank)
    try:
        return read_statements(connection, octets, account, schemas=settings.bank_schemas_dir)
    except BankFileError as error:
        raise Refused(str(error)) from error


def _foresee(connection: Connection, statements: Read, *, as_json: bool) -> None:
    zones = {one.id: one.zone for one in load_issuers(connection)}
    found = foresee_file(
        connection, statements, today_of=lambda account: today_of(zones[account.issuer_id]), actor=os_user()
    )
    connection.rollback()
    _tell(found.rows, found.known, found.findings, as_json=as_json, dry_run=True)


def _work(connection: Connection, taken: Taken | None, *, as_json: bool) -> None:
    zones = {one.id: one.zone for one in load_issuers(connection)}
    left = len(load_new(connection)) - (taken.new if taken else 0)
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=as_json or not console.is_terminal) as progress:
        task = progress.add_task("lines")
        done = work_lines(
            connection,
            today_of=lambda account: today_of(zones[account.issuer_id]),
            actor=os_user(),
            advance=lambda count, total: progress.update(task, completed=count, total=total),
        )
    findings = list(taken.findings) if taken else []
    if taken is not None and taken.again:
        findings.append(f"this file came before, as {taken.file_id}")
    if left > 0:
        findings.append(f"{left:,} lines of an import that was cut short are among them")
    _tell(
        [(kept.line, fate) for kept, fate in done],
        taken.known if taken else 0,
        findings,
        as_json=as_json,
        dry_run=False,
    )


def _tell(
    rows: Sequence[tuple[BankLine, Fate]], known: int, findings: Sequence[str], *, as_json: bool, dry_run: bool
) -> None:
    counted = Counter(fate.state for _, fate in rows)
    if as_json:
        lines = [{**line_fields(line), **_fate_fields(fate)} for line, fate in rows]
        totals = {"new": len(rows), "told_before": known, **{state: counted[state] for state in _STATES}}
        print_json({"dry_run": dry_run, "totals": totals, "lines": lines, "findings": list(findings)})
        return
    for line, fate in rows[:_SHOWN]:
        whose = f" customer {fate.customer_id}" if fate.customer_id is not None else ""
        score = f" ({fate.score})" if fate.score is not None else ""
        text = f"{line.booked_on} {line.amount} {line.party or line.text[:40]}: {_WORDS[fate.state]}{whose}{score}: {fate.reason}"
        click.echo(printable(text))
    if len(rows) > _SHOWN:
        click.echo(f"… and {len(rows) - _SHOWN:,} more")
    for one in findings:
        click.echo(printable(f"note: {one}"))
    words = ", ".join(f"{counted[state]:,} {_WORDS[state]}" for state in _STATES)
    click.echo(f"{len(rows):,} new lines: {words}; {known:,} were told before")
    if dry_run:
        click.echo("Dry run: nothing was written.")
    elif counted["waiting"]:
        click.echo("`corrente payment queue list` shows what waits.")


def _fate_fields(fate: Fate) -> dict[str, object]:
    return {
        "state": fate.state,
        "why": fate.reason,
        "customer": fate.customer_id,
        "payment": fate.payment_id,
        "score": fate.score,
    }
