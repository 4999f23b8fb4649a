"""What the days that pass do to contracts: who has come to the end of a trial, a pause or a term, found in bulk.

Next: billing/operations/daily_deeds.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import psycopg

from billing.terms import Binding

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Reached:
    """What a contract has come to on a day."""

    contract_id: int
    pause_over: bool
    trial_over: bool
    end_reached: bool
    proposal_over: bool


@dataclass(frozen=True, slots=True)
class Bound:
    """A contract in service with a term."""

    contract_id: int
    ends_on: date | None
    binding: Binding


# `issuer` NULL: those without terms, which nobody bills.
_REACHED: Final = """
SELECT c.id, p.over, c.status = 'trial' AND t.billable_from <= %(today)s, coalesce(c.ends_on <= %(today)s, false), c.status = 'proposal' AND coalesce(t.valid_until < %(today)s, false)
FROM contract AS c LEFT JOIN contract_terms AS t ON t.contract_id = c.id
    CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM restriction AS r WHERE r.contract_id = c.id AND r.lifted_at IS NULL AND r.origin = 'customer_pause'
        AND r.until <= %(today)s::date::timestamp AT TIME ZONE %(zone)s) AS over) AS p
WHERE t.issuer_id IS NOT DISTINCT FROM %(issuer)s AND (%(contract)s::bigint IS NULL OR c.id = %(contract)s) AND CASE c.status WHEN 'proposal' THEN t.valid_until < %(today)s
    ELSE c.status IN ('trial', 'active', 'free') AND (p.over OR c.ends_on <= %(today)s OR (c.status = 'trial' AND t.billable_from <= %(today)s)) END ORDER BY c.id
"""
_BOUND: Final = """
SELECT c.id, c.ends_on, t.minimum_until, t.renew_months, coalesce(t.notice_days, 0) FROM contract AS c JOIN contract_terms AS t ON t.contract_id = c.id
WHERE c.status IN ('trial', 'active', 'free') AND t.issuer_id = %s AND t.minimum_until IS NOT NULL ORDER BY c.id
"""
_NOTICE: Final = """
INSERT INTO contract_notice (contract_id, kind, due_on) SELECT * FROM unnest(%s::bigint[], %s::text[], %s::date[]) ON CONFLICT DO NOTHING
"""
# Contracts first, as deeds take them: what a deed has applied or dropped meanwhile is not applied again.
_HOLD_PLANS: Final = """
SELECT c.id FROM contract AS c LEFT JOIN contract_terms AS t ON t.contract_id = c.id
WHERE c.id IN (SELECT contract_id FROM plan_change WHERE applied_at IS NULL AND effective_on <= %(today)s)
    AND (%(every)s OR t.issuer_id IS NOT DISTINCT FROM %(issuer)s) ORDER BY c.id FOR NO KEY UPDATE OF c
"""
# Of several that are due only the last counts; a contract that has the plan already is not written.
_APPLY_PLANS: Final = """
WITH waiting AS (
    SELECT p.id, p.contract_id, p.plan_id, p.effective_on FROM plan_change AS p JOIN unnest(%(held)s::bigint[]) AS h (id) ON h.id = p.contract_id
    WHERE p.applied_at IS NULL AND p.effective_on <= %(today)s
), due AS (
    SELECT DISTINCT ON (contract_id) contract_id, plan_id FROM waiting ORDER BY contract_id, effective_on DESC
), written AS (
    UPDATE contract c SET plan_id = d.plan_id FROM due d WHERE c.id = d.contract_id AND c.plan_id <> d.plan_id
)
UPDATE plan_change SET applied_at = now() WHERE id IN (SELECT id FROM waiting)
"""


def load_reached(
    connection: Connection, issuer_id: int | None, *, today: date, zone: str, contract_id: int | None = None
) -> list[Reached]:
    """Contracts of an issuer, or without terms, with something to be done today; or one of them."""
    given = {"issuer": issuer_id, "today": today, "zone": zone, "contract": contract_id}
    return [Reached(*row) for row in connection.execute(_REACHED, given)]


def load_bound(connection: Connection, issuer_id: int) -> list[Bound]:
    """Contracts of an issuer that have a term."""
    return [Bound(row[0], row[1], Binding(*row[2:])) for row in connection.execute(_BOUND, (issuer_id,))]


def save_notices(connection: Connection, notices: Sequence[tuple[int, str, date]]) -> int:
    """Write those that are not there yet; returns how many."""
    if not notices:
        return 0
    return connection.execute(_NOTICE, tuple(list(column) for column in zip(*notices, strict=True))).rowcount


def apply_plan_changes(
    connection: Connection, today: date, *, issuer_id: int | None = None, every: bool = False
) -> int:
    """Write the plans whose day has come into their contracts: of an issuer, of those without terms, or `every`."""
    with connection.transaction():
        which = {"today": today, "issuer": issuer_id, "every": every}
        held = [row[0] for row in connection.execute(_HOLD_PLANS, which)]
        return connection.execute(_APPLY_PLANS, {"today": today, "held": held}).rowcount
