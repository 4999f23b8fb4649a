"""What is sold: products with texts by language, prices by date and length of period, early exit tables, pause fees.

Contracts hold copies: nothing here changes what is agreed.

Units: prices are exact in their currency; days are civil dates, `until` is not covered.

Next: billing/store/promotions.py
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

import psycopg
from psycopg.rows import class_row
from psycopg.types.range import DateRange

from billing.errors import BillingError
from billing.store.rows import id_of, insert_row, update_row

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Product:
    """A line of the catalogue; `plan` and `tax_code` by name. `contracts` have an item of it that has not ended."""

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


@dataclass(frozen=True, slots=True)
class Price:
    """What a product costs for so many months, by the day a contract is made."""

    id: int
    currency: str
    months: int
    unit_price: Decimal
    includes_tax: bool
    since: date | None
    until: date | None


@dataclass(frozen=True, slots=True)
class PriceSeries:
    """Prices that follow each other by day: of a product, a currency, a length of period, with tax or without."""

    product_id: int
    currency: str
    months: int
    includes_tax: bool


@dataclass(frozen=True, slots=True)
class PriceSet:
    """What became of the prices around a new one: which ended where it begins, which it took the place of, and until when it holds."""

    ended: Decimal | None
    replaced: Decimal | None
    until: date | None


@dataclass(frozen=True, slots=True)
class PriceTakenBack:
    """A price that no longer is, and the one before it, which goes on; None where none ended there."""

    gone: Decimal
    goes_on: Decimal | None


class PriceTakenError(BillingError):
    """A price that would hold on days of a later one."""


@dataclass(frozen=True, slots=True)
class ExitStep:
    """What leaving costs after so many whole months of service, until the next step."""

    from_month: int
    currency: str
    amount: Decimal
    includes_tax: bool


@dataclass(frozen=True, slots=True)
class PauseFee:
    """What a pause costs, once."""

    currency: str
    amount: Decimal
    includes_tax: bool


@dataclass(frozen=True, slots=True)
class ProductPage:
    """All of a product; `texts` by language, `accounts` by issuer."""

    product: Product
    texts: dict[str, str]
    prices: list[Price]
    early_exit: list[ExitStep]
    pause_fee: list[PauseFee]
    accounts: dict[str, str]


_PRODUCTS: Final = """
SELECT p.id, p.name, p.kind::text, n.name AS plan, p.family, c.name AS tax_code, p.minimum_months, p.renew_months, p.notice_days,
    lower(p.offered) AS offered_from, upper(p.offered) AS offered_until,
    (SELECT count(DISTINCT i.contract_id) FROM contract_item AS i WHERE i.product_id = p.id
        AND (i.ends_on IS NULL OR i.ends_on > %(day)s::date)) AS contracts
FROM product AS p JOIN tax_code AS c ON c.id = p.tax_code_id LEFT JOIN plan AS n ON n.id = p.plan_id
WHERE (%(offered)s::date IS NULL OR p.offered @> %(offered)s::date) AND (%(name)s::text IS NULL OR p.name = %(name)s)
ORDER BY p.kind, p.name
"""
_PRICES: Final = """
SELECT id, currency, months, unit_price, includes_tax, lower(during) AS since, upper(during) AS until FROM price
WHERE product_id = %s ORDER BY currency, months, during
"""


_PRICE_BEHIND: Final = """
SELECT lower(during), unit_price FROM price WHERE (product_id, currency, months, includes_tax) = (%(product_id)s, %(currency)s, %(months)s, %(includes_tax)s) AND lower(during) > %(since)s
ORDER BY during LIMIT 1
"""
_DELETE_PRICE: Final = """
DELETE FROM price WHERE (product_id, currency, months, includes_tax) = (%(product_id)s, %(currency)s, %(months)s, %(includes_tax)s) AND lower(during) = %(since)s
RETURNING unit_price, upper(during)
"""
_END_PRICE: Final = """
UPDATE price SET during = daterange(lower(during), %(since)s) WHERE (product_id, currency, months, includes_tax) = (%(product_id)s, %(currency)s, %(months)s, %(includes_tax)s)
    AND during @> %(since)s::date RETURNING unit_price
"""
_LET_GO_ON: Final = """
UPDATE price SET during = daterange(lower(during), %(until)s) WHERE (product_id, currency, months, includes_tax) = (%(product_id)s, %(currency)s, %(months)s, %(includes_tax)s)
    AND upper(during) = %(since)s RETURNING unit_price
"""


def load_products(
    connection: Connection, *, day: date, offered_on: date | None = None, name: str | None = None
) -> list[Product]:
    """All, those offered on a day, or the one of that name; by kind and name. Contracts are counted as of `day`."""
    with connection.cursor(row_factory=class_row(Product)) as cursor:
        return cursor.execute(_PRODUCTS, {"day": day, "offered": offered_on, "name": name}).fetchall()


def load_product_page(connection: Connection, product: Product) -> ProductPage:
    """All of a product."""
    texts = connection.execute(
        "SELECT language::text, text FROM product_text WHERE product_id = %s ORDER BY language", (product.id,)
    ).fetchall()
    accounts = connection.execute(
        "SELECT i.name, a.code || ' ' || a.name FROM product_account AS x JOIN issuer AS i ON i.id = x.issuer_id"
        " JOIN ledger_account AS a ON a.id = x.account_id WHERE x.product_id = %s ORDER BY i.name",
        (product.id,),
    ).fetchall()
    with connection.cursor(row_factory=class_row(Price)) as cursor:
        prices = cursor.execute(_PRICES, (product.id,)).fetchall()
    with connection.cursor(row_factory=class_row(ExitStep)) as cursor:
        steps = cursor.execute(
            "SELECT from_month, currency, amount, includes_tax FROM early_exit_cost WHERE product_id = %s"
            " ORDER BY currency, includes_tax, from_month",
            (product.id,),
        ).fetchall()
    with connection.cursor(row_factory=class_row(PauseFee)) as cursor:
        fees = cursor.execute(
            "SELECT currency, amount, includes_tax FROM pause_fee WHERE product_id = %s ORDER BY currency, includes_tax",
            (product.id,),
        ).fetchall()
    return ProductPage(product, dict(texts), prices, steps, fees, dict(accounts))


def save_product(
    connection: Connection,
    columns: Mapping[str, object],
    *,
    tax_code: str,
    plan: str | None,
    offered: tuple[date | None, date | None] = (None, None),
) -> int:
    """A new product; returns its id. Raises: NotThereError for a tax code or plan that there is not."""
    return insert_row(
        connection,
        "product",
        {
            **columns,
            "tax_code_id": id_of(connection, "tax_code", tax_code),
            "plan_id": id_of(connection, "plan", plan) if plan is not None else None,
            "offered": DateRange(*offered),
        },
    )


def change_product(
    connection: Connection, product_id: int, columns: Mapping[str, object], *, tax_code: str | None = None
) -> None:
    """Set these columns. What contracts agreed stays; the tax code counts for their next documents.

    Raises: NotThereError.
    """
    given = dict(columns)
    if tax_code is not None:
        given["tax_code_id"] = id_of(connection, "tax_code", tax_code)
    update_row(connection, "product", product_id, given)


def save_offered(connection: Connection, product_id: int, since: date | None, until: date | None) -> None:
    """From when to when new contracts may have it."""
    update_row(connection, "product", product_id, {"offered": DateRange(since, until)})


def save_text(connection: Connection, product_id: int, language: str, text: str) -> None:
    """What stands on documents in a language."""
    connection.execute(
        "INSERT INTO product_text (product_id, language, text) VALUES (%s, %s, %s)"
        " ON CONFLICT (product_id, language) DO UPDATE SET text = excluded.text",
        (product_id, language, text),
    )


def add_price(
    connection: Connection,
    series: PriceSeries,
    unit_price: Decimal,
    *,
    since: date,
    until: date | None = None,
) -> PriceSet:
    """A price from a day on, until that, else until the next there is. The one that held before ends there; one of that very day is
    replaced.

    Raises: PriceTakenError when a later one begins before `until`.
    """
    given = {**asdict(series), "since": since}
    following = connection.execute(_PRICE_BEHIND, given).fetchone()
    if until is not None and following is not None and following[0] < until:
        raise PriceTakenError(
            f"a price of {following[1].normalize():f} {series.currency} begins on {following[0]} already: end this one there, or"
            " take that one back first"
        )
    replaced = connection.execute(_DELETE_PRICE, given).fetchone()
    ended = connection.execute(_END_PRICE, given).fetchone()
    until = until or (following[0] if following is not None else None)
    insert_row(
        connection,
        "price",
        {**asdict(series), "unit_price": unit_price, "during": DateRange(since, until)},
    )
    return PriceSet(ended[0] if ended else None, replaced[0] if replaced else None, until)


def take_back_price(connection: Connection, series: PriceSeries, *, since: date) -> PriceTakenBack | None:
    """As if the price that begins on that day had never been set: the one that ended there goes on. None where none begins there.

    Contracts keep what they agreed.
    """
    given = {**asdict(series), "since": since}
    gone = connection.execute(_DELETE_PRICE, given).fetchone()
    if gone is None:
        return None
    before = connection.execute(_LET_GO_ON, {**given, "until": gone[1]}).fetchone()
    return PriceTakenBack(gone[0], before[0] if before else None)


def save_early_exit(
    connection: Connection, product_id: int, currency: str, steps: Sequence[tuple[int, Decimal]], *, includes_tax: bool
) -> None:
    """The whole table of a product in a currency, in the place of the one there was. Contracts look here when they end."""
    connection.execute(
        "DELETE FROM early_exit_cost WHERE product_id = %s AND currency = %s AND includes_tax = %s",
        (product_id, currency, includes_tax),
    )
    connection.cursor().executemany(
        "INSERT INTO early_exit_cost (product_id, from_month, currency, amount, includes_tax) VALUES (%s, %s, %s, %s, %s)",
        [(product_id, month, currency, amount, includes_tax) for month, amount in steps],
    )


def save_pause_fee(
    connection: Connection, product_id: int, currency: str, amount: Decimal | None, *, includes_tax: bool
) -> None:
    """What a pause of a plan costs from now on, or nothing. Contracts look here when they pause."""
    if amount is None:
        connection.execute(
            "DELETE FROM pause_fee WHERE product_id = %s AND currency = %s AND includes_tax = %s",
            (product_id, currency, includes_tax),
        )
        return
    connection.execute(
        "INSERT INTO pause_fee (product_id, currency, includes_tax, amount) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (product_id, currency, includes_tax) DO UPDATE SET amount = excluded.amount",
        (product_id, currency, includes_tax, amount),
    )
