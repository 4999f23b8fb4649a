"""What a deed writes, table by table: the contract and its terms, its plans, restrictions, relief, stops, and its event.

Everything the network follows is written here by plain SQL; the change feed's triggers see it. The caller holds the
contract and owns the transaction.

Next: billing/store/contract_items.py
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import date, datetime, time
from typing import Any, Final
from zoneinfo import ZoneInfo

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from billing.contract_facts import BilledAs, Contract, Restriction
from billing.contracts import plan_on
from billing.store.contracts import KnownContract

Connection = psycopg.Connection[Any]

_RESTRICT: Final = """
INSERT INTO restriction (contract_id, origin, level, reason, placed_by, since, until) VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id
"""
# One that never began ends as it begins.
_LIFT: Final = """
UPDATE restriction SET lifted_at = greatest(since, least(until, %s)), lifted_by = %s
WHERE contract_id = %s AND origin = %s AND level = %s AND (since AT TIME ZONE %s)::date = %s AND lifted_at IS NULL RETURNING id
"""
# Only days that no other stop has: each day is given back once.
_STOP: Final = """
INSERT INTO billing_stop (contract_id, during, rule, restriction_id, reason, placed_by)
    SELECT %(contract)s, part, %(rule)s, %(restriction)s, %(reason)s, %(actor)s FROM unnest(datemultirange(daterange(%(start)s, %(end)s))
        - coalesce((SELECT range_agg(during) FROM billing_stop WHERE contract_id = %(contract)s), '{}')) AS part
"""
# A period that was left out stays so, and its stop lasts to the end of it.
_CUT_STOPS: Final = """
WITH held AS (
    SELECT s.id AS stop, greatest(%(on)s::date, CASE s.rule WHEN 'stop' THEN (SELECT max(upper(h.during)) FROM contract_item AS i JOIN charge AS h ON h.item_id = i.id
        AND h.kind = 'period' WHERE i.contract_id = s.contract_id AND h.stop_id = s.id) END) AS until
    FROM billing_stop AS s WHERE {which}
), gone AS (DELETE FROM billing_stop USING held WHERE id = stop AND lower(during) >= until)
UPDATE billing_stop SET during = daterange(lower(during), until) FROM held WHERE id = stop AND lower(during) < until AND (upper_inf(during) OR upper(during) > until)
"""
# From the first day of a contract that nothing is charged for, up to a day.
_NEVER: Final = """
INSERT INTO billing_stop (contract_id, during, rule, reason, placed_by)
    SELECT %(contract)s, daterange(%(first)s, %(on)s), 'stop', %(reason)s, %(actor)s
"""
_NOT_BILLED_FROM: Final = """
SELECT min(p.billed_through) FROM contract_item AS i JOIN billing_position AS p ON p.item_id = i.id
WHERE i.contract_id = %s AND i.kind IN ('plan', 'add_on') AND p.billed_through < least(i.ends_on, %s)
"""
_END_RELIEF: Final = """
UPDATE relief SET during = tstzrange(lower(during), greatest(%(at)s, lower(during) + interval '1 microsecond'))
WHERE contract_id = %(contract)s AND upper(during) > %(at)s
"""
_PLANS_WAIT: Final = """
INSERT INTO plan_change (contract_id, plan_id, effective_on, placed_by) SELECT %s, plan, day, %s FROM unnest(%s::date[], %s::bigint[]) AS given (day, plan)
ON CONFLICT (contract_id, effective_on) DO UPDATE SET plan_id = EXCLUDED.plan_id, placed_by = EXCLUDED.placed_by, placed_at = now()
    WHERE plan_change.plan_id <> EXCLUDED.plan_id
"""
_PLANS_DROPPED: Final = """
DELETE FROM plan_change WHERE contract_id = %s AND applied_at IS NULL AND effective_on > %s AND effective_on <> ALL (%s)
"""
_PLANS_APPLIED: Final = """
UPDATE plan_change SET applied_at = now() WHERE contract_id = %s AND applied_at IS NULL AND effective_on <= %s
"""
_TELL: Final = """
INSERT INTO contract_event (contract_id, actor, event, effective_on, status_before, status_after, detail) VALUES (%s, %s, %s, %s, %s, %s, %s)
"""
# Of the facts, what stands in these columns of the terms.
_TERMS: Final = {
    "billable_from": "billable_from",
    "free_from": "free_from",
    "free_reason": "free_reason",
    "free_review_on": "free_review_on",
    "exit_is_free": "exit_is_free",
    "valid_until": "valid_until",
    "service_address": "service_address_id",
}
# What is worked out for a decision and tells nobody anything.
_UNTOLD: Final = frozenset(
    {"complete", "priced", "line_is_resold", "books_open_from", "paid_through", "exit_table", "pause_fee"}
)


def hold_contract(connection: Connection, contract_id: int) -> bool:
    """Keep others from changing a contract until the transaction ends; False when there is none."""
    return connection.execute("SELECT FROM contract WHERE id = %s FOR NO KEY UPDATE", (contract_id,)).rowcount == 1


def save_facts(
    connection: Connection, known: KnownContract, after: Contract, *, today: date, actor: str, reason: str
) -> None:
    """Write what differs between a contract as it was loaded and as it is to be."""
    before = known.facts
    _save_plans(connection, known, after, today=today, actor=actor)
    columns: dict[str, object] = {
        name: getattr(after, name) for name in ("starts_on", "ends_on") if _differ(before, after, name)
    }
    if _differ(before, after, "status"):
        columns["status"] = str(after.status)
    if plan_on(before, today) != plan_on(after, today):
        columns["plan_id"] = plan_on(after, today)
    _update(connection, "contract", "id", known.id, columns)
    terms = {column: getattr(after, name) for name, column in _TERMS.items() if _differ(before, after, name)}
    if before.binding != after.binding:
        terms["minimum_until"] = after.binding.minimum_until
    if _differ(before, after, "signed_on"):
        terms["signed_at"] = known.at if after.signed_on == today else _midnight(after.signed_on, known.zone)
    if known.terms is not None:
        _update(connection, "contract_terms", "contract_id", known.id, terms)
    _save_restrictions(connection, known, after, today=today, actor=actor, reason=reason)
    if _differ(before, after, "relief_until"):
        assert after.relief_until is None, (
            f"contract {known.id}: a relief is given by a promise or an operator, by no deed"
        )
        connection.execute(_END_RELIEF, {"contract": known.id, "at": known.at})


def cut_stops(connection: Connection, contract_id: int, end: date) -> None:
    """Nothing is given back for days from the end of a contract on: they are not billed."""
    connection.execute(_CUT_STOPS.format(which="contract_id = %(contract)s"), {"contract": contract_id, "on": end})


def never_bill(connection: Connection, contract_id: int, on: date, *, reason: str, actor: str) -> None:
    """Time of a contract before a day that is not billed by now never is: a stop says so, in the place of others."""
    row = connection.execute(_NOT_BILLED_FROM, (contract_id, on)).fetchone()
    if row is None or row[0] is None:
        return
    cut_stops(connection, contract_id, row[0])
    given = {"contract": contract_id, "first": row[0], "on": on, "reason": reason, "actor": actor}
    connection.execute(_NEVER, given)


def begin_event(
    connection: Connection, known: KnownContract, after: Contract, *, deed: Mapping[str, object], reason: str
) -> dict[str, Any]:
    """Say to the transaction what the coming change of status is; returns it for one without."""
    names = [one.name for one in fields(Contract) if one.name not in _UNTOLD and _differ(known.facts, after, one.name)]
    detail: dict[str, Any] = {
        "deed": {name: value for name, value in deed.items() if value is not None},
        "before": {name: getattr(known.facts, name) for name in names},
        "after": {name: getattr(after, name) for name in names},
    }
    if reason:
        detail["reason"] = reason
    text = json.dumps(detail, default=_plain)
    connection.execute("SELECT set_config('corrente.detail', %s, true)", (text,))
    told: dict[str, Any] = json.loads(text)
    return told


def end_event(
    connection: Connection,
    known: KnownContract,
    after: Contract,
    *,
    actor: str,
    event: str,
    effective_on: date,
    detail: dict[str, Any],
) -> None:
    """Tell what changed no status, and let the transaction go on to other deeds; a change of status told itself."""
    if known.facts.status == after.status:
        status = str(after.status)
        connection.execute(_TELL, (known.id, actor, event, effective_on, status, status, Jsonb(detail)))
    connection.execute(
        "SELECT set_config('corrente.event', '', true), set_config('corrente.effective_on', '', true), set_config('corrente.detail', '', true)"
    )


def _save_plans(connection: Connection, known: KnownContract, after: Contract, *, today: date, actor: str) -> None:
    if known.facts.plan_changes == after.plan_changes:
        return
    coming = [(day, plan) for day, plan in after.plan_changes if day > today]
    days = [day for day, _ in coming]
    connection.execute(_PLANS_APPLIED, (known.id, today))
    connection.execute(_PLANS_DROPPED, (known.id, today, days))
    if coming:
        connection.execute(_PLANS_WAIT, (known.id, actor, days, [plan for _, plan in coming]))


def _save_restrictions(
    connection: Connection, known: KnownContract, after: Contract, *, today: date, actor: str, reason: str
) -> None:
    before = known.facts.restrictions
    for one in _missing(before, after.restrictions):
        given = (known.at, actor, known.id, one.origin, one.level, known.zone, one.since)
        lifted = [row[0] for row in connection.execute(_LIFT, given)]
        which = {"which": "restriction_id = ANY (%(lifted)s)"}
        connection.execute(_CUT_STOPS.format(**which), {"lifted": lifted, "on": today})
    for one in _missing(after.restrictions, before):
        since = known.at if one.since == today else _midnight(one.since, known.zone)
        until = None if one.until is None else _midnight(one.until, known.zone)
        why = reason or f"by {actor}"
        row = connection.execute(_RESTRICT, (known.id, one.origin, one.level, why, actor, since, until)).fetchone()
        assert row is not None
        if one.billing is not BilledAs.BILL and known.terms is not None:
            stop = {
                "contract": known.id,
                "restriction": row[0],
                "start": one.since,
                "end": one.until,
                "rule": str(one.billing),
            }
            connection.execute(_STOP, {**stop, "reason": why, "actor": actor})


def _missing(of: Sequence[Restriction], there: Sequence[Restriction]) -> list[Restriction]:
    return [one for one in of if one not in there]


def _differ(before: Contract, after: Contract, name: str) -> bool:
    return bool(getattr(before, name) != getattr(after, name))


def _midnight(day: date | None, zone: str) -> datetime | None:
    """The first moment of a day."""
    return None if day is None else datetime.combine(day, time.min, tzinfo=ZoneInfo(zone))


def _update(connection: Connection, table: str, key: str, row_id: int, columns: Mapping[str, object]) -> None:
    if not columns:
        return
    parts = sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in columns
    )
    statement = sql.SQL("UPDATE {} SET {} WHERE {} = {}").format(
        sql.Identifier(table), parts, sql.Identifier(key), sql.Placeholder("row_id")
    )
    connection.execute(statement, {**columns, "row_id": row_id})


def _plain(value: object) -> object:
    """A value of the facts as JSON has it."""
    if hasattr(value, "__dataclass_fields__"):
        return {one.name: getattr(value, one.name) for one in fields(value)}  # type: ignore[arg-type]
    return str(value)
