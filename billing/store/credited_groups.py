"""What is left of invoices' tax groups after what was given back of them, for credit notes that a run makes.

Next: billing/store/allocations.py
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import psycopg

from billing.documents import DocumentKind, Draft
from billing.fitting import with_rest
from billing.money import Money, read_money, share, zero
from billing.totals import Liability, taxed_alike

Connection = psycopg.Connection[Any]
_Left = dict[tuple[object, ...], tuple[Money, Money]]
# Base and tax as issued; of both what credit notes gave back; of the base what later invoices did, whose tax is its share.
_GROUPS: Final = """
SELECT t.document_id, d.currency, t.rate, t.nature, t.liability::text, CASE WHEN t.nature IS NOT NULL THEN t.legal_reference END, t.base, t.tax,
    coalesce(note.base, 0), coalesce(note.tax, 0), coalesce(less.base, 0)
FROM unnest(%s::bigint[]) AS k (id) JOIN document AS d ON d.id = k.id JOIN document_tax AS t ON t.document_id = k.id
    LEFT JOIN LATERAL (SELECT sum(g.base) AS base, sum(g.tax) AS tax FROM document AS n JOIN document_tax AS g ON g.document_id = n.id
        WHERE n.corrects_id = k.id AND n.state = 'issued' AND g.rate = t.rate AND g.nature IS NOT DISTINCT FROM t.nature AND g.liability = t.liability
            AND (t.nature IS NULL OR g.legal_reference = t.legal_reference)) AS note ON true
    LEFT JOIN LATERAL (SELECT -sum(l.net) AS base FROM document_line AS l JOIN document AS n ON n.id = l.document_id
        WHERE l.corrects_id = k.id AND n.kind = 'invoice' AND n.state = 'issued' AND n.id <> k.id AND l.rate = t.rate AND l.nature IS NOT DISTINCT FROM t.nature
            AND l.liability = t.liability AND l.legal_reference IS NOT DISTINCT FROM CASE WHEN t.nature IS NOT NULL THEN t.legal_reference END) AS less ON true
"""


def levelled(connection: Connection, drafts: Sequence[Draft]) -> Sequence[Draft]:
    """Drafts with credit notes of a run that take no more tax than is left of their invoices, and the last ones all of it.

    Those by hand were made so (billing/credits.py).
    """
    noted = {
        one.corrects_id
        for one in drafts
        if one.kind is DocumentKind.CREDIT_NOTE and one.run_id is not None and one.corrects_id is not None
    }
    if not noted:
        return drafts
    left = _load_left(connection, sorted(noted))
    made: list[Draft] = []
    for draft in drafts:
        own = left.get(draft.corrects_id or 0) if draft.run_id is not None else None
        made.append(_levelled(draft, own) if own is not None else draft)
    return made


def _levelled(draft: Draft, own: _Left) -> Draft:
    """One of them; what it takes is no longer left for the next."""
    done = with_rest(draft, own)
    for group in done.totals.groups:
        key = taxed_alike(group.treatment)
        if key in own:
            base, tax = own[key]
            own[key] = (base - group.base, tax - group.tax)
    return done


def _load_left(connection: Connection, documents: Sequence[int]) -> dict[int, _Left]:
    left: dict[int, _Left] = {}
    for number, currency, rate, nature, liability, law, *amounts in connection.execute(_GROUPS, (list(documents),)):
        base, tax, noted, noted_tax, less = (read_money(one, currency) for one in amounts)
        by_lines = share(tax, less.minor, base.minor) if base.minor > 0 else zero(currency)
        key = (rate.normalize(), nature, Liability(liability), law)
        left.setdefault(number, {})[key] = (base - noted - less, tax - noted_tax - by_lines)
    return left
