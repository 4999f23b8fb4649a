"""What is due: contracts with something to bill up to a day, found by the indexes of due work, and held while they are billed.

Units: days of the issuer's zone.

Next: billing/store/due_contracts.py
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any, Final

import psycopg

from billing.due_contract import Position

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Scope:
    """Which part of an issuer's work a run takes; without a name, all of it. `customer_id` is who pays."""

    customer_id: int | None = None
    contract_id: int | None = None
    billing_group: str | None = None
    through: date | None = None


@dataclass(frozen=True, slots=True)
class DueList:
    """Contracts with something due, of each payer together, payers in order. Eight octets a contract."""

    contracts: array[int]
    ends: array[int]

    def batches(self, size: int) -> Iterator[Sequence[int]]:
        """The contracts of so many payers at a time."""
        starts = [0, *self.ends[size - 1 :: size]]
        if starts[-1] != len(self.contracts):
            starts.append(len(self.contracts))
        for start, end in pairwise(starts):
            yield self.contracts[start:end]

    @property
    def payers(self) -> int:
        """How many of them there are."""
        return len(self.ends)


# A contract that is not in service is not billed for time; its fees may be due when they are ordered.
_POSITIONS_DUE: Final = """
SELECT coalesce(t.payer_id, c.customer_id) AS payer, t.contract_id
FROM billing_position AS p JOIN contract_item AS i ON i.id = p.item_id JOIN contract_terms AS t ON t.contract_id = i.contract_id
    JOIN contract AS c ON c.id = t.contract_id
WHERE p.due_on <= %(through)s AND t.issuer_id = %(issuer)s
    AND (c.status IN ('trial', 'active', 'free', 'ended') OR (c.status = 'pending' AND t.order_fees AND i.kind = 'one_off'))
"""
_CHARGES_DUE: Final = """
SELECT coalesce(t.payer_id, c.customer_id), t.contract_id
FROM charge AS h JOIN contract_item AS i ON i.id = h.item_id JOIN contract_terms AS t ON t.contract_id = i.contract_id
    JOIN contract AS c ON c.id = t.contract_id
WHERE h.document_id IS NULL AND NOT h.covered AND (h.run_id IS NOT NULL OR h.due_on <= %(through)s::date + t.lead_days) AND t.issuer_id = %(issuer)s
"""
# Days that are not paid are given back when their period ends: until then their contract is looked at by each run.
_STOPS_DUE: Final = """
SELECT coalesce(t.payer_id, c.customer_id), t.contract_id
FROM billing_stop AS s JOIN contract_terms AS t ON t.contract_id = s.contract_id JOIN contract AS c ON c.id = t.contract_id
WHERE s.rule = 'credit_days' AND lower(s.during) < %(through)s AND coalesce(s.settled_through, lower(s.during)) < least(%(through)s, upper(s.during))
    AND t.issuer_id = %(issuer)s AND c.status IN ('trial', 'active', 'free', 'ended')
"""
_SCOPES: Final = {
    "customer_id": " AND coalesce(t.payer_id, c.customer_id) = %(customer_id)s",
    "contract_id": " AND t.contract_id = %(contract_id)s",
    "billing_group": " AND t.billing_group = %(billing_group)s",
}


def list_due(connection: Connection, issuer_id: int, scope: Scope, *, through: date) -> DueList:
    """All contracts that a run has to look at, as they stand now."""
    given = {name: value for name in _SCOPES if (value := getattr(scope, name)) is not None}
    narrowed = "".join(_SCOPES[name] for name in given)
    statement = " UNION ".join(one + narrowed for one in (_POSITIONS_DUE, _CHARGES_DUE, _STOPS_DUE)) + " ORDER BY 1, 2"
    contracts, ends = array("q"), array("q")
    last: int | None = None
    with connection.cursor(name="due_work") as cursor:
        cursor.itersize = 10_000
        for payer, contract_id in cursor.execute(statement, {"through": through, "issuer": issuer_id, **given}):
            if payer != last and last is not None:
                ends.append(len(contracts))
            last = payer
            contracts.append(contract_id)
    if last is not None:
        ends.append(len(contracts))
    return DueList(contracts, ends)


_POSITIONS: Final = """
SELECT item_id, billed_through, due_on FROM billing_position
WHERE item_id IN (SELECT id FROM contract_item WHERE contract_id = ANY (%s)) AND due_on <= %s ORDER BY item_id
"""
# Who gives days of a stop back turns on all that was charged of its contract: its positions are held, too, due or not.
_POSITIONS_STOPPED: Final = """
SELECT item_id, billed_through, due_on FROM billing_position WHERE item_id IN (SELECT id FROM contract_item WHERE contract_id = ANY (%s))
    AND (due_on <= %s OR item_id IN (SELECT id FROM contract_item WHERE contract_id = ANY (%s))) ORDER BY item_id
"""
_CHARGES: Final = """
SELECT h.id FROM charge AS h JOIN contract_item AS i ON i.id = h.item_id JOIN contract_terms AS t ON t.contract_id = i.contract_id
WHERE i.contract_id = ANY (%s) AND h.document_id IS NULL AND NOT h.covered AND (h.run_id IS NOT NULL OR h.due_on <= %s::date + t.lead_days)
ORDER BY h.id
"""
_STOPS: Final = """
SELECT id, contract_id FROM billing_stop WHERE contract_id = ANY (%s) AND rule = 'credit_days' AND lower(during) < %s
    AND coalesce(settled_through, lower(during)) < least(%s, upper(during)) ORDER BY id
"""


@dataclass(frozen=True, slots=True)
class DueNow:
    """What of some contracts is due: where items stand, charges that wait, stops with days to give back."""

    positions: dict[int, Position]
    charges: list[int]
    stops: list[int]


def hold_due(connection: Connection, contract_ids: Sequence[int], *, through: date) -> DueNow:
    """What is due, held until the transaction ends, in order of ids; what another run took meanwhile is not among it.

    Whoever changes a contract's items, discounts or stops holds its positions first, so what is read after this stays.
    """
    return _due(connection, contract_ids, through, " FOR NO KEY UPDATE")


def look_at_due(connection: Connection, contract_ids: Sequence[int], *, through: date) -> DueNow:
    """The same, only looked at: for a preview, which makes nobody wait."""
    return _due(connection, contract_ids, through, "")


def _due(connection: Connection, contract_ids: Sequence[int], through: date, lock: str) -> DueNow:
    ids = list(contract_ids)
    stopped = [row[1] for row in connection.execute(_STOPS, (ids, through, through))] if lock else []
    if stopped:
        held = connection.execute(_POSITIONS_STOPPED + lock, (ids, through, stopped)).fetchall()
        rows = [row for row in held if row[2] is not None and row[2] <= through]
    else:
        rows = connection.execute(_POSITIONS + lock, (ids, through)).fetchall()
    charges = connection.execute(_CHARGES + lock + (lock and " OF h"), (ids, through)).fetchall()
    stops = connection.execute(_STOPS + lock, (ids, through, through)).fetchall()
    return DueNow({row[0]: Position(*row) for row in rows}, [row[0] for row in charges], [row[0] for row in stops])


def load_payers(connection: Connection, contract_ids: Sequence[int]) -> list[tuple[int, int]]:
    """Contracts with who pays for each, in order of the two."""
    rows = connection.execute(
        "SELECT t.contract_id, coalesce(t.payer_id, c.customer_id) FROM contract_terms AS t JOIN contract AS c ON c.id = t.contract_id"
        " WHERE t.contract_id = ANY (%s) ORDER BY 2, 1",
        (list(contract_ids),),
    )
    return rows.fetchall()
