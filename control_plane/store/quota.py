"""Quotas in sets: the running sums, the steps reached, and who is throttled for it.

The caller owns the transaction. The statements of a count must run in the order they stand here: a row of late_usage that the
first one sees was committed with its usage, which the next ones then see as well.

Units: octets both ways; days of the billing zone.
Next: control_loop/desired.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import psycopg

Connection = psycopg.Connection[Any]

_FORGET_LATE: Final = """
WITH late AS (DELETE FROM late_usage RETURNING account_id)
DELETE FROM quota_usage q WHERE q.account_id IN (SELECT account_id FROM late)
"""
_OLDEST_CLOSED: Final = (
    "SELECT min(counted_before) FROM quota_usage WHERE month = %(first)s AND counted_before < %(before)s"
)
_CLOSE_DAYS: Final = """
UPDATE quota_usage q SET octets = q.octets + d.octets, counted_before = %(before)s
FROM (
    SELECT k.account_id, k.counted_before, coalesce(sum(u.octets_in + u.octets_out), 0)::bigint AS octets
    FROM quota_usage k LEFT JOIN usage_day u
        ON u.account_id = k.account_id AND u.day >= k.counted_before AND u.day >= %(oldest)s AND u.day < %(before)s
    WHERE k.month = %(first)s AND k.counted_before < %(before)s GROUP BY k.account_id, k.counted_before
) d WHERE q.account_id = d.account_id AND q.month = %(first)s AND q.counted_before = d.counted_before
"""
_LIMITED: Final = """
    SELECT a.id, a.contract_id, c.plan_id, f.quota_octets FROM profile f JOIN plan p ON p.profile_id = f.id
        JOIN contract c ON c.plan_id = p.id JOIN subscriber_account a ON a.contract_id = c.id WHERE f.quota_octets IS NOT NULL
"""
_MISSING: Final = f"""
SELECT id FROM ({_LIMITED}) AS l
WHERE NOT EXISTS (SELECT FROM quota_usage q WHERE q.account_id = l.id AND q.month = %(first)s AND q.counted_before = %(before)s)
"""  # noqa: S608 - made of the constant above
# With the accounts in hand the planner knows how few they are: it looks their days up, or reads the month for all of them.
_SUM_ANEW: Final = """
INSERT INTO quota_usage AS q (account_id, month, counted_before, octets)
SELECT m.id, %(first)s, %(before)s, coalesce(sum(u.octets_in + u.octets_out), 0)::bigint FROM unnest(%(accounts)s::bigint[]) AS m (id)
    LEFT JOIN usage_day u ON u.account_id = m.id AND u.day >= %(first)s AND u.day < %(before)s GROUP BY m.id
ON CONFLICT (account_id) DO UPDATE SET month = EXCLUDED.month, counted_before = EXCLUDED.counted_before, octets = EXCLUDED.octets
"""
# A plan without steps of its own has these.
_STEPS: Final = """
    SELECT plan_id, percent, action FROM quota_step
    UNION ALL SELECT p.id, d.percent, d.action::quota_action FROM plan p CROSS JOIN (VALUES (80::smallint, 'notice'), (100::smallint, 'throttle')) AS d (percent, action)
        WHERE NOT EXISTS (SELECT FROM quota_step s WHERE s.plan_id = p.id)
"""
# The share of what is allowed, rounded up, without a product that outgrows a bigint.
_REACHED: Final = "{used} >= {allowed} / 100 * {percent} + ({allowed} %% 100 * {percent} + 99) / 100"
# As a condition of the join, a month that has just begun would look to the planner as if nobody had a sum in it.
_CLOSED: Final = "CASE WHEN q.month = %(first)s THEN q.octets END"
# Who is below the first step of the plan, which is nearly everybody, is left out before steps are looked at one by one.
_APPLY_STEPS: Final = f"""
WITH step AS MATERIALIZED ({_STEPS}), first_step AS (SELECT plan_id, min(percent) AS percent FROM step GROUP BY plan_id), open_days AS (
    SELECT account_id, sum(octets_in + octets_out)::bigint AS octets FROM usage_day WHERE day >= %(open_from)s AND day < %(after)s GROUP BY account_id
), topup AS (
    SELECT id, sum(octets)::bigint AS octets FROM (
        SELECT account_id AS id, octets FROM data_topup WHERE account_id IS NOT NULL AND since <= %(now)s AND until > %(now)s
        UNION ALL SELECT a.id, t.octets FROM data_topup t JOIN subscriber_account a ON a.contract_id = t.contract_id
            WHERE t.account_id IS NULL AND t.since <= %(now)s AND t.until > %(now)s
    ) AS t GROUP BY id
), counted AS MATERIALIZED (
    SELECT l.id, l.plan_id, {_CLOSED} + coalesce(o.octets, 0) AS used, l.quota_octets + coalesce(t.octets, 0) AS allowed
    FROM ({_LIMITED}) AS l JOIN first_step f ON f.plan_id = l.plan_id JOIN quota_usage q ON q.account_id = l.id
        LEFT JOIN open_days o ON o.account_id = l.id LEFT JOIN topup t ON t.id = l.id
    WHERE {_CLOSED} + coalesce(o.octets, 0) >= (l.quota_octets + coalesce(t.octets, 0)) / 100 * f.percent
), reached AS MATERIALIZED (
    SELECT c.id, s.percent, s.action, c.used, c.allowed FROM counted c JOIN step s ON s.plan_id = c.plan_id
    WHERE {_REACHED.format(used="c.used", allowed="c.allowed", percent="s.percent")}
), told AS (
    INSERT INTO quota_event (account_id, month, percent, action, octets, allowed, at)
    SELECT r.id, %(first)s, r.percent, r.action, r.used, r.allowed, %(now)s FROM reached r
    WHERE NOT EXISTS (SELECT FROM quota_event e WHERE e.account_id = r.id AND e.month = %(first)s AND e.percent = r.percent)
    ON CONFLICT DO NOTHING RETURNING account_id
), exhausted AS (
    SELECT id FROM reached WHERE action = 'throttle'
), differing AS (
    SELECT id, %(reset)s::timestamptz AS until FROM exhausted
    UNION ALL
    SELECT id, NULL FROM subscriber_account a WHERE a.quota_exhausted_until IS NOT NULL
        AND NOT EXISTS (SELECT FROM exhausted e WHERE e.id = a.id)
), marked AS (
    UPDATE subscriber_account a SET quota_exhausted_until = d.until FROM differing d
    WHERE a.id = d.id AND a.quota_exhausted_until IS DISTINCT FROM d.until RETURNING d.until
)
SELECT (SELECT count(*) FROM marked WHERE until IS NOT NULL), (SELECT count(*) FROM marked WHERE until IS NULL), (SELECT count(*) FROM told)
"""  # noqa: S608 - made of the constants above
_LIFT: Final = f"""
UPDATE subscriber_account a SET quota_exhausted_until = NULL FROM (
    SELECT x.id FROM subscriber_account x JOIN contract c ON c.id = x.contract_id JOIN plan p ON p.id = c.plan_id
        JOIN profile f ON f.id = p.profile_id LEFT JOIN ({_STEPS}) AS s ON s.plan_id = p.id AND s.action = 'throttle'
        CROSS JOIN LATERAL (SELECT coalesce(sum(octets_in + octets_out), 0)::bigint AS octets FROM usage_day
            WHERE account_id = x.id AND day >= %(first)s AND day < %(after)s) AS u
        CROSS JOIN LATERAL (SELECT f.quota_octets + coalesce(sum(t.octets), 0)::bigint AS octets FROM data_topup t
            WHERE t.contract_id = x.contract_id AND t.account_id IS NULL AND t.since <= %(now)s AND t.until > %(now)s
                OR t.account_id = x.id AND t.since <= %(now)s AND t.until > %(now)s) AS allowed
    WHERE x.id = ANY (%(accounts)s) AND x.quota_exhausted_until > %(now)s
        AND ({_REACHED.format(used="u.octets", allowed="allowed.octets", percent="s.percent")}) IS NOT TRUE
) AS free WHERE a.id = free.id RETURNING a.id
"""  # noqa: S608 - made of the constants above


@dataclass(frozen=True, slots=True)
class StepsDone:
    """Accounts throttled and let go by a count, and steps noted for the first time."""

    used_up: int
    free: int
    told: int


def forget_late(connection: Connection) -> int:
    """Drop the sums of accounts to which usage of a closed day was added; returns how many."""
    return connection.execute(_FORGET_LATE).rowcount


def close_days(connection: Connection, *, first: date, before: date) -> None:
    """Add the days before `before` that are not in the sums of the month yet."""
    given: dict[str, object] = {"first": first, "before": before}
    row = connection.execute(_OLDEST_CLOSED, given).fetchone()
    if row is not None and row[0] is not None:
        connection.execute(_CLOSE_DAYS, given | {"oldest": row[0]})


def sum_anew(connection: Connection, *, first: date, before: date) -> int:
    """Sum the month's days before `before` for accounts with a quota that have no such sum; returns how many."""
    given: dict[str, object] = {"first": first, "before": before}
    missing = [row[0] for row in connection.execute(_MISSING, given)]
    if missing:
        connection.execute(_SUM_ANEW, given | {"accounts": missing})
    return len(missing)


def apply_steps(
    connection: Connection, *, first: date, open_from: date, after: date, reset: datetime, now: datetime
) -> StepsDone:
    """Compare what was used with what is allowed, and write what follows from it."""
    given = {"first": first, "open_from": open_from, "after": after, "reset": reset, "now": now}
    row = connection.execute(_APPLY_STEPS, given).fetchone()
    assert row is not None
    return StepsDone(*row)


def lift(connection: Connection, accounts: Sequence[int], *, first: date, after: date, now: datetime) -> list[int]:
    """Let those of these accounts go that have not used up what is allowed now."""
    given = {"accounts": list(accounts), "first": first, "after": after, "now": now}
    return [row[0] for row in connection.execute(_LIFT, given)]
