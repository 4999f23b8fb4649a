"""What products cost on a day, for who chooses among them.

Next: catalogue.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

import psycopg

Connection = psycopg.Connection[Any]
# Of the same price for several lengths of period the shortest.
_OFFERED: Final = """
SELECT DISTINCT ON (product_id, currency, includes_tax) product_id, currency, months, unit_price, includes_tax FROM price
WHERE product_id = ANY (%s) AND during @> %s::date ORDER BY product_id, currency, includes_tax DESC, months
"""


@dataclass(frozen=True, slots=True)
class OfferedPrice:
    """What a product costs for so many months, or once when it is sold so."""

    currency: str
    months: int
    unit_price: Decimal
    includes_tax: bool


def load_offered_prices(
    connection: Connection, product_ids: Sequence[int], *, on: date
) -> dict[int, list[OfferedPrice]]:
    """By product its prices on that day, one a currency, with tax and without."""
    found: dict[int, list[OfferedPrice]] = {}
    for product_id, *price in connection.execute(_OFFERED, (list(product_ids), on)):
        found.setdefault(product_id, []).append(OfferedPrice(*price))
    return found
