"""`corrente contract new`, `bind` and `release`: a contract from the catalogue, and the accounts it serves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final

import click

from billing.charges import Opening
from billing.contract_facts import Status
from billing.new_contract import MOST_INSTALMENTS, NewContract, NewTerms, OnNegative, SoldProduct
from billing.operations.making import make_contract
from billing.periods import Alignment, Basis, Timing
from billing.store.bound_accounts import bind_account, release_account
from billing.store.contract_items import sold_with_tax_alone
from billing.store.contract_page import ContractPage, load_products
from billing.store.issuers import Issuer
from control_plane import audit
from control_plane.cli._amounts import amount_words
from control_plane.cli._books import DAY, DECIMAL, issuer_meant, known_customer, open_books, read_decimal, today_of
from control_plane.cli._console import Connection, Refused, os_user, print_json, unknown
from control_plane.cli._contract_deed import NUMBER, contract_day, look, price_words
from control_plane.cli._contract_page import discount_words, terms_words
from control_plane.cli._keyed import keyed
from control_plane.cli._options import Quantity
from control_plane.quantities import QuantityError
from control_plane.settings import Settings


def _read_sold(text: str) -> tuple[str, str]:
    """`Static address=2`: a product and a number with it."""
    name, mark, number = text.rpartition("=")
    if not mark:
        return text, "1"
    if not name or not (number.isascii() and number.replace(".", "", 1).isdigit()) or read_decimal(number) <= 0:
        raise QuantityError(
            f"{text!r}: expected a product, or PRODUCT=NUMBER with a number above 0; without it leave it out"
        )
    return name, number


def _read_fee(text: str) -> tuple[str, str]:
    """`Activation=12`: a product and in how many instalments."""
    name, number = _read_sold(text)
    if not number.isdigit() or not 1 <= int(number[:9]) <= MOST_INSTALMENTS:
        raise QuantityError(f"{text!r}: expected a product, or PRODUCT=INSTALMENTS of 1 to {MOST_INSTALMENTS}")
    return name, number


_SOLD: Final = Quantity("product", _read_sold)
_FEE: Final = Quantity("fee", _read_fee)


def _choice(of: Any, text: str, *, default: str) -> dict[str, Any]:
    return {"type": click.Choice([str(one) for one in of]), "default": default, "show_default": True, "help": text}


@click.command("new")
@keyed
@click.option("--customer", required=True, help="Who agrees: number, reference or whole name.")
@click.option("--plan", "product", required=True, help="The product that sells the plan.")
@click.option("--issuer", help="Who invoices; the only one there is.")
@click.option(
    "--price", type=DECIMAL, help="Another price of a whole period than that of the day; say why with --reason."
)
@click.option("--reason", help="Why the price is another one.")
@click.option("--add-on", "add_ons", type=_SOLD, multiple=True, help="PRODUCT or PRODUCT=QUANTITY; repeat.")
@click.option("--fee", "fees", type=_FEE, multiple=True, help="PRODUCT at once, or PRODUCT=INSTALMENTS; repeat.")
@click.option("--promotion", "promotions", multiple=True, help="A promotion by its name; repeat.")
@click.option("--account", "accounts", multiple=True, help="Bind this subscriber account; repeat.")
@click.option("--agreed", is_flag=True, help="The customer has agreed: it waits for activation, and is no draft.")
@click.option("--start", type=DAY, help="When it is planned to begin; today.")
@click.option("--months", type=click.IntRange(1, 12), default=1, show_default=True, help="Length of a period.")
@click.option("--alignment", **_choice(Alignment, "Where periods begin.", default="anniversary"))
@click.option("--day", "billing_day", type=click.IntRange(1, 31), help="Day of the month, with day_of_month.")
@click.option("--timing", **_choice(Timing, "Due on a period's start or its end.", default="anticipated"))
@click.option("--fixed-day", type=click.IntRange(1, 31), help="Due on the next such day of a month.")
@click.option("--lead-days", type=click.IntRange(0, 60), default=0, help="Documents so many days earlier.")
@click.option("--basis", **_choice(Basis, "How parts of a period are counted.", default="actual"))
@click.option("--opening", **_choice(Opening, "What days before the first boundary cost.", default="prorate"))
@click.option("--on-negative", **_choice(OnNegative, "When a change gives back more.", default="next_document"))
@click.option(
    "--includes-tax/--excludes-tax",
    default=None,
    help="Prices with tax, or without. Without either: as the plan's own of the day is; without, where it has both.",
)
@click.option("--due-days", type=click.IntRange(0, 180), default=15, show_default=True)
@click.option("--group", "billing_group", help="Contracts of one group share a document.")
@click.option("--payer", help="Who gets and pays the documents instead.")
@click.option("--service-address", "service_address_id", type=int, help="Where the service is: number of an address.")
@click.option("--order-fees", is_flag=True, help="Fees are due when it is accepted, not when it is activated.")
@click.option("--trial-days", type=click.IntRange(1, 365), help="Free days after activation.")
@click.option("--minimum-months", type=click.IntRange(1, 120), help="Another minimum term than the product's.")
@click.option("--renew-months", type=click.IntRange(1, 120))
@click.option("--notice-days", type=click.IntRange(0, 365))
@click.option("--distance", is_flag=True, help="Concluded at a distance: it may be withdrawn from for 14 days.")
@click.option("--dry-run", is_flag=True, help="Show it, write nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def new(
    settings: Settings, /, *, dry_run: bool, as_json: bool, accounts: Sequence[str], reason: str | None, **given: Any
) -> None:
    """Make a contract from the catalogue, at the prices of the day."""
    if given["price"] is not None and not reason:
        raise click.UsageError("a price of its own needs its --reason: the audit log keeps it")
    with open_books(settings) as connection:
        product, price = given["product"], given["price"]
        issuer = issuer_meant(connection, given.pop("issuer"))
        today = today_of(issuer.zone)
        made = _new_contract(connection, given, issuer, today=today)
        number = make_contract(connection, made, today=today, actor=os_user())
        for username in accounts:
            bind_account(connection, number, username, today=today, actor=os_user())
        detail = {"product": product, "status": made.status}
        audit.append(connection, actor=os_user(), action="contract.new", subject=f"contract {number}", detail=detail)
        if price is not None:
            detail = {"product": product, "price": price, "reason": reason}
            action = "contract.override_price"
            audit.append(connection, actor=os_user(), action=action, subject=f"contract {number}", detail=detail)
        sight = look(connection, number, settings)
        if dry_run:
            connection.rollback()
    if as_json:
        print_json({"contract": None if dry_run else number, "dry_run": dry_run, "page": sight.page})
        return
    _tell(sight.page, made.status, None if dry_run else number)


def _tell(page: ContractPage, status: Status, number: int | None) -> None:
    """What was agreed, and how it goes on."""
    click.echo(f"  terms    {terms_words(page)}")
    for discount in page.discounts:
        click.echo(f"  discount {discount_words(discount)}")
    for item in page.items:
        count = f"{item.quantity.normalize():f} of " if item.quantity != 1 else ""
        click.echo(f"  {count}{item.product}: {price_words(item, page)}")
    of = {item.id: item.product for item in page.items}
    counts = Counter(part["item_id"] for part in page.instalments)
    for part in page.instalments:
        which = f"instalment {part['number']} of {counts[part['item_id']]}"
        click.echo(f"  {of[part['item_id']]}, {which}: {amount_words(part['amount'], page.terms['currency'])}")
    onward = "corrente contract activate" if status is Status.PENDING else "corrente contract propose"
    click.echo(
        "Dry run: nothing was written."
        if number is None
        else f"Made contract {number}, {status}. Go on with `{onward} {number}`."
    )


def _new_contract(connection: Connection, given: dict[str, Any], issuer: Issuer, *, today: date) -> NewContract:
    """What was typed, with names turned into numbers."""
    customer = known_customer(connection, given.pop("customer"))
    payer = given.pop("payer")
    payer_id = None if payer is None else known_customer(connection, payer).id
    plan = SoldProduct(_product(connection, given.pop("product"), "plan"), unit_price=given.pop("price"))
    add_ons = tuple(
        SoldProduct(_product(connection, name, "add_on"), Decimal(count)) for name, count in given.pop("add_ons")
    )
    fees = tuple(
        SoldProduct(_product(connection, name, "one_off"), instalments=int(count)) for name, count in given.pop("fees")
    )
    promotions = tuple(_promotion(connection, name) for name in given.pop("promotions"))
    status = Status.PENDING if given.pop("agreed") else Status.DRAFT
    if (given["alignment"] == "day_of_month") != (given["billing_day"] is not None):
        raise click.UsageError(
            "--day says on which day of the month periods begin: it goes with --alignment day_of_month, which needs it"
        )
    if given["includes_tax"] is None:
        given["includes_tax"] = sold_with_tax_alone(connection, plan.product_id, months=given["months"], on=today)
    start = given.pop("start")
    words = {"alignment": Alignment, "timing": Timing, "basis": Basis, "opening": Opening, "on_negative": OnNegative}
    terms: dict[str, Any] = {name: words[name](value) if name in words else value for name, value in given.items()}
    return NewContract(
        customer_id=customer.id,
        plan=plan,
        terms=NewTerms(issuer_id=issuer.id, payer_id=payer_id, **terms),
        status=status,
        add_ons=add_ons,
        fees=fees,
        promotions=promotions,
        planned_start=start,
    )


def _product(connection: Connection, name: str, kind: str) -> int:
    products = load_products(connection)
    if name not in products:
        raise unknown("product", name, [known for known, row in products.items() if row[1] == kind])
    number, is_kind, _ = products[name]
    if is_kind != kind:
        raise Refused(f"product {name!r} is {is_kind.replace('_', '-')}, wanted is {kind.replace('_', '-')}")
    return number


def _promotion(connection: Connection, name: str) -> int:
    promotions = dict(connection.execute("SELECT name, id FROM promotion").fetchall())
    if name not in promotions:
        raise unknown("promotion", name, promotions)
    return int(promotions[name])


@click.command("bind")
@NUMBER
@click.argument("username")
@click.pass_obj
def bind(settings: Settings, number: int, username: str) -> None:
    """Let a contract have the account USERNAME, from another contract if need be."""
    with open_books(settings) as connection:
        today, _ = contract_day(connection, number, settings)
        before = bind_account(connection, number, username, today=today, actor=os_user())
        detail = {"account": username, "before": before}
        audit.append(connection, actor=os_user(), action="contract.bind", subject=f"contract {number}", detail=detail)
    was = f", which had been of contract {before}" if before not in (None, number) else ""
    click.echo(f"Contract {number} has account {username}{was}.")


@click.command("release")
@NUMBER
@click.argument("username")
@click.pass_obj
def release(settings: Settings, number: int, username: str) -> None:
    """Nobody logs in with USERNAME any more, until a contract binds it again."""
    with open_books(settings) as connection:
        today, _ = contract_day(connection, number, settings)
        release_account(connection, number, username, today=today, actor=os_user())
        detail = {"account": username}
        audit.append(
            connection, actor=os_user(), action="contract.release", subject=f"contract {number}", detail=detail
        )
    click.echo(f"Account {username} is released from contract {number}.")
