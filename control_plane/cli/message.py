"""`corrente message`: what customers are told: sent, listed, taken back, and the texts it is written in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from billing.messages.message import EMAIL, Enclosure, NewMessage, Purpose, State
from billing.store.customer_papers import save_consent
from billing.store.issued import find_document
from billing.store.message_batches import load_batches
from billing.store.message_list import load_happened, load_message, load_messages
from billing.store.undeliverable import clear_undeliverable, load_undeliverable
from control_plane import audit
from control_plane.cli._books import known_customer, open_books
from control_plane.cli._console import Refused, os_user, print_json, print_table
from control_plane.cli._group import Group
from control_plane.cli._message_many import invoices, outage, send_all
from control_plane.cli._message_print import print_
from control_plane.cli._message_template import template
from control_plane.cli._message_text import (
    DRY_RUN,
    LANGUAGE,
    PURPOSE,
    YES,
    happening_words,
    known_batch,
    moment_words,
    read_typed,
    tell_outlook,
    text_options,
)
from control_plane.cli._options import coming_instant, confirm
from control_plane.messages import desk
from control_plane.messages.channel import ChannelError
from control_plane.messages.trial import send_trial
from control_plane.settings import Settings

command = Group("message", help="What customers are told: sent, listed, taken back, and the texts it is written in.")
command.add_command(send_all)
command.add_command(outage)
command.add_command(invoices)
command.add_command(print_)
command.add_command(template)
address = Group("address", help="Addresses that do not exist: nothing is sent there.")
command.add_command(address)

_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document.")
_BATCH = click.option("--batch", "batch_id", type=int, help="All of a batch.")
_SUBJECT_LETTERS: Final = 60


@command.command("send")
@click.argument("customer")
@text_options
@PURPOSE
@LANGUAGE
@click.option("--contract", "contract_id", type=int, help="To the contact of this contract, if it has one.")
@click.option("--document", "documents", multiple=True, help="With this issued document as PDF; repeat.")
@click.option("--attachment", "attachments", type=int, multiple=True, help="With this file of the customer; repeat.")
@click.option("--not-before", metavar="TIME", help="Such as 2026-01-31 18:40 or +2h.")
@click.option("--at-once", is_flag=True, help="Also in quiet hours.")
@click.option("--key", help="Any text of yours: typed again with it, nothing is written.")
@DRY_RUN
@click.pass_obj
def send(
    settings: Settings, /, *, customer: str, purpose: str | None, language: str | None, not_before: str | None,
    at_once: bool, key: str | None, dry_run: bool, **options: Any,
) -> None:  # fmt: skip
    """Write to one CUSTOMER: number, reference or whole name."""
    typed = read_typed(options, purpose)
    now = datetime.now(UTC)
    start = None if not_before is None else coming_instant(not_before, settings.zone, now)
    with open_books(settings) as connection:
        known = known_customer(connection, customer)
        enclosed = [Enclosure("document", find_document(connection, one)) for one in options["documents"]]
        enclosed += [Enclosure("attachment", one) for one in options["attachments"]]
        message = NewMessage(
            known.id,
            typed.kind,
            f"by hand {key or now.isoformat()}",
            typed.data,
            typed.purpose,
            contract_id=options["contract_id"],
            language=language,
            enclosures=tuple(enclosed),
            not_before=start,
            at_once=at_once,
        )
        written = desk.write_one(connection, settings, message, by=os_user(), now=now)
        if written.number is None:
            click.echo(f"That was written before, with key {key!r}: nothing was done.")
            return
        tell_outlook(written.outlook, settings, whole=True)
        if dry_run:
            connection.rollback()
            click.echo("\nDry run: nothing was written.")
            return
    click.echo(f"\nMessage {written.number}: `corrente message show {written.number}` says what becomes of it.")


@command.command("list")
@click.option("--customer", help="Those to one customer.")
@click.option("--state", type=click.Choice([str(one) for one in State]))
@_BATCH
@click.option("--channel", help="Of one channel, such as registered_letter.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@_JSON
@click.pass_obj
def list_(settings: Settings, /, *, customer: str | None, as_json: bool, **options: Any) -> None:
    """The newest messages and how they stand."""
    with open_books(settings) as connection:
        whose = None if customer is None else known_customer(connection, customer).id
        found = load_messages(connection, customer_id=whose, **options)
    if as_json:
        print_json([asdict(one) for one in found])
        return
    rows = (
        (
            one.id,
            moment_words(one.ended_at or one.next_at, settings),
            one.state,
            f"{one.customer} ({one.customer_id})",
            one.address or (None if one.channel == EMAIL else one.channel),
            (one.subject or one.template)[:_SUBJECT_LETTERS],
            one.problem,
        )
        for one in found
    )
    print_table(("NUMBER", "WHEN", "STATE", "TO", "ADDRESS", "ABOUT", "PROBLEM"), rows, empty="No messages.")


@command.command("show")
@click.argument("number", type=int)
@click.option("--html", "html_file", type=click.Path(path_type=Path, dir_okay=False), help="Its HTML to this file.")
@_JSON
@click.pass_obj
def show(settings: Settings, number: int, *, html_file: Path | None, as_json: bool) -> None:
    """Message NUMBER: its text as it was sent, why it was written, and what became of it, in the server's words."""
    with open_books(settings) as connection:
        found = load_message(connection, number)
        if found is None:
            raise Refused(f"there is no message {number}: `corrente message list` shows them")
        happened = load_happened(connection, number)
    if as_json:
        print_json({**asdict(found), "happened": [asdict(one) for one in happened]})
        return
    click.echo(f"Message {found.id} to {found.customer} ({found.customer_id}): {found.state}")
    if found.problem:
        click.echo(f"  {found.problem}")
    click.echo(
        f"  because of {found.origin}, {found.purpose}, by {found.channel}, of kind {found.template}, by {found.made_by}"
    )
    if found.enclosures:
        click.echo(f"  with {', '.join(found.enclosures)}")
    for one in happened:
        click.echo(f"  {moment_words(one.at, settings)}  {happening_words(one.happened)}: {one.detail}".rstrip(": "))
    if found.body is None:
        click.echo("  its text is written when it is sent")
    else:
        click.echo(
            f"\nTo: {found.address}\nSubject: {found.subject}\nMessage-ID: {found.reference}\n\n{found.body}", nl=False
        )
    if html_file is not None:
        if found.html is None:
            raise Refused("it was not written yet")
        html_file.write_text(found.html, encoding="utf-8")


@command.command("cancel")
@click.argument("numbers", type=int, nargs=-1)
@_BATCH
@click.option("--reason", default="taken back", show_default=True)
@YES
@click.pass_obj
def cancel(settings: Settings, numbers: Sequence[int], *, batch_id: int | None, reason: str, yes: bool) -> None:
    """Take back what has not gone: these NUMBERS, or a whole batch. What went stays gone, and is said."""
    if not numbers and batch_id is None:
        raise click.UsageError("say which: numbers, or --batch")
    with open_books(settings) as connection:
        if batch_id is not None:
            one = known_batch(batch_id, load_batches(connection, batch_id=batch_id))
            confirm(f"Take back what has not gone of {one.title!r}, {one.waiting} of {one.messages}?", yes=yes)
        done = desk.take_back(connection, numbers, batch_id=batch_id, reason=reason, by=os_user())
    click.echo(f"{len(done)} messages are taken back.")
    left = sorted(set(numbers) - set(done))
    if left:
        raise Refused(
            f"{', '.join(map(str, left))}: not queued any more, or not there: `corrente message show {left[0]}`"
        )


@command.command("again")
@click.argument("numbers", type=int, nargs=-1)
@_BATCH
@click.option("--copy", is_flag=True, help="Also what was sent: as a new message.")
@click.pass_obj
def again(settings: Settings, numbers: Sequence[int], *, batch_id: int | None, copy: bool) -> None:
    """Queue again what did not arrive: these NUMBERS, or what failed and bounced of a batch."""
    if not numbers and batch_id is None:
        raise click.UsageError("say which: numbers, or --batch")
    with open_books(settings) as connection:
        done, copies = desk.again(connection, numbers, batch_id=batch_id, copy=copy, by=os_user())
    click.echo(f"{len(done)} messages are queued again.")
    for one, made in sorted(copies.items()):
        click.echo(f"Message {made} is a copy of {one}.")
    left = sorted(set(numbers) - set(done) - set(copies))
    if left:
        raise Refused(f"{', '.join(map(str, left))}: sent, queued or not there; `--copy` sends once more what was sent")


@command.command("done")
@click.argument("numbers", type=int, nargs=-1, required=True)
@click.option("--note", required=True, help="How and when, such as the number of the registered letter.")
@click.pass_obj
def done(settings: Settings, numbers: Sequence[int], *, note: str) -> None:
    """Messages NUMBERS went by hand: by a channel that nothing here sends by, such as a letter."""
    with open_books(settings) as connection:
        for number in numbers:
            try:
                desk.done_by_hand(connection, number, note, by=os_user())
            except desk.NotWaitingError as error:
                raise Refused(str(error)) from error
    for number in numbers:
        click.echo(f"Message {number} is noted as sent.")


@command.command("batches")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@_JSON
@click.pass_obj
def batches(settings: Settings, *, limit: int, as_json: bool) -> None:
    """What went to many, and how far it is."""
    with open_books(settings) as connection:
        found = load_batches(connection, limit=limit)
    if as_json:
        print_json([asdict(one) for one in found])
        return
    rows = (
        (
            one.id,
            moment_words(one.made_at, settings),
            one.title,
            one.messages,
            one.waiting,
            one.sent,
            one.failed,
            one.withheld,
            one.cancelled,
            one.made_by,
        )
        for one in found
    )
    columns = ("BATCH", "MADE", "WHAT", "ALL", "WAITING", "SENT", "FAILED", "WITHHELD", "CANCELLED", "BY")
    print_table(columns, rows, empty="Nothing went to many.")


@command.command("consent")
@click.argument("customer")
@click.option("--purpose", type=click.Choice([str(Purpose.MARKETING), str(Purpose.SERVICE)]), required=True)
@click.option("--given/--declined", "given", required=True, help="What the customer said.")
@click.option("--wording", required=True, help="To which words.")
@click.option("--evidence", help="Where that can be looked up.")
@click.option("--channel", default=EMAIL, show_default=True)
@click.pass_obj
def consent(settings: Settings, /, *, customer: str, given: bool, **options: Any) -> None:
    """Note what a CUSTOMER said of being written to. The newest word counts; all are kept."""
    with open_books(settings) as connection:
        known = known_customer(connection, customer)
        save_consent(connection, known.id, given=given, taken_by=os_user(), **options)
    click.echo(f"{known.name}: {options['purpose']} by {options['channel']} is {'given' if given else 'declined'}.")


@command.command("test")
@click.argument("to")
@click.pass_obj
def test(settings: Settings, to: str) -> None:
    """Send a mail to the address TO now, and say what the server answered: to try the settings."""
    try:
        said = send_trial(settings, to)
    except ChannelError as error:
        raise Refused(str(error)) from error
    click.echo(said)


@address.command("list")
@_JSON
@click.pass_obj
def address_list(settings: Settings, *, as_json: bool) -> None:
    """Addresses that do not exist, by the word of the server for them, and whose they are."""
    with open_books(settings) as connection:
        found = load_undeliverable(connection)
    if as_json:
        print_json([asdict(one) for one in found])
        return
    rows = (
        (one.address, moment_words(one.since, settings), ", ".join(map(str, one.customers)), one.message_id, one.reason)
        for one in found
    )
    print_table(
        ("ADDRESS", "SINCE", "CUSTOMERS", "MESSAGE", "REASON"), rows, empty="All addresses exist, as far as known."
    )


@address.command("clear")
@click.argument("text", metavar="ADDRESS")
@click.option("--channel", default=EMAIL, show_default=True)
@click.pass_obj
def address_clear(settings: Settings, text: str, *, channel: str) -> None:
    """Write to ADDRESS again. What was withheld meanwhile goes by `corrente message again`."""
    with open_books(settings) as connection:
        if not clear_undeliverable(connection, channel, text):
            raise Refused(f"{text!r} is not among them: `corrente message address list`")
        audit.append(connection, actor=os_user(), action="message.clear_address", subject=text.lower())
    click.echo(f"{text} is written to again.")
