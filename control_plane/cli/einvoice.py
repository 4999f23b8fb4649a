"""`corrente einvoice`: documents on their way to the tax authority, what it said, and what may be done about it."""

from __future__ import annotations

import base64
import binascii
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click

from billing.einvoice.outcome import State
from billing.store import einvoice_desk as desk
from billing.store import einvoices as store
from billing.store.einvoice_desk import Listed
from billing.store.einvoices import Einvoice, EinvoiceAccount
from billing.store.issued import find_document
from control_plane import audit
from control_plane.cli._books import open_books
from control_plane.cli._console import Connection, Refused, os_user, print_json, print_table, sealer_of
from control_plane.cli._einvoice_account import (
    ACCOUNT,
    account,
    disable,
    enable,
    known_account,
    providers,
    range_,
    unblock,
)
from control_plane.cli._group import Group
from control_plane.cli._options import confirm
from control_plane.einvoice import by_hand, office
from control_plane.einvoice.provider import provider_for
from control_plane.einvoice.test_authority_server import FAULTS, Authority, AuthorityServer
from control_plane.einvoice.work import read_messages
from control_plane.jobs.einvoices import speaker_of
from control_plane.quantities import instant_text
from control_plane.settings import Settings

command = Group("einvoice", help="E-invoices: documents on their way to the tax authority.")
for part in (account, disable, enable, providers, range_, unblock):
    command.add_command(part)

_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document.")
_STATES: Final = tuple(state.value for state in State)


@command.command("list")
@click.option("--account", "name", help="Those of one account.")
@click.option("--state", type=click.Choice(_STATES), help="Only those.")
@click.option("--waiting", "only_waiting", is_flag=True, help="Those that need a person.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@_JSON
@click.pass_obj
def list_(settings: Settings, /, *, name: str | None, as_json: bool, **options: Any) -> None:
    """The newest e-invoices and how far they are."""
    with open_books(settings) as connection:
        number = None if name is None else known_account(connection, name).id
        found = desk.load_list(connection, account_id=number, **options)
    if as_json:
        print_json([asdict(one) for one in found])
        return
    rows = (
        (
            one.label,
            one.document_date,
            one.account,
            _number(one),
            one.state,
            one.handover,
            one.authority_code,
            _problem(one),
        )
        for one in found
    )
    columns = ("DOCUMENT", "DATE", "ACCOUNT", "NUMBER THERE", "STATE", "RECEIVER", "CODE", "")
    print_table(columns, rows, empty="None.")


@command.command("show")
@click.argument("label")
@click.option("--file", "kind", help="Print that file of it instead, such as sent or receipt.")
@_JSON
@click.pass_obj
def show(settings: Settings, *, label: str, kind: str | None, as_json: bool) -> None:
    """The e-invoice of document LABEL: what was said about it, its files, and what may be done."""
    with open_books(settings) as connection:
        one = _known(connection, label)
        content = None if kind is None else desk.load_file(connection, one.id, kind)
        listed, said, files = desk.load_one(connection, one.id)
        by = store.load_account(connection, one.account_id)
    if kind is not None:
        if content is None:
            raise Refused(
                f"there is no file {kind!r} of {label}: there are {', '.join(each for each, _, _ in files) or 'none'}"
            )
        click.echo(content, nl=False)
        return
    found = by_hand.remedies_of(one, by)
    if as_json:
        told = [asdict(each) for each in said]
        kept = [{"kind": each, "digest": digest.hex(), "octets": size} for each, digest, size in files]
        extra = {"said": told, "files": kept, "remedies": found.remedies, "resend_until": found.until}
        print_json(asdict(listed) | {"authority_key": one.standing.authority_key, "qr_text": one.qr_text} | extra)
        return
    _print(one, listed, settings)
    click.echo(f"What may be done: {by_hand.said(found)}" + (f" (until {found.until})" if found.until else ""))
    rows = (
        (instant_text(each.at, settings.zone), each.direction, each.operation, each.code, each.text) for each in said
    )
    print_table(("AT", "", "", "CODE", ""), rows, empty="Nothing was said yet.")
    print_table(
        ("FILE", "OCTETS", "SHA-256"), ((each, size, digest.hex()) for each, digest, size in files), empty="No files."
    )


@command.command("retry")
@click.argument("label")
@click.option("--late", is_flag=True, help="Also behind the last day on which it was to be sent again.")
@click.pass_obj
def retry(settings: Settings, *, label: str, late: bool) -> None:
    """Send document LABEL again under its number where the law lets; ask at once where it is in doubt."""
    with open_books(settings) as connection:
        one = _known(connection, label)
        said = office.send_again(connection, settings, sealer_of(settings), one, label=label, late=late, by=os_user())
    click.echo(f"{label} {said}.")


@command.command("send")
@click.argument("labels", nargs=-1, required=True)
@click.pass_obj
def send(settings: Settings, *, labels: tuple[str, ...]) -> None:
    """Queue documents that were issued before their issuer's account counts, or while it was off."""
    with open_books(settings) as connection:
        ids = [find_document(connection, label) for label in labels]
        count = office.send_documents(connection, ids, subject=", ".join(labels), by=os_user())
    click.echo(f"{count} of {len(labels)} documents are queued." + _why_fewer(count, len(labels)))


def _why_fewer(count: int, asked: int) -> str:
    if count == asked:
        return ""
    return " The others are queued already, are held (`corrente einvoice list --waiting`), or their issuer has no account that is on."


@command.command("status")
@click.option("--check", "asks", is_flag=True, help="Ask each authority whether it answers and takes our login.")
@_JSON
@click.pass_obj
def status(settings: Settings, *, asks: bool, as_json: bool) -> None:
    """The accounts: whether they work, and how many documents are in which state."""
    shown = []
    with open_books(settings) as connection:
        for found in office.load_standings(connection):
            health = ""
            if asks:
                said = office.check(connection, settings, sealer_of(settings), found.account)
                health = f"{said.verdict}: {said.text}"
            shown.append((found.account, found.states, found.overdue, health))
    if as_json:
        print_json(
            [_fields(one) | {"states": states, "overdue": late, "check": health} for one, states, late, health in shown]
        )
        return
    rows = (
        (
            one.name,
            one.provider,
            one.environment,
            one.from_on,
            ", ".join(f"{count} {state}" for state, count in states.items()),
            "; ".join(filter(None, [_account_state(one, settings), f"{late} wait too long" if late else "", health])),
        )
        for one, states, late, health in shown
    )
    print_table(("ACCOUNT", "PROVIDER", "FOR", "FROM", "DOCUMENTS", ""), rows, empty="No accounts.")


@command.command("cancel")
@click.argument("label")
@click.option("--reason", required=True, help="Why; the authority is told.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def cancel(settings: Settings, *, label: str, reason: str, yes: bool) -> None:
    """Ask the authority to void document LABEL, where there is such a thing. The books are put right by a credit note."""
    with open_books(settings) as connection:
        one = _known(connection, label)
        by = store.load_account(connection, one.account_id)
        confirm(f"Ask to have {label} void at {by.name}?", yes=yes)
        audit.append(connection, actor=os_user(), action="einvoice.cancel", subject=label, detail={"reason": reason})
        connection.commit()
        speaker = speaker_of(connection, settings, by, sealer_of(settings))
        state = by_hand.cancel(connection, provider_for(by.provider), speaker, one.id, reason=reason)
    click.echo(f"{label} is {state.replace('_', ' ')}.")


@command.command("ingest")
@ACCOUNT
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_obj
def ingest(settings: Settings, *, name: str, file: Path) -> None:
    """Read a message of the authority that came by another way, such as a file by mail. The same again changes nothing."""
    with open_books(settings) as connection:
        one = known_account(connection, name)
        is_new = desk.keep_message(connection, one.id, file.read_bytes())
        connection.commit()
        speaker = speaker_of(connection, settings, one, sealer_of(settings))
        believed = read_messages(connection, one, provider_for(one.provider), speaker) if is_new else 0
    if is_new and not believed:
        raise Refused(f"{file} is not believed: it is no message of this authority, or its signature is another's")
    click.echo("It was read." if is_new else "It was read before.")


@command.command("test-authority")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Any free one otherwise.")
@click.option(
    "--issuer",
    "issuers",
    nargs=2,
    multiple=True,
    metavar="TAX_NUMBER KEY",
    help="Whom to take documents of: base64 of its public key's 32 octets.",
)
@click.option(
    "--script",
    "words",
    multiple=True,
    type=click.Choice(tuple(FAULTS)),
    help="What to do with the next documents; repeat.",
)
def serve_stand_in(*, port: int, issuers: tuple[tuple[str, str], ...], words: tuple[str, ...]) -> None:
    """Serve the test authority on this machine, to try the way of an e-invoice. It is no country's; it forgets all at its end."""
    authority = Authority(script=list(words))
    for tax_number, key in issuers:
        authority.register(tax_number, _octets(key))
    with AuthorityServer(authority, port=port) as server:
        click.echo(f"Test authority at {server.url}; its key: {authority.public_key}. Ctrl-C ends it.")
        while True:
            time.sleep(3600)


def _octets(text: str) -> bytes:
    try:
        octets = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise Refused(f"{text!r} is no base64") from error
    if len(octets) != 32:
        raise Refused(f"a public key has 32 octets, not {len(octets)}")
    return octets


def _known(connection: Connection, label: str) -> Einvoice:
    document_id = find_document(connection, label)
    found = store.find_of_document(connection, document_id)
    if found is None:
        raise Refused(f"{label} is not queued for any authority: `corrente einvoice send {label}` does it")
    return store.hold(connection, found)


def _account_state(one: EinvoiceAccount, settings: Settings) -> str:
    if not one.enabled:
        return "off"
    if one.blocked_at is not None:
        return f"blocked: {one.blocked_reason}"
    return f"nobody answers; asked again at {instant_text(one.next_try, settings.zone)}" if one.failures else ""


def _fields(one: EinvoiceAccount) -> dict[str, object]:
    return {name: getattr(one, name) for name in type(one).__slots__ if name != "sealed_secret"}


def _number(one: Listed) -> str:
    return "" if one.number is None else f"{one.series} {one.number}"


def _problem(one: Listed) -> str:
    return "; ".join(filter(None, [one.problem, one.contradiction and f"CONTRADICTION: {one.contradiction}"]))


def _print(one: Einvoice, listed: Listed, settings: Settings) -> None:
    since = instant_text(listed.since, settings.zone)
    click.echo(
        f"{listed.label} of {listed.document_date} by {listed.account}, {_number(listed) or 'no number there yet'}"
    )
    click.echo(
        f"{listed.state.replace('_', ' ')} since {since}; receiver: {listed.handover}; sent {one.attempts} times"
    )
    if one.standing.authority_key:
        click.echo(
            f"The authority's key: {one.standing.authority_key}"
            + (f", code {one.authority_code}" if one.authority_code else "")
        )
    if said := _problem(listed):
        click.echo(said)
    if listed.next_try is not None:
        click.echo(f"Looked at next at {instant_text(listed.next_try, settings.zone)}")
