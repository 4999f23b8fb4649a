"""`corrente customer note`, `attach`, `fetch`, `detach`, `consent`, `history`: what is kept of a customer as evidence."""

from __future__ import annotations

import mimetypes
from pathlib import Path

import click

from billing.store.customer_papers import (
    load_attachments,
    load_content,
    load_history,
    save_attachment,
    save_consent,
    save_note,
)
from control_plane.cli._books import known_customer, open_books
from control_plane.cli._console import Refused, open_database, os_user, print_json, print_table
from control_plane.cli._options import confirm
from control_plane.customers import drop_attachment
from control_plane.quantities import instant_text
from control_plane.settings import Settings

# As the database has it.
MOST_OCTETS = 20_000_000


@click.command("note")
@click.argument("customer")
@click.argument("text")
@click.option("--contract", "contract_id", type=int, help="About this contract.")
@click.pass_obj
def note(settings: Settings, customer: str, text: str, *, contract_id: int | None) -> None:
    """Write TEXT about CUSTOMER, in your name and for good; a correction is another note."""
    if not text.strip():
        raise click.UsageError("the note is empty")
    with open_books(settings) as connection:
        found = known_customer(connection, customer)
        number = save_note(connection, found.id, text, author=os_user(), contract_id=contract_id)
    click.echo(f"Note {number} about customer {found.id} {found.name}.")


@click.command("attach")
@click.argument("customer")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--contract", "contract_id", type=int, help="Of this contract.")
@click.option("--name", help="Another name than the file's.")
@click.option("--media-type", help="Such as application/pdf; by the file's name by default.")
@click.pass_obj
def attach(
    settings: Settings, customer: str, file: Path, *, contract_id: int | None, name: str | None, media_type: str | None
) -> None:
    """Keep FILE with CUSTOMER, 20 MB at most; it never changes."""
    try:
        if file.stat().st_size > MOST_OCTETS:
            raise Refused(f"{file}: {file.stat().st_size:,} octets; 20,000,000 is the most")
        content = file.read_bytes()
    except OSError as error:
        raise Refused(f"{file}: can't be read: {error.strerror}") from error
    kind = media_type or mimetypes.guess_type(file.name, strict=False)[0] or "application/octet-stream"
    with open_books(settings) as connection:
        found = known_customer(connection, customer)
        number = save_attachment(
            connection,
            found.id,
            name=name or file.name,
            media_type=kind,
            content=content,
            author=os_user(),
            contract_id=contract_id,
        )
    click.echo(f"File {number} of customer {found.id} {found.name}: {name or file.name}, {len(content):,} octets.")


@click.command("fetch")
@click.argument("customer")
@click.argument("number", type=int)
@click.option("--to", type=click.Path(path_type=Path, dir_okay=False), help="Where to; the file's own name by default.")
@click.pass_obj
def fetch(settings: Settings, customer: str, number: int, *, to: Path | None) -> None:
    """Write file NUMBER of CUSTOMER to the disk as it was; nothing is overwritten."""
    with open_database(settings) as connection:
        found = known_customer(connection, customer)
        names = {one.id: one.name for one in load_attachments(connection, found.id)}
        content = load_content(connection, found.id, number)
    if content is None:
        there = ", ".join(f"{number} {name}" for number, name in names.items())
        raise Refused(f"customer {found.id} has no file {number}; {f'there is {there}' if there else 'it has none'}")
    path = to or Path(names[number])
    try:
        with path.open("xb") as file:
            file.write(content)
    except OSError as error:
        raise Refused(f"{path}: can't be written: {error.strerror}") from error
    click.echo(f"{path}: {len(content):,} octets.")


@click.command("detach")
@click.argument("customer")
@click.argument("number", type=int)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def detach(settings: Settings, customer: str, number: int, *, yes: bool) -> None:
    """Take file NUMBER of CUSTOMER away; the audit log keeps that it was there."""
    with open_books(settings) as connection:
        found = known_customer(connection, customer)
        names = {one.id: one.name for one in load_attachments(connection, found.id)}
        if number not in names:
            raise Refused(f"customer {found.id} has no file {number}")
        confirm(f"Take {names[number]} away for good?", yes=yes)
        drop_attachment(connection, found, number, actor=os_user())
    click.echo(f"File {number} {names[number]} of customer {found.id} {found.name} removed.")


@click.command("consent")
@click.argument("customer")
@click.argument("purpose")
@click.argument("channel")
@click.option("--given/--withdrawn", default=None, required=True, help="What the customer said.")
@click.option("--wording", required=True, help="The text that was agreed to, or by which it was withdrawn.")
@click.option("--evidence", help="Where the proof is: a file's number, a recording, a form.")
@click.pass_obj
def consent(
    settings: Settings, customer: str, purpose: str, channel: str, *, given: bool, wording: str, evidence: str | None
) -> None:
    """Write that CUSTOMER allowed or forbade a PURPOSE (marketing) by a CHANNEL (email). The newest of both counts."""
    with open_books(settings) as connection:
        found = known_customer(connection, customer)
        save_consent(
            connection,
            found.id,
            purpose=purpose,
            channel=channel,
            given=given,
            wording=wording,
            evidence=evidence,
            taken_by=os_user(),
        )
    said = "given" if given else "withdrawn"
    click.echo(f"Customer {found.id} {found.name}: {purpose} by {channel} {said}.")


@click.command("history")
@click.argument("customer")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="How many, newest first.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def history(settings: Settings, customer: str, *, limit: int, as_json: bool) -> None:
    """What happened to CUSTOMER and its contracts: deeds, notes, files, consents, documents."""
    with open_database(settings) as connection:
        happenings = load_history(connection, known_customer(connection, customer).id, limit=limit)
    if as_json:
        print_json(happenings)
        return
    print_table(
        ("TIME", "WHO", "WHAT", "DETAIL"),
        ((instant_text(one.at, settings.zone), one.who, one.what, one.detail) for one in happenings),
        empty="Nothing happened",
    )
