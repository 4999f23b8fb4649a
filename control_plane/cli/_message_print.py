"""`corrente message print`: letters for who posts them, one or all that wait for a channel, as one PDF."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from billing.errors import BillingError
from billing.messages.message import read_enclosure
from billing.operations.enclosures import ATTACHMENT, make_enclosure
from billing.operations.printing import PrintShop
from billing.store.message_list import Enclosed, load_enclosed
from control_plane.cli._books import open_books
from control_plane.cli._console import Connection, Refused
from control_plane.paper_run import write_whole
from control_plane.settings import Settings

_SHOWN: Final = 20


@click.command("print")
@click.argument("numbers", type=int, nargs=-1)
@click.option("--channel", help="All that wait to go by it, such as registered_letter.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The PDF.")
@click.pass_obj
def print_(settings: Settings, numbers: Sequence[int], *, channel: str | None, out: Path) -> None:
    """Print what goes with messages NUMBERS, or with all that wait for a channel, one after the other in one PDF.

    A notice is printed as its step of dunning wrote it, whatever was paid since. Nothing is noted: `corrente message done` does that.
    """
    if (not numbers) == (channel is None):
        raise click.UsageError("say which: numbers, or --channel")
    with open_books(settings) as connection, PrintShop(settings.papers_dir) as shop:
        found = load_enclosed(connection, numbers, channel=channel)
        missing = sorted(set(numbers) - {one.message_id for one in found})
        if missing:
            raise Refused(f"there is no message {missing[0]}: `corrente message list` shows them")
        if not found:
            raise Refused(f"no message waits to go by {channel}: `corrente message list --channel {channel}`")
        try:
            papers = {one.message_id: _papers(connection, shop, one) for one in found}
            bare = [number for number, own in papers.items() if not own]
            if len(bare) == len(found):
                raise Refused(f"message {bare[0]} has no paper: its text is all there is of it")
            whole = shop.bundle([paper for own in papers.values() for paper in own])
        except BillingError as error:
            raise Refused(str(error)) from error
    try:
        write_whole(out, whole)
    except OSError as error:
        raise Refused(f"can't write {out}: {error.strerror}") from error
    click.echo(f"Wrote {len(found) - len(bare)} messages to {out}.")
    if bare:
        shown = ", ".join(map(str, bare[:_SHOWN])) + ("…" if len(bare) > _SHOWN else "")
        click.echo(f"Without a paper, and not in it: {shown}.", err=True)


def _papers(connection: Connection, shop: PrintShop, one: Enclosed) -> list[bytes]:
    """What is printed of a message: stored files of a customer go by themselves."""
    wanted = (read_enclosure(text) for text in one.enclosures)
    return [
        make_enclosure(connection, shop, paper, customer_id=one.customer_id).content
        for paper in wanted
        if paper.kind != ATTACHMENT
    ]
