"""`corrente message send-all` and `outage`: one text to many, looked at before it goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from billing.messages.message import EMAIL, Purpose
from billing.operations.invoice_messages import send_invoices
from billing.store.issued import find_document
from billing.store.message_batches import customers_of
from billing.store.selection import load_selected
from control_plane import audit
from control_plane.cli._books import open_books
from control_plane.cli._console import Connection, Refused, os_user, unknown
from control_plane.cli._message_text import (
    DRY_RUN,
    LANGUAGE,
    PURPOSE,
    YES,
    Typed,
    read_typed,
    tell_outlook,
    text_options,
)
from control_plane.cli._options import coming_instant, confirm
from control_plane.cli._selection import read_selection, selection_options
from control_plane.messages.many import ToMany, queue_many
from control_plane.messages.outlook import look_ahead
from control_plane.quantities import QuantityError, read_instant
from control_plane.settings import Settings
from control_plane.store.audience import load_behind, load_sites
from control_plane.store.nas import load_nases

_HOURS_OFFLINE = 72
_OUTAGES = ("outage", "maintenance", "outage_over")


@click.command("send-all")
@text_options
@selection_options
@PURPOSE
@LANGUAGE
@click.option("--title", help="What this batch is called in lists; its subject, if not said.")
@click.option("--not-before", metavar="TIME", help="Such as 2026-01-31 18:40 or +2h.")
@DRY_RUN
@YES
@click.pass_obj
def send_all(
    settings: Settings, /, *, purpose: str | None, language: str | None, title: str | None, not_before: str | None,
    dry_run: bool, yes: bool, **options: Any,
) -> None:  # fmt: skip
    """One text to each customer of a choice of contracts."""
    typed = read_typed(options, purpose)
    now = datetime.now(UTC)
    start = None if not_before is None else coming_instant(not_before, settings.zone, now)
    with open_books(settings) as connection:
        selection = read_selection(connection, options)
        contracts = load_selected(connection, selection, day=now.astimezone(settings.zone).date())
        scope = {name: value for name, value in options.items() if value and name not in ("text", "text_file", "given")}
        _send(
            connection,
            settings,
            customers_of(connection, contracts),
            typed,
            title=title or str(options["subject"] or options["kind"]),
            scope={key: str(value) for key, value in scope.items()},
            more={"language": language, "not_before": start},
            dry_run=dry_run,
            yes=yes,
        )


@click.command("outage")
@click.option("--nas", "nas_names", multiple=True, help="Whoever has a line behind this NAS; repeat.")
@click.option("--site", "site_names", multiple=True, help="Behind the NASes of this site; repeat.")
@click.option("--line", "lines", multiple=True, help="At access lines like this, such as 'AP-12%'; repeat.")
@click.option("--hours", type=click.IntRange(0, 24 * 31), default=_HOURS_OFFLINE, show_default=True,
              help="Who is offline now is told too, if it was last seen there within so many hours.")  # fmt: skip
@click.option("--kind", type=click.Choice(_OUTAGES), default="outage", show_default=True)
@click.option("--place", help="As customers know it.")
@click.option("--text", help="What else they are told.")
@click.option("--since", metavar="TIME", help="When works begin, such as 2026-01-31 01:00.")
@click.option("--until", metavar="TIME", help="When it is expected to be over.")
@LANGUAGE
@DRY_RUN
@YES
@click.pass_obj
def outage(settings: Settings, /, *, hours: int, kind: str, language: str | None, dry_run: bool, yes: bool, **options: Any) -> None:  # fmt: skip
    """Tell everybody behind a NAS, a site or an access point that it is down, will be worked on, or is back.

    It goes at any hour; who declined service messages is not told. What has not gone by its end is not sent any more.
    """
    now = datetime.now(UTC)
    since, until = (_moment(options[name], settings, now) for name in ("since", "until"))
    if kind == "maintenance" and since is None:
        raise click.UsageError("works have a beginning: --since")
    told = {"place": options["place"], "text": options["text"], "until": until}
    data = {name: value for name, value in told.items() if value is not None}
    if since is not None:
        data["since"] = since
    with open_books(settings) as connection:
        behind = _behind(
            connection, hours=hours, **{name: options[name] for name in ("nas_names", "site_names", "lines")}
        )
        scope = {name: list(options[name]) for name in ("nas_names", "site_names", "lines") if options[name]}
        _send(
            connection,
            settings,
            behind,
            Typed(kind, data, Purpose.SERVICE),
            title=f"{kind} at {options['place'] or ', '.join(name for names in scope.values() for name in names)}"[
                :200
            ],
            scope={**scope, "hours": hours},
            more={"language": language, "at_once": kind != "maintenance", "expires_at": until},
            dry_run=dry_run,
            yes=yes,
        )


@click.command("invoices")
@click.argument("numbers", nargs=-1, metavar="[NUMBER]...")
@click.option("--run", "run_id", type=int, help="All invoices and credit notes of a billing run.")
@DRY_RUN
@YES
@click.pass_obj
def invoices(settings: Settings, numbers: tuple[str, ...], *, run_id: int | None, dry_run: bool, yes: bool) -> None:
    """Send invoices and credit notes to their customers, each as PDF; what was sent before is not sent again."""
    if (not numbers) == (run_id is None):
        raise click.UsageError("give the numbers of documents, or --run")
    with open_books(settings) as connection:
        documents = [find_document(connection, number) for number in numbers]
        sent = send_invoices(connection, document_ids=documents, run_id=run_id, made_by=os_user())
        ids = sent.messages
        click.echo(f"{len(ids)} documents to send")
        if sent.waiting:
            click.echo(f"{sent.waiting} wait for the tax authority: `corrente einvoice list` says how far they are")
        if not ids:
            return
        tell_outlook(look_ahead(connection, settings, ids, channel=EMAIL, now=datetime.now(UTC)), settings, whole=False)
        if dry_run:
            connection.rollback()
            click.echo("\nDry run: nothing was written.")
            return
        click.echo()
        confirm(f"Send {len(ids)} documents?", yes=yes)
        detail = {"documents": len(ids), "run": run_id}
        audit.append(connection, actor=os_user(), action="message.invoices", subject="messages", detail=detail)


def _behind(
    connection: Connection, *, nas_names: Sequence[str], site_names: Sequence[str], lines: Sequence[str], hours: int
) -> list[tuple[int, int]]:
    if not (nas_names or site_names or lines):
        raise click.UsageError("say where: --nas, --site or --line")
    nases = {nas.name: nas.id for nas in load_nases(connection)} if nas_names else {}
    sites = load_sites(connection) if site_names else {}
    for noun, names, known in (("NAS", nas_names, nases), ("site", site_names, sites)):
        for name in names:
            if name not in known:
                raise unknown(noun, name, known, also="`corrente nas list` shows them")
    found = load_behind(
        connection,
        nases=[nases[name] for name in nas_names],
        sites=[sites[name] for name in site_names],
        lines=lines,
        hours=hours,
    )
    return [(one.customer_id, one.contract_id) for one in found]


def _send(
    connection: Connection,
    settings: Settings,
    customers: Sequence[tuple[int, int]],
    typed: Typed,
    *,
    title: str,
    scope: Mapping[str, object],
    more: Mapping[str, Any],
    dry_run: bool,
    yes: bool,
) -> None:
    """Queue one each, show what would come of it, and commit when the person says so."""
    if not customers:
        raise Refused("that is nobody: nothing was written")
    said = ToMany(typed.kind, typed.data, typed.purpose, title, scope, more)
    queued = queue_many(connection, settings, customers, said, by=os_user(), now=datetime.now(UTC))
    click.echo(f"To {queued.messages} customers: {title}")
    tell_outlook(queued.outlook, settings, whole=False)
    if dry_run:
        connection.rollback()
        click.echo("\nDry run: nothing was written.")
        return
    click.echo()
    confirm(f"Send to {queued.messages} customers?", yes=yes)
    batch = queued.batch_id
    click.echo(
        f"Batch {batch}: `corrente message batches` shows how far it is, `corrente message cancel --batch {batch}` takes back what has not gone."
    )


def _moment(text: str | None, settings: Settings, now: datetime) -> datetime | None:
    if text is None:
        return None
    try:
        return read_instant(text, zone=settings.zone, now=now)
    except QuantityError as error:
        raise click.UsageError(str(error)) from error
