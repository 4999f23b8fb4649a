"""All tax data of the installation, read at once.

Next: billing/store/ledger.py
"""

from __future__ import annotations

from typing import Any

import psycopg

from billing.tax import (
    CustomerKind,
    Exemption,
    FiscalPosition,
    StampDuty,
    TaxCode,
    TaxRate,
    TaxTables,
    tax_tables,
)
from billing.totals import Liability

_POSITIONS = """
SELECT p.id, p.name, p.liability::text, p.priority, p.issuer_id, p.customer_kind::text, p.countries, p.postal_prefix,
    coalesce(array_agg(ARRAY[t.from_tax_code_id, t.to_tax_code_id] ORDER BY t.from_tax_code_id) FILTER (WHERE t.from_tax_code_id IS NOT NULL), '{}')
FROM fiscal_position AS p LEFT JOIN fiscal_position_tax AS t ON t.fiscal_position_id = p.id GROUP BY p.id
"""


def load_tax_tables(connection: psycopg.Connection[Any]) -> TaxTables:
    """Codes, rates, fiscal positions, exemptions and stamp duties."""
    codes = connection.execute("SELECT id, name, nature, legal_reference, bears_stamp FROM tax_code")
    rates = connection.execute("SELECT tax_code_id, lower(during), upper(during), percent FROM tax_rate")
    exemptions = connection.execute(
        "SELECT customer_id, tax_code_id, lower(during), upper(during), legal_reference FROM exemption"
    )
    duties = connection.execute(
        "SELECT country, lower(during), upper(during), above, amount, currency, product_id FROM stamp_duty"
    )
    return tax_tables(
        codes=[TaxCode(*row) for row in codes],
        rates=[TaxRate(*row) for row in rates],
        positions=[_position(row) for row in connection.execute(_POSITIONS)],
        exemptions=[Exemption(*row) for row in exemptions],
        duties=[StampDuty(*row) for row in duties],
    )


def _position(row: tuple[Any, ...]) -> FiscalPosition:
    number, name, liability, priority, issuer_id, kind, countries, prefix, replaces = row
    return FiscalPosition(
        id=number,
        name=name,
        liability=Liability(liability),
        priority=priority,
        issuer_id=issuer_id,
        kind=None if kind is None else CustomerKind(kind),
        countries=frozenset(countries),
        postal_prefix=prefix,
        replaces=tuple((first, second) for first, second in replaces),
    )
