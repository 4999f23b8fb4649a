"""Products: what is sold, with words by language, prices by date and terms; what contracts agreed stays as it is."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, ClassVar, Literal, get_args

import msgspec

from billing.price_changes import PriceChange, Reach, check_day
from billing.store.acting import acting
from billing.store.catalogue import (
    Price,
    PriceSeries,
    ProductPage,
    add_price,
    load_product_page,
    load_products,
    save_product,
    save_text,
)
from billing.store.issuers import load_issuers, load_tax_codes
from billing.store.price_changes import load_price_totals
from control_plane.access.permissions import Permission
from control_plane.catalogue import ask_for_new_price
from control_plane.store.plan import load_plan_ids
from web.acting import person
from web.api._changes import Language, today
from web.api._shapes import (
    Amount,
    Currency,
    Digits,
    Number,
    Words,
    amount_of,
    shaped,
    there_is_none,
    wrong_value,
)
from web.calls import Noun, Slice
from web.database import Connection

pages = Noun("products")

PriceDigits = Annotated[
    str, msgspec.Meta(pattern=r"^\d{1,9}(\.\d{1,6})?$", description="a decimal number with all its digits")
]


class ProductPrice(msgspec.Struct, frozen=True):
    """What new contracts agree to, of a period of `months`; `until` is the first day on which it no longer holds."""

    currency: str
    months: int
    unit_price: str
    includes_tax: bool
    since: date | None
    until: date | None


class OneProduct(msgspec.Struct, frozen=True):
    """A product: a plan's binds for `minimum_months`, goes on by `renew_months` and ends after `notice_days`. `texts` are its words on
    documents by language, `contracts` are those that have it.
    """

    id: int
    name: str
    kind: str
    plan: str | None
    family: str
    tax_code: str
    minimum_months: int | None
    renew_months: int | None
    notice_days: int | None
    offered_from: date | None
    offered_until: date | None
    contracts: int
    texts: dict[str, str]
    prices: list[ProductPrice]


class NewProduct(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A product; one of kind `plan` sells a plan of the network that no other sells, and it alone binds."""

    name: Words
    kind: Literal["plan", "add_on", "one_off", "usage"]
    family: Annotated[str, msgspec.Meta(pattern="^[a-z0-9_]{1,40}$")]
    tax_code: Words
    plan: Words | None = None
    minimum_months: Annotated[int, msgspec.Meta(ge=1, le=120)] | None = None
    renew_months: Annotated[int, msgspec.Meta(ge=1, le=120)] | None = None
    notice_days: Annotated[int, msgspec.Meta(ge=0, le=365)] | None = None
    offered_from: date | None = None
    offered_until: date | None = None


class NewProductPrice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A price for contracts made from a day on; the one before ends there."""

    unit_price: PriceDigits
    currency: Currency
    since: date
    months: Annotated[int, msgspec.Meta(ge=1, le=12)] = 1
    includes_tax: bool = False


class ProductText(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands on documents."""

    text: Words


class ProductQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Which products: those on offer today alone."""

    offered: bool = False


class PriceChangeToMake(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another price for the contracts that have a product: a new one a month, or so many percent more; from each contract's next period after
    `day`, of which its customer is told 30 days before.
    """

    EXAMPLE: ClassVar[dict[str, object]] = {"product_id": 2, "day": "2030-03-01", "percent": "3.5"}

    product_id: Number
    day: date
    month_price: PriceDigits | None = None
    percent: Digits | None = None
    currency: Currency | None = None
    includes_tax: bool = True


class PriceSum(msgspec.Struct, frozen=True):
    """What the items of a currency come to a month, before and after."""

    items: int
    includes_tax: bool
    before: Amount
    after: Amount


class PriceChanged(msgspec.Struct, frozen=True):
    """How many items get a new price, and what they come to; the worker gives it, `request` says how far it is."""

    items: int
    totals: list[PriceSum]
    request: int


@pages.call(
    "GET",
    "/products",
    permission=Permission.CATALOGUE_SEE,
    asked=ProductQuestion,
    answers=Slice[OneProduct],
    does=("products.list_",),
)
def find(connection: Connection, *, asked: ProductQuestion) -> Slice[OneProduct]:
    """All products with their prices."""
    day = today(connection)
    rows = load_products(connection, day=day, offered_on=day if asked.offered else None)
    return Slice([_shown(load_product_page(connection, one)) for one in rows], None)


@pages.call(
    "GET", "/products/<int:number>", permission=Permission.CATALOGUE_SEE, answers=OneProduct, does=("products.show",)
)
def show(connection: Connection, *, number: int) -> OneProduct:
    """One product."""
    return _shown(_known(connection, number))


@pages.call(
    "POST",
    "/products",
    permission=Permission.CATALOGUE_SEE,
    also=(Permission.CATALOGUE_CHANGE,),
    body=NewProduct,
    answers=OneProduct,
    status=201,
    does=("products.new",),
)
def new(connection: Connection, *, body: NewProduct) -> OneProduct:
    """Add a product; say then what it costs."""
    _check(connection, body)
    acting(connection, person().name)
    columns = {
        name: getattr(body, name)
        for name in ("name", "kind", "family", "minimum_months", "renew_months", "notice_days")
    }
    made = save_product(
        connection, columns, tax_code=body.tax_code, plan=body.plan, offered=(body.offered_from, body.offered_until)
    )
    return _shown(_known(connection, made))


@pages.call(
    "POST",
    "/products/<int:number>/prices",
    permission=Permission.CATALOGUE_SEE,
    also=(Permission.CATALOGUE_CHANGE,),
    body=NewProductPrice,
    answers=OneProduct,
    status=201,
    does=("products.price",),
)
def price(connection: Connection, *, number: int, body: NewProductPrice) -> OneProduct:
    """Give a product a price for new contracts; those that there are keep theirs."""
    _known(connection, number)
    _check_currency(connection, body.currency)
    acting(connection, person().name)
    series = PriceSeries(number, body.currency, body.months, body.includes_tax)
    add_price(connection, series, Decimal(body.unit_price), since=body.since)
    return _shown(_known(connection, number))


@pages.call(
    "PUT",
    "/products/<int:number>/texts/<language>",
    permission=Permission.CATALOGUE_SEE,
    also=(Permission.CATALOGUE_CHANGE,),
    body=ProductText,
    answers=OneProduct,
    does=("products.text",),
)
def text(connection: Connection, *, number: int, language: str, body: ProductText) -> OneProduct:
    """Say what stands on documents in a language."""
    _known(connection, number)
    if language not in get_args(Language):
        raise there_is_none()
    acting(connection, person().name)
    save_text(connection, number, language, body.text)
    return _shown(_known(connection, number))


@pages.call(
    "POST",
    "/price-changes",
    permission=Permission.CATALOGUE_SEE,
    also=(Permission.CATALOGUE_CHANGE,),
    body=PriceChangeToMake,
    answers=PriceChanged,
    does=("price_changes.new",),
)
def change_prices(connection: Connection, *, body: PriceChangeToMake) -> PriceChanged:
    """Have a product given another price for the contracts that have it. Try it with `dry_run`: it answers what it comes to."""
    products = {
        one.id: one.name for one in load_products(connection, day=today(connection)) if one.kind in ("plan", "add_on")
    }
    if body.product_id not in products:
        raise wrong_value("there is no such product with periods", pointer="/product_id")
    if (body.month_price is None) == (body.percent is None):
        raise wrong_value("a new price, or a percentage: one of the two", pointer="/month_price")
    if (body.month_price is None) != (body.currency is None):
        raise wrong_value("a currency goes with a new price", pointer="/currency")
    check_day(body.day, today(connection))
    change = PriceChange(_decimal(body.month_price), _decimal(body.percent))
    reach = Reach(body.product_id, body.day, body.currency, body.month_price is not None and body.includes_tax)
    name = products[body.product_id]
    totals = load_price_totals(connection, change, reach)
    request = ask_for_new_price(connection, name, change, reach, actor=person().name)
    return PriceChanged(
        sum(one.items for one in totals),
        [PriceSum(one.items, one.includes_tax, amount_of(one.before), amount_of(one.after)) for one in totals],
        request,
    )


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _check(connection: Connection, body: NewProduct) -> None:
    """Whether its parts go together. Raises: Problem."""
    is_plan = body.kind == "plan"
    there = load_products(connection, day=today(connection))
    if body.name in {one.name for one in there}:
        raise wrong_value("there is one of this name already", pointer="/name")
    if body.tax_code not in {one.name for one in load_tax_codes(connection)}:
        raise wrong_value("there is no such tax code", pointer="/tax_code")
    free = set(load_plan_ids(connection)) - {one.plan for one in there}
    if is_plan != (body.plan is not None) or (is_plan and body.plan not in free):
        words = "a product of kind plan sells a plan that no other sells; no other kind has one"
        raise wrong_value(words, pointer="/plan")
    for name in ("minimum_months", "renew_months", "notice_days"):
        if not is_plan and getattr(body, name) is not None:
            raise wrong_value("only plans bind", pointer=f"/{name}")
    if body.offered_from and body.offered_until and body.offered_until <= body.offered_from:
        raise wrong_value("it ends after it begins", pointer="/offered_until")


def _check_currency(connection: Connection, currency: str) -> None:
    if currency not in {one.currency for one in load_issuers(connection)}:
        raise wrong_value("no issuer has this currency", pointer="/currency")


def _known(connection: Connection, number: int) -> ProductPage:
    found = next((one for one in load_products(connection, day=today(connection)) if one.id == number), None)
    if found is None:
        raise there_is_none()
    return load_product_page(connection, found)


def _shown(page: ProductPage) -> OneProduct:
    return shaped(OneProduct, page.product, texts=page.texts, prices=[_price(one) for one in page.prices])


def _price(row: Price) -> ProductPrice:
    return shaped(ProductPrice, row)
