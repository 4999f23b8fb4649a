"""What was agreed in a contract, for the paper that both sign.

Units: days of the issuer's zone; amounts in the contract's prices.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import dict_row

from billing.errors import BillingError
from billing.papers.contracts import AgreedTerms, GivenDiscount, SoldItem
from billing.sentence import Sentence
from billing.store.parties import load_issuer, load_parties

Connection = psycopg.Connection[Any]

_TERMS: Final = """
SELECT c.customer_id, c.starts_on, t.issuer_id, t.currency, t.includes_tax, t.minimum_months, t.notice_days,
    i.zone, to_jsonb(a) AS service
FROM contract AS c JOIN contract_terms AS t ON t.contract_id = c.id JOIN issuer AS i ON i.id = t.issuer_id
    LEFT JOIN address AS a ON a.id = t.service_address_id WHERE c.id = %s
"""
# What has ended is no longer agreed.
_ITEMS: Final = """
SELECT coalesce(x.text, p.name), i.quantity, i.period_price, i.months
FROM contract_item AS i JOIN product AS p ON p.id = i.product_id
    LEFT JOIN product_text AS x ON x.product_id = p.id AND x.language::text = %(language)s
WHERE i.contract_id = %(contract)s AND i.ends_on IS DISTINCT FROM i.starts_on AND (i.ends_on IS NULL OR i.ends_on > %(day)s)
ORDER BY i.kind, i.id
"""
_DISCOUNTS: Final = """
SELECT d.reason, d.kind = 'percent', d.value, lower(d.during), upper(d.during), coalesce(x.text, p.name, d.family)
FROM discount AS d LEFT JOIN contract_item AS i ON i.id = d.item_id LEFT JOIN product AS p ON p.id = i.product_id
    LEFT JOIN product_text AS x ON x.product_id = p.id AND x.language::text = %(language)s
WHERE d.contract_id = %(contract)s AND coalesce(upper(d.during) > %(day)s, true) ORDER BY d.priority, d.id
"""
_EXITS: Final = """
SELECT e.from_month, e.amount FROM early_exit_cost AS e
WHERE (e.currency, e.includes_tax) = (%(currency)s, %(includes_tax)s) AND e.product_id = (
    SELECT i.product_id FROM contract_item AS i WHERE i.contract_id = %(contract)s AND i.kind = 'plan'
        AND (i.ends_on IS NULL OR i.ends_on > %(day)s) ORDER BY i.starts_on, i.id LIMIT 1)
ORDER BY e.from_month
"""


def load_agreed(connection: Connection, contract_id: int, *, now: datetime, language: str | None = None) -> AgreedTerms:
    """A contract as it stands and is to come. Product texts are in the customer's language or `language`.

    Raises: BillingError for a contract that is not there or has no terms.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(_TERMS, (contract_id,)).fetchone()
    if row is None:
        raise BillingError(
            Sentence(
                "there is no contract %(contract_id)s with terms: `corrente contract bind` gives it some",
                contract_id=contract_id,
            )
        )
    customer = load_parties(connection, [row["customer_id"]])[row["customer_id"]]
    today = now.astimezone(ZoneInfo(row["zone"])).date()
    given = {
        "contract": contract_id,
        "language": language or customer.language,
        "day": today,
        "currency": row["currency"],
        "includes_tax": row["includes_tax"],
    }
    exits = connection.execute(_EXITS, given).fetchall() if row["minimum_months"] else []
    return AgreedTerms(
        number=contract_id,
        issuer_id=row["issuer_id"],
        issuer=json.loads(load_issuer(connection, row["issuer_id"]).data),
        customer=json.loads(customer.data),
        language=customer.language,
        currency=row["currency"],
        includes_tax=row["includes_tax"],
        dated=today,
        starts_on=row["starts_on"],
        minimum_months=row["minimum_months"],
        notice_days=row["notice_days"],
        items=tuple(SoldItem(*one) for one in connection.execute(_ITEMS, given)),
        discounts=tuple(GivenDiscount(*one) for one in connection.execute(_DISCOUNTS, given)),
        exits=tuple((month, amount) for month, amount in exits),
        service_address=row["service"],
    )
