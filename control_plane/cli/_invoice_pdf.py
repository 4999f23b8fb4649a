"""`corrente invoice pdf`: documents as files to hand out, one, several, or all of a billing run."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click
import psycopg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from billing.errors import BillingError
from billing.papers.wording import LANGUAGES
from billing.store.issued import find_document, load_numbers
from control_plane.cli._books import open_books
from control_plane.cli._console import Refused
from control_plane.paper_run import Failed, Wanted, print_files
from control_plane.settings import Settings

_NO_NAME: Final = re.compile(r"[^A-Za-z0-9._-]+")
_FAILURES_SHOWN: Final = 20
_COLUMNS: Final = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())


@click.command("pdf")
@click.argument("numbers", nargs=-1, metavar="[NUMBER]...")
@click.option("--run", "run_id", type=int, help="All documents of a billing run.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=".",
    show_default="here",
    help="A folder, where each is NUMBER.pdf; or for one document a file that ends in .pdf.",
)
@click.option("--language", type=click.Choice(LANGUAGES), help="In another language than the document's own.")
@click.option(
    "--processes", type=click.IntRange(1, 64), default=os.cpu_count() or 1, show_default=True, help="How many print."
)
@click.pass_obj
def pdf(
    settings: Settings,
    /,
    numbers: tuple[str, ...],
    *,
    run_id: int | None,
    out: Path,
    language: str | None,
    processes: int,
) -> None:
    """Print documents as PDF/A: those with these printed NUMBERs (or id:17), or all of a run.

    Quotes, orders, invoices and credit notes alike. What was issued never changes, so the same files come out each time.
    """
    if (not numbers) == (run_id is None):
        raise click.UsageError("give the numbers of documents, or --run")
    with open_books(settings) as connection:
        ids = None if run_id is not None else [find_document(connection, number) for number in numbers]
        found = load_numbers(connection, ids=ids, run_id=run_id)
    missing = set(ids or ()) - {number for number, _, _ in found}
    if missing:
        raise Refused(f"document id:{min(missing)} was not issued: it has no number to print")
    if not found:
        raise Refused(f"there are no documents of run {run_id}; `corrente bill list` shows runs")
    wanted = _files(found, out, language)
    failed = _print(settings, wanted, processes)
    _tell(wanted, failed, out)


def _files(found: Sequence[tuple[int, str, int]], out: Path, language: str | None) -> list[Wanted]:
    """A file for each; numbers that several issuers have, or that read alike as a name, are told apart by their ids."""
    if out.suffix.lower() == ".pdf" and not out.is_dir():
        if len(found) > 1:
            raise click.UsageError(f"--out {out} is one file for {len(found)} documents: name a folder")
        return [Wanted(found[0][0], out, language)]
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refused(f"can't make the folder {out}: {error.strerror}") from error
    taken: set[str] = set()
    wanted = []
    for number, label, _ in found:
        name = _NO_NAME.sub("-", label).strip(".-") or f"id{number}"
        name = f"{name}-id{number}" if name.casefold() in taken else name
        taken.add(name.casefold())
        wanted.append(Wanted(number, out / f"{name}.pdf", language))
    return wanted


def _print(settings: Settings, wanted: Sequence[Wanted], processes: int) -> list[Failed]:
    console = Console(stderr=True)
    with Progress(*_COLUMNS, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("documents", total=len(wanted))
        try:
            return print_files(
                wanted,
                conninfo=settings.conninfo("corrente"),
                folder=settings.papers_dir,
                processes=processes,
                done=lambda count: bar.advance(task, count),
            )
        except (BillingError, psycopg.Error) as error:
            raise Refused(f"printing stopped: {str(error).strip()}; start it again") from error


def _tell(wanted: Sequence[Wanted], failed: Sequence[Failed], out: Path) -> None:
    good = len(wanted) - len(failed)
    if len(wanted) == 1 and good:
        click.echo(f"Wrote {wanted[0].file}.")
    elif good:
        click.echo(f"Wrote {good} documents to {out}.")
    if failed:
        shown = "\n".join(f"document id:{one.document_id}: {one.why}" for one in failed[:_FAILURES_SHOWN])
        rest = len(failed) - _FAILURES_SHOWN
        raise Refused(f"{len(failed)} could not be printed\n{shown}" + (f"\n… and {rest} more" if rest > 0 else ""))
