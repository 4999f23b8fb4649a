"""A paper to a file, as the commands hand it out."""

from __future__ import annotations

from pathlib import Path

import click

from billing.operations.printing import PrintShop
from billing.papers.paper import Paper
from control_plane.cli._console import Refused
from control_plane.paper_run import write_whole
from control_plane.settings import Settings


def print_to(settings: Settings, issuer_id: int, paper: Paper, file: Path) -> None:
    """Print it in the issuer's look and say so; an older file is there until the new one is whole."""
    with PrintShop(settings.papers_dir) as shop:
        printed = shop.press(issuer_id).print(paper)
    try:
        write_whole(file, printed)
    except OSError as error:
        raise Refused(f"can't write {file}: {error.strerror}") from error
    click.echo(f"Wrote {file}.")
