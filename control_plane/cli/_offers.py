"""What `corrente quote` and `corrente order` share: a document found by its number, its page, a list of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, timedelta
from typing import Any

import click

from billing.documents import DocumentKind, Draft
from billing.money import read_money
from billing.operations.offer_desk import state_word
from billing.store.documents import Issued
from billing.store.quotes import Offer, OfferRow, find_offer, list_offers, load_offer
from control_plane.cli._books import known_customer, open_books
from control_plane.cli._console import Connection, Refused, print_json, print_table
from control_plane.cli._group import Group
from control_plane.settings import Settings


def known_offer(connection: Connection, kind: DocumentKind, text: str) -> Offer:
    """The quote or order of that number as it is printed, or of that id; else the refusal."""
    found = find_offer(connection, kind, text)
    if len(found) > 1:
        ids = ", ".join(map(str, found))
        raise Refused(f"there are {len(found)} of number {text!r}, of several issuers: give the id, one of {ids}")
    offer = load_offer(connection, found[0]) if found else None
    if offer is None:
        raise Refused(f"there is no {kind} {text!r}: `corrente {kind} list` shows them")
    return offer


def tell_draft(draft: Draft, *, as_json: bool) -> None:
    """What would be written, without a number."""
    if as_json:
        print_json(draft_json(draft))
        return
    rows = [
        (line.description, f"{line.quantity.normalize():f}", line.net.amount, line.treatment.code)
        for line in draft.totals.lines
    ]
    print_table(("what", "quantity", "net", "tax"), rows, empty="nothing")
    click.echo(
        f"net {draft.totals.net}, tax {draft.totals.tax}, in all {draft.totals.gross}, payable {draft.totals.payable}"
    )
    for due in draft.dues:
        click.echo(f"  due on {due.due_on}: {due.amount}")


def draft_json(draft: Draft) -> dict[str, object]:
    """A draft's amounts."""
    totals = draft.totals
    return {
        "kind": str(draft.kind),
        "currency": draft.currency,
        "net": totals.net.amount,
        "tax": totals.tax.amount,
        "gross": totals.gross.amount,
        "payable": totals.payable.amount,
        "valid_until": draft.valid_until,
        "lines": [
            {
                "description": line.description,
                "quantity": line.quantity,
                "net": line.net.amount,
                "tax": line.treatment.code,
            }
            for line in totals.lines
        ],
        "dues": [{"due_on": due.due_on, "amount": due.amount.amount} for due in draft.dues],
    }


def issued_json(issued: Issued | None) -> dict[str, object] | None:
    """A document's number."""
    return None if issued is None else {"id": issued.id, "number": issued.label}


def tell_list(rows: Sequence[OfferRow], kind: DocumentKind, *, as_json: bool) -> None:
    """The table, or the document, of a list."""
    if as_json:
        print_json([{**asdict(row), "state": state_word(kind, row.state)} for row in rows])
        return
    columns: tuple[str, ...] = ("number", "state", "of", "customer", "in all")
    cells: list[tuple[object, ...]] = [
        (
            row.label,
            state_word(kind, row.state),
            row.document_date,
            f"{row.customer_id} {row.customer}",
            str(read_money(row.gross, row.currency)),
        )
        for row in rows
    ]
    if kind is DocumentKind.QUOTE:
        columns = (*columns, "holds until")
        cells = [(*cell, row.valid_until) for cell, row in zip(cells, rows, strict=True)]
    print_table(columns, cells, empty=f"There is no such {kind}.")


def offer_json(offer: Offer) -> dict[str, Any]:
    """A document with its lines and groups."""
    return {
        "id": offer.id,
        "kind": str(offer.kind),
        "number": offer.label,
        "state": state_word(offer.kind, offer.state),
        "customer": {"id": offer.customer_id, "name": offer.customer},
        "date": offer.document_date,
        "valid_until": offer.valid_until,
        "currency": offer.currency,
        "includes_tax": offer.includes_tax,
        "gross": offer.gross.amount,
        "payable": offer.payable.amount,
        "lines": [
            {
                "description": line.description,
                "quantity": line.quantity,
                "unit_price": line.unit_price,
                "discount": line.discount,
                "net": line.net.amount,
                "tax": line.treatment.code,
            }
            for line in offer.lines
        ],
        "groups": [
            {"rate": one.treatment.rate, "nature": one.treatment.nature, "base": one.base.amount, "tax": one.tax.amount}
            for one in offer.groups
        ],
    }


def tell_offer(offer: Offer) -> None:
    """A document's page."""
    until = f", holds until {offer.valid_until}" if offer.valid_until else ""
    click.echo(f"{offer.kind} {offer.label} of {offer.document_date}: {state_word(offer.kind, offer.state)}{until}")
    click.echo(f"  for {offer.customer_id} {offer.customer}")
    rows = [
        (line.description, f"{line.quantity.normalize():f}", line.net.amount, line.treatment.code)
        for line in offer.lines
    ]
    print_table(("what", "quantity", "net", "tax"), rows, empty="nothing")
    click.echo(f"in all {offer.gross} with tax, payable {offer.payable}")


def due_after(today: date, days: int) -> list[date]:
    """The one due day of an invoice."""
    return [today + timedelta(days=days)]


def add_list(group: Group, kind: DocumentKind, states: Mapping[str, str]) -> None:
    """`list` of quotes or orders. `states`: the document's state by the word for it that is asked for."""

    @group.command("list", help=f"The newest {kind}s.")
    @click.option("--state", type=click.Choice(list(states)), help="Only those.")
    @click.option("--customer", "customer_text", help="Only this customer's.")
    @click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many.")
    @click.option("--json", "as_json", is_flag=True, help="One JSON document.")
    @click.pass_obj
    def list_command(
        settings: Settings, *, state: str | None, customer_text: str | None, limit: int, as_json: bool
    ) -> None:
        with open_books(settings) as connection:
            customer_id = known_customer(connection, customer_text).id if customer_text else None
            wanted = states[state] if state else None
            rows = list_offers(connection, kind, state=wanted, customer_id=customer_id, limit=limit)
        tell_list(rows, kind, as_json=as_json)
