"""Journal and VAT register a part at a time: each part begins behind the last row of the one before, whatever has been written meanwhile.

Next: billing/store/reports.py
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import psycopg

from billing.reports import JournalRow
from billing.store.report_rows import read_few
from billing.store.turnover import VatRow

Connection = psycopg.Connection[Any]
# Where a journal's day, entry and posting, or a register's code, year, number and row in its document, is before all.
JournalMark = tuple[date, int, int]
VatMark = tuple[str, int, int, int]


@dataclass(frozen=True, slots=True)
class JournalPart(JournalRow):
    """A posting, and which of its entry it is."""

    posting: int


@dataclass(frozen=True, slots=True)
class VatPart(VatRow):
    """A tax group of a document, and which of it it is."""

    row: int


# An entry has two postings or more, so as many entries as rows are enough.
_JOURNAL: Final = """
SELECT e.id, e.dated, e.source, d.label, coalesce(e.note, replace(e.kind, '_', ' ')), e.evidence, e.corrects_id, a.code, a.name, p.customer_id, e.currency,
    CASE WHEN p.amount > 0 THEN p.amount END, CASE WHEN p.amount < 0 THEN -p.amount END, e.made_by, p.number
FROM (SELECT * FROM entry WHERE issuer_id = %(issuer)s AND dated BETWEEN %(since)s AND %(until)s AND (dated, id) >= (%(day)s, %(entry)s)
        ORDER BY dated, id LIMIT %(limit)s) AS e
    JOIN posting p ON p.entry_id = e.id JOIN ledger_account a ON a.id = p.account_id
    LEFT JOIN document d ON e.source = 'document' AND d.id = e.source_id
WHERE (e.dated, e.id, p.number) > (%(day)s, %(entry)s, %(posting)s)
ORDER BY e.dated, e.id, p.number LIMIT %(limit)s
"""
_VAT: Final = """
SELECT * FROM (
    SELECT r.code, d.year, d.number, d.label, replace(d.kind::text, '_', ' '), d.document_date, coalesce(d.customer_data ->> 'name', ''),
        coalesce((SELECT number FROM jsonb_each_text(d.customer_data -> 'tax_identifiers') AS own (scheme, number) ORDER BY scheme DESC LIMIT 1), ''),
        d.currency, t.rate, t.nature, t.liability::text, d.sign * t.base, d.sign * t.tax, t.legal_reference,
        row_number() OVER (PARTITION BY d.id ORDER BY t.rate DESC, t.nature NULLS FIRST, t.liability, t.legal_reference COLLATE "C" NULLS FIRST) AS row
    FROM document_register r CROSS JOIN LATERAL (
        SELECT id, year, number, label, kind, document_date, customer_data, currency, CASE kind WHEN 'credit_note' THEN -1 ELSE 1 END AS sign
        FROM document WHERE register_id = r.id AND document_date BETWEEN %(since)s AND %(until)s AND state = 'issued' AND kind IN ('invoice', 'credit_note')
            AND year BETWEEN extract(year FROM %(since)s::date) AND extract(year FROM %(until)s::date)
            AND (r.code > %(code)s OR (year, number) >= (%(year)s, %(number)s))
        ORDER BY year, number LIMIT %(limit)s + 1) AS d
    JOIN document_tax t ON t.document_id = d.id
    WHERE r.issuer_id = %(issuer)s AND r.code >= %(code)s AND (%(register)s::text IS NULL OR r.code = %(register)s)
) AS v WHERE (code, year, number, row) > (%(code)s, %(year)s, %(number)s, %(row)s) ORDER BY code, year, number, row LIMIT %(limit)s
"""


def load_journal_part(
    connection: Connection, issuer_id: int, *, since: date, until: date, after: JournalMark | None, limit: int
) -> list[JournalPart]:
    """So many postings in order of day, entry and posting, from the first one behind `after` on."""
    day, entry, posting = after or (date.min, 0, 0)
    given = {**_facts(issuer_id, since, until, limit), "day": day, "entry": entry, "posting": posting}
    return list(read_few(connection, JournalPart, _JOURNAL, given))


def load_vat_part(
    connection: Connection,
    issuer_id: int,
    *,
    since: date,
    until: date,
    register: str | None,
    after: VatMark | None,
    limit: int,
) -> list[VatPart]:
    """So many rows in order of register and number, from the first one behind `after` on; all registers, or the one of that code."""
    code, year, number, row = after or ("", 0, 0, 0)
    given = _facts(issuer_id, since, until, limit)
    return list(
        read_few(
            connection,
            VatPart,
            _VAT,
            {**given, "register": register, "code": code, "year": year, "number": number, "row": row},
        )
    )


def _facts(issuer_id: int, since: date, until: date, limit: int) -> Mapping[str, object]:
    return {"issuer": issuer_id, "since": since, "until": until, "limit": limit}
