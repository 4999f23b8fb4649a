"""Stamp duty by country, currency and date: what documents above a sum owe, and as which product it is recharged.

Units: amounts in the currency's places; days are civil dates, `until` is not covered.

Next: billing/tax.py
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

import psycopg
from psycopg.rows import class_row
from psycopg.types.range import DateRange

from billing.country_codes import country_fault
from billing.errors import BillingError
from billing.store.rows import id_of

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class StampDutyRow:
    """What is owed in a time on documents whose untaxed amounts are `above` a sum; `product` is its line where it is recharged."""

    country: str
    currency: str
    above: Decimal
    amount: Decimal
    since: date | None
    until: date | None
    product: str | None


_DUTIES: Final = """
SELECT d.country, d.currency, d.above, d.amount, lower(d.during) AS since, upper(d.during) AS until, p.name AS product
FROM stamp_duty AS d LEFT JOIN product AS p ON p.id = d.product_id ORDER BY d.country, d.currency, d.during
"""
_END: Final = """
UPDATE stamp_duty SET during = daterange(lower(during), %(since)s) WHERE country = %(country)s::text AND currency = %(currency)s::text
    AND upper_inf(during) AND (lower_inf(during) OR lower(during) < %(since)s) RETURNING amount
"""
# Its line is the one before's, or another currency's, unless another is named.
_ADD: Final = """
INSERT INTO stamp_duty (country, currency, during, above, amount, product_id) VALUES (%(country)s::text, %(currency)s::text, %(during)s, %(above)s, %(amount)s,
    coalesce(%(product)s::bigint, (SELECT product_id FROM stamp_duty WHERE country = %(country)s::text AND product_id IS NOT NULL ORDER BY currency = %(currency)s::text DESC, during DESC LIMIT 1)))
"""


def load_stamp_duties(connection: Connection) -> list[StampDutyRow]:
    """All of them, by country, currency and date."""
    with connection.cursor(row_factory=class_row(StampDutyRow)) as cursor:
        return cursor.execute(_DUTIES).fetchall()


def add_stamp_duty(
    connection: Connection,
    country: str,
    currency: str,
    *,
    above: Decimal,
    amount: Decimal,
    since: date,
    until: date | None = None,
    product: str | None = None,
) -> Decimal | None:
    """A duty from a day on; what held on that day without an end, ends there. Returns what was ended.

    Raises: NotThereError for a product that there is not, BillingError for such a country; the database refuses what overlaps otherwise.
    """
    if (fault := country_fault(country)) is not None:
        raise BillingError(f"country: {fault}")
    product_id = id_of(connection, "product", product) if product is not None else None
    given = {"country": country, "currency": currency, "since": since, "above": above, "amount": amount}
    ended = connection.execute(_END, given).fetchone()
    connection.execute(_ADD, {**given, "during": DateRange(since, until), "product": product_id})
    return None if ended is None else Decimal(ended[0])


def end_stamp_duty(connection: Connection, country: str, currency: str, *, on: date) -> Decimal | None:
    """Nothing is owed from a day on. Returns what was ended; documents that are issued stay."""
    ended = connection.execute(_END, {"country": country, "currency": currency, "since": on}).fetchone()
    return None if ended is None else Decimal(ended[0])
