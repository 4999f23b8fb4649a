"""`corrente price-change`: a new price for contracts that there are, told 30 days before, from a boundary on."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import click

from billing.price_changes import NewPrice, PriceChange, Reach, check_day, price_totals
from billing.store.price_changes import change_prices, load_changed_already, load_new_prices
from billing.store.price_undo import load_coming_prices, undo_prices
from billing.store.selection import load_selected
from control_plane import audit
from control_plane.cli._books import CURRENCY, DAY, DECIMAL, open_books, today_of
from control_plane.cli._catalogue_names import known_currency, known_product
from control_plane.cli._console import Refused, os_user, print_json, print_table
from control_plane.cli._group import Group
from control_plane.cli._keyed import keyed
from control_plane.cli._options import confirm
from control_plane.cli._selection import read_selection, selection_options
from control_plane.settings import Settings


class _Changes(Group):
    """`price-change PRODUCT …` means `price-change set PRODUCT …`, as it was called before there was `undo`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """A first word that is no command is the product of a change."""
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["set", *args]
        return super().parse_args(ctx, args)


command = _Changes(
    "price-change",
    help="A new price for contracts that there are, told 30 days before, from a boundary on; or one taken back.",
)


@command.command("set")
@keyed
@click.argument("product_name", metavar="PRODUCT")
@click.option("--to", "month_price", type=DECIMAL, help="The new price a month, in the contracts' terms.")
@click.option("--with-tax", is_flag=True, help="That price is with tax: contracts with tax have it, others stay.")
@click.option("--currency", type=CURRENCY, help="Of that price; the issuers' by default.")
@click.option("--by-percent", "percent", type=DECIMAL, help="More than each has, such as 4.5; below zero less.")
@click.option(
    "--from", "day", type=DAY, required=True, help="From each contract's first boundary at or after this day."
)
@selection_options
@click.option("--dry-run", is_flag=True, help="Say what it comes to, change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document, with every item.")
@click.pass_obj
def set_(
    settings: Settings,
    /,
    product_name: str,
    *,
    month_price: Decimal | None,
    with_tax: bool,
    currency: str | None,
    percent: Decimal | None,
    day: date,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """A new price of PRODUCT for contracts that have it: each item ends on its boundary and goes on at the new price.

    Each gets a notice of kind price_change, due 30 days before, after which it may leave for 60 days without cost. Typed again it
    changes nothing more.
    """
    if percent is not None and (with_tax or currency is not None):
        raise click.UsageError("--with-tax and --currency are said of --to; a percentage is of what each contract has")
    today = today_of(settings.zone.key)
    with open_books(settings) as connection:
        change = PriceChange(month_price, percent)
        check_day(day, today)
        product = known_product(connection, product_name, today)
        if product.kind not in ("plan", "add_on"):
            raise Refused(f"{product_name} is {product.kind.replace('_', ' ')}: only what recurs has a price to change")
        contracts = load_selected(connection, read_selection(connection, options), day=day)
        money = known_currency(connection, currency) if month_price is not None else None
        reach = Reach(product.id, day, money, with_tax)
        prices = list(load_new_prices(connection, contracts, change, reach))
        kept = len(load_changed_already(connection, contracts, reach)) if percent is not None else 0
        if not as_json:
            _tell(product_name, prices, day=day, kept=kept)
        changed = 0
        if prices and not dry_run:
            confirm("Go on?", yes=yes)
            changed = change_prices(connection, contracts, change, reach, actor=os_user())
            detail = {"to": month_price, "percent": percent, "from": day, "items": changed}
            audit.append(connection, actor=os_user(), action="price.change", subject=product_name, detail=detail)
    if as_json:
        print_json({"changed": changed, "kept": kept, "totals": price_totals(prices), "items": prices})
        return
    click.echo(
        "Dry run: nothing was changed." if dry_run else f"{changed:,} items of {product_name} have their new price."
    )


@command.command("undo")
@click.argument("product_name", metavar="PRODUCT")
@click.option("--from", "day", type=DAY, help="Only prices that begin on this day or later; all that are to come.")
@selection_options
@click.option("--dry-run", is_flag=True, help="Say what would be taken back, change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document, with every item.")
@click.pass_obj
def undo(
    settings: Settings,
    /,
    product_name: str,
    *,
    day: date | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Take back new prices of PRODUCT before they come: each item goes on as it was, and who was not told is not.

    What was charged at the new price already, or changed since by a deed, stays. Who was told may still leave without cost.
    """
    today = today_of(settings.zone.key)
    with open_books(settings) as connection:
        product = known_product(connection, product_name, today)
        since = day or today
        contracts = load_selected(connection, read_selection(connection, options), day=since)
        found = load_coming_prices(connection, contracts, product.id, day=since, today=today)
        if not as_json:
            told = sum(one.told for one in found)
            click.echo(
                f"{len(found):,} items of {product_name} keep their price; {told:,} customers were told of another"
            )
        if found and not dry_run:
            confirm("Go on?", yes=yes)
            found = undo_prices(connection, contracts, product.id, day=since, today=today, actor=os_user())
            detail = {"from": since, "items": len(found)}
            audit.append(connection, actor=os_user(), action="price.undo", subject=product_name, detail=detail)
    if as_json:
        print_json({"undone": 0 if dry_run else len(found), "items": found})
        return
    click.echo("Dry run: nothing was changed." if dry_run else f"{len(found):,} new prices are taken back.")


def _tell(product: str, prices: list[NewPrice], *, day: date, kept: int) -> None:
    print_table(
        ("ITEMS", "PRICES", "A MONTH NOW", "A MONTH THEN", "DIFFERENCE"),
        (
            (
                f"{one.items:,}",
                f"{one.currency} {'with' if one.includes_tax else 'without'} tax",
                one.before.amount,
                one.after.amount,
                (one.after - one.before).amount,
            )
            for one in price_totals(prices)
        ),
        empty=f"No contract that is meant has {product} at another price",
    )
    if prices:
        first, last = min(one.on for one in prices), max(one.on for one in prices)
        told = min(one.told_by for one in prices)
        click.echo(f"From {first}{f' to {last}' if last != first else ''}; the first notices are due on {told}.")
    if kept:
        click.echo(f"{kept:,} items have a new price from {day} or later already and keep it; --to gives them another.")
