"""Which contracts the last whole run billed, and this one will not: their time is over.

Units: days of the issuer's zone.
Next: billing/runs/preview.py
"""

from __future__ import annotations

from datetime import date
from typing import Any, Final

import psycopg

from billing.store.runs import load_last_amounts

Connection = psycopg.Connection[Any]

_BEFORE: Final = """
SELECT coalesce((filter ->> 'through')::date, run_date) FROM billing_run
WHERE issuer_id = %(issuer)s AND state = 'done' AND run_date < %(day)s AND filter - 'through' = '{}' ORDER BY run_date DESC, id DESC LIMIT 1
"""
# All that was charged for time is billed to its end, and that end lies between the last run's last day and this one's.
_GONE: Final = """
SELECT t.contract_id, coalesce(t.payer_id, c.customer_id), count(*) OVER ()
FROM (SELECT i.contract_id, max(p.billed_through) AS through FROM billing_position AS p JOIN contract_item AS i ON i.id = p.item_id
    WHERE i.kind IN ('plan', 'add_on') GROUP BY 1 HAVING bool_and(p.due_on IS NULL) AND max(p.billed_through) > %(before)s AND max(p.billed_through) <= %(through)s) AS over
JOIN contract_terms AS t USING (contract_id) JOIN contract AS c ON c.id = t.contract_id
WHERE t.issuer_id = %(issuer)s ORDER BY t.contract_id LIMIT %(limit)s
"""


def load_gone(
    connection: Connection, issuer_id: int, *, run_date: date, through: date, limit: int
) -> dict[str, Any] | None:
    """How many, and some of them with what they came to before, the largest first, as a JSON object; None without a run before."""
    last = connection.execute(_BEFORE, {"issuer": issuer_id, "day": run_date}).fetchone()
    if last is None:
        return None
    given = {"issuer": issuer_id, "before": last[0], "through": through, "limit": limit}
    rows = connection.execute(_GONE, given).fetchall()
    before = load_last_amounts(connection, [row[0] for row in rows], run_date)
    told = [
        {
            "contract": row[0],
            "customer": row[1],
            "before": str(before[row[0]].amount),
            "currency": before[row[0]].currency,
        }
        for row in rows
        if row[0] in before
    ]
    told.sort(key=lambda one: (-before[one["contract"]].minor, one["contract"]))
    return {"count": rows[0][2] if rows else 0, "contracts": told}
