"""`corrente contract pdf`: what was agreed, for both to sign."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from billing.papers.contracts import contract_paper
from billing.papers.wording import LANGUAGES
from billing.store.agreed import load_agreed
from control_plane.cli._books import open_books
from control_plane.cli._contract_deed import NUMBER
from control_plane.cli._print import print_to
from control_plane.settings import Settings


@click.command("pdf")
@NUMBER
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="The file; contract-NUMBER.pdf here by default."
)
@click.option("--language", type=click.Choice(LANGUAGES), help="In another language than the customer's.")
@click.pass_obj
def pdf(settings: Settings, /, number: int, *, out: Path | None, language: str | None) -> None:
    """Print contract NUMBER as PDF/A: products, discounts, terms, what leaving costs, and room for both signatures.

    As it stands today, with what is to come. Your conditions are a note of the wording (docs/papers.md).
    """
    with open_books(settings) as connection:
        agreed = load_agreed(connection, number, now=datetime.now(UTC), language=language)
    print_to(
        settings, agreed.issuer_id, contract_paper(agreed, language=language), out or Path(f"contract-{number}.pdf")
    )
