"""What was invoiced and is of days still to come (IT: risconti passivi): of each issued line that has days, the part of its net behind a day.

Day by day as a period is prorated: the part up to a day is rounded once, so that what is earned from one day to another comes to the line's net. A credit
note stands below zero, over the days of the line that it corrects where it has none of its own.

Units: days are civil dates of the issuer's zone; amounts without tax.
Source: billing model sections 7 and 13.

Next: billing/periods.py
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

import psycopg

from billing.money import Money, read_money
from billing.periods import telescoped


@dataclass(frozen=True, slots=True)
class DeferredRevenueRow:
    """Of one product on one revenue account: how many lines have days still to come, their net, and how much of it is of those days."""

    account: str
    account_name: str
    product: str
    currency: str
    lines: int
    net: Decimal
    deferred: Decimal


_LINES: Final = """
SELECT a.code, a.name, coalesce(p.name, ''), d.currency, CASE d.kind WHEN 'credit_note' THEN -l.net ELSE l.net END,
    greatest(0, %(at)s::date + 1 - lower(days.during)), upper(days.during) - lower(days.during)
FROM document_line AS l JOIN document AS d ON d.id = l.document_id JOIN ledger_account AS a ON a.id = l.account_id LEFT JOIN product AS p ON p.id = l.product_id
    LEFT JOIN document_line AS o ON o.document_id = l.corrects_id AND o.number = l.corrects_number
    CROSS JOIN LATERAL (SELECT coalesce(l.during, o.during) AS during) AS days
WHERE d.issuer_id = %(issuer)s AND d.state = 'issued' AND d.kind IN ('invoice', 'credit_note') AND d.document_date <= %(at)s AND upper(days.during) > %(at)s::date + 1
"""


def stream_deferred_revenue(
    connection: psycopg.Connection[Any], issuer_id: int, *, at: date
) -> Iterator[DeferredRevenueRow]:
    """What of the documents up to and with a day is of days behind it, by account and product."""
    sums: dict[tuple[str, str, str, str], tuple[int, Money, Money]] = {}
    for *key, net_, gone, days in connection.execute(_LINES, {"issuer": issuer_id, "at": at}):
        account, name, product, currency = key
        net = read_money(net_, currency)
        none = Money(0, currency)
        lines, of, deferred = sums.get((account, name, product, currency), (0, none, none))
        left = telescoped(net, gone, days, days)
        sums[account, name, product, currency] = (lines + 1, of + net, deferred + left)
    for named, (lines, of, deferred) in sorted(sums.items()):
        yield DeferredRevenueRow(*named, lines, of.amount, deferred.amount)
