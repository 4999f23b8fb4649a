"""New prices for contracts in bulk: each item ends on its boundary, goes on from there at its new price, and its customer is to be told.

Next: billing/runs/billing_run.py
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

import psycopg

from billing.periods import Cycle
from billing.price_changes import NewPrice, PriceChange, PricedItem, PriceTotal, Reach, counted_totals, new_price_for
from billing.store.positions import hold_contracts, place_items
from billing.store.selection import in_batches

Connection = psycopg.Connection[Any]
# So many contracts are held, ended and begun at once; it bounds memory, and all is one transaction.
_BATCH: Final = 2000
_COLUMNS: Final = """
i.id, i.contract_id, t.currency, t.includes_tax, i.quantity, i.period_price, i.anchor, i.wanted_day, i.months, i.starts_on, least(i.ends_on, c.ends_on),
    coalesce((SELECT b.billed_through FROM billing_position AS b WHERE b.item_id = i.id), i.starts_on)
"""
_JOINED: Final = "contract_item AS i JOIN contract_terms AS t ON t.contract_id = i.contract_id JOIN contract AS c ON c.id = i.contract_id"
# Contracts that have not begun keep what was just agreed; free ones pay nothing. Without a currency: of any, with or without tax.
_REACHED: Final = """
i.product_id = %(product)s AND i.kind IN ('plan', 'add_on') AND c.status IN ('trial', 'active') AND (i.ends_on IS NULL OR i.ends_on > %(day)s)
    AND (%(currency)s::text IS NULL OR (t.currency = %(currency)s AND t.includes_tax = %(includes_tax)s))
"""
_ITEMS: Final = (
    f"SELECT {_COLUMNS} FROM {_JOINED} WHERE i.contract_id = ANY (%(contracts)s) AND {_REACHED} ORDER BY i.id"  # noqa: S608 - made of the constants
)
# What a change of price begins on a day or after it: raised by a percentage once more, a change that is typed twice would count twice.
_CHANGES: Final = """
SELECT i.id FROM contract_item AS i JOIN contract_event AS e ON e.contract_id = i.contract_id AND e.event = 'price_change' AND e.effective_on = i.starts_on
    JOIN contract_item AS before ON before.id = (e.detail ->> 'item')::bigint AND before.product_id = i.product_id
WHERE i.product_id = %(product)s AND i.starts_on >= %(day)s AND (i.ends_on IS NULL OR i.ends_on > i.starts_on)
"""
_CHANGED: Final = f"{_CHANGES} AND i.contract_id = ANY (%(contracts)s)"
# Where nothing ends, who has a price and when a period begins makes no difference: one stands for all that are alike.
_COUNTED: Final = f"""
WITH alike AS (SELECT min(i.id) AS id, count(*) AS items FROM {_JOINED} WHERE {_REACHED} AND NOT (%(percent)s AND i.id IN ({_CHANGES}))
    GROUP BY t.currency, t.includes_tax, i.quantity, i.period_price, i.months, CASE WHEN least(i.ends_on, c.ends_on) IS NOT NULL THEN i.id END)
SELECT one.*, a.items FROM alike AS a CROSS JOIN LATERAL (SELECT {_COLUMNS} FROM {_JOINED} WHERE i.id = a.id LIMIT 1) AS one
"""  # noqa: S608
_HOLD: Final = "SELECT FROM contract WHERE id = ANY (%s) ORDER BY id FOR NO KEY UPDATE"
_IDS: Final = "SELECT nextval(pg_get_serial_sequence('contract_item', 'id')) FROM generate_series(1, %s)"
_END: Final = """
UPDATE contract_item AS i SET ends_on = g.day FROM unnest(%(old)s::bigint[], %(days)s::date[]) AS g (id, day) WHERE i.id = g.id
"""
_BEGIN: Final = """
INSERT INTO contract_item (id, contract_id, product_id, kind, quantity, period_price, months, anchor, wanted_day, starts_on, ends_on)
OVERRIDING SYSTEM VALUE
SELECT g.new, i.contract_id, i.product_id, i.kind, i.quantity, g.price, i.months, i.anchor, i.wanted_day, g.day, g.ends
FROM unnest(%(old)s::bigint[], %(new)s::bigint[], %(days)s::date[], %(ends)s::date[], %(prices)s::numeric[]) AS g (old, new, day, ends, price)
    JOIN contract_item AS i ON i.id = g.old ORDER BY g.new
"""
# A discount of an item goes on with what takes the item's place.
_DISCOUNTS: Final = """
INSERT INTO discount (contract_id, item_id, kind, value, during, priority, promotion_id, reason, placed_by)
SELECT d.contract_id, g.new, d.kind, d.value, daterange(greatest(lower(d.during), g.day), upper(d.during)), d.priority, NULL, d.reason, d.placed_by
FROM unnest(%(old)s::bigint[], %(new)s::bigint[], %(days)s::date[]) AS g (old, new, day) JOIN discount AS d ON d.item_id = g.old
WHERE NOT isempty(d.during * daterange(g.day, NULL)) ORDER BY d.id
"""
_NOTICES: Final = """
INSERT INTO contract_notice (contract_id, kind, due_on)
SELECT DISTINCT contract, 'price_change', day FROM unnest(%(contracts)s::bigint[], %(told)s::date[]) AS g (contract, day) ORDER BY 1, 3
ON CONFLICT DO NOTHING
"""
_EVENTS: Final = """
INSERT INTO contract_event (contract_id, actor, event, effective_on, status_before, status_after, detail)
SELECT c.id, %(actor)s, 'price_change', g.day, c.status, c.status, g.detail
FROM unnest(%(contracts)s::bigint[], %(days)s::date[], %(details)s::jsonb[]) WITH ORDINALITY AS g (contract, day, detail, place)
    JOIN contract AS c ON c.id = g.contract ORDER BY g.place
"""


def load_new_prices(
    connection: Connection, contracts: Sequence[int], change: PriceChange, reach: Reach
) -> Iterator[NewPrice]:
    """What a change comes to for these contracts. Not among them: who has the price, ends before, or, of a percentage, has another
    change of price from that day on.
    """
    given = _reached(reach)
    for batch in in_batches(contracts, _BATCH):
        changed = load_changed_already(connection, batch, reach) if change.percent is not None else frozenset()
        for row in connection.execute(_ITEMS, {**given, "contracts": list(batch)}):
            new = new_price_for(_item_of(row), change, reach.day)
            if new is not None and new.item.id not in changed:
                yield new


def load_price_totals(connection: Connection, change: PriceChange, reach: Reach) -> list[PriceTotal]:
    """What a change comes to for all contracts that have the product: counted by the database, however many there are."""
    given = {**_reached(reach), "percent": change.percent is not None}
    found = []
    for *row, items in connection.execute(_COUNTED, given):
        new = new_price_for(_item_of(tuple(row)), change, reach.day)
        if new is not None:
            found.append((new, items))
    return counted_totals(found)


def load_changed_already(connection: Connection, contracts: Sequence[int], reach: Reach) -> frozenset[int]:
    """Items of the product that a change of price begins on that day or after it."""
    given = {"contracts": list(contracts), "product": reach.product_id, "day": reach.day}
    return frozenset(number for (number,) in connection.execute(_CHANGED, given))


def _reached(reach: Reach) -> dict[str, Any]:
    return {
        "product": reach.product_id,
        "day": reach.day,
        "currency": reach.currency,
        "includes_tax": reach.includes_tax,
    }


def _item_of(row: tuple[Any, ...]) -> PricedItem:
    number, contract, currency, includes_tax, quantity, price, anchor, day, months, starts_on, ends_on, through = row
    cycle = Cycle(anchor, day, months)
    return PricedItem(
        number, contract, currency, includes_tax, quantity, price, cycle, starts_on, ends_on, billed_through=through
    )


def change_prices(
    connection: Connection, contracts: Sequence[int], change: PriceChange, reach: Reach, *, actor: str
) -> int:
    """Write it, in the caller's transaction; returns how many items changed. Runs and deeds of these contracts wait.

    What was worked out before is worked out again while contracts are held, so nothing that changed meanwhile is lost.
    """
    changed = 0
    for batch in in_batches(contracts, _BATCH):
        connection.execute(_HOLD, (list(batch),))
        hold_contracts(connection, batch)
        prices = list(load_new_prices(connection, batch, change, reach))
        if prices:
            _save(connection, prices, actor)
            place_items(connection, sorted({one.item.contract_id for one in prices}))
        changed += len(prices)
    return changed


def _save(connection: Connection, prices: Sequence[NewPrice], actor: str) -> None:
    new = [number for (number,) in connection.execute(_IDS, (len(prices),))]
    given = {
        "old": [one.item.id for one in prices],
        "new": new,
        "days": [one.on for one in prices],
        "ends": [one.item.ends_on for one in prices],
        "prices": [one.period_price for one in prices],
        "contracts": [one.item.contract_id for one in prices],
        "told": [one.told_by for one in prices],
        "details": [
            json.dumps(
                {
                    "item": one.item.id,
                    "new": number,
                    "before": str(one.item.period_price),
                    "after": str(one.period_price),
                }
            )
            for number, one in zip(new, prices, strict=True)
        ],
        "actor": actor,
    }
    for statement in (_END, _BEGIN, _DISCOUNTS, _NOTICES, _EVENTS):
        connection.execute(statement, given)
