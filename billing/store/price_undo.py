"""Changes of price that have not come yet, taken back: each item goes on at its price, and nobody is told of another.

Next: billing/runs/billing_run.py
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import psycopg
from psycopg.rows import class_row

from billing.price_changes import NOTICE
from billing.store.positions import hold_contracts, place_items
from billing.store.selection import in_batches

Connection = psycopg.Connection[Any]
_BATCH: Final = 2000


@dataclass(frozen=True, slots=True)
class ComingPrice:
    """An item that begins at another price on a day to come, in the place of `old_id`. `told`: its customer knows."""

    item_id: int
    old_id: int
    contract_id: int
    on: date
    told: bool


# What was charged ahead at the new price stays, and so does what a deed has changed since.
_COMING: Final = """
SELECT DISTINCT ON (n.starts_on, n.id) n.id AS item_id, o.id AS old_id, n.contract_id, n.starts_on AS on, EXISTS (SELECT FROM contract_notice AS t
    WHERE t.contract_id = n.contract_id AND t.kind = 'price_change' AND t.due_on = n.starts_on - %(notice)s::integer AND t.sent_at IS NOT NULL) AS told
FROM contract_event AS e JOIN contract_item AS o ON o.id = (e.detail ->> 'item')::bigint
    JOIN contract_item AS n ON n.contract_id = e.contract_id AND n.product_id = o.product_id AND n.kind = o.kind AND n.quantity = o.quantity AND n.id > o.id
        AND n.starts_on = e.effective_on AND n.period_price = (e.detail ->> 'after')::numeric AND coalesce((e.detail ->> 'new')::bigint, n.id) = n.id
WHERE e.event = 'price_change' AND e.contract_id = ANY (%(contracts)s) AND o.product_id = %(product)s AND n.starts_on >= %(day)s AND n.starts_on > %(today)s
    AND (n.ends_on IS NULL OR n.ends_on > n.starts_on) AND o.ends_on = n.starts_on AND NOT EXISTS (SELECT FROM charge AS h WHERE h.item_id = n.id)
ORDER BY n.starts_on DESC, n.id
"""
_HOLD: Final = "SELECT FROM contract WHERE id = ANY (%s) ORDER BY id FOR NO KEY UPDATE"
# First the new ones never are, then the old ones last as long as they would have: no two plans a day.
_VOID: Final = """
WITH given AS (SELECT * FROM unnest(%(new)s::bigint[], %(old)s::bigint[]) AS g (new, old)), until AS (
    SELECT g.old, n.id, n.ends_on FROM given AS g JOIN contract_item AS n ON n.id = g.new
), void AS (UPDATE contract_item AS i SET ends_on = i.starts_on FROM given AS g WHERE i.id = g.new)
SELECT old, ends_on FROM until
"""
_GO_ON: Final = """
UPDATE contract_item AS i SET ends_on = g.day FROM unnest(%s::bigint[], %s::date[]) AS g (id, day) WHERE i.id = g.id
"""
_DISCOUNTS: Final = "DELETE FROM discount WHERE item_id = ANY (%s)"
_NOTICES: Final = """
DELETE FROM contract_notice AS t USING unnest(%(contracts)s::bigint[], %(days)s::date[]) AS g (contract, day)
WHERE t.contract_id = g.contract AND t.kind = 'price_change' AND t.due_on = g.day - %(notice)s::integer AND t.sent_at IS NULL AND NOT EXISTS (
    SELECT FROM contract_event AS e JOIN contract_item AS n ON n.contract_id = e.contract_id AND n.starts_on = e.effective_on AND (n.ends_on IS NULL OR n.ends_on > n.starts_on)
    WHERE e.contract_id = g.contract AND e.event = 'price_change' AND e.effective_on = g.day AND n.id > (e.detail ->> 'item')::bigint)
"""
_EVENTS: Final = """
INSERT INTO contract_event (contract_id, actor, event, effective_on, status_before, status_after, detail)
SELECT c.id, %(actor)s, 'price_change_undone', g.day, c.status, c.status, g.detail
FROM unnest(%(contracts)s::bigint[], %(days)s::date[], %(details)s::jsonb[]) WITH ORDINALITY AS g (contract, day, detail, place)
    JOIN contract AS c ON c.id = g.contract ORDER BY g.place
"""


def load_coming_prices(
    connection: Connection, contracts: Sequence[int], product_id: int, *, day: date, today: date
) -> list[ComingPrice]:
    """New prices of a product that begin on a day or later and have not come yet, the last ones first."""
    given = {"product": product_id, "day": day, "today": today, "notice": NOTICE.days}
    with connection.cursor(row_factory=class_row(ComingPrice)) as cursor:
        return [
            one
            for batch in in_batches(contracts, _BATCH)
            for one in cursor.execute(_COMING, {**given, "contracts": list(batch)}).fetchall()
        ]


def undo_prices(
    connection: Connection, contracts: Sequence[int], product_id: int, *, day: date, today: date, actor: str
) -> list[ComingPrice]:
    """Take them back, in the caller's transaction; returns what was. Runs and deeds of these contracts wait."""
    undone: list[ComingPrice] = []
    for batch in in_batches(contracts, _BATCH):
        connection.execute(_HOLD, (list(batch),))
        hold_contracts(connection, batch)
        # Of several prices of one contract the last goes first: each leaves its days to the one before, which may have been of
        # the same day and so nothing until then.
        while found := load_coming_prices(connection, batch, product_id, day=day, today=today):
            last = [one for one in found if one.on == found[0].on]
            _undo(connection, last, actor)
            undone += last
        place_items(connection, sorted({one.contract_id for one in undone} & set(batch)))
    return undone


def _undo(connection: Connection, prices: Sequence[ComingPrice], actor: str) -> None:
    new = [one.item_id for one in prices]
    until = connection.execute(_VOID, {"new": new, "old": [one.old_id for one in prices]}).fetchall()
    connection.execute(_GO_ON, ([row[0] for row in until], [row[1] for row in until]))
    connection.execute(_DISCOUNTS, (new,))
    given = {"contracts": [one.contract_id for one in prices], "days": [one.on for one in prices]}
    connection.execute(_NOTICES, {**given, "notice": NOTICE.days})
    details = [json.dumps({"item": one.old_id, "new": one.item_id}) for one in prices]
    connection.execute(_EVENTS, {**given, "details": details, "actor": actor})
