"""The VAT register, rebuilt from the issued documents whenever it is asked for, and the turnover.

A credit note stands with the other sign. The turnover is the sums that issuing wrote, and adds what entries by hand moved on the same accounts, so that it is
the ledger's to the cent.

Units: days are civil dates of the issuer's zone; `until` is the last day that is shown. Percent for rates.
Source: billing model section 13 (VAT registers), its invariant I28; DPR 633/72 art. 23 for what a register's row says.

Next: billing/store/deferred_tax.py
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, Final

import psycopg

from billing.store.deferred_tax import load_deferred_tax
from billing.store.report_rows import plain, read_few, stream

Connection = psycopg.Connection[Any]
_LIABILITIES: Final = ("immediate", "deferred", "split")


@dataclass(frozen=True, slots=True)
class VatRow:
    """One tax group of one document, as the register holds it. `protocol` is its number in the register."""

    register: str
    year: int
    protocol: int
    document: str
    kind: str
    document_date: date
    customer: str
    tax_number: str
    currency: str
    rate: Decimal
    nature: str | None
    liability: str
    base: Decimal
    tax: Decimal
    legal_reference: str | None


@dataclass(frozen=True, slots=True)
class VatSum:
    """What a period owes at one rate, by when and by whom it is owed; `tax_due` is the issuer's to pay for the period.

    `documents`, `base` and `tax` are of the period's documents. Deferred tax is due as far as any document of it was paid in the period;
    `tax_not_due` is what is left of it at the period's end, and None of other tax.
    """

    liability: str
    rate: Decimal
    nature: str | None
    currency: str
    documents: int
    base: Decimal
    tax: Decimal
    tax_due: Decimal
    tax_not_due: Decimal | None


@dataclass(frozen=True, slots=True)
class TurnoverRow:
    """What was sold in a month: a category is a product's family; what entries by hand moved has no product.

    None: of all of them together.
    """

    month: date | None
    category: str | None
    product: str | None
    account: str | None
    account_name: str | None
    currency: str
    net: Decimal


@dataclass(frozen=True, slots=True)
class LedgerTurnover:
    """What the ledger says of the same accounts in a month, read from postings alone."""

    month: date
    account: str
    currency: str
    net: Decimal


_DOCUMENTS: Final = """
SELECT id, register_id, year, number, label, kind, document_date, customer_data, currency, CASE kind WHEN 'credit_note' THEN -1 ELSE 1 END AS sign
FROM document WHERE issuer_id = %(issuer)s AND document_date BETWEEN %(since)s AND %(until)s AND state = 'issued' AND kind IN ('invoice', 'credit_note')
"""
_VAT: Final = f"""
SELECT r.code, d.year, d.number, d.label, replace(d.kind::text, '_', ' '), d.document_date, coalesce(d.customer_data ->> 'name', ''),
    coalesce((SELECT number FROM jsonb_each_text(d.customer_data -> 'tax_identifiers') AS own (scheme, number) ORDER BY scheme DESC LIMIT 1), ''),
    d.currency, t.rate, t.nature, t.liability::text, d.sign * t.base, d.sign * t.tax, t.legal_reference
FROM ({_DOCUMENTS}) AS d JOIN document_register r ON r.id = d.register_id JOIN document_tax t ON t.document_id = d.id
WHERE %(register)s::text IS NULL OR r.code = %(register)s
ORDER BY r.code, d.year, d.number, t.rate DESC, t.nature NULLS FIRST, t.liability, t.legal_reference COLLATE "C" NULLS FIRST
"""  # noqa: S608 - our own text
_VAT_SUMS: Final = f"""
SELECT t.liability::text, t.rate, t.nature, d.currency, count(DISTINCT d.id), sum(d.sign * t.base), sum(d.sign * t.tax),
    coalesce(sum(d.sign * t.tax) FILTER (WHERE t.liability = 'immediate'), 0), CASE t.liability WHEN 'deferred' THEN 0::numeric END
FROM ({_DOCUMENTS}) AS d JOIN document_register r ON r.id = d.register_id JOIN document_tax t ON t.document_id = d.id
WHERE %(register)s::text IS NULL OR r.code = %(register)s
GROUP BY t.liability, t.rate, t.nature, d.currency
"""  # noqa: S608 - our own text
# What issuing added (schema.sql: turnover), and what entries that are no document's moved on the same accounts.
_TURNOVER: Final = """
WITH sold AS (
    SELECT date_trunc('month', dated::timestamp)::date AS month, product_id, account_id, currency, sum(net) AS net FROM turnover
    WHERE issuer_id = %(issuer)s AND dated BETWEEN %(since)s AND %(until)s GROUP BY 1, 2, 3, 4
    UNION ALL
    SELECT date_trunc('month', e.dated::timestamp)::date, NULL::bigint, p.account_id, e.currency, -sum(p.amount) FROM entry e JOIN posting p ON p.entry_id = e.id
    WHERE e.issuer_id = %(issuer)s AND e.dated BETWEEN %(since)s AND %(until)s AND e.source <> 'document' GROUP BY 1, 2, 3, 4
)
SELECT s.month, coalesce(p.family, a.family, ''), coalesce(p.name, ''), a.code, a.name, s.currency, sum(s.net)
FROM sold s JOIN ledger_account a ON a.id = s.account_id LEFT JOIN product p ON p.id = s.product_id
WHERE a.role IN ('revenue', 'fee_income') GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 6
"""
_LEDGER_TURNOVER: Final = """
SELECT s.month, a.code, s.currency, s.net FROM (
    SELECT date_trunc('month', e.dated::timestamp)::date AS month, p.account_id, e.currency, -sum(p.amount) AS net FROM entry e JOIN posting p ON p.entry_id = e.id
    WHERE e.issuer_id = %(issuer)s AND e.dated BETWEEN %(since)s AND %(until)s GROUP BY 1, 2, 3) AS s
    JOIN ledger_account a ON a.id = s.account_id WHERE a.role IN ('revenue', 'fee_income') ORDER BY 1, 2, 3
"""


def stream_vat_register(
    connection: Connection, issuer_id: int, *, since: date, until: date, register: str | None = None
) -> Iterator[VatRow]:
    """The register's rows in order of their numbers; all registers, or the one of that code."""
    return stream(connection, VatRow, _VAT, _facts(issuer_id, since, until, register=register))


def stream_vat_sums(
    connection: Connection, issuer_id: int, *, since: date, until: date, register: str | None = None
) -> Iterator[VatSum]:
    """The period's liquidation: sums by liability and rate. Deferred tax is owed as it is paid, split tax by the customer."""
    facts = _facts(issuer_id, since, until, register=register)
    sums = {
        (one.liability, one.rate, one.nature, one.currency): one
        for one in read_few(connection, VatSum, _VAT_SUMS, facts)
    }
    for part in load_deferred_tax(connection, issuer_id, since=since, until=until, register=register):
        key = ("deferred", plain(part.rate), part.nature, part.due.currency)
        none = (part.due - part.due).amount
        row = sums.get(key) or VatSum(*key, 0, none, none, none, none)
        sums[key] = replace(row, tax_due=part.due.amount, tax_not_due=part.left.amount)
    return iter(sorted(sums.values(), key=_in_order))


def _in_order(row: VatSum) -> tuple[int, Decimal, str, str]:
    return _LIABILITIES.index(row.liability), -row.rate, row.nature or "", row.currency


def stream_turnover(connection: Connection, issuer_id: int, *, since: date, until: date) -> Iterator[TurnoverRow]:
    """What was sold, by month, category and product."""
    return read_few(connection, TurnoverRow, _TURNOVER, _facts(issuer_id, since, until))


def stream_ledger_turnover(
    connection: Connection, issuer_id: int, *, since: date, until: date
) -> Iterator[LedgerTurnover]:
    """What the ledger says of it, by month and account."""
    return read_few(connection, LedgerTurnover, _LEDGER_TURNOVER, _facts(issuer_id, since, until))


def _facts(issuer_id: int, since: date, until: date, **more: object) -> dict[str, object]:
    return {"issuer": issuer_id, "since": since, "until": until, **more}
