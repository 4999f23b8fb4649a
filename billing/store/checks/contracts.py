"""Contracts: their charges are what was agreed, each day once; where their items stand; the path of their status.

Next: billing/store/checks/evidence.py
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from functools import lru_cache
from typing import Any, Final

from psycopg.rows import tuple_row

from billing.charges import Discount, DiscountKind, Item, Terms, next_due
from billing.due_contract import Fee, Position
from billing.money import read_money
from billing.periods import Period
from billing.rating import fee_position
from billing.recomputed import Charged, charge_faults, fee_faults, instalment_faults
from billing.store.checks.check import Check, Connection, by_statement
from billing.store.due_contracts import CONTRACTS, ITEMS, item_of, load_fees, terms_of

Rows = list[tuple[Any, ...]]

_IDS: Final = "SELECT contract_id FROM contract_terms WHERE contract_id BETWEEN %s AND %s ORDER BY contract_id"
_ITEM_IDS: Final = "SELECT id FROM contract_item WHERE contract_id = ANY (%s) ORDER BY id"
# Joined, since no other way leads through the index that keeps periods apart.
_CHARGES: Final = """
SELECT c.item_id, c.id, c.kind::text, lower(c.during), upper(c.during), c.units, c.of, c.full_price, c.discounted, c.net, lower(s.during), upper(s.during)
FROM unnest(%s::bigint[]) AS own (id)
    CROSS JOIN LATERAL (SELECT * FROM charge WHERE item_id = own.id AND kind = 'period' UNION ALL SELECT * FROM charge WHERE item_id = own.id AND kind IN ('one_off', 'instalment')) AS c
    LEFT JOIN billing_stop s ON s.id = c.stop_id ORDER BY c.item_id, lower(c.during), c.id
"""
_DISCOUNTS: Final = """
SELECT contract_id, id, kind, value, lower(during), upper(during), priority, item_id, family FROM discount WHERE contract_id = ANY (%s) ORDER BY id
"""
_INSTALMENTS: Final = "SELECT item_id, amount FROM instalment WHERE item_id = ANY (%s) ORDER BY item_id, number"
_POSITIONS: Final = "SELECT item_id, billed_through, due_on FROM billing_position WHERE item_id = ANY (%s)"


def _find_charges(connection: Connection, first: int, last: int) -> Iterator[tuple[str, str]]:
    return find_charge_faults(connection, [row[0] for row in _rows(connection, _IDS, first, last)])


def find_charge_faults(connection: Connection, ids: Sequence[int]) -> Iterator[tuple[str, str]]:
    """What is wrong in the charges of these contracts, which have terms: subject and message, as the check tells it.

    Everything of them is read at once; each item is worked out by itself, from its first day.
    """
    contracts = {row[0]: row for row in _rows(connection, CONTRACTS, ids)}
    items = _rows(connection, ITEMS, [row[0] for row in _rows(connection, _ITEM_IDS, ids)])
    item_ids = [row[1] for row in items]
    charges = _by_first(_rows(connection, _CHARGES, item_ids))
    discounts = _by_first(_rows(connection, _DISCOUNTS, ids))
    instalments = _by_first(_rows(connection, _INSTALMENTS, item_ids))
    positions = {row[0]: Position(*row) for row in _rows(connection, _POSITIONS, item_ids)}
    terms = {number: terms_of(row) for number, row in contracts.items()}
    one_off = [row for row in items if row[6] is None]
    fees = {fee.item_id: fee for _, fee in load_fees(connection, one_off, {k: v.currency for k, v in terms.items()})}
    for row in items:
        contract_id, item_id = row[0], row[1]
        own = [_charged(one, terms[contract_id].currency) for one in charges.get(item_id, ())]
        taken = [Discount(one[1], DiscountKind(one[2]), *one[3:]) for one in discounts.get(contract_id, ())]
        if row[6] is not None:
            faults = _recurring(item_of(row, row[9]), own, terms[contract_id], taken, positions.get(item_id))
        else:
            parts = [one[1] for one in instalments.get(item_id, ())]
            faults = _one_off(
                fees[item_id],
                row,
                own,
                parts=parts,
                discounts=taken,
                terms=terms[contract_id],
                position=positions.get(item_id),
            )
        for fault in faults:
            yield f"contract {contract_id} item {item_id}", fault


def _recurring(
    item: Item, own: list[Charged], terms: Terms, discounts: list[Discount], position: Position | None
) -> Iterator[str]:
    yield from charge_faults(item, own, terms, discounts)
    through = max((one.part.end for one in own), default=item.starts_on)
    if position is None:
        if own:
            yield f"it is charged up to {through} and has no position"
        return
    at = Item(
        item.id,
        item.kind,
        item.family,
        item.quantity,
        item.period_price,
        item.cycle,
        item.starts_on,
        item.ends_on,
        through,
    )
    yield from _position_faults(position, Position(item.id, through, next_due(at, terms)))


def _one_off(
    fee: Fee,
    row: tuple[Any, ...],
    own: list[Charged],
    *,
    parts: list[Any],
    discounts: list[Discount],
    terms: Terms,
    position: Position | None,
) -> Iterator[str]:
    yield from instalment_faults(row[5], row[4], terms.currency, parts)
    yield from fee_faults(fee, own, terms, discounts)
    ends_on = row[10]
    if position is not None and not (ends_on is not None and ends_on <= fee.starts_on):
        yield from _position_faults(position, fee_position(fee))


def _position_faults(stands: Position, ought: Position) -> Iterator[str]:
    if stands != ought:
        yield (
            f"it stands at {stands.billed_through}, next due {stands.due_on or 'never'};"
            f" its charges put it at {ought.billed_through}, next due {ought.due_on or 'never'}"
        )


def _charged(row: tuple[Any, ...], currency: str) -> Charged:
    """Its amounts in the contract's currency: a charge in another one is found where it stands on its line."""
    _, number, _, start, end, units, of, full, discounted, net, stop_start, stop_end = row
    return Charged(
        number,
        Period(start, end),
        units,
        of,
        _money(full, currency),
        _money(discounted, currency),
        _money(net, currency),
        None if stop_start is None else Period(stop_start, stop_end or date.max),
    )


# The same few prices stand in all charges.
_money = lru_cache(maxsize=5_000)(read_money)


def _rows(connection: Connection, statement: str, *values: object) -> Rows:
    with connection.cursor(row_factory=tuple_row) as cursor:
        return cursor.execute(statement, values).fetchall()


def _by_first(rows: Rows) -> dict[int, Rows]:
    found: defaultdict[int, Rows] = defaultdict(list)
    for row in rows:
        found[row[0]].append(row)
    return found


CHARGES: Final = Check(
    "charges",
    "I3, I4, I5, I7, I11, I12, I13, I14, I33",
    "each day of an item is charged once, for what was agreed; instalments are the price; items stand where their charges end",
    "contract_terms",
    500,
    _find_charges,
)

LINES: Final = by_statement(
    "charges on lines",
    "I9, I10, I32",
    "a charge stands on a line of its own amount, contract and currency; what is given back of it is no more than it, and no day twice",
    walks="charge",
    step=20_000,
    statement="""
SELECT 'charge ' || id, message FROM (
    SELECT c.id, CASE
            WHEN d.currency <> c.currency OR t.currency <> c.currency THEN format('it is in %%s, its contract in %%s and its document in %%s', c.currency, t.currency, d.currency)
            WHEN l.contract_id <> i.contract_id OR l.item_id <> c.item_id THEN format('it stands on line %%s of document %%s, which is of another item', l.number, d.id)
            ELSE format('it is %%s and its line %%s of document %%s is %%s', c.net, l.number, d.id, l.net)
        END AS message
    FROM charge c JOIN contract_item i ON i.id = c.item_id JOIN contract_terms t ON t.contract_id = i.contract_id
        LEFT JOIN document d ON d.id = c.document_id LEFT JOIN document_line l ON l.document_id = c.document_id AND l.number = c.line_number
    WHERE c.id BETWEEN %(first)s AND %(last)s AND (t.currency <> c.currency OR d.currency <> c.currency OR l.contract_id <> i.contract_id OR l.item_id <> c.item_id
        OR (NOT d.includes_tax AND l.net * CASE d.kind WHEN 'credit_note' THEN -1 ELSE 1 END <> c.net))
    UNION ALL
    SELECT c.id, format('it is %%s and %%s of it were given back', c.net, -given.net)
    FROM (SELECT corrects_id, sum(net) AS net FROM charge WHERE corrects_id BETWEEN %(first)s AND %(last)s GROUP BY 1) AS given JOIN charge c ON c.id = given.corrects_id
    WHERE c.net + given.net < 0
    UNION ALL
    SELECT c.id, format('its days %%s were given back twice', a.during * b.during)
    FROM charge a JOIN charge b ON b.corrects_id = a.corrects_id AND b.id > a.id AND b.during && a.during JOIN charge c ON c.id = a.corrects_id
    WHERE a.corrects_id BETWEEN %(first)s AND %(last)s AND c.kind = 'period' AND a.units > 0 AND b.units > 0 AND a.net <> 0 AND b.net <> 0 AND c.of = a.of AND c.of = b.of
) AS wrong ORDER BY wrong.id, message
""",
)

# What a run left of its work if it was killed between two of them: they are written in one transaction.
ORPHANS: Final = by_statement(
    "lines of runs",
    "I6, I7",
    "each line that a run made of an item is one charge's, and no line is two charges'",
    walks="",
    step=1,
    statement="""
SELECT 'document ' || coalesce(l.document_id, h.document_id), CASE WHEN h.charges IS NULL THEN format('line %%s of %%s is of no charge', l.number, l.net)
    ELSE format('line %%s is of %%s charges', coalesce(l.number, h.line_number), h.charges) END
FROM (SELECT l.document_id, l.number, l.net FROM document_line l JOIN document d ON d.id = l.document_id WHERE d.run_id IS NOT NULL AND l.item_id IS NOT NULL) AS l
    FULL JOIN (SELECT document_id, line_number, count(*) AS charges FROM charge WHERE document_id IS NOT NULL GROUP BY 1, 2) AS h ON h.document_id = l.document_id AND h.line_number = l.number
WHERE h.charges IS NULL OR h.charges > 1 ORDER BY coalesce(l.document_id, h.document_id), coalesce(l.number, h.line_number)
""",
)

# Until a day that was set for the end has come, what was billed behind it is not given back, nor what would have begun behind it.
RESTS: Final = by_statement(
    "unused rests",
    "I4, I5",
    "of days that are billed behind the end of their item nothing is left that was not given back",
    walks="contract_terms",
    step=2_000,
    statement="""
SELECT format('contract %%s item %%s', contract_id, item_id), format('of charge %%s %%s %%s are left, and its days from %%s to %%s lie behind its end and were not given back', id, rest, currency, first, until)
FROM (
    SELECT i.contract_id, i.id AS item_id, h.id, h.net - back.given AS rest, h.currency, greatest(lower(h.during), i.ends_on) AS first, upper(h.during) AS until, back.days
    FROM contract_item i JOIN contract k ON k.id = i.contract_id JOIN charge h ON h.item_id = i.id AND h.kind = 'period' AND upper(h.during) > i.ends_on
        CROSS JOIN LATERAL (SELECT coalesce(-sum(g.net), 0) AS given, range_agg(g.during) FILTER (WHERE g.units > 0 OR g.net = 0) AS days FROM charge g WHERE g.corrects_id = h.id) AS back
    WHERE i.contract_id BETWEEN %(first)s AND %(last)s AND h.net > back.given AND NOT (k.status IN ('trial', 'active', 'free') AND coalesce(i.ends_on >= k.ends_on, false))
) AS own
WHERE NOT coalesce(days @> daterange(first, until), false) ORDER BY contract_id, item_id, id
""",
)

# A run that was confirmed after all of it had happened, and had no error of who pays, has looked at it.
WAITING: Final = by_statement(
    "credits that wait",
    "I5, I10",
    "what is given back does not wait for a document that never comes",
    walks="contract_terms",
    step=2_000,
    statement="""
SELECT 'contract ' || contract_id, format('%%s %%s that are given back wait since %%s, and it gets no further document', -sum(net), currency, min(due_on))
FROM (
    SELECT i.contract_id, h.net, h.currency, h.due_on FROM contract_terms t JOIN contract k ON k.id = t.contract_id JOIN contract_item i ON i.contract_id = t.contract_id
        JOIN charge h ON h.item_id = i.id AND h.document_id IS NULL AND NOT h.covered AND h.kind = 'credit'
    WHERE t.contract_id BETWEEN %(first)s AND %(last)s AND NOT EXISTS (SELECT FROM contract_terms o JOIN contract c ON c.id = o.contract_id JOIN contract_item x ON x.contract_id = o.contract_id
            JOIN billing_position p ON p.item_id = x.id AND p.due_on IS NOT NULL AND c.status <> 'cancelled'
            WHERE o.contract_id = t.contract_id OR (o.billing_group = t.billing_group AND o.issuer_id = t.issuer_id AND coalesce(o.payer_id, c.customer_id) = coalesce(t.payer_id, k.customer_id)))
        AND EXISTS (SELECT FROM billing_run r WHERE r.issuer_id = t.issuer_id AND r.filter = '{}' AND r.state = 'done' AND r.run_date >= h.due_on AND r.confirmed_at > h.made_at
            AND r.confirmed_at > (SELECT max(at) FROM contract_event WHERE contract_id = t.contract_id)
            AND NOT EXISTS (SELECT FROM billing_error e WHERE e.run_id = r.id AND (e.contract_id = t.contract_id OR (e.contract_id IS NULL AND e.customer_id = coalesce(t.payer_id, k.customer_id)))))
) AS own
GROUP BY contract_id, currency ORDER BY contract_id
""",
)

# Section 3.3 of the billing model: which status comes after which.
HISTORY: Final = by_statement(
    "status history",
    "I35",
    "a contract's events are a path of its life cycle and end where it stands",
    walks="contract",
    step=5_000,
    statement="""
WITH told AS (
    SELECT contract_id, id, status_before, status_after, lag(status_after) OVER own AS before, lead(id) OVER own IS NULL AS is_last
    FROM contract_event WHERE contract_id BETWEEN %(first)s AND %(last)s WINDOW own AS (PARTITION BY contract_id ORDER BY id)
), paths (status_before, status_after) AS (VALUES ('draft', 'proposal'), ('draft', 'cancelled'), ('proposal', 'pending'), ('proposal', 'cancelled'),
    ('pending', 'trial'), ('pending', 'active'), ('pending', 'free'), ('pending', 'cancelled'), ('trial', 'active'), ('trial', 'free'), ('trial', 'ended'),
    ('active', 'free'), ('active', 'ended'), ('free', 'active'), ('free', 'ended'), ('ended', 'active'))
SELECT 'contract ' || contract_id, message FROM (
    SELECT t.contract_id, t.id, CASE WHEN t.before <> t.status_before THEN format('event %%s begins at %%s, the one before it ended at %%s', t.id, t.status_before, t.before)
        ELSE format('event %%s leads from %%s to %%s', t.id, t.status_before, t.status_after) END AS message
    FROM told t WHERE t.before <> t.status_before
        OR (t.status_before <> t.status_after AND NOT EXISTS (SELECT FROM paths p WHERE p.status_before = t.status_before::text AND p.status_after = t.status_after::text))
    UNION ALL
    SELECT c.id, t.id, format('it is %%s and its events end at %%s', c.status, t.status_after) FROM told t JOIN contract c ON c.id = t.contract_id WHERE t.is_last AND c.status <> t.status_after
) AS wrong ORDER BY contract_id, id
""",
)

CONTRACT_CHECKS: Final[tuple[Check, ...]] = (CHARGES, LINES, ORPHANS, RESTS, WAITING, HISTORY)
