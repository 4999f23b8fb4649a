"""Runs: their rows from prepared to done, who was not billed in them, and what they are compared with.

Next: billing/runs/billing_run.py
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

import psycopg
from psycopg.types.json import Jsonb

from billing.money import Money, read_money
from billing.store.due_work import Scope

Connection = psycopg.Connection[Any]


class RunState(StrEnum):
    """How far a run is, by the words of the database."""

    PREPARED = "prepared"
    ISSUING = "issuing"
    DONE = "done"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Run:
    """One billing of an issuer, of all or a part of its contracts."""

    id: int
    issuer_id: int
    run_date: date
    scope: Scope
    state: RunState
    started_by: str
    started_at: datetime
    expected: Mapping[str, Any]
    issue_after: datetime | None
    confirmed_by: str | None
    confirmed_at: datetime | None
    ended_at: datetime | None

    @property
    def through(self) -> date:
        """Up to and with which day it bills what is due."""
        return self.scope.through or self.run_date


@dataclass(frozen=True, slots=True)
class RunError:
    """Who was not billed in a run, and why."""

    run_id: int
    customer_id: int
    customer: str
    contract_id: int | None
    reason: str
    found_at: datetime


_COLUMNS: Final = "id, issuer_id, run_date, filter, state, started_by, started_at, expected, issue_after, confirmed_by, confirmed_at, ended_at"
_BEGIN: Final = f"""
INSERT INTO billing_run AS r (issuer_id, run_date, filter, started_by, expected, issue_after)
SELECT i.id, %(run_date)s, %(filter)s, %(by)s, %(expected)s, now() + make_interval(hours => i.confirm_hours) FROM issuer AS i WHERE i.id = %(issuer)s
ON CONFLICT (issuer_id, run_date, filter) DO UPDATE SET state = 'prepared', expected = EXCLUDED.expected, issue_after = EXCLUDED.issue_after,
    confirmed_by = NULL, confirmed_at = NULL, ended_at = NULL WHERE r.state <> 'issuing'
RETURNING {_COLUMNS}
"""  # noqa: S608 - our own list of columns
_FIND: Final = f"SELECT {_COLUMNS} FROM billing_run WHERE issuer_id = %s AND run_date = %s AND filter = %s"  # noqa: S608
_LOAD: Final = f"SELECT {_COLUMNS} FROM billing_run WHERE id = %s"  # noqa: S608
_LIST: Final = f"""
SELECT {_COLUMNS} FROM billing_run WHERE issuer_id = %(issuer)s AND (%(day)s::date IS NULL OR (run_date, id) < (%(day)s, %(id)s))
ORDER BY run_date DESC, id DESC LIMIT %(limit)s
"""  # noqa: S608
_TO_ISSUE: Final = f"""
SELECT {_COLUMNS} FROM billing_run WHERE issuer_id = %s AND (state = 'issuing' OR (state = 'prepared' AND issue_after <= clock_timestamp()))
ORDER BY run_date, id
"""  # noqa: S608
_CONFIRM: Final = """
UPDATE billing_run SET state = 'issuing', confirmed_by = %s, confirmed_at = now() WHERE id = %s AND state = 'prepared'
"""
_END: Final = "UPDATE billing_run SET state = %s, ended_at = now() WHERE id = %s AND state = ANY (%s)"
_FAIL: Final = """
INSERT INTO billing_error (run_id, customer_id, contract_id, reason) VALUES (%s, %s, %s, %s)
ON CONFLICT (run_id, customer_id, contract_id) DO UPDATE SET reason = EXCLUDED.reason, found_at = now()
"""
_ERRORS: Final = """
SELECT e.run_id, e.customer_id, c.name, e.contract_id, e.reason, e.found_at FROM billing_error AS e JOIN customer AS c ON c.id = e.customer_id
WHERE e.run_id = %(run)s AND (e.customer_id, coalesce(e.contract_id, 0)) > (%(customer)s, %(contract)s)
ORDER BY e.customer_id, coalesce(e.contract_id, 0) LIMIT %(limit)s
"""
# The last date of each of an issuer's series: a run of an earlier day can't number anything in it.
_LATER: Final = """
SELECT r.code, y.last_date FROM document_register AS r JOIN register_year AS y ON y.register_id = r.id
WHERE r.issuer_id = %(issuer)s AND r.id = ANY (%(registers)s) AND y.last_date > %(day)s ORDER BY y.last_date DESC LIMIT 1
"""


# What a contract came to in the last run that billed it, looked for among the charges of the last thirteen months. Each kind is
# reached by an index that there is for it: a sum over all of an item's charges would read the whole table for each contract.
# OFFSET 0 keeps each look a look for one item or charge by its index. Joined freely, the planner reads all charges for each
# contract while it has no statistics of them, which is when a first run has just been.
_LAST: Final = """
WITH item AS MATERIALIZED (SELECT id, contract_id FROM contract_item WHERE contract_id = ANY (%(contracts)s)),
period AS MATERIALIZED (
    SELECT item.contract_id, h.id, h.net, h.run_id FROM item CROSS JOIN LATERAL (
        SELECT id, net, run_id FROM charge
        WHERE item_id = item.id AND kind = 'period' AND lower(during) > %(day)s::date - 800 AND upper(during) > %(day)s::date - 400 OFFSET 0) AS h),
part AS (
    SELECT contract_id, net, run_id FROM period
    UNION ALL
    SELECT item.contract_id, h.net, h.run_id FROM item CROSS JOIN LATERAL (
        SELECT net, run_id FROM charge WHERE item_id = item.id AND kind IN ('one_off', 'instalment', 'early_exit') OFFSET 0) AS h
    UNION ALL
    SELECT period.contract_id, h.net, h.run_id FROM period CROSS JOIN LATERAL (
        SELECT net, run_id FROM charge WHERE corrects_id = period.id OFFSET 0) AS h)
SELECT t.contract_id, t.currency, sum(part.net)
FROM (SELECT contract_id, max(run_id) AS run_id FROM period GROUP BY 1) AS last
JOIN part USING (contract_id, run_id) JOIN contract_terms AS t USING (contract_id) GROUP BY 1, 2
"""
# In service, and yet no run will ever find something to bill of them.
_UNBILLED: Final = """
WITH silent AS (
    SELECT c.id, c.customer_id, CASE
            WHEN t.contract_id IS NULL THEN 'it has no terms'
            WHEN NOT EXISTS (SELECT FROM contract_item AS i WHERE i.contract_id = c.id AND i.kind IN ('plan', 'add_on')) THEN 'nothing that it has is charged for time'
            WHEN NOT EXISTS (SELECT FROM contract_item AS i JOIN billing_position AS p ON p.item_id = i.id WHERE i.contract_id = c.id AND i.kind IN ('plan', 'add_on')) THEN 'it is not placed: nothing says from when it is billed'
            ELSE 'all its items have ended' END AS reason
    FROM contract AS c LEFT JOIN contract_terms AS t ON t.contract_id = c.id
    WHERE c.status = 'active' AND (t.contract_id IS NULL OR t.issuer_id = %(issuer)s) AND NOT EXISTS (
        SELECT FROM contract_item AS i JOIN billing_position AS p ON p.item_id = i.id WHERE i.contract_id = c.id AND p.due_on IS NOT NULL AND i.kind IN ('plan', 'add_on')))
SELECT id, customer_id, reason, count(*) OVER () FROM silent ORDER BY id LIMIT %(limit)s
"""


def filter_of(scope: Scope) -> dict[str, Any]:
    """A scope as it stands in a run's row."""
    given = {
        "customer": scope.customer_id,
        "contract": scope.contract_id,
        "group": scope.billing_group,
        "through": scope.through and scope.through.isoformat(),
    }
    return {name: value for name, value in given.items() if value is not None}


def scope_of(given: Mapping[str, Any]) -> Scope:
    """The same the other way round."""
    through = given.get("through")
    return Scope(
        given.get("customer"), given.get("contract"), given.get("group"), through and date.fromisoformat(through)
    )


def find_run(connection: Connection, issuer_id: int, run_date: date, scope: Scope) -> Run | None:
    """The run of that day and part, if it was begun."""
    row = connection.execute(_FIND, (issuer_id, run_date, Jsonb(filter_of(scope)))).fetchone()
    return _run(row) if row is not None else None


def load_run(connection: Connection, run_id: int) -> Run | None:
    """One run."""
    row = connection.execute(_LOAD, (run_id,)).fetchone()
    return _run(row) if row is not None else None


def load_runs(
    connection: Connection, issuer_id: int, *, limit: int, after: tuple[date, int] | None = None
) -> list[Run]:
    """An issuer's newest runs first; those behind the one of that day and number."""
    day, number = after or (None, None)
    rows = connection.execute(_LIST, {"issuer": issuer_id, "day": day, "id": number, "limit": limit})
    return [_run(row) for row in rows]


def runs_to_issue(connection: Connection, issuer_id: int) -> list[Run]:
    """Confirmed ones that are not done, and prepared ones whose time for a word is over."""
    return [_run(row) for row in connection.execute(_TO_ISSUE, (issuer_id,))]


def save_prepared(
    connection: Connection, issuer_id: int, run_date: date, scope: Scope, *, expected: Mapping[str, Any], by: str
) -> Run | None:
    """The run with its preview, waiting to be confirmed; begun again when it was done or cancelled. None while it issues."""
    given = {
        "issuer": issuer_id,
        "run_date": run_date,
        "filter": Jsonb(filter_of(scope)),
        "expected": Jsonb(expected),
        "by": by,
    }
    row = connection.execute(_BEGIN, given).fetchone()
    return _run(row) if row is not None else None


def confirm_run(connection: Connection, run_id: int, *, by: str) -> bool:
    """Let a prepared run issue; False when it is not waiting for that."""
    return connection.execute(_CONFIRM, (by, run_id)).rowcount == 1


def end_run(connection: Connection, run_id: int) -> bool:
    """An issuing run is done; False when it was."""
    return connection.execute(_END, (RunState.DONE, run_id, [RunState.ISSUING])).rowcount == 1


def cancel_run(connection: Connection, run_id: int) -> bool:
    """Give up a prepared run; False when it is not prepared."""
    return connection.execute(_END, (RunState.CANCELLED, run_id, [RunState.PREPARED])).rowcount == 1


def save_errors(
    connection: Connection,
    run_id: int,
    payers: Sequence[int],
    failures: Iterable[tuple[int, int | None, str]],
) -> None:
    """Who of these payers is not billed in this run, in the place of what was said of them before."""
    connection.execute("DELETE FROM billing_error WHERE run_id = %s AND customer_id = ANY (%s)", (run_id, list(payers)))
    for customer_id, contract_id, reason in failures:
        connection.execute(_FAIL, (run_id, customer_id, contract_id, reason))


def load_errors(
    connection: Connection, run_id: int, *, limit: int | None = None, after: tuple[int, int] = (0, 0)
) -> list[RunError]:
    """Who was not billed in a run, behind that customer and contract (0: the customer altogether); all of them without a limit."""
    asked = {"run": run_id, "customer": after[0], "contract": after[1] if after[0] else -1, "limit": limit}
    return [RunError(*row) for row in connection.execute(_ERRORS, asked)]


@dataclass(frozen=True, slots=True)
class Made:
    """What a run has issued of one kind and currency."""

    kind: str
    currency: str
    documents: int
    net: Decimal
    tax: Decimal
    gross: Decimal


def load_made(connection: Connection, run_id: int) -> list[Made]:
    """What a run has issued so far."""
    rows = connection.execute(
        "SELECT kind::text, currency, count(*), sum(net), sum(tax), sum(gross) FROM document WHERE run_id = %s AND state <> 'draft'"
        " GROUP BY 1, 2 ORDER BY 1 DESC, 2",
        (run_id,),
    )
    return [
        Made(kind, currency, count, *(read_money(amount, currency).amount for amount in amounts))
        for kind, currency, count, *amounts in rows
    ]


def later_register(
    connection: Connection, issuer_id: int, registers: Sequence[int], day: date
) -> tuple[str, date] | None:
    """A series whose last document is of a later day, with that day: nothing of an earlier one can be numbered in it."""
    row = connection.execute(_LATER, {"issuer": issuer_id, "registers": list(registers), "day": day}).fetchone()
    return (row[0], row[1]) if row is not None else None


def load_last_amounts(connection: Connection, contract_ids: Sequence[int], day: date) -> dict[int, Money]:
    """What contracts came to in the last run that billed time of them, in their own prices."""
    rows = connection.execute(_LAST, {"contracts": list(contract_ids), "day": day})
    return {contract_id: read_money(amount, currency) for contract_id, currency, amount in rows}


def load_unbilled(connection: Connection, issuer_id: int, *, limit: int = 100) -> dict[str, Any]:
    """Active contracts of which nothing will ever fall due, as a JSON object: how many, and some of them with the reason."""
    rows = connection.execute(_UNBILLED, {"issuer": issuer_id, "limit": limit}).fetchall()
    return {
        "count": rows[0][3] if rows else 0,
        "contracts": [{"contract": row[0], "customer": row[1], "reason": row[2]} for row in rows],
    }


def _run(row: tuple[Any, ...]) -> Run:
    number, issuer_id, run_date, given, state, *rest = row
    return Run(number, issuer_id, run_date, scope_of(given), RunState(state), *rest)
