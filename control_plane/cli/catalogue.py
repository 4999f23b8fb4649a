"""`corrente catalogue`: what is sold, with texts, prices by date, early exit and pauses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final

import click

from billing.store.catalogue import (
    Price,
    PriceSeries,
    PriceSet,
    PriceTakenBack,
    Product,
    ProductPage,
    add_price,
    change_product,
    load_product_page,
    load_products,
    save_early_exit,
    save_offered,
    save_pause_fee,
    save_product,
    save_text,
    take_back_price,
)
from control_plane.cli._amounts import amount_words, taxed_words
from control_plane.cli._books import AMOUNT, CURRENCY, DAY, DECIMAL, open_books, today_of
from control_plane.cli._catalogue_names import known_currency, known_product
from control_plane.cli._console import (
    Refused,
    changed_words,
    open_database,
    print_json,
    print_table,
)
from control_plane.cli._group import Group
from control_plane.cli._keyed import keyed
from control_plane.customers import LANGUAGES
from control_plane.settings import Settings

command = Group("catalogue", help="The catalogue: products, prices by date, texts, early exit, pauses.")
_KINDS: Final = ("plan", "add_on", "one_off", "usage")


def _today(settings: Settings) -> date:
    return today_of(settings.zone.key)


def _offer_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What `new` and `edit` share."""
    for option in reversed(
        (
            click.option("--minimum-months", type=click.IntRange(1, 120), help="Of a plan: how long it binds."),
            click.option("--renew-months", type=click.IntRange(1, 120), help="Of a plan: by how much it goes on."),
            click.option("--notice-days", type=click.IntRange(0, 365), help="Of a plan: how long before its end."),
            click.option("--offered-from", type=DAY, help="First day on which new contracts may have it."),
            click.option("--offered-until", type=DAY, help="First day on which they may not any more."),
        )
    ):
        function = option(function)
    return function


@command.command("new")
@keyed
@click.argument("name")
@click.option("--kind", type=click.Choice(_KINDS), required=True, help="A plan is the line itself; add-ons recur too.")
@click.option("--plan", help="Of kind plan: the plan of the network that it sells.")
@click.option("--family", required=True, help="What discounts and revenue accounts go by, such as access.")
@click.option("--tax", "tax_code", required=True, help="A tax code: `corrente issuer tax list`.")
@_offer_options
@click.option("--price", type=DECIMAL, help="From today on, for one month or once; `catalogue price` sets more.")
@click.option("--with-tax", is_flag=True, help="That price is with tax.")
@click.option("--currency", type=CURRENCY, help="Of that price; the issuers' by default.")
@click.pass_obj
def new(
    settings: Settings,
    /,
    name: str,
    *,
    kind: str,
    plan: str | None,
    tax_code: str,
    price: Decimal | None,
    with_tax: bool,
    currency: str | None,
    offered_from: date | None,
    offered_until: date | None,
    **columns: Any,
) -> None:
    """A new product NAME."""
    if (kind == "plan") != (plan is not None):
        raise click.UsageError("a product of kind plan sells a plan of the network: --plan, and no other kind has one")
    with open_books(settings) as connection:
        _refuse_second_seller(load_products(connection, day=_today(settings)), plan)
        product_id = save_product(
            connection,
            {"name": name, "kind": kind, **columns},
            tax_code=tax_code,
            plan=plan,
            offered=(offered_from, offered_until),
        )
        if price is not None:
            series = PriceSeries(product_id, known_currency(connection, currency), 1, with_tax)
            add_price(connection, series, price, since=_today(settings))
    click.echo(f"Product {name}: {kind.replace('_', ' ')}, family {columns['family']}, {tax_code}.")
    if price is None:
        click.echo(f"It has no price yet: corrente catalogue price {name!r} AMOUNT --from DAY", err=True)


def _refuse_second_seller(products: Sequence[Product], plan: str | None) -> None:
    sells = next((one.name for one in products if plan is not None and one.plan == plan), None)
    if sells is not None:
        raise Refused(
            f"product {sells} sells plan {plan} already, and a plan is sold by one product: make another plan of the same profiles with"
            " `corrente plan add`"
        )


@command.command("edit")
@click.argument("name")
@click.option("--name", "new_name", help="Rename it.")
@click.option("--family", help="What discounts and revenue accounts go by.")
@click.option("--tax", "tax_code", help="For documents from now on, of contracts that have it too.")
@_offer_options
@click.pass_obj
def edit(
    settings: Settings,
    /,
    name: str,
    *,
    new_name: str | None,
    tax_code: str | None,
    offered_from: date | None,
    offered_until: date | None,
    **options: Any,
) -> None:
    """Change what is given of product NAME; what contracts agreed stays."""
    columns = {column: value for column, value in options.items() if value is not None}
    columns |= {"name": new_name} if new_name else {}
    with open_books(settings) as connection:
        product = known_product(connection, name, _today(settings))
        change_product(connection, product.id, columns, tax_code=tax_code)
        changed = [*columns, *(["tax_code"] if tax_code else [])]
        if offered_from or offered_until:
            save_offered(
                connection, product.id, offered_from or product.offered_from, offered_until or product.offered_until
            )
            changed.append("offered")
        if not changed:
            raise click.UsageError("nothing to change: name at least one option")
    click.echo(f"Changed product {new_name or name}: {changed_words(changed)}.")


@command.command("list")
@click.option("--offered-on", type=DAY, help="Only what new contracts may have on this day.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document, with prices, texts and the rest.")
@click.pass_obj
def list_(settings: Settings, *, offered_on: date | None, as_json: bool) -> None:
    """All products, with the price of each in force."""
    day = offered_on or _today(settings)
    with open_database(settings) as connection:
        pages = [
            load_product_page(connection, one)
            for one in load_products(connection, day=_today(settings), offered_on=offered_on)
        ]
    if as_json:
        print_json(pages)
        return
    print_table(
        ("NAME", "KIND", "PLAN", "FAMILY", "TAX", "PRICE", "OFFERED", "CONTRACTS"),
        (
            (
                *(page.product.name, page.product.kind, page.product.plan, page.product.family, page.product.tax_code),
                "; ".join(_price_words(price) for price in page.prices if _in_force(price, day)),
                _offered_words(page.product),
                page.product.contracts,
            )
            for page in pages
        ),
        empty="The catalogue is empty: corrente catalogue new NAME --kind plan --plan PLAN --family access --tax IT-22 --price 29.90",
    )


def _in_force(price: Price, day: date) -> bool:
    return (price.since is None or price.since <= day) and (price.until is None or day < price.until)


def _price_words(price: Price) -> str:
    every = "" if price.months == 1 else f" for {price.months} months"
    return f"{amount_words(price.unit_price, price.currency)} {price.currency}{every}{taxed_words(price.includes_tax)}"


def _offered_words(product: Product) -> str:
    since = f"from {product.offered_from} " if product.offered_from else ""
    until = f"until {product.offered_until}" if product.offered_until else ""
    return (since + until).strip()


@command.command("show")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def show(settings: Settings, name: str, *, as_json: bool) -> None:
    """All of product NAME: terms, texts, every price with its days, early exit, pauses, revenue accounts."""
    with open_database(settings) as connection:
        page = load_product_page(connection, known_product(connection, name, _today(settings)))
    if as_json:
        print_json(page)
        return
    for label, lines in _sections(page):
        for number, line in enumerate(line for line in lines if line):
            click.echo(f"{label if number == 0 else '':12}{line}")


def _sections(page: ProductPage) -> list[tuple[str, list[str]]]:
    one = page.product
    terms = [
        f"binds for {one.minimum_months} months" if one.minimum_months else "",
        f"goes on by {one.renew_months} months" if one.renew_months else "",
        f"{one.notice_days} days' notice" if one.notice_days is not None else "",
    ]
    return [
        ("product", [one.name]),
        ("kind", [one.kind.replace("_", " ") + (f", sells plan {one.plan}" if one.plan else "")]),
        ("family", [one.family]),
        ("tax", [one.tax_code]),
        ("terms", [", ".join(term for term in terms if term)]),
        ("offered", [_offered_words(one)]),
        ("contracts", [str(one.contracts)]),
        ("text", [f"{language}: {text}" for language, text in page.texts.items()]),
        ("price", [f"{_price_words(price)} {_days(price)}".strip() for price in page.prices]),
        (
            "early exit",
            [
                f"from month {s.from_month}: {amount_words(s.amount, s.currency)} {s.currency}{taxed_words(s.includes_tax)}"
                for s in page.early_exit
            ],
        ),
        (
            "pause",
            [
                f"{amount_words(s.amount, s.currency)} {s.currency}{taxed_words(s.includes_tax)} each"
                for s in page.pause_fee
            ],
        ),
        ("revenue", [f"{issuer}: {account}" for issuer, account in page.accounts.items()]),
    ]


def _days(price: Price) -> str:
    since = f"from {price.since} " if price.since else ""
    return (since + (f"until {price.until}" if price.until else "")).strip()


@command.command("text")
@click.argument("name")
@click.argument("language", type=click.Choice(LANGUAGES))
@click.argument("text")
@click.pass_obj
def text_(settings: Settings, name: str, language: str, text: str) -> None:
    """What stands for product NAME on documents in a LANGUAGE; without a text, its name does."""
    with open_books(settings) as connection:
        save_text(connection, known_product(connection, name, _today(settings)).id, language, text)
    click.echo(f"Product {name} in {language}: {text}")


@command.command("price")
@click.argument("name")
@click.argument("amount", type=DECIMAL, required=False)
@click.option("--from", "since", type=DAY, required=True, help="First day on which new contracts have it.")
@click.option("--until", type=DAY, help="First day on which they don't any more; the next price's, if there is one.")
@click.option("--months", type=click.IntRange(1, 12), default=1, show_default=True, help="For a period of so many.")
@click.option("--with-tax", is_flag=True, help="The amount is with tax.")
@click.option("--currency", type=CURRENCY, help="The issuers' by default.")
@click.option("--remove", is_flag=True, help="Take back the price that begins on that day; the one before goes on.")
@click.pass_obj
def price_(
    settings: Settings,
    name: str,
    amount: Decimal | None,
    *,
    since: date,
    until: date | None,
    months: int,
    with_tax: bool,
    currency: str | None,
    remove: bool,
) -> None:
    """A price of product NAME for contracts made from a day on; the one before ends there, and one of that very day is replaced.

    One with tax and one without stand beside each other: a contract has the one of its own kind. Contracts that there are keep theirs: `corrente price-change` changes those.
    """
    if (amount is None) != remove or (remove and until is not None):
        raise click.UsageError("give an AMOUNT, or --remove with the day and no AMOUNT")
    if until is not None and until <= since:
        raise Refused(f"a price ends after it begins: {until} is not after {since}")
    with open_books(settings) as connection:
        product = known_product(connection, name, _today(settings))
        money = known_currency(connection, currency)
        series = PriceSeries(product.id, money, months, with_tax)
        if amount is None:
            said = _taken_back_words(take_back_price(connection, series, since=since), since, money)
        else:
            said = amount_words(amount, money) + _price_set_words(
                series, add_price(connection, series, amount, since=since, until=until), since
            )
    click.echo(f"Product {name}: {said}.")


def _price_set_words(series: PriceSeries, done: PriceSet, since: date) -> str:
    every = "" if series.months == 1 else f" for {series.months} months"
    until = f" until {done.until}" if done.until else ""
    ended = f"; {amount_words(done.ended, series.currency)} ends there" if done.ended is not None else ""
    replaced = f", in the place of {amount_words(done.replaced, series.currency)}" if done.replaced is not None else ""
    return f" {series.currency}{every}{taxed_words(series.includes_tax)} from {since}{until}{replaced}{ended}"


def _taken_back_words(done: PriceTakenBack | None, since: date, money: str) -> str:
    if done is None:
        raise Refused(
            f"no such price begins on {since}: `corrente catalogue show` lists them, with --months and --with-tax as they are"
        )
    after = f"{amount_words(done.goes_on, money)} goes on" if done.goes_on is not None else "none holds from then on"
    return f"{amount_words(done.gone, money)} from {since} is taken back; {after}"


@command.command("early-exit")
@click.argument("name")
@click.argument("steps", nargs=-1, metavar="[MONTH=AMOUNT]...")
@click.option("--with-tax", is_flag=True, help="The table for contracts whose prices are with tax.")
@click.option("--currency", type=CURRENCY, help="The issuers' by default.")
@click.pass_obj
def early_exit(settings: Settings, name: str, steps: tuple[str, ...], *, with_tax: bool, currency: str | None) -> None:
    """What leaving product NAME early costs by whole months of service, as a whole: 0=120 12=60. Without steps, nothing.

    Contracts with prices with tax have a table of their own. Nobody pays more than he would have to the end of his term.
    """
    table = sorted(_read_step(text) for text in steps)
    if len({month for month, _ in table}) < len(table):
        raise click.UsageError("a month stands twice")
    with open_books(settings) as connection:
        product = known_product(connection, name, _today(settings))
        money = known_currency(connection, currency)
        save_early_exit(connection, product.id, money, table, includes_tax=with_tax)
    said = ", ".join(
        f"from month {month} {amount_words(amount, money)} {money}{taxed_words(with_tax)}" for month, amount in table
    )
    click.echo(f"Leaving {name} early: {said or 'costs nothing'}.")


@command.command("pause-fee")
@click.argument("name")
@click.argument("amount", type=AMOUNT, required=False)
@click.option("--with-tax", is_flag=True, help="For contracts whose prices are with tax.")
@click.option("--currency", type=CURRENCY, help="The issuers' by default.")
@click.pass_obj
def pause_fee(settings: Settings, name: str, amount: Decimal | None, *, with_tax: bool, currency: str | None) -> None:
    """What a pause costs who has plan NAME, once each, in the place of its days. Without AMOUNT, nothing.

    Pauses that are set already keep what they cost; `corrente contract pause --no-fee` waives it.
    """
    with open_books(settings) as connection:
        product = known_product(connection, name, _today(settings))
        if product.kind != "plan":
            raise Refused(f"product {name} is no plan: contracts pause by their plan")
        money = known_currency(connection, currency)
        save_pause_fee(connection, product.id, money, amount, includes_tax=with_tax)
    said = "costs nothing" if amount is None else f"costs {amount_words(amount, money)} {money}{taxed_words(with_tax)}"
    click.echo(f"A pause of {name} {said}.")


def _read_step(text: str) -> tuple[int, Decimal]:
    month, equals, amount = text.partition("=")
    if not (equals and month.isascii() and month.isdigit() and len(month) <= len("119")):
        raise click.UsageError(f"{text!r}: expected MONTH=AMOUNT, such as 12=60.00")
    return int(month), AMOUNT.convert(amount, None, None)
