"""What dunning writes: cases and their steps, reminders, formal notices, restrictions lifted and made lighter, who is looked at next.

Written by the dozen: one statement a table, whoever it is of.

Next: billing/store/dunning_facts.py
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import psycopg

from billing.contract_facts import Level
from billing.store.dunning_facts import Key

Connection = psycopg.Connection[Any]

_CONCERNED: Final = """
SELECT customer_id FROM dunning_case WHERE customer_id = ANY(%(ids)s) AND cleared_at IS NULL
UNION SELECT c.customer_id FROM contract AS c JOIN restriction AS r ON r.contract_id = c.id
    WHERE c.customer_id = ANY(%(ids)s) AND r.origin = 'dunning' AND r.lifted_at IS NULL AND NOT EXISTS (SELECT FROM contract_terms AS t WHERE t.contract_id = c.id AND t.payer_id <> c.customer_id)
UNION SELECT t.payer_id FROM contract_terms AS t JOIN restriction AS r ON r.contract_id = t.contract_id
    WHERE t.payer_id = ANY(%(ids)s) AND r.origin = 'dunning' AND r.lifted_at IS NULL
ORDER BY 1
"""
# Only of issuers that pursue anybody; a look that is due earlier stays.
_LOOK_AT_DEBTORS: Final = """
INSERT INTO dunning_look (customer_id, issuer_id, currency, next_at)
SELECT DISTINCT o.customer_id, o.issuer_id, o.currency, %(now)s::timestamptz FROM open_document AS o
WHERE o.customer_id = ANY(%(ids)s) AND o.open > 0 AND EXISTS (SELECT FROM dunning_policy AS p WHERE p.issuer_id = o.issuer_id) ORDER BY 1, 2, 3
ON CONFLICT (customer_id, issuer_id, currency) DO UPDATE SET next_at = excluded.next_at WHERE dunning_look.next_at > excluded.next_at
"""
_LOOK_AT_PAYER: Final = """
INSERT INTO dunning_look (customer_id, issuer_id, currency, next_at)
SELECT coalesce(t.payer_id, c.customer_id), i.id, coalesce(t.currency, i.currency), now() FROM contract AS c LEFT JOIN contract_terms AS t ON t.contract_id = c.id
    JOIN issuer AS i ON i.id = coalesce(t.issuer_id, (SELECT min(id) FROM issuer))
WHERE c.id = %s AND EXISTS (SELECT FROM dunning_policy AS p WHERE p.issuer_id = i.id)
ON CONFLICT (customer_id, issuer_id, currency) DO UPDATE SET next_at = excluded.next_at WHERE dunning_look.next_at > excluded.next_at
"""
_LOOK: Final = """
INSERT INTO dunning_look (customer_id, issuer_id, currency, next_at)
SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::timestamptz[]) ORDER BY 1, 2, 3
ON CONFLICT (customer_id, issuer_id, currency) DO UPDATE SET next_at = excluded.next_at WHERE dunning_look.next_at > excluded.next_at
"""
# One that somebody holds is left to the next turn: neither waits for the other.
_CLAIM: Final = """
UPDATE dunning_look AS k SET next_at = %(until)s FROM (
    SELECT customer_id, issuer_id, currency FROM dunning_look WHERE customer_id = ANY(%(ids)s) AND next_at <= %(now)s ORDER BY 1, 2, 3 FOR UPDATE SKIP LOCKED) AS f
WHERE (k.customer_id, k.issuer_id, k.currency) = (f.customer_id, f.issuer_id, f.currency)
"""
_DROP_CLAIMED: Final = """
DELETE FROM dunning_look AS k USING (
    SELECT customer_id, issuer_id, currency FROM dunning_look WHERE customer_id = ANY(%(ids)s) AND next_at = %(until)s ORDER BY 1, 2, 3 FOR UPDATE SKIP LOCKED) AS f
WHERE (k.customer_id, k.issuer_id, k.currency) = (f.customer_id, f.issuer_id, f.currency)
"""
_OPEN: Final = """
INSERT INTO dunning_case (customer_id, issuer_id, currency, opened_at) SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::timestamptz[])
RETURNING customer_id, issuer_id, currency::text, id
"""
_STEPS: Final = """
INSERT INTO dunning_case_step (case_id, step, ran_at, ran_by, contracts, reason)
SELECT case_id, step, %(now)s, %(by)s, coalesce(string_to_array(nullif(contracts, ''), ',')::bigint[], '{}'), reason
FROM unnest(%(cases)s::bigint[], %(steps)s::text[], %(contracts)s::text[], %(reasons)s::text[]) AS w (case_id, step, contracts, reason) ORDER BY case_id
"""
_NOTICES: Final = """
INSERT INTO formal_notice (case_id, step, channel, documents, amount, sent_at, sent_by)
SELECT case_id, step, channel, string_to_array(documents, ',')::bigint[], amount, %(now)s, %(by)s
FROM unnest(%(cases)s::bigint[], %(steps)s::text[], %(channels)s::text[], %(documents)s::text[], %(amounts)s::numeric[]) AS w (case_id, step, channel, documents, amount)
ORDER BY case_id
"""
_REMINDERS: Final = """
INSERT INTO dunning_reminder (document_id, due_on, step, sent_at) SELECT *, %s::timestamptz FROM unnest(%s::bigint[], %s::date[], %s::text[]) ON CONFLICT DO NOTHING
"""
_LIFT: Final = (
    "UPDATE restriction SET lifted_at = greatest(since, %s), lifted_by = %s WHERE id = ANY(%s) AND lifted_at IS NULL"
)
# The lighter limit is of the run of the one that it takes the place of: undone with it, and held where that is held.
_LIGHTER: Final = """
INSERT INTO restriction (contract_id, origin, level, reason, placed_by, since, run_id, held_since, release_id)
SELECT r.contract_id, 'dunning', w.level::restriction_level, w.reason, r.placed_by, %(now)s, r.run_id, r.held_since, r.release_id
FROM unnest(%(instead)s::bigint[], %(levels)s::text[], %(reasons)s::text[]) AS w (instead, level, reason) JOIN restriction AS r ON r.id = w.instead
"""


_DEBTORS: Final = """
SELECT customer_id FROM open_document WHERE issuer_id = %(issuer)s AND open > 0 AND due_on <= %(last)s
UNION SELECT customer_id FROM dunning_case WHERE issuer_id = %(issuer)s AND cleared_at IS NULL
UNION SELECT coalesce(t.payer_id, c.customer_id) FROM restriction AS r JOIN contract AS c ON c.id = r.contract_id JOIN contract_terms AS t ON t.contract_id = c.id
    WHERE r.origin = 'dunning' AND r.lifted_at IS NULL AND t.issuer_id = %(issuer)s
UNION SELECT customer_id FROM instalment_plan WHERE issuer_id = %(issuer)s AND ended_on IS NULL
ORDER BY 1
"""
_BEGIN: Final = """
INSERT INTO dunning_pass (issuer_id, day, begun_at) VALUES (%(issuer)s, %(day)s, %(now)s)
ON CONFLICT (issuer_id, day) DO UPDATE SET begun_at = excluded.begun_at WHERE dunning_pass.done_at IS NULL RETURNING 1
"""


@dataclass(frozen=True, slots=True)
class StepRow:
    """A step that runs in a case."""

    case_id: int
    step: str
    contracts: Sequence[int]
    reason: str


@dataclass(frozen=True, slots=True)
class NoticeRow:
    """A formal notice that goes out, and what it lists."""

    case_id: int
    step: str
    channel: str
    documents: Sequence[int]
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Lighter:
    """A lighter limit in the place of a restriction."""

    instead: int
    level: Level
    reason: str


def load_concerned(connection: Connection, customer_ids: Sequence[int]) -> list[int]:
    """Of these customers those whom dunning has done anything to that money can undo."""
    return [number for (number,) in connection.execute(_CONCERNED, {"ids": list(customer_ids)})]


def load_due_looks(connection: Connection, now: datetime, *, limit: int) -> list[int]:
    """The customers who are to be looked at by now, the longest waiting first."""
    rows = connection.execute(
        "SELECT customer_id FROM dunning_look WHERE next_at <= %s GROUP BY customer_id ORDER BY min(next_at), 1 LIMIT %s",
        (now, limit),
    )
    return [number for (number,) in rows]


def load_debtors(connection: Connection, issuer_id: int, last: date) -> list[int]:
    """Who has anything open that is due by a day, or that dunning has touched."""
    return [number for (number,) in connection.execute(_DEBTORS, {"issuer": issuer_id, "last": last})]


def begin_pass(connection: Connection, issuer_id: int, day: date, now: datetime) -> bool:
    """Whether the day's pass is still to be done; that it has begun is noted."""
    return connection.execute(_BEGIN, {"issuer": issuer_id, "day": day, "now": now}).fetchone() is not None


def end_pass(
    connection: Connection, issuer_id: int, day: date, *, now: datetime, run_id: int | None, result: str
) -> None:
    """The day's pass has come to its end."""
    connection.execute(
        "UPDATE dunning_pass SET done_at = greatest(begun_at, %s), run_id = %s, result = %s WHERE issuer_id = %s AND day = %s",
        (now, run_id, result, issuer_id, day),
    )


def look_at_debtors(connection: Connection, customer_ids: Sequence[int], now: datetime) -> None:
    """Have those of these customers who have anything open looked at by the next pass."""
    connection.execute(_LOOK_AT_DEBTORS, {"ids": sorted(set(customer_ids)), "now": now})


def look_at_payer(connection: Connection, contract_id: int) -> None:
    """Have who pays for a contract looked at by the next pass, whatever is open."""
    connection.execute(_LOOK_AT_PAYER, (contract_id,))


def save_looks(connection: Connection, looks: Sequence[tuple[Key, datetime]]) -> None:
    """When to look again; an earlier moment stays."""
    if looks:
        columns = zip(*((*key, moment) for key, moment in looks), strict=True)
        connection.execute(_LOOK, [list(column) for column in columns])


def claim_looks(connection: Connection, customer_ids: Sequence[int], now: datetime, *, until: datetime) -> None:
    """Put the looks of these customers that are due off until a moment, by which they are done or are due again.

    Who moves money meanwhile has the customer looked at earlier, so that `drop_claimed` leaves it.
    """
    connection.execute(_CLAIM, {"ids": list(customer_ids), "now": now, "until": until})


def drop_claimed(connection: Connection, customer_ids: Sequence[int], *, until: datetime) -> None:
    """The looks of these customers that were put off until then are done."""
    connection.execute(_DROP_CLAIMED, {"ids": list(customer_ids), "until": until})


def forget_looks(connection: Connection, customer_ids: Sequence[int]) -> None:
    """These customers, who are held, are looked at now."""
    connection.execute("DELETE FROM dunning_look WHERE customer_id = ANY(%s)", (list(customer_ids),))


def open_cases(connection: Connection, keys: Sequence[Key], now: datetime) -> dict[Key, int]:
    """A case for each of these."""
    if not keys:
        return {}
    customers, issuers, currencies = (list(column) for column in zip(*keys, strict=True))
    rows = connection.execute(_OPEN, (customers, issuers, currencies, [now] * len(keys)))
    return {(customer, issuer, currency): number for customer, issuer, currency, number in rows}


def clear_cases(connection: Connection, case_ids: Sequence[int], now: datetime) -> None:
    """What these cases pursued is paid."""
    if case_ids:
        connection.execute(
            "UPDATE dunning_case SET cleared_at = greatest(opened_at, %s) WHERE id = ANY(%s) AND cleared_at IS NULL",
            (now, list(case_ids)),
        )


def save_steps(connection: Connection, rows: Sequence[StepRow], *, now: datetime, by: str) -> None:
    """Note the steps that run."""
    if rows:
        given = {
            "cases": [one.case_id for one in rows],
            "steps": [one.step for one in rows],
            "contracts": [_joined(one.contracts) for one in rows],
            "reasons": [one.reason for one in rows],
        }
        connection.execute(_STEPS, {**given, "now": now, "by": by})


def save_notices(connection: Connection, rows: Sequence[NoticeRow], *, now: datetime, by: str) -> None:
    """Note the formal notices that go out."""
    if rows:
        given = {
            "cases": [one.case_id for one in rows],
            "steps": [one.step for one in rows],
            "channels": [one.channel for one in rows],
            "documents": [_joined(one.documents) for one in rows],
            "amounts": [one.amount for one in rows],
        }
        connection.execute(_NOTICES, {**given, "now": now, "by": by})


def save_reminders(connection: Connection, rows: Sequence[tuple[int, date, str]], now: datetime) -> None:
    """Note which document's due day was reminded of by which step."""
    if rows:
        columns = zip(*rows, strict=True)
        connection.execute(_REMINDERS, (now, *(list(column) for column in columns)))


def lift(connection: Connection, restriction_ids: Sequence[int], *, now: datetime, by: str) -> int:
    """Lift these restrictions; how many were still in force."""
    if not restriction_ids:
        return 0
    return connection.execute(_LIFT, (now, by, list(restriction_ids))).rowcount


def place_lighter(connection: Connection, rows: Sequence[Lighter], now: datetime) -> None:
    """Place lighter limits in the place of heavier ones, which are lifted beside."""
    if rows:
        given = {
            "instead": [one.instead for one in rows],
            "levels": [one.level for one in rows],
            "reasons": [one.reason for one in rows],
        }
        connection.execute(_LIGHTER, {**given, "now": now})


def end_plans(connection: Connection, plan_ids: Sequence[int], *, on: date, by: str, reason: str) -> None:
    """End plans of instalments: the documents' own days count again."""
    if plan_ids:
        connection.execute(
            "UPDATE instalment_plan SET ended_on = %s, ended_by = %s, end_reason = %s WHERE id = ANY(%s) AND ended_on IS NULL",
            (on, by, reason, list(plan_ids)),
        )


def _joined(numbers: Iterable[int]) -> str:
    return ",".join(map(str, sorted(numbers)))
