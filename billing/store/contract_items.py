"""The items of a contract as deeds change them, and what is given back or owed with them: charges that wait for a run.

The caller holds the contract and its positions, and places the items again when all is written.

Next: billing/operations/doing.py
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

import psycopg

from billing.charges import Charge
from billing.credited_days import Charged, Credit
from billing.errors import BillingError
from billing.held_items import HeldItem, Moves, Sold, price_for
from billing.money import Money, read_money
from billing.periods import Cycle, Period
from billing.sentence import Sentence

Connection = psycopg.Connection[Any]
ONE_DAY: Final = timedelta(days=1)


class NoPriceError(BillingError):
    """A product has no price for a contract on a day."""


@dataclass(frozen=True, slots=True)
class Fee:
    """A one-off fee of a contract: `parts` are the amounts of its instalments, none when it is charged at once."""

    item_id: int
    period_price: Decimal
    quantity: Decimal
    parts: tuple[Decimal, ...]


_END: Final = "UPDATE contract_item SET ends_on = %s WHERE id = %s"
_BEGIN: Final = """
INSERT INTO contract_item (contract_id, product_id, kind, quantity, period_price, months, anchor, wanted_day, starts_on, ends_on)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id
"""
# A discount of an item goes on with what takes the item's place.
_DISCOUNTS_FOLLOW: Final = """
INSERT INTO discount (contract_id, item_id, kind, value, during, priority, promotion_id, reason, placed_by)
    SELECT contract_id, %(new)s, kind, value, daterange(greatest(lower(during), %(start)s), upper(during)), priority, NULL, reason, placed_by
    FROM discount WHERE item_id = %(old)s AND NOT isempty(during * daterange(%(start)s, NULL))
"""
# What was given back as money alone has no days.
_BEYOND: Final = """
SELECT h.id, h.item_id, lower(h.during), upper(h.during), h.units, h.of, h.full_price, h.discounted, h.currency, h.due_on, i.ends_on, i.anchor, i.wanted_day, i.months,
    coalesce((SELECT -sum(g.net) FROM charge AS g WHERE g.corrects_id = h.id), 0),
    ARRAY(SELECT lower(g.during) FROM charge AS g WHERE g.corrects_id = h.id AND (g.units > 0 OR g.net = 0) ORDER BY g.id),
    ARRAY(SELECT upper(g.during) FROM charge AS g WHERE g.corrects_id = h.id AND (g.units > 0 OR g.net = 0) ORDER BY g.id)
FROM charge AS h JOIN contract_item AS i ON i.id = h.item_id
WHERE i.contract_id = %s AND h.kind = 'period' AND i.ends_on IS NOT NULL AND upper(h.during) > i.ends_on ORDER BY h.id
"""
_CHARGE: Final = """
INSERT INTO charge (item_id, kind, during, units, of, full_price, net, currency, due_on, corrects_id, made_by, covered)
VALUES (%s, %s, daterange(%s, %s), %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
_OWED: Final = """
SELECT h.id, h.item_id, lower(h.during), upper(h.during), h.net + coalesce((SELECT sum(g.net) FROM charge AS g WHERE g.corrects_id = h.id), 0), h.currency
FROM charge AS h JOIN contract_item AS i ON i.id = h.item_id
WHERE i.contract_id = %(contract)s AND CASE WHEN %(kind)s::charge_kind IS NULL THEN h.kind <> 'credit' AND h.document_id IS NULL AND NOT h.covered ELSE h.kind = %(kind)s END
ORDER BY h.id
"""
# What came to nothing before any document had it goes on none.
_COVER: Final = """
UPDATE charge SET covered = true WHERE document_id IS NULL AND NOT covered AND (id = ANY (%(charges)s) OR corrects_id = ANY (%(charges)s))
"""
# Of a line whose charge was given back in part, what is left of that; a line by hand has no charge. Who paid may have changed:
# what was charged leads to his invoices, and those by hand are among the issuer's since the contract was made.
_ISSUED: Final = """
SELECT l.document_id, l.number, CASE WHEN given.net <> 0 THEN h.net + given.net END
FROM (
        SELECT d.id, d.kind, d.state FROM document AS d WHERE d.customer_id IN (SELECT k.customer_id FROM contract AS k WHERE k.id = %(contract)s
            UNION SELECT t.payer_id FROM contract_terms AS t WHERE t.contract_id = %(contract)s
            UNION SELECT b.customer_id FROM contract_item AS i JOIN charge AS p ON p.item_id = i.id JOIN document AS b ON b.id = p.document_id WHERE i.contract_id = %(contract)s)
        UNION SELECT d.id, d.kind, d.state FROM contract_terms AS t JOIN document AS d ON d.issuer_id = t.issuer_id
            WHERE t.contract_id = %(contract)s AND d.run_id IS NULL
                AND d.document_date >= coalesce((SELECT min(e.effective_on) FROM contract_event AS e WHERE e.contract_id = t.contract_id), '-infinity')
    ) AS d JOIN document_line AS l ON l.document_id = d.id
    LEFT JOIN charge AS h ON h.document_id = l.document_id AND h.line_number = l.number AND h.kind <> 'credit'
    LEFT JOIN credited_line AS c ON c.document_id = l.document_id AND c.number = l.number
    CROSS JOIN LATERAL (SELECT coalesce(sum(g.net), 0) AS net FROM charge AS g WHERE g.corrects_id = h.id) AS given
WHERE d.kind = 'invoice' AND d.state = 'issued' AND l.contract_id = %(contract)s AND l.net > coalesce(c.credited, 0) AND l.corrects_id IS NULL AND (h.id IS NULL OR h.net + given.net > 0)
ORDER BY 1, 2
"""
_PRICE: Final = """
SELECT p.id, p.name, r.months, r.unit_price FROM product AS p LEFT JOIN price AS r ON r.product_id = p.id AND r.currency = %(currency)s AND r.includes_tax = %(includes_tax)s
    AND r.during @> %(on)s::date AND r.months IN (1, %(months)s)
WHERE CASE WHEN %(plan)s::bigint IS NOT NULL THEN p.plan_id = %(plan)s ELSE p.id = %(product)s END ORDER BY r.months DESC NULLS LAST LIMIT 1
"""
_OFFERED: Final = "SELECT FROM product WHERE plan_id = %s AND offered @> %s::date"
_REST: Final = """
SELECT n.item_id, n.number, n.due_on, n.amount, h.id IS NOT NULL FROM instalment AS n JOIN contract_item AS i ON i.id = n.item_id
    LEFT JOIN charge AS h ON h.item_id = n.item_id AND h.kind = 'instalment' AND lower(h.during) = n.due_on
WHERE i.contract_id = %s ORDER BY n.item_id, n.number
"""


def save_moves(connection: Connection, contract_id: int, items: Sequence[HeldItem], moves: Moves) -> None:
    """Write ends and new items. First what ends earlier, then what begins, then what lasts longer: no two plans a day."""
    now = {one.id: one.ends_on for one in items}
    far = date.max
    changed = [(item_id, end) for item_id, end in moves.ends.items() if now[item_id] != end]
    for item_id, end in changed:
        if (end or far) < (now[item_id] or far):
            connection.execute(_END, (end, item_id))
    for item_id, end in changed:
        if (end or far) > (now[item_id] or far):
            connection.execute(_END, (end, item_id))
    for one in moves.begins:
        new = save_item(connection, contract_id, one)
        if one.follows is not None:
            connection.execute(_DISCOUNTS_FOLLOW, {"old": one.follows, "new": new, "start": one.starts_on})


def save_item(connection: Connection, contract_id: int, item: HeldItem) -> int:
    """Write a new one; returns its number."""
    cycle = item.cycle
    row = connection.execute(
        _BEGIN,
        (
            contract_id,
            item.product_id,
            str(item.kind),
            item.quantity,
            item.period_price,
            cycle.months,
            cycle.anchor,
            cycle.wanted_day,
            item.starts_on,
            item.ends_on,
        ),
    ).fetchone()
    assert row is not None
    return int(row[0])


def load_beyond(connection: Connection, contract_id: int) -> list[tuple[Charged, Cycle, Period]]:
    """Charges for days behind the end of their item, with the item's periods and those days."""
    found: list[tuple[Charged, Cycle, Period]] = []
    for row in connection.execute(_BEYOND, (contract_id,)):
        (
            number,
            item_id,
            start,
            end,
            units,
            of,
            full,
            off,
            currency,
            due_on,
            ends_on,
            anchor,
            day,
            months,
            given,
            *gaps,
        ) = row
        charge = Charge(
            item_id, Period(start, end), units, of, read_money(full, currency), read_money(off, currency), due_on
        )
        back = tuple(Period(*pair) for pair in zip(*gaps, strict=True))
        charged = Charged(number, charge, read_money(given, currency), back)
        found.append((charged, Cycle(anchor, day, months), Period(max(start, ends_on), end)))
    return found


def save_credit(connection: Connection, credit: Credit, *, due_on: date, actor: str) -> None:
    """A charge that gives back; a run puts it on a document, unless its days came to nothing."""
    amount = -credit.amount.amount
    part = credit.part
    given = (credit.item_id, "credit", part.start, part.end, credit.units, credit.of, amount, amount)
    connection.execute(_CHARGE, (*given, credit.amount.currency, due_on, credit.charge_id, actor, not credit.amount))


def save_exit(connection: Connection, item_id: int, cost: Money, *, on: date, due_on: date, actor: str) -> None:
    """What leaving early costs, as a charge of the plan's item."""
    given = (item_id, "early_exit", on, on + ONE_DAY, 1, 1, cost.amount, cost.amount)
    connection.execute(_CHARGE, (*given, cost.currency, due_on, None, actor, False))


def save_pause_fee(connection: Connection, item_id: int, fee: Money, *, pause: Period, actor: str) -> None:
    """What a pause costs, as a charge of the plan's item that is due with its first day."""
    given = (item_id, "pause_fee", pause.start, pause.end, 1, 1, fee.amount, fee.amount)
    connection.execute(_CHARGE, (*given, fee.currency, pause.start, None, actor, False))


def give_back_pause_fees(
    connection: Connection, contract_id: int, begins: Sequence[date], *, due_on: date, actor: str
) -> None:
    """Take back what is left of the fees of pauses by their first days; what waits comes to nothing."""
    waiting = {one.charge_id for one in load_owed(connection, contract_id)}
    fees = [one for one in load_owed(connection, contract_id, kind="pause_fee") if one.part.start in begins]
    for credit in fees:
        save_credit(connection, credit, due_on=due_on, actor=actor)
    cover(connection, [one.charge_id for one in fees if one.charge_id in waiting])


def load_owed(connection: Connection, contract_id: int, *, kind: str | None = None) -> list[Credit]:
    """What is left of each charge of a kind, or of those that wait for a document, as the credits that would take it back."""
    rows = connection.execute(_OWED, {"contract": contract_id, "kind": kind}).fetchall()
    owed = [
        Credit(number, item_id, Period(start, end), 1, 1, read_money(left, currency))
        for number, item_id, start, end, left, currency in rows
    ]
    return [one for one in owed if one.amount]


def cover(connection: Connection, charge_ids: Sequence[int]) -> None:
    """Charges that wait and what gives all of them back need no document."""
    connection.execute(_COVER, {"charges": list(charge_ids)})


def end_fees(connection: Connection, contract_id: int) -> None:
    """One-off fees are given up: no part of them that is not charged by now, due or not, ever is."""
    connection.execute(
        "UPDATE contract_item SET ends_on = starts_on WHERE contract_id = %s AND kind = 'one_off'", (contract_id,)
    )


def load_issued(connection: Connection, contract_id: int) -> dict[int, dict[int, Decimal | None]]:
    """What invoices have of a contract and did not give back: by document and line, None: all that is left of it."""
    found: dict[int, dict[int, Decimal | None]] = {}
    for document_id, line, left in connection.execute(_ISSUED, {"contract": contract_id}):
        found.setdefault(document_id, {})[line] = left
    return found


def is_offered(connection: Connection, plan: int, on: date) -> bool:
    """Whether a product sells that plan on a day."""
    return connection.execute(_OFFERED, (plan, on)).rowcount == 1


def load_price(
    connection: Connection,
    *,
    currency: str,
    includes_tax: bool,
    months: int,
    on: date,
    plan: int | None = None,
    product: int | None = None,
) -> Sold:
    """What a product, or the one that sells a plan, costs on a day for a period of so many months.

    Raises: NoPriceError.
    """
    given = {"currency": currency, "includes_tax": includes_tax, "months": months, "on": on}
    row = connection.execute(_PRICE, {**given, "plan": plan, "product": product}).fetchone()
    if row is None or row[2] is None:
        name = row[1] if row else product
        what = Sentence("plan %(id)s", id=plan) if name is None else Sentence("product %(name)s", name=name)
        tax = Sentence("with tax") if includes_tax else Sentence("without tax")
        other = connection.execute(
            _PRICE, {**given, "includes_tax": not includes_tax, "plan": plan, "product": product}
        ).fetchone()
        has = (
            Sentence(", only one %(tax)s", tax=Sentence("without tax") if includes_tax else Sentence("with tax"))
            if other is not None and other[2] is not None
            else ""
        )
        raise NoPriceError(
            Sentence(
                "%(what)s has no price in %(currency)s %(tax)s on %(on)s%(has)s; set one first",
                what=what,
                currency=currency,
                tax=tax,
                on=on,
                has=has,
            )
        )
    return Sold(row[0], row[3] if row[2] == months else price_for(row[3], months=months, of=row[2]))


def sold_with_tax_alone(connection: Connection, product_id: int, *, months: int, on: date) -> bool:
    """Whether all prices that a product has on a day for so many months, or for one, are with tax."""
    row = connection.execute(
        "SELECT bool_and(includes_tax) FROM price WHERE product_id = %s AND months IN (1, %s) AND during @> %s::date",
        (product_id, months, on),
    ).fetchone()
    return bool(row and row[0])


def load_own_price(
    connection: Connection, product_id: int, *, currency: str, includes_tax: bool, months: int, on: date
) -> Decimal | None:
    """What a product costs on a day for just so many months, where it has such a price."""
    row = connection.execute(
        "SELECT unit_price FROM price WHERE product_id = %s AND currency = %s AND includes_tax = %s AND months = %s AND months > 1 AND during @> %s::date",
        (product_id, currency, includes_tax, months, on),
    ).fetchone()
    return None if row is None else Decimal(row[0])


def settle_instalments(connection: Connection, contract_id: int, on: date) -> None:
    """All that remains of each fee becomes one instalment that is due on a day."""
    by_item: dict[int, list[tuple[int, date, Decimal, bool]]] = {}
    for item_id, number, due_on, amount, charged in connection.execute(_REST, (contract_id,)).fetchall():
        by_item.setdefault(item_id, []).append((number, due_on, amount, charged))
    for item_id, parts in by_item.items():
        rest = [one for one in parts if not one[3] and one[1] > on]
        if not rest:
            continue
        # A run finds what it charged of a fee by the day on which it was due.
        taken = {one[1] for one in parts if one not in rest}
        day = on
        while day in taken:
            day -= ONE_DAY
        numbers = [one[0] for one in rest]
        connection.execute("DELETE FROM instalment WHERE item_id = %s AND number = ANY (%s)", (item_id, numbers))
        save_instalments(connection, item_id, [(numbers[0], day, sum((one[2] for one in rest), Decimal(0)))])


def save_instalments(connection: Connection, item_id: int, parts: Sequence[tuple[int, date, Decimal]]) -> None:
    """Write parts of a fee: number, due day, amount."""
    connection.cursor().executemany(
        "INSERT INTO instalment (item_id, number, due_on, amount) VALUES (%s, %s, %s, %s)",
        [(item_id, *part) for part in parts],
    )


def find_product(connection: Connection, name: str) -> int | None:
    """The one-off product of that name."""
    row = connection.execute("SELECT id FROM product WHERE name = %s AND kind = 'one_off'", (name,)).fetchone()
    return None if row is None else int(row[0])


def begin_fees(connection: Connection, contract_id: int, on: date, *, months: int) -> None:
    """One-off fees that are not charged yet count from a day on; their instalments fall due one a period from it."""
    rows = connection.execute(
        "SELECT i.id FROM contract_item AS i WHERE i.contract_id = %s AND i.kind = 'one_off'"
        " AND NOT EXISTS (SELECT FROM charge AS h WHERE h.item_id = i.id) ORDER BY i.id",
        (contract_id,),
    ).fetchall()
    cycle = Cycle(on, on.day, months)
    for (item_id,) in rows:
        connection.execute("UPDATE contract_item SET starts_on = %s, ends_on = NULL WHERE id = %s", (on, item_id))
        parts = connection.execute(
            "DELETE FROM instalment WHERE item_id = %s RETURNING number, amount", (item_id,)
        ).fetchall()
        dated = [(number, cycle.boundary(k), amount) for k, (number, amount) in enumerate(sorted(parts))]
        save_instalments(connection, item_id, dated)


def begin_items(
    connection: Connection, contract_id: int, on: date, *, cycle: Callable[[int], Cycle], until: date | None
) -> None:
    """Recurring items of a contract that were agreed and not begun: they begin on a day, with their boundaries and discounts.

    An item that was agreed for later than the contract, or up to a day, keeps its own days as far as they lie within.
    """
    rows = connection.execute(
        "SELECT id, months, starts_on, ends_on FROM contract_item WHERE contract_id = %s AND kind IN ('plan', 'add_on') ORDER BY id",
        (contract_id,),
    ).fetchall()
    planned = min((row[2] for row in rows), default=on)
    begun: list[date] = []
    for item_id, months, own_start, own_end in rows:
        placed = cycle(months)
        begun.append(on if own_start == planned else max(on, own_start))
        ends = [max(end, begun[-1]) for end in (own_end, until) if end is not None]
        connection.execute(
            "UPDATE contract_item SET starts_on = %s, ends_on = %s, anchor = %s, wanted_day = %s WHERE id = %s",
            (begun[-1], min(ends, default=None), placed.anchor, placed.wanted_day, item_id),
        )
    connection.execute(
        "UPDATE discount SET during = daterange(%(on)s, (%(on)s::date + age(upper(during), lower(during)))::date) WHERE contract_id = %(contract)s AND lower(during) = %(planned)s",
        {"contract": contract_id, "on": on, "planned": planned},
    )
    connection.execute(
        "UPDATE billing_position AS p SET billed_through = own.starts_on FROM unnest(%s::bigint[], %s::date[]) AS own (id, starts_on) WHERE p.item_id = own.id",
        ([row[0] for row in rows], begun),
    )
