"""Where each item stands: how far it is billed and when a run finds more of it, worked out again after what was agreed changed.

Next: billing/store/due_work.py
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import psycopg

from billing.charges import ItemKind, next_due
from billing.due_contract import Position
from billing.rating import fee_position
from billing.store.due_contracts import CONTRACTS, ITEMS, item_of, load_fees, terms_of

Connection = psycopg.Connection[Any]

_HOLD: Final = """
SELECT item_id FROM billing_position WHERE item_id IN (SELECT id FROM contract_item WHERE contract_id = ANY (%s)) ORDER BY item_id FOR NO KEY UPDATE
"""
_ITEM_IDS: Final = """
SELECT i.id, p.billed_through FROM contract_item AS i LEFT JOIN billing_position AS p ON p.item_id = i.id WHERE i.contract_id = ANY (%s) ORDER BY i.id
"""
_SAVE: Final = """
INSERT INTO billing_position AS p (item_id, billed_through, due_on)
    SELECT * FROM unnest(%s::bigint[], %s::date[], %s::date[]) AS given (item_id, billed_through, due_on) ORDER BY 1
    ON CONFLICT (item_id) DO UPDATE SET billed_through = EXCLUDED.billed_through, due_on = EXCLUDED.due_on
    WHERE (p.billed_through, p.due_on) IS DISTINCT FROM (EXCLUDED.billed_through, EXCLUDED.due_on)
"""


def hold_contracts(connection: Connection, contract_ids: Sequence[int]) -> None:
    """Keep runs away from contracts until the transaction ends: before their items, discounts, stops or charges change."""
    connection.execute(_HOLD, (list(contract_ids),))


def place_items(connection: Connection, contract_ids: Sequence[int]) -> None:
    """Give every item of contracts its place: a new one where it starts, an old one where it stands, with its next due day.

    After items, terms or instalments of the contracts changed, in the same transaction.
    """
    ids = list(contract_ids)
    hold_contracts(connection, ids)
    contracts = {row[0]: row for row in connection.execute(CONTRACTS, (ids,))}
    through = dict(connection.execute(_ITEM_IDS, (ids,)).fetchall())
    rows = connection.execute(ITEMS, (list(through),)).fetchall()
    terms = {contract_id: terms_of(row) for contract_id, row in contracts.items()}
    places: list[Position] = []
    for row in rows:
        if row[2] in (ItemKind.PLAN, ItemKind.ADD_ON):
            item = item_of(row, through[row[1]] or row[9])
            places.append(Position(item.id, item.billed_through, next_due(item, terms[row[0]])))
    fees = [row for row in rows if row[2] not in (ItemKind.PLAN, ItemKind.ADD_ON)]
    currency = {contract_id: one.currency for contract_id, one in terms.items()}
    places += (fee_position(fee) for _, fee in load_fees(connection, fees, currency))
    connection.execute(
        _SAVE,
        (
            [one.item_id for one in places],
            [one.billed_through for one in places],
            [one.due_on for one in places],
        ),
    )
