"""Tax that is owed when it is paid: what of it fell due in some days, and what is left at their end.

A document is paid by what payments and credit notes settled of it, on the day from which the money is there and not before the document's own. What came
back, or was given back, counts on the day on which that happened. What was written off is not paid: its tax stays deferred until a credit note takes it back.
A credit note is the same below zero; it is paid when it settles an invoice or is given back.

Units: days are civil dates of the issuer's zone; `until` is the last day that is shown.
Source: DPR 633/72 art. 6 paragraph 5 (owed on payment of the consideration, as far as it is paid); billing model section 13.

Next: billing/settlement.py
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

import psycopg

from billing.money import Money, read_money
from billing.settlement import fallen_due


@dataclass(frozen=True, slots=True)
class DeferredTax:
    """Of all documents of a rate and currency: the tax that fell due in the days, and that which is still to."""

    rate: Decimal
    nature: str | None
    due: Money
    left: Money


# What is sent back takes the payment's allocations back in a transaction of its own, and what is given back lays the rest anew in it: those are of its day.
_HAPPENED: Final = """(SELECT h.dated FROM (SELECT payment_id, made_at, dated, true AS whole FROM payment_reversal UNION ALL SELECT payment_id, made_at, dated, false FROM refund) AS h
            WHERE h.payment_id = a.payment_id AND h.made_at = {row}.allocated_at AND NOT (h.whole AND {row}.amount > 0) LIMIT 1)"""
_DEFERRED: Final = f"""
SELECT t.rate, t.nature, d.currency, d.document_date, d.payable, CASE d.kind WHEN 'credit_note' THEN -t.tax ELSE t.tax END AS tax,
    coalesce(s.before, 0) AS before, coalesce(s.through, 0) AS through
FROM document_tax AS t JOIN document AS d ON d.id = t.document_id JOIN document_register AS r ON r.id = d.register_id
    CROSS JOIN LATERAL (SELECT sum(m.amount) FILTER (WHERE m.dated < %(since)s) AS before, sum(m.amount) AS through FROM (
        SELECT a.amount, greatest(coalesce({_HAPPENED.format(row="a")}, {_HAPPENED.format(row="o")}, p.value_on), d.document_date) AS dated
            FROM allocation AS a JOIN payment AS p ON p.id = a.payment_id JOIN allocation AS o ON o.id = coalesce(a.withdraws_id, a.id) WHERE a.invoice_id = d.id
        UNION ALL SELECT a.amount, greatest(n.document_date, d.document_date) FROM allocation AS a JOIN document AS n ON n.id = a.credit_note_id WHERE a.invoice_id = d.id
        UNION ALL SELECT a.amount, greatest(i.document_date, d.document_date) FROM allocation AS a JOIN document AS i ON i.id = a.invoice_id WHERE a.credit_note_id = d.id
        UNION ALL SELECT f.amount, greatest(f.dated, d.document_date) FROM refund AS f WHERE f.credit_note_id = d.id) AS m WHERE m.dated <= %(until)s) AS s
WHERE t.liability = 'deferred' AND d.issuer_id = %(issuer)s AND d.state = 'issued' AND d.kind IN ('invoice', 'credit_note') AND d.document_date <= %(until)s
    AND (%(register)s::text IS NULL OR r.code = %(register)s)
"""  # noqa: S608 - our own text


def load_deferred_tax(
    connection: psycopg.Connection[Any], issuer_id: int, *, since: date, until: date, register: str | None = None
) -> list[DeferredTax]:
    """By rate, nature and currency, where something fell due or is left; each document's is rounded as `fallen_due` says."""
    facts = {"issuer": issuer_id, "since": since, "until": until, "register": register}
    sums: dict[tuple[Decimal, str | None, str], tuple[int, int]] = {}
    for rate, nature, currency, dated, payable_, tax_, before_, through_ in connection.execute(_DEFERRED, facts):
        payable, tax, before, through = (read_money(one, currency) for one in (payable_, tax_, before_, through_))
        done = fallen_due(tax, through, payable)
        # What nothing is paid of, such as an invoice that its own lines bring to nothing, is owed on its day.
        earlier = fallen_due(tax, before, payable).minor if payable or dated < since else 0
        due, left = sums.get((rate, nature, currency), (0, 0))
        sums[rate, nature, currency] = (due + done.minor - earlier, left + tax.minor - done.minor)
    return [
        DeferredTax(rate, nature, Money(due, currency), Money(left, currency))
        for (rate, nature, currency), (due, left) in sums.items()
        if due or left
    ]
