"""`corrente quote`: what is offered until when; accepted, it is an order and a contract."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Final

import click

from billing.documents import DocumentKind
from billing.new_contract import NewTerms
from billing.operations.quotes import (
    Asked,
    AskedLine,
    NoReasonError,
    accept_quote,
    draft_quote,
    expire_quotes,
    refuse_quote,
    send_quote,
)
from billing.store.issuers import load_issuers
from billing.store.quotes import load_contract_of, load_order_of
from control_plane.cli._books import DAY, issuer_meant, known_customer, open_books, read_decimal, today_of
from control_plane.cli._console import Connection, os_user, print_json, unknown
from control_plane.cli._group import Group
from control_plane.cli._keyed import keyed
from control_plane.cli._offers import (
    add_list,
    draft_json,
    issued_json,
    known_offer,
    offer_json,
    tell_draft,
    tell_offer,
)
from control_plane.cli._options import Quantity
from control_plane.quantities import QuantityError
from control_plane.settings import Settings

command = Group("quote", help="What is offered until when; accepted, it is an order and a contract.")

_STATES: Final = {"open": "issued", "accepted": "accepted", "refused": "refused", "expired": "expired"}
_BY_HAND_PARTS: Final = 4


def _read_sold(text: str) -> tuple[str, Decimal, Decimal | None]:
    """`Static address=2@4.50`: a product, how many, and another price than that of the day."""
    rest, at, price = text.rpartition("@")
    product, mark, count = (rest if at else text).rpartition("=")
    if not mark:
        product, count = count, "1"
    if not product:
        raise QuantityError(f"{text!r}: expected PRODUCT, PRODUCT=QUANTITY or PRODUCT=QUANTITY@PRICE")
    quantity = read_decimal(count)
    if quantity <= 0:
        raise QuantityError(f"{text!r}: a quantity is above 0; what is not sold is left out")
    return product, quantity, read_decimal(price) if at else None


def _read_by_hand(text: str) -> tuple[str, Decimal, Decimal, str]:
    """`Cabling of the house;2;35.00;IT-22`: words, how many, price each, tax code."""
    parts = [part.strip() for part in text.split(";")]
    if len(parts) != _BY_HAND_PARTS or not all(parts):
        raise QuantityError(f"{text!r}: expected 'WORDS;QUANTITY;PRICE;TAX CODE'")
    return parts[0], read_decimal(parts[1]), read_decimal(parts[2]), parts[3]


_SOLD: Final = Quantity("product", _read_sold)
_BY_HAND: Final = Quantity("line", _read_by_hand)


@command.command("new")
@keyed
@click.option("--customer", "customer_text", required=True, help="To whom: number, reference or whole name.")
@click.option("--issuer", help="Who offers; the only one there is.")
@click.option("--sell", type=_SOLD, multiple=True, help="PRODUCT, PRODUCT=QUANTITY or PRODUCT=QUANTITY@PRICE; repeat.")
@click.option("--by-hand", type=_BY_HAND, multiple=True, help="'WORDS;QUANTITY;PRICE;TAX CODE'; repeat.")
@click.option("--valid-until", type=DAY, required=True, help="The last day on which it can be accepted.")
@click.option("--includes-tax", is_flag=True, help="Prices with tax.")
@click.option("--reason", help="Why a price is another than the catalogue's; needed for one.")
@click.option("--dry-run", is_flag=True, help="Show it, write nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def new_command(
    settings: Settings,
    *,
    customer_text: str,
    issuer: str | None,
    sell: Sequence[tuple[str, Decimal, Decimal | None]],
    by_hand: Sequence[tuple[str, Decimal, Decimal, str]],
    valid_until: date,
    includes_tax: bool,
    reason: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Send a quote: products at their prices of today or others, and what is written by hand."""
    with open_books(settings) as connection:
        who = known_customer(connection, customer_text)
        by = issuer_meant(connection, issuer)
        issuer_id, zone = by.id, by.zone
        lines = (*_sold_lines(connection, sell), *_lines_by_hand(connection, by_hand))
        if not lines:
            raise click.UsageError("a quote of nothing: --sell a product, or write a line --by-hand")
        asked = Asked(issuer_id, who.id, lines, valid_until, includes_tax, reason=reason)
        try:
            draft = draft_quote(connection, asked, today=today_of(zone))
        except NoReasonError as error:
            raise click.UsageError(f"{error} with --reason") from error
        if dry_run:
            tell_draft(draft, as_json=as_json)
            return
        issued = send_quote(connection, draft, asked=asked, actor=os_user())
    if as_json:
        print_json({"id": issued.id, "number": issued.label, **draft_json(draft)})
        return
    click.echo(f"Quote {issued.label} for {who.name}, {draft.totals.gross} with tax, holds until {valid_until}.")


add_list(command, DocumentKind.QUOTE, _STATES)


@command.command("show")
@click.argument("number")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def show_command(settings: Settings, number: str, *, as_json: bool) -> None:
    """Quote NUMBER with its lines, and what came of it."""
    with open_books(settings) as connection:
        offer = known_offer(connection, DocumentKind.QUOTE, number)
        order, contract_id = load_order_of(connection, offer.id), load_contract_of(connection, offer)
    if as_json:
        print_json({**offer_json(offer), "order": order[1] if order else None, "contract": contract_id})
        return
    tell_offer(offer)
    if order:
        click.echo(f"  order {order[1]}: `corrente order show {order[1]}`")
    if contract_id:
        click.echo(f"  contract {contract_id}: `corrente contract show {contract_id}`")


@command.command("accept")
@keyed
@click.argument("number")
@click.option("--months", type=click.IntRange(1, 12), default=1, show_default=True, help="The contract's period.")
@click.option("--due-days", type=click.IntRange(0, 180), default=15, show_default=True, help="Of its invoices.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def accept_command(settings: Settings, number: str, *, months: int, due_days: int, as_json: bool) -> None:
    """The customer agrees to quote NUMBER: an order of what is sold once, a contract of a plan with its add-ons."""
    with open_books(settings) as connection:
        offer = known_offer(connection, DocumentKind.QUOTE, number)
        terms = NewTerms(offer.issuer_id, months=months, due_days=due_days)
        today = today_of(_zone(connection, offer.issuer_id))
        made = accept_quote(connection, offer.id, today=today, actor=os_user(), terms=terms)
    if as_json:
        print_json({"quote": offer.label, "order": issued_json(made.order), "contract": made.contract_id})
        return
    click.echo(f"Quote {offer.label} is accepted.")
    if made.order:
        click.echo(f"  order {made.order.label}: `corrente order advance`, `corrente order invoice`")
    if made.contract_id:
        click.echo(
            f"  contract {made.contract_id} waits for activation: `corrente contract activate {made.contract_id}`"
        )


@command.command("refuse")
@click.argument("number")
@click.option("--reason", help="Why, as the customer said.")
@click.pass_obj
def refuse_command(settings: Settings, number: str, *, reason: str | None) -> None:
    """The customer does not want quote NUMBER."""
    with open_books(settings) as connection:
        offer = known_offer(connection, DocumentKind.QUOTE, number)
        refuse_quote(connection, offer.id, actor=os_user(), reason=reason)
    click.echo(f"Quote {offer.label} is refused.")


@command.command("expire")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def expire_command(settings: Settings, *, as_json: bool) -> None:
    """Quotes whose last day has passed are over, as a worker does every day."""
    with open_books(settings) as connection:
        expired = [
            label
            for issuer in load_issuers(connection)
            for label in expire_quotes(connection, issuer.id, today=today_of(issuer.zone), actor=os_user())
        ]
    if as_json:
        print_json(expired)
    else:
        click.echo(f"Expired: {', '.join(expired)}." if expired else "No quote is past its day.")


def _zone(connection: Connection, issuer_id: int) -> str:
    return next(issuer.zone for issuer in load_issuers(connection) if issuer.id == issuer_id)


def _sold_lines(connection: Connection, sell: Sequence[tuple[str, Decimal, Decimal | None]]) -> list[AskedLine]:
    products = dict(connection.execute("SELECT name, id FROM product").fetchall())
    for name, _, _ in sell:
        if name not in products:
            raise unknown("product", name, products, also="`corrente catalogue list` shows them")
    return [AskedLine(products[name], quantity, price) for name, quantity, price in sell]


def _lines_by_hand(connection: Connection, by_hand: Sequence[tuple[str, Decimal, Decimal, str]]) -> list[AskedLine]:
    codes = dict(connection.execute("SELECT name, id FROM tax_code").fetchall())
    for _, _, _, code in by_hand:
        if code not in codes:
            raise unknown("tax code", code, codes, also="`corrente issuer tax list` shows them")
    return [
        AskedLine(words=words, quantity=quantity, unit_price=price, tax_code_id=codes[code])
        for words, quantity, price, code in by_hand
    ]
