"""Whose lines are behind an access device, a site, or an access line of one: who is told of an outage there.

Who is online there; who was there when the last session ended and is nowhere else since, for an outage ends sessions before
anybody writes of it; and who may log in there alone.

Next: billing/store/message_batches.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg.rows import class_row

Connection = psycopg.Connection[Any]

# Every session of the NASes is looked at once; of an account that was there its newest end counts.
_BEHIND: Final = """
WITH named AS (
    SELECT n.id FROM nas AS n LEFT JOIN site AS s ON s.id = n.site_id WHERE n.id = ANY (%(nases)s) OR n.site_id = ANY (%(sites)s)
        OR (cardinality(%(nases)s::bigint[]) + cardinality(%(sites)s::bigint[]) = 0 AND cardinality(%(lines)s::text[]) > 0)
), wanted AS (
    SELECT array_agg(id) AS ids FROM named
), online AS (
    SELECT s.account_id FROM session AS s, wanted WHERE s.nas_id = ANY (wanted.ids) AND s.account_id IS NOT NULL
        AND (cardinality(%(lines)s::text[]) = 0 OR s.line ILIKE ANY (%(lines)s))
), was_there AS (
    SELECT DISTINCT ON (c.account_id) c.account_id, c.nas_id, c.line FROM closed_session AS c
    WHERE c.account_id IS NOT NULL AND c.ended_at > now() - make_interval(hours => %(hours)s)
        AND NOT EXISTS (SELECT FROM session AS s WHERE s.account_id = c.account_id)
    ORDER BY c.account_id, c.ended_at DESC
), bound AS (
    SELECT a.id AS account_id FROM subscriber_account AS a, wanted WHERE a.nas_ids <> '{}' AND a.nas_ids <@ wanted.ids
        AND (cardinality(%(lines)s::text[]) = 0 OR EXISTS (SELECT FROM unnest(a.circuit_ids) AS line WHERE line ILIKE ANY (%(lines)s)))
        AND NOT EXISTS (SELECT FROM session AS s WHERE s.account_id = a.id)
)
SELECT c.customer_id, min(c.id) AS contract_id FROM (
    SELECT account_id FROM online
    UNION SELECT w.account_id FROM was_there AS w, wanted WHERE w.nas_id = ANY (wanted.ids)
        AND (cardinality(%(lines)s::text[]) = 0 OR w.line ILIKE ANY (%(lines)s))
    UNION SELECT account_id FROM bound) AS behind
    JOIN subscriber_account AS a ON a.id = behind.account_id JOIN contract AS c ON c.id = a.contract_id
WHERE c.status IN ('trial', 'active', 'free') GROUP BY c.customer_id ORDER BY c.customer_id
"""


@dataclass(frozen=True, slots=True)
class Behind:
    """A customer with a line there, by the first of its contracts that has one."""

    customer_id: int
    contract_id: int


def load_behind(
    connection: Connection, *, nases: Sequence[int], sites: Sequence[int], lines: Sequence[str], hours: int
) -> list[Behind]:
    """Everybody with a line behind these NASes and sites, or at access lines like these (`%` and `_` as in LIKE). Who is
    offline counts for so many hours.
    """
    with connection.cursor(row_factory=class_row(Behind)) as cursor:
        wanted = {"nases": list(nases), "sites": list(sites), "lines": list(lines), "hours": hours}
        return cursor.execute(_BEHIND, wanted).fetchall()


def load_sites(connection: Connection) -> dict[str, int]:
    """Numbers of sites by name."""
    return dict(connection.execute("SELECT name, id FROM site ORDER BY name").fetchall())
