"""`corrente dunning letter`: a reminder or formal notice printed again, as it was written."""

from __future__ import annotations

from pathlib import Path

import click

from billing.operations.printing import load_letter_paper
from billing.papers.wording import LANGUAGES
from billing.store.dunning_letters import load_letters_of
from control_plane.cli._books import open_books
from control_plane.cli._console import Refused, unknown
from control_plane.cli._print import print_to
from control_plane.settings import Settings


@click.command("letter")
@click.argument("case_id", metavar="CASE", type=int)
@click.argument("step", required=False)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="The file; letter-CASE-STEP.pdf here by default.")  # fmt: skip
@click.option("--language", type=click.Choice(LANGUAGES), help="In another language than it was written in.")
@click.pass_obj
def letter(settings: Settings, case_id: int, step: str | None, *, out: Path | None, language: str | None) -> None:
    """Print what a STEP of CASE wrote to its customer, the last one if not said: what was open that day, whatever was paid since."""
    with open_books(settings) as connection:
        letters = load_letters_of(connection, case_id)
        if not letters:
            raise Refused(f"no letter was written in case {case_id}: `corrente dunning case {case_id}` shows its steps")
        wanted = step or list(letters)[-1]
        if wanted not in letters:
            raise unknown("letter", wanted, letters, also=f"`corrente dunning case {case_id}` shows its steps")
        issuer_id, paper = load_letter_paper(connection, letters[wanted], language=language)
    print_to(settings, issuer_id, paper, out or Path(f"letter-{case_id}-{wanted}.pdf"))
