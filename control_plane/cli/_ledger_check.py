"""`corrente ledger check`: every invariant of the books, recomputed over the whole database."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import asdict
from time import monotonic
from typing import Final

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from billing.store.checks import catalogue
from billing.store.checks.check import Check, Finding
from control_plane.books_check import NAMES, checks_of
from control_plane.cli._console import open_database, print_json, print_table
from control_plane.settings import Settings

# Of each check; a broken import would fill the terminal with thousands that say the same.
SHOWN: Final = 20


@click.command("check")
@click.option("--only", multiple=True, type=click.Choice(NAMES), help="Only this check; repeat.")
@click.option(
    "--limit", type=click.IntRange(1), default=SHOWN, help=f"Findings shown of each check; {SHOWN} by default."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def check(settings: Settings, *, only: tuple[str, ...], limit: int, as_json: bool) -> None:
    """Work everything in the books out again from nothing and say OK, or what is wrong where.

    Reads one state of the database and writes nothing; runs may go on meanwhile. Exit code 1 when something is wrong.
    """
    checks = checks_of(settings.zone, only)
    counts: Counter[str] = Counter()
    shown: list[Finding] = []
    seconds: dict[str, float] = {}
    with open_database(settings) as connection, _bar() as bar:
        for finding in catalogue.check_books(connection, checks, tell=_Teller(bar, checks, seconds)):
            counts[finding.check] += 1
            if counts[finding.check] <= limit:
                shown.append(finding)
    if as_json:
        print_json(
            {
                "ok": not counts,
                "checks": [
                    {
                        "name": one.name,
                        "invariants": one.invariants,
                        "ensures": one.ensures,
                        "findings": counts[one.name],
                    }
                    for one in checks
                ],
                "findings": [asdict(finding) for finding in shown],
            }
        )
    else:
        _tell(checks, counts, shown, seconds)
    if counts:
        sys.exit(1)


def _bar() -> Progress:
    """On standard error, and only at a terminal: what is printed stays the same in a pipe."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description:16}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


class _Teller:
    """Moves the bar; keeps how long each check took."""

    def __init__(self, bar: Progress, checks: list[Check], seconds: dict[str, float]) -> None:
        self._bar = bar
        self._tasks = {one.name: bar.add_task(one.name, total=None, start=False) for one in checks}
        self._seconds = seconds
        self._began: dict[str, float] = {}

    def __call__(self, progress: catalogue.Progress) -> None:
        name = progress.check.name
        task = self._tasks[name]
        if name not in self._began:
            self._began[name] = monotonic()
            self._bar.start_task(task)
        self._seconds[name] = monotonic() - self._began[name]
        self._bar.update(task, total=progress.of, completed=progress.done)


def _tell(checks: list[Check], counts: Counter[str], shown: list[Finding], seconds: dict[str, float]) -> None:
    print_table(
        ("check", "invariants", "took", "result", "makes sure that"),
        (
            (
                one.name,
                one.invariants,
                f"{seconds.get(one.name, 0):.1f} s",
                f"{counts[one.name]} wrong" if counts[one.name] else "OK",
                one.ensures,
            )
            for one in checks
        ),
        empty="",
    )
    click.echo()
    for name, count in counts.items():
        for finding in (one for one in shown if one.check == name):
            click.echo(f"{finding.invariants} {finding.subject}: {finding.message}")
        told = sum(one.check == name for one in shown)
        if told < count:
            click.echo(f"… and {count - told} more of {name}; --limit shows them")
    click.echo("OK" if not counts else f"{sum(counts.values())} things are wrong in the books.")
