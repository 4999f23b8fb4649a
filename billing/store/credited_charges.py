"""Charges of lines that a credit note gives back, so that charges and documents tell one truth of what is left.

A credit of money has no days: it counts none of its charge's units, so that a later end or pause still gives its days back
as far as there is money left. A line that is given back whole gives all its days back.

Next: billing/store/issued.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import psycopg

from billing.credits import net_of
from billing.documents import Draft
from billing.money import Money, read_money, share

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class BilledCharge:
    """A charge that a line billed, how much of it and of the line's net was given back before, or waits to be."""

    id: int
    line_number: int
    item_id: int
    start: date
    end: date
    units: int
    of: int
    net: Money
    credited: Money
    line_net: Money
    line_credited: Money


# Positions first and in their order, as runs and deeds take them; the customer before its documents, as payments take them.
_HOLD: Final = """
SELECT FROM billing_position WHERE item_id IN (SELECT item_id FROM charge WHERE document_id = %s) ORDER BY item_id FOR UPDATE
"""
_HOLD_CUSTOMER: Final = (
    "SELECT FROM customer WHERE id = (SELECT customer_id FROM document WHERE id = %s) FOR NO KEY UPDATE"
)
_HOLD_DOCUMENT: Final = "SELECT FROM document WHERE id = %s FOR NO KEY UPDATE"
_BILLED: Final = """
SELECT h.id, h.line_number, h.item_id, lower(h.during), upper(h.during), h.units, h.of, h.currency, h.net,
    coalesce((SELECT -sum(g.net) FROM charge AS g WHERE g.corrects_id = h.id), 0), l.net, coalesce(c.credited, 0),
    coalesce((SELECT -sum(own.net) FROM charge AS g JOIN document_line AS own ON own.document_id = g.document_id AND own.number = g.line_number
        WHERE g.corrects_id = h.id AND g.document_id = h.document_id), 0),
    coalesce((SELECT -sum(g.net) FROM charge AS g WHERE g.corrects_id = h.id AND g.document_id IS NULL AND NOT g.covered), 0), l.rate, d.includes_tax
FROM charge AS h JOIN document AS d ON d.id = h.document_id JOIN document_line AS l ON l.document_id = h.document_id AND l.number = h.line_number
    LEFT JOIN credited_line AS c ON c.document_id = l.document_id AND c.number = l.number
WHERE h.document_id = %s AND h.kind <> 'credit' ORDER BY h.id
"""
_CREDIT: Final = """
INSERT INTO charge (item_id, kind, during, units, of, full_price, net, currency, due_on, corrects_id, document_id, line_number, made_by)
VALUES (%s, 'credit', daterange(%s, %s), %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""


def hold_charges(connection: Connection, document_id: int) -> list[BilledCharge]:
    """The charges that an invoice billed; they and the invoice are this transaction's until it ends."""
    connection.execute(_HOLD, (document_id,))
    connection.execute(_HOLD_CUSTOMER, (document_id,))
    connection.execute(_HOLD_DOCUMENT, (document_id,))
    found = []
    for row in connection.execute(_BILLED, (document_id,)):
        *head, currency, net, credited, line_net, line_credited, own, waits, rate, includes_tax = row
        billed, given, whole, back = (
            read_money(one, currency) for one in (net, credited, line_net, line_credited + own)
        )
        # A run will give this back of the line.
        back += net_of(read_money(waits, currency), rate, includes_tax)
        amounts = [billed, given, whole, min(whole, back, key=lambda one: one.minor)]
        found.append(BilledCharge(*head, *amounts))
    return found


def credit_charges(
    connection: Connection, charges: Sequence[BilledCharge], draft: Draft, document_id: int, *, made_by: str
) -> None:
    """Write what an issued credit note gives back of these charges, each on the note's line."""
    by_line = {one.line_number: one for one in charges}
    for place, (line, printed) in enumerate(zip(draft.lines, draft.totals.lines, strict=True), 1):
        corrected = line.source.corrects
        charge = by_line.get(corrected[1]) if corrected else None
        if charge is None:
            continue
        given = credit_of(charge, printed.net)
        if not given:
            continue
        whole = printed.net == charge.line_net
        row = (
            *(charge.item_id, charge.start, charge.end, charge.units if whole else 0, charge.of),
            *(
                -given.amount,
                -given.amount,
                given.currency,
                draft.document_date,
                charge.id,
                document_id,
                place,
                made_by,
            ),
        )
        connection.execute(_CREDIT, row)


def credit_of(charge: BilledCharge, net: Money) -> Money:
    """What is given back of a charge with so much of its line's net: its share, and with the line's last all that is left."""
    left = charge.net - charge.credited
    after = charge.line_credited + net
    if after == charge.line_net:
        return left
    given = share(charge.net, after.minor, charge.line_net.minor) - charge.credited
    return max(Money(0, left.currency), min(given, left, key=lambda one: one.minor), key=lambda one: one.minor)
