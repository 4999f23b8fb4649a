"""`corrente invoice`: invoices and credit notes, listed, shown, printed, made and given back."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import click

from billing.operations.invoices import (
    WantedInvoice,
    WantedLine,
    credit_document,
    make_invoice,
    plan_credit,
    plan_invoice,
)
from billing.shown import ShownDocument, shown_draft
from billing.store.einvoice_desk import load_one
from billing.store.einvoices import find_of_document
from billing.store.issued import find_document, load_document, load_documents, load_parties_of
from billing.store.issuers import Issuer, load_issuers
from billing.store.parties import load_contract_parties
from control_plane.cli._books import (
    CURRENCY,
    DAY,
    DECIMAL,
    issuer_meant,
    known_customer,
    known_issuer,
    open_books,
    today_of,
)
from control_plane.cli._console import Connection, os_user, print_json, print_table
from control_plane.cli._group import Group
from control_plane.cli._invoice_line import CREDITED, LINE, read_product
from control_plane.cli._invoice_page import page, plain
from control_plane.cli._invoice_pdf import pdf
from control_plane.cli._keyed import keyed
from control_plane.settings import Settings

command = Group("invoice", help="Invoices and credit notes: listed, shown, printed, made by hand, given back.")
command.add_command(pdf)

_KINDS = {
    "invoice": ("invoice",),
    "credit_note": ("credit_note",),
    "all": ("invoice", "credit_note"),
    "quote": ("quote",),
    "order": ("order",),
}
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document.")
_DRY_RUN = click.option("--dry-run", is_flag=True, help="Show what would be issued, without a number; write nothing.")
_ISSUER = click.option("--issuer", help="Whose, where several have a document of that number.")
_DATE = click.option("--date", "day", type=DAY, help="Its date; today where the issuer is. It can't go back.")


@command.command("list")
@click.option("--customer", help="Those of one customer: number, reference or whole name.")
@click.option("--issuer", help="Those of one issuer.")
@click.option("--kind", type=click.Choice(list(_KINDS)), default="all", show_default=True)
@click.option("--from", "since", type=DAY, help="Dated on or after a day.")
@click.option("--until", type=DAY, help="Dated on or before a day.")
@click.option("--open", "only_open", is_flag=True, help="With something left to pay, or to give.")
@click.option("--overdue", "only_overdue", is_flag=True, help="Invoices with something that should be paid by now.")
@click.option("--run", "run_id", type=int, help="Those of one billing run.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@_JSON
@click.pass_obj
def list_(
    settings: Settings,
    /,
    *,
    customer: str | None,
    issuer: str | None,
    kind: str,
    as_json: bool,
    **options: Any,
) -> None:
    """The newest invoices and credit notes."""
    with open_books(settings) as connection:
        of_issuer = None if issuer is None else known_issuer(connection, issuer)
        found = load_documents(
            connection,
            kinds=_KINDS[kind],
            today=today_of(_zone(connection, of_issuer, settings)),
            customer_id=None if customer is None else known_customer(connection, customer).id,
            issuer_id=None if of_issuer is None else of_issuer.id,
            **options,
        )
    if as_json:
        print_json(plain(found))
        return
    print_table(
        ("NUMBER", "KIND", "DATE", "CUSTOMER", "TOTAL", "TO PAY", "OPEN", "DUE", "STATE"),
        (
            (
                row.label,
                row.kind.replace("_", " "),
                row.document_date,
                f"{row.customer} ({row.customer_id})",
                row.gross,
                row.payable.amount,
                row.standing.open.amount if row.standing else None,
                row.standing.due_on if row.standing else None,
                (str(row.standing.state) if row.standing else row.state).replace("_", " "),
            )
            for row in found
        ),
        empty="No documents.",
    )
    if len(found) == options["limit"]:
        click.echo(f"The newest {len(found):,}; there may be more: --limit, --from, --until or --customer.")


def _zone(connection: Connection, issuer: Issuer | None, settings: Settings) -> str:
    """Whose day it is: the issuer's, the only one's, or the operator's where there are several."""
    issuers = [issuer] if issuer is not None else load_issuers(connection)
    return issuers[0].zone if len(issuers) == 1 else str(settings.operator.billing_zone)


@command.command("show")
@click.argument("number")
@_ISSUER
@_JSON
@click.pass_obj
def show(settings: Settings, number: str, *, issuer: str | None, as_json: bool) -> None:
    """The document with that printed NUMBER, such as 12/FT/2026; or id:17."""
    with open_books(settings) as connection:
        document_id = find_document(connection, number, issuer=issuer)
        issuer_id, _ = load_parties_of(connection, document_id)
        (zone,) = [one.zone for one in load_issuers(connection) if one.id == issuer_id]
        found = load_document(connection, document_id, today=today_of(zone))
        queued = find_of_document(connection, document_id)
        sent = None if queued is None else load_one(connection, queued)[0]
    _print(found, as_json=as_json)
    if sent is not None and not as_json:
        said = sent.contradiction or sent.problem
        click.echo(
            f"tax authority: {sent.state.replace('_', ' ')}{f' ({said})' if said else ''}; `corrente einvoice show {number}`"
        )


@command.command("new")
@keyed
@click.argument("customer", required=False)
@click.option("--contract", "contract_id", type=int, help="Its payer, issuer, prices and due days count.")
@click.option("--issuer", help="Who invoices; needed where there are several.")
@click.option(
    "--line",
    "lines",
    type=LINE,
    multiple=True,
    required=True,
    metavar="KEY=VALUE,…",
    help="product=, text=, quantity=, price=, discount= (percent), tax=, account=, from=, until=; repeat.",
)
@click.option(
    "--with-tax/--without-tax", "includes_tax", default=None, help="What prices are; the contract's, else without."
)
@click.option(
    "--due",
    "due_in_days",
    type=click.IntRange(0, 365),
    multiple=True,
    help="Days after its date; repeat for equal parts.",
)
@click.option("--discount", type=DECIMAL, help="An amount off all lines together, in their prices.")
@click.option("--currency", type=CURRENCY, help="The contract's or the issuer's otherwise.")
@click.option("--reason", help="What is printed as the reason.")
@_DATE
@_DRY_RUN
@_JSON
@click.pass_obj
def new(
    settings: Settings,
    /,
    customer: str | None,
    *,
    contract_id: int | None,
    issuer: str | None,
    lines: tuple[dict[str, Any], ...],
    day: date | None,
    dry_run: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Issue an invoice to CUSTOMER, or for a contract. What is issued stays: it is corrected by a credit note."""
    if (customer is None) == (contract_id is None):
        raise click.UsageError("name a customer, or a contract with --contract")
    with open_books(settings) as connection:
        by = _issuer(connection, issuer, contract_id)
        on = day or today_of(by.zone)
        wanted = WantedInvoice(
            lines=tuple(_wanted(connection, line, on) for line in lines),
            document_date=on,
            customer_id=None if customer is None else known_customer(connection, customer).id,
            issuer_id=by.id,
            contract_id=contract_id,
            **options,
        )
        if dry_run:
            _print(shown_draft(plan_invoice(connection, wanted), made_by=os_user()), as_json=as_json)
            return
        made = make_invoice(connection, wanted, actor=os_user())[1].id
        _tell(connection, made, by, as_json=as_json)


@command.command("credit")
@keyed
@click.argument("number")
@click.option("--all", "whole", is_flag=True, help="All that is left of it.")
@click.option(
    "--line",
    "lines",
    type=CREDITED,
    multiple=True,
    metavar="LINE[=AMOUNT]",
    help="A line, or so much of it in the invoice's own prices; repeat.",
)
@click.option("--reason", required=True, help="Why; it is printed.")
@_ISSUER
@_DATE
@_DRY_RUN
@_JSON
@click.pass_obj
def credit(
    settings: Settings,
    /,
    number: str,
    *,
    whole: bool,
    lines: tuple[tuple[int, Decimal | None], ...],
    reason: str,
    issuer: str | None,
    day: date | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Give invoice NUMBER back by a credit note, whole or by line, never more than is left of a line."""
    if whole == bool(lines):
        raise click.UsageError("give --all, or what to give back with --line")
    if len({line for line, _ in lines}) != len(lines):
        raise click.UsageError("a line is named once; give the amounts of it together")
    with open_books(settings) as connection:
        document_id = find_document(connection, number, issuer=issuer)
        issuer_id, _ = load_parties_of(connection, document_id)
        (by,) = [one for one in load_issuers(connection) if one.id == issuer_id]
        amounts = None if whole else dict(lines)
        on = day or today_of(by.zone)
        if dry_run:
            draft = plan_credit(connection, document_id, amounts, document_date=on, reason=reason)
            _print(shown_draft(draft, made_by=os_user()), as_json=as_json)
            return
        made = credit_document(connection, document_id, amounts, document_date=on, reason=reason, actor=os_user())[1].id
        _tell(connection, made, by, as_json=as_json)


def _issuer(connection: Connection, name: str | None, contract_id: int | None) -> Issuer:
    if name is None and contract_id is not None:
        agreed = load_contract_parties(connection, contract_id)
        (found,) = [one for one in load_issuers(connection) if one.id == agreed.issuer_id]
        return found
    return issuer_meant(connection, name)


def _wanted(connection: Connection, line: dict[str, Any], day: date) -> WantedLine:
    given = {key: value for key, value in line.items() if key != "product"}
    product = line.get("product")
    return WantedLine(product_id=None if product is None else read_product(connection, product, day=day), **given)


def _print(document: ShownDocument, *, as_json: bool) -> None:
    if as_json:
        print_json(plain(document))
        return
    for line in page(document):
        click.echo(line)


def _tell(connection: Connection, document_id: int, by: Issuer, *, as_json: bool) -> None:
    """What was issued, whole; on a terminal its number comes last, where it is seen."""
    found = load_document(connection, document_id, today=today_of(by.zone))
    _print(found, as_json=as_json)
    if not as_json:
        click.echo(f"\nIssued {found.kind.replace('_', ' ')} {found.label}: {found.payable}.")
