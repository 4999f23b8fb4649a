"""`corrente customer import`: customers of a file, with a dry run that says line by line what would be made or changed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from billing.customer_csv import MAX_CSV_OCTETS, Defaults, WantedCustomer, read_customers
from billing.customer_import import Fate, Step, step_for
from billing.store.customer_import import apply_steps, load_known, load_shared_numbers
from billing.store.issuers import load_positions
from control_plane import audit
from control_plane.cli._books import open_books
from control_plane.cli._console import Connection, Refused, os_user, print_json
from control_plane.customers import LANGUAGES
from control_plane.settings import Settings
from nas_drivers.errors import printable


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--country", help="Of addresses that say none, such as IT.")
@click.option("--dialling-code", help="Of telephone numbers that say none, such as +39.")
@click.option(
    "--language", type=click.Choice(LANGUAGES), default="en", show_default=True, help="Of new ones that say none."
)
@click.option("--apply", is_flag=True, help="Make it: all or nothing, in one transaction.")
@click.option("--skip-refused", is_flag=True, help="Make the rest although lines are refused.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of lines.")
@click.pass_obj
def import_(
    settings: Settings,
    file: Path,
    *,
    country: str | None,
    dialling_code: str | None,
    language: str,
    apply: bool,
    skip_refused: bool,
    as_json: bool,
) -> None:
    """Customers of a CSV FILE; docs/samples/customers.csv shows its columns.

    A dry run unless --apply is given. A customer is found by its reference, so a second import makes nothing twice; what a line leaves
    empty stays as it is.
    """
    if country is not None and not re.fullmatch("[A-Z]{2}", country):
        raise click.UsageError(f"--country {country!r}: two capitals, such as IT")
    if dialling_code is not None and not re.fullmatch(r"\+[1-9][0-9]{0,3}", dialling_code):
        raise click.UsageError(f"--dialling-code {dialling_code!r}: + and digits, such as +39")
    octets = _octets(file)
    with open_books(settings) as connection:
        positions = [one.name for one in load_positions(connection)]
        wanted, refused = read_customers(octets, Defaults(positions, country, dialling_code))
        steps = [Step(Fate.REFUSED, WantedCustomer(one.line, one.reference, {}), reason=one.reason) for one in refused]
        steps += _steps(connection, wanted)
        steps.sort(key=lambda step: step.wanted.line)
        notes = _notes(connection, steps)
        blocked = any(step.fate is Fate.REFUSED for step in steps) and not skip_refused
        applied = apply and not blocked
        if applied:
            _apply(connection, steps, file.name, language, quiet=as_json)
    _report(steps, notes, applied=applied, as_json=as_json)
    if apply and not applied:
        raise Refused("nothing was made: mend what is refused, or leave it behind with --skip-refused")
    if not apply:
        click.echo("This was a dry run; --apply makes it.", err=True)
    if blocked:
        raise click.exceptions.Exit(1)


def _octets(file: Path) -> bytes:
    try:
        if file.stat().st_size > MAX_CSV_OCTETS:
            raise Refused(f"{file}: larger than {MAX_CSV_OCTETS} octets: this is no list of customers")
        return file.read_bytes()
    except OSError as error:
        raise Refused(f"{file}: can't be read: {error.strerror}") from error


def _steps(connection: Connection, wanted: Sequence[WantedCustomer]) -> list[Step]:
    known = load_known(connection, [one.reference for one in wanted])
    return [step_for(one, known.get(one.reference)) for one in wanted]


def _notes(connection: Connection, steps: Sequence[Step]) -> list[tuple[int, str, str]]:
    """Tax numbers that several customers have: not wrong, but often the same one twice. Line, reference, words."""
    writing = [step for step in steps if step.fate in (Fate.NEW, Fate.CHANGED)]
    there = load_shared_numbers(connection, writing)
    first: dict[tuple[str, str], int] = {}
    notes = []
    for step in writing:
        for pair in step.numbers.items():
            if pair in there and there[pair][0] != step.customer_id:
                notes.append((step.wanted.line, step.wanted.reference, f"customer {there[pair][0]} has {pair[1]} too"))
            elif first.setdefault(pair, step.wanted.line) != step.wanted.line:
                notes.append((step.wanted.line, step.wanted.reference, f"line {first[pair]} has {pair[1]} too"))
    return notes


def _apply(connection: Connection, steps: Sequence[Step], name: str, language: str, *, quiet: bool) -> None:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as progress:
        task = progress.add_task("customers")
        apply_steps(
            connection,
            steps,
            language=language,
            advance=lambda done, total: progress.update(task, completed=done, total=total),
        )
    for step in steps:
        if step.fate is Fate.CHANGED:
            detail = {"file": name, "changed": step.said}
            subject = f"customer {step.customer_id}"
            audit.append(connection, actor=os_user(), action="customer.import", subject=subject, detail=detail)
    audit.append(connection, actor=os_user(), action="customer.import", subject=name, detail=_totals(steps))


def _totals(steps: Sequence[Step]) -> dict[str, object]:
    counted = Counter(step.fate for step in steps)
    return {fate.value: counted[fate] for fate in Fate}


def _report(steps: Sequence[Step], notes: Sequence[tuple[int, str, str]], *, applied: bool, as_json: bool) -> None:
    if as_json:
        lines = [
            {"line": step.wanted.line, "reference": step.wanted.reference, "fate": step.fate.value, "what": step.said}
            for step in steps
        ]
        said = [{"line": line, "reference": reference, "what": words} for line, reference, words in notes]
        print_json({"applied": applied, "totals": _totals(steps), "lines": lines, "notes": said})
        return
    for fate in (Fate.NEW, Fate.CHANGED):
        for step in steps:
            if step.fate is fate:
                _line(fate.value, step.wanted.line, step.wanted.reference, _short(step))
    for line, reference, words in notes:
        _line("note", line, reference, words)
    for step in steps:
        if step.fate is Fate.REFUSED:
            _line("refused", step.wanted.line, step.wanted.reference, step.reason)
    count = Counter(step.fate for step in steps)
    made = "made" if applied else "to make"
    click.echo(
        f"{count[Fate.NEW]:,} new {made}, {count[Fate.CHANGED]:,} {'changed' if applied else 'to change'},"
        f" {count[Fate.SAME]:,} as they were, {count[Fate.REFUSED]:,} refused, {len(notes):,} notes"
    )


def _short(step: Step) -> str:
    return step.wanted.columns["name"] if step.fate is Fate.NEW else step.said


def _line(word: str, line: int, reference: str, text: str) -> None:
    click.echo(printable(f"{word:8} line {line}: {reference or '(no reference)'}: {text}"))
