"""Contracts of which something is due, with all that their bills turn on, read in bulk: a query a table, not a contract.

Next: billing/rating.py
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

import psycopg

from billing.charges import Charge, Discount, DiscountKind, Item, ItemKind, Opening, Terms
from billing.contract_facts import Status
from billing.credited_days import Charged
from billing.due_contract import (
    Article,
    ChargeKind,
    Corrected,
    DueCharge,
    DueContract,
    Fee,
    OnNegative,
    Part,
    Position,
    Sold,
    Stop,
)
from billing.money import read_money, settle, zero
from billing.periods import Basis, Cycle, Period, Timing
from billing.store.due_work import DueNow
from billing.totals import Liability, TaxTreatment

Connection = psycopg.Connection[Any]
Row = tuple[Any, ...]
RECURRING: Final = tuple(ItemKind)

CONTRACTS: Final = """
SELECT t.contract_id, c.customer_id, coalesce(t.payer_id, c.customer_id), c.status, t.billing_group, t.due_days, t.includes_tax, t.order_fees, t.on_negative,
    t.currency, t.timing, t.basis, t.opening, t.fixed_day, t.lead_days
FROM contract_terms AS t JOIN contract AS c ON c.id = t.contract_id WHERE t.contract_id = ANY (%s) ORDER BY 3, 1
"""
ITEMS: Final = """
SELECT i.contract_id, i.id, i.kind, p.family, i.quantity, i.period_price, i.anchor, i.wanted_day, i.months, i.starts_on, i.ends_on, i.product_id
FROM contract_item AS i JOIN product AS p ON p.id = i.product_id WHERE i.id = ANY (%s) ORDER BY i.id
"""
_PARTS: Final = """
SELECT n.item_id, n.due_on, n.amount, h.id IS NOT NULL FROM instalment AS n
    LEFT JOIN charge AS h ON h.item_id = n.item_id AND h.kind = 'instalment' AND lower(h.during) = n.due_on
WHERE n.item_id = ANY (%s) ORDER BY n.item_id, n.number
"""
_CHARGED_FEES: Final = "SELECT item_id FROM charge WHERE kind = 'one_off' AND item_id = ANY (%s)"
_DISCOUNTS: Final = """
SELECT contract_id, id, kind, value, lower(during), upper(during), priority, item_id, family FROM discount WHERE contract_id = ANY (%s) ORDER BY id
"""
_STOPS: Final = """
SELECT contract_id, id, lower(during), upper(during), rule = 'stop', settled_through FROM billing_stop
WHERE contract_id = ANY (%s) AND (rule = 'stop' OR id = ANY (%s)) ORDER BY id
"""
_WAITING: Final = """
SELECT i.contract_id, h.id, h.item_id, h.kind, lower(h.during), upper(h.during), h.units, h.of, h.full_price, h.discounted, h.currency, h.due_on,
    h.corrects_id, coalesce(r.run_date < %(run_date)s, false), o.document_id, o.line_number
FROM charge AS h JOIN contract_item AS i ON i.id = h.item_id LEFT JOIN charge AS o ON o.id = h.corrects_id LEFT JOIN billing_run AS r ON r.id = h.run_id
WHERE h.id = ANY (%(charges)s) ORDER BY h.id
"""
# Lines that something may be given back of: it is taxed as they were.
_LINES: Final = """
SELECT l.document_id, l.number, d.customer_id, code.name, l.rate, l.nature, l.legal_reference, l.liability, code.bears_stamp
FROM unnest(%s::bigint[], %s::smallint[]) AS k (document_id, number)
    JOIN document_line AS l ON l.document_id = k.document_id AND l.number = k.number JOIN document AS d ON d.id = l.document_id
    JOIN tax_code AS code ON code.id = l.tax_code_id
"""
# A contract goes on while it may still get a document: then what it is given back can wait for that.
_GOES_ON: Final = """
SELECT DISTINCT i.contract_id FROM contract_item AS i JOIN billing_position AS p ON p.item_id = i.id
WHERE i.contract_id = ANY (%s) AND p.due_on IS NOT NULL
"""
_RESTING: Final = """
SELECT i.id, p.billed_through FROM contract_item AS i JOIN billing_position AS p ON p.item_id = i.id
WHERE i.contract_id = ANY (%s) AND i.kind IN ('plan', 'add_on') AND i.id <> ALL (%s)
"""
# The charges of which a stop may give days back, with what was given back of them before.
_CHARGED: Final = """
SELECT i.contract_id, h.id, h.item_id, lower(h.during), upper(h.during), h.units, h.of, h.full_price, h.discounted, h.due_on, h.currency,
    h.document_id, h.line_number, coalesce(back.credited, 0), coalesce(back.parts, '{}')
FROM billing_stop AS s JOIN contract_item AS i ON i.contract_id = s.contract_id
    JOIN charge AS h ON h.item_id = i.id AND h.kind = 'period' AND h.during && daterange(coalesce(s.settled_through, lower(s.during)), NULL)
    LEFT JOIN LATERAL (SELECT -sum(c.net) AS credited, array_agg(c.during) FILTER (WHERE c.units > 0 OR c.net = 0) AS parts FROM charge AS c WHERE c.corrects_id = h.id) AS back ON true
WHERE s.id = ANY (%s) ORDER BY h.id
"""
_ARTICLES: Final = """
SELECT p.id, p.name, p.family, p.tax_code_id, coalesce(jsonb_object_agg(t.language, t.text) FILTER (WHERE t.text IS NOT NULL), '{}')
FROM product AS p LEFT JOIN product_text AS t ON t.product_id = p.id GROUP BY p.id
"""


@dataclass(slots=True)
class _Parts:
    """Rows of one contract as they come in."""

    items: list[Item] = field(default_factory=list)
    fees: list[Fee] = field(default_factory=list)
    discounts: list[Discount] = field(default_factory=list)
    stops: list[Stop] = field(default_factory=list)
    waiting: list[DueCharge] = field(default_factory=list)
    positions: list[Position] = field(default_factory=list)
    resting: list[Item] = field(default_factory=list)
    charged: dict[int, tuple[Charged, Corrected | None]] = field(default_factory=dict)


def load_due(
    connection: Connection, contract_ids: Sequence[int], due: DueNow, *, run_date: date
) -> tuple[list[DueContract], dict[int, Sold]]:
    """Those of the contracts of which something is due, in order of payer and contract, and what their items sell."""
    contracts = connection.execute(CONTRACTS, (list(contract_ids),)).fetchall()
    currency = {row[0]: row[9] for row in contracts}
    parts: defaultdict[int, _Parts] = defaultdict(_Parts)
    sold = _read_items(connection, due, parts, currency)
    if due.charges:
        _read_waiting(connection, due, parts, run_date)
    if due.stops:
        _read_stopped(connection, due, parts)
    missing = {one.item_id for each in parts.values() for one in each.waiting} | {
        one.id for each in parts.values() for one in each.resting
    }
    rows = connection.execute(ITEMS, (list(missing - sold.keys()),)) if missing - sold.keys() else ()
    sold |= {row[1]: Sold(row[1], row[11], row[4]) for row in rows}
    ids = list(parts)
    for row in connection.execute(_DISCOUNTS, (ids,)):
        parts[row[0]].discounts.append(Discount(row[1], DiscountKind(row[2]), *row[3:]))
    for row in connection.execute(_STOPS, (ids, due.stops)):
        parts[row[0]].stops.append(Stop(*row[1:]))
    ending = {id_ for id_, each in parts.items() if any(one.kind is ChargeKind.CREDIT for one in each.waiting)}
    if ending:
        ending -= {row[0] for row in connection.execute(_GOES_ON, (list(ending),))}
    return [_contract(row, parts[row[0]], goes_on=row[0] not in ending) for row in contracts if row[0] in parts], sold


def load_articles(connection: Connection) -> dict[int, Article]:
    """All products as lines name them."""
    return {row[0]: Article(*row) for row in connection.execute(_ARTICLES)}


def load_fees(connection: Connection, rows: Sequence[Row], currency: dict[int, str]) -> Iterator[tuple[int, Fee]]:
    """One-off items, of rows of `ITEMS`, with their parts, each beside its contract."""
    if not rows:
        return
    ids = [row[1] for row in rows]
    charged = {row[0] for row in connection.execute(_CHARGED_FEES, (ids,))}
    instalments = {
        item_id: tuple(each)
        for item_id, each in groupby(connection.execute(_PARTS, (ids,)).fetchall(), key=itemgetter(0))
    }
    for row in rows:
        contract_id, item_id, _, family, quantity, price, *_, starts_on, ends_on, _ = row
        money = currency[contract_id]
        # A fee that has an end was given up: what falls due on it or later never does.
        last = ends_on or date.max
        parts = tuple(
            Part(one[1], read_money(one[2], money), one[3] or one[1] >= last) for one in instalments.get(item_id, ())
        )
        whole = Part(starts_on, settle(price * quantity, money), item_id in charged or starts_on >= last)
        yield contract_id, Fee(item_id, family, starts_on, bool(parts), parts or (whole,))


def item_of(row: Row, billed_through: date) -> Item:
    """A recurring item, of a row of `ITEMS`."""
    _, item_id, kind, family, quantity, price, anchor, wanted_day, months, starts_on, ends_on, _ = row
    return Item(
        id=item_id,
        kind=ItemKind(kind),
        family=family,
        quantity=quantity,
        period_price=price,
        cycle=Cycle(anchor, wanted_day, months),
        starts_on=starts_on,
        ends_on=ends_on,
        billed_through=billed_through,
    )


def terms_of(row: Row) -> Terms:
    """How a contract is counted, of a row of `CONTRACTS`."""
    currency, timing, basis, opening, fixed_day, lead_days = row[9:]
    return Terms(currency, Timing(timing), Basis(basis), Opening(opening), fixed_day, lead_days)


def _read_items(
    connection: Connection, due: DueNow, parts: defaultdict[int, _Parts], currency: dict[int, str]
) -> dict[int, Sold]:
    rows = connection.execute(ITEMS, (list(due.positions),)).fetchall()
    for row in rows:
        each = parts[row[0]]
        each.positions.append(due.positions[row[1]])
        if row[2] in RECURRING:
            each.items.append(item_of(row, due.positions[row[1]].billed_through))
    for contract_id, fee in load_fees(connection, [row for row in rows if row[2] not in RECURRING], currency):
        parts[contract_id].fees.append(fee)
    return {row[1]: Sold(row[1], row[11], row[4]) for row in rows}


def _read_waiting(connection: Connection, due: DueNow, parts: defaultdict[int, _Parts], run_date: date) -> None:
    rows = connection.execute(_WAITING, {"charges": due.charges, "run_date": run_date}).fetchall()
    lines = _read_lines(connection, [row[-2:] for row in rows])
    for contract_id, number, item_id, kind, start, end, units, of, full, off, currency, due_on, *rest in rows:
        corrects_id, carried, document, line = rest
        parts[contract_id].waiting.append(
            DueCharge(
                id=number,
                item_id=item_id,
                kind=ChargeKind(kind),
                during=Period(start, end),
                units=units,
                of=of,
                full=read_money(full, currency),
                discounted=read_money(off, currency),
                due_on=due_on,
                corrects_id=corrects_id,
                corrects=lines.get((document, line)),
                carried=carried,
            )
        )


def _read_lines(connection: Connection, keys: Sequence[Row]) -> dict[tuple[int, int], Corrected]:
    """Lines of documents by both their numbers; what stands on none has none."""
    known = sorted({key for key in keys if key[0] is not None})
    if not known:
        return {}
    rows = connection.execute(_LINES, [list(column) for column in zip(*known, strict=True)])
    return {
        (document, line): Corrected(
            document, line, customer, TaxTreatment(code, rate, nature, law, Liability(liability), bears_stamp)
        )
        for document, line, customer, code, rate, nature, law, liability, bears_stamp in rows
    }


def _read_stopped(connection: Connection, due: DueNow, parts: defaultdict[int, _Parts]) -> None:
    """Of contracts with days to give back: their items that are not due, and the charges that reach into those days."""
    stopped = connection.execute("SELECT DISTINCT contract_id FROM billing_stop WHERE id = ANY (%s)", (due.stops,))
    ids = [row[0] for row in stopped]
    through = dict(connection.execute(_RESTING, (ids, list(due.positions))).fetchall())
    for row in connection.execute(ITEMS, (list(through),)).fetchall():
        parts[row[0]].resting.append(item_of(row, through[row[1]]))
    rows = connection.execute(_CHARGED, (due.stops,)).fetchall()
    lines = _read_lines(connection, [row[11:13] for row in rows])
    for contract_id, number, item_id, start, end, units, of, full, off, due_on, currency, *rest in rows:
        document, line, credited, back = rest
        charge = Charge(
            item_id, Period(start, end), units, of, read_money(full, currency), read_money(off, currency), due_on
        )
        given = tuple(Period(one.lower, one.upper) for one in back)
        parts[contract_id].charged[number] = (
            Charged(number, charge, read_money(credited, currency) if credited else zero(currency), given),
            lines.get((document, line)),
        )


def _contract(row: Row, parts: _Parts, *, goes_on: bool) -> DueContract:
    return DueContract(
        id=row[0],
        customer_id=row[1],
        payer_id=row[2],
        status=Status(row[3]),
        billing_group=row[4],
        due_days=row[5],
        includes_tax=row[6],
        order_fees=row[7],
        on_negative=OnNegative(row[8]),
        goes_on=goes_on,
        terms=terms_of(row),
        items=tuple(parts.items),
        fees=tuple(parts.fees),
        discounts=tuple(parts.discounts),
        stops=tuple(parts.stops),
        waiting=tuple(parts.waiting),
        positions=tuple(parts.positions),
        resting=tuple(parts.resting),
        charged=tuple(parts.charged.values()),
    )
