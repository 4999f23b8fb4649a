"""`corrente order`: what was agreed on; invoiced with or without advances, or cancelled."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import click

from billing.documents import DocumentKind
from billing.money import read_money
from billing.operations.offer_desk import open_offer
from billing.operations.orders import cancel_order, draft_advance, draft_final, invoice_advance, invoice_final
from billing.store.issuers import load_issuers
from billing.store.quotes import Offer, load_invoices
from control_plane.cli._books import DECIMAL, open_books, today_of
from control_plane.cli._console import Connection, os_user, print_json, print_table
from control_plane.cli._group import Group
from control_plane.cli._keyed import keyed
from control_plane.cli._offers import (
    add_list,
    draft_json,
    due_after,
    issued_json,
    known_offer,
    offer_json,
    tell_draft,
    tell_offer,
)
from control_plane.cli._options import confirm
from control_plane.settings import Settings

command = Group("order", help="What was agreed on; invoiced with or without advances, or cancelled.")

_STATES: Final = {"open": "issued", "invoiced": "accepted", "cancelled": "refused"}


add_list(command, DocumentKind.ORDER, _STATES)


@command.command("show")
@click.argument("number")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def show_command(settings: Settings, number: str, *, as_json: bool) -> None:
    """Order NUMBER with its lines and its invoices."""
    with open_books(settings) as connection:
        offer = known_offer(connection, DocumentKind.ORDER, number)
        invoices = load_invoices(connection, offer.id)
    if as_json:
        print_json(
            {**offer_json(offer), "invoices": [{**offer_json(one), "advance": one.is_advance} for one in invoices]}
        )
        return
    tell_offer(offer)
    rows = [
        (one.label, "advance" if one.is_advance else "final", one.document_date, one.gross.amount, one.payable.amount)
        for one in invoices
    ]
    print_table(("invoice", "", "of", "in all", "payable"), rows, empty="No invoice yet.")


@command.command("advance")
@keyed
@click.argument("number")
@click.option("--percent", type=DECIMAL, help="So many percent of the order.")
@click.option("--amount", type=DECIMAL, help="An amount with its tax.")
@click.option("--due-days", type=click.IntRange(0, 180), default=0, show_default=True, help="When it is to be paid.")
@click.option("--dry-run", is_flag=True, help="Show it, write nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def advance_command(
    settings: Settings,
    number: str,
    *,
    percent: Decimal | None,
    amount: Decimal | None,
    due_days: int,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Invoice a part of order NUMBER before it is delivered, with its tax."""
    if (percent is None) == (amount is None):
        raise click.UsageError("give either --percent or --amount")
    with open_books(settings) as connection:
        offer = known_offer(connection, DocumentKind.ORDER, number)
        today = today_of(_zone(connection, offer))
        draft = draft_advance(
            connection,
            offer.id,
            today=today,
            due_on=due_after(today, due_days),
            amount=None if amount is None else read_money(amount, offer.currency),
            percent=percent,
        )
        if dry_run:
            tell_draft(draft, as_json=as_json)
            return
        issued = invoice_advance(connection, draft, actor=os_user())
    if as_json:
        print_json({"id": issued.id, "number": issued.label, **draft_json(draft)})
    else:
        click.echo(f"Advance invoice {issued.label} on order {offer.label}: {draft.totals.gross}.")


@command.command("invoice")
@keyed
@click.argument("number")
@click.option("--due-days", type=click.IntRange(0, 180), default=15, show_default=True, help="When it is to be paid.")
@click.option("--dry-run", is_flag=True, help="Show it, write nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def invoice_command(settings: Settings, number: str, *, due_days: int, dry_run: bool, as_json: bool) -> None:
    """Invoice order NUMBER, less its advances."""
    with open_books(settings) as connection:
        offer = known_offer(connection, DocumentKind.ORDER, number)
        today = today_of(_zone(connection, offer))
        draft = draft_final(connection, offer.id, today=today, due_on=due_after(today, due_days))
        if dry_run:
            tell_draft(draft, as_json=as_json)
            return
        issued = invoice_final(connection, draft, actor=os_user())
    if as_json:
        print_json({"id": issued.id, "number": issued.label, **draft_json(draft)})
    else:
        click.echo(
            f"Invoice {issued.label} of order {offer.label}: {draft.totals.gross}, payable {draft.totals.payable}."
        )


@command.command("cancel")
@keyed
@click.argument("number")
@click.option("--reason", required=True, help="Why; it is printed on the credit notes.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def cancel_command(settings: Settings, number: str, *, reason: str, yes: bool, as_json: bool) -> None:
    """Order NUMBER is not carried out: its advances are given back by credit notes."""
    with open_books(settings) as connection:
        offer = open_offer(connection, known_offer(connection, DocumentKind.ORDER, number).id, DocumentKind.ORDER)
        advances = [one for one in load_invoices(connection, offer.id) if one.is_advance]
        # The answer may take minutes, and nobody shall wait for it.
        connection.rollback()
        words = f" and give back {', '.join(one.label for one in advances)}" if advances else ""
        confirm(f"Cancel order {offer.label} of {offer.customer}{words}?", yes=yes)
    with open_books(settings) as connection:
        today = today_of(_zone(connection, offer))
        notes = cancel_order(connection, offer.id, today=today, actor=os_user(), reason=reason)
    if as_json:
        print_json({"order": offer.label, "credit_notes": [issued_json(one) for one in notes]})
    else:
        given = f"; credit notes {', '.join(one.label for one in notes)}" if notes else ""
        click.echo(f"Order {offer.label} is cancelled{given}.")


def _zone(connection: Connection, offer: Offer) -> str:
    return next(issuer.zone for issuer in load_issuers(connection) if issuer.id == offer.issuer_id)
