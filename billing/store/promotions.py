"""Promotions: rules that make discounts on many contracts, each with its own copy that no later edit reaches.

A contract has a promotion from its first day that is not billed yet, so that it gets the whole of it, and has it once. Undone is
only what no charge has counted.

Units: days are civil dates, `until` is not covered; a value is percent, or an amount for a whole period.

Next: billing/price_changes.py
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

import psycopg
from psycopg.rows import class_row
from psycopg.types.range import DateRange

from billing.errors import BillingError
from billing.store.positions import hold_contracts
from billing.store.rows import insert_row
from billing.store.selection import SELECTED, Selection, asked_of, in_batches

Connection = psycopg.Connection[Any]
# So many contracts are held at once; it bounds memory, and all is one transaction.
_BATCH: Final = 2000


class PromotionError(BillingError):
    """A promotion can't be applied as it was asked for."""


@dataclass(frozen=True, slots=True)
class Promotion:
    """A rule; so many contracts have a copy of it."""

    id: int
    name: str
    kind: str
    value: Decimal
    family: str | None
    months: int | None
    priority: int
    offered_from: date | None
    offered_until: date | None
    contracts: int

    def is_given(self, day: date) -> bool:
        """Whether contracts are given it on a day."""
        begun = self.offered_from is None or self.offered_from <= day
        return begun and (self.offered_until is None or day < self.offered_until)


@dataclass(frozen=True, slots=True)
class Applied:
    """What applying comes to: contracts that get it, that had it, and of which no item is of its family.

    `currencies` counts those that get it, by currency and whether their prices are with tax.
    """

    gets: int
    had: int
    without_family: int
    currencies: dict[str, int]


@dataclass(frozen=True, slots=True)
class Undone:
    """How many copies were taken back, and how many stay because a charge has counted them."""

    undone: int
    charged: int


_PROMOTIONS: Final = """
SELECT p.id, p.name, p.kind::text, p.value, p.family, p.months, p.priority, lower(p.offered) AS offered_from, upper(p.offered) AS offered_until,
    (SELECT count(*) FROM discount AS d WHERE d.promotion_id = p.id) AS contracts
FROM promotion AS p ORDER BY p.name
"""
_GETS: Final = """
SELECT c.id, t.currency || CASE WHEN t.includes_tax THEN ' with tax' ELSE ' without tax' END,
    EXISTS (SELECT FROM discount AS d WHERE d.contract_id = c.id AND d.promotion_id = %(promotion)s),
    %(promoted_family)s::text IS NULL OR EXISTS (SELECT FROM contract_item AS i JOIN product AS p ON p.id = i.product_id
        WHERE i.contract_id = c.id AND p.family = %(promoted_family)s AND (i.ends_on IS NULL OR i.ends_on > %(since)s))
FROM contract AS c JOIN contract_terms AS t ON t.contract_id = c.id WHERE c.id = ANY (%(contracts)s) ORDER BY c.id
"""
# The same of all who are meant, counted: a hundred thousand rows fetched and told apart one by one are felt.
_COUNTED: Final = f"""
SELECT g.currency, g.has_it, g.in_family, count(*) FROM ({_GETS.replace("c.id = ANY (%(contracts)s) ORDER BY c.id", f"c.id IN ({SELECTED})")}) AS g (id, currency, has_it, in_family)
GROUP BY 1, 2, 3
"""  # noqa: S608 - made of the constants
# The first day that no item of the promotion's scope is billed for, ended ones too: some may have been billed beyond their end.
_APPLY: Final = """
INSERT INTO discount (contract_id, family, kind, value, during, priority, promotion_id, reason, placed_by)
SELECT c.contract_id, m.family, m.kind, m.value, daterange(c.since, (c.since + make_interval(months => m.months))::date), m.priority, m.id, 'promotion ' || m.name, %(actor)s
FROM promotion AS m CROSS JOIN (
    SELECT w.id AS contract_id, greatest(%(since)s::date, max(b.billed_through)) AS since
    FROM unnest(%(contracts)s::bigint[]) AS w (id) LEFT JOIN contract_item AS i ON i.contract_id = w.id AND i.kind IN ('plan', 'add_on')
            AND (%(family)s::text IS NULL OR i.product_id IN (SELECT id FROM product WHERE family = %(family)s))
        LEFT JOIN billing_position AS b ON b.item_id = i.id
    GROUP BY w.id) AS c
WHERE m.id = %(promotion)s ORDER BY c.contract_id
ON CONFLICT ON CONSTRAINT discount_promotion_once DO NOTHING
"""
_COPIES: Final = """
SELECT d.contract_id, EXISTS (SELECT FROM contract_item AS i JOIN charge AS h ON h.item_id = i.id
    WHERE i.contract_id = d.contract_id AND h.discounted <> 0 AND h.during && d.during)
FROM discount AS d WHERE d.promotion_id = %(promotion)s ORDER BY 1
"""
# Each is looked up: the table may be new to the planner, and reading it whole for each batch took minutes.
_COPIES_OF: Final = _COPIES.replace(
    "FROM discount AS d WHERE",
    "FROM unnest(%(contracts)s::bigint[]) AS w (id) JOIN discount AS d ON d.contract_id = w.id WHERE",
)
_TAKE_BACK: Final = """
DELETE FROM discount AS d USING unnest(%(contracts)s::bigint[]) AS w (id) WHERE d.contract_id = w.id AND d.promotion_id = %(promotion)s
"""


def load_promotions(connection: Connection) -> list[Promotion]:
    """All of them, by name."""
    with connection.cursor(row_factory=class_row(Promotion)) as cursor:
        return cursor.execute(_PROMOTIONS).fetchall()


def save_promotion(
    connection: Connection, columns: Mapping[str, object], *, offered: tuple[date | None, date | None]
) -> int:
    """A new one; returns its id."""
    return insert_row(connection, "promotion", {**columns, "offered": DateRange(*offered)})


def plan_application(
    connection: Connection, promotion: Promotion, contracts: Sequence[int], *, since: date
) -> tuple[Applied, list[int]]:
    """What applying a promotion to contracts would do, and the contracts that get it.

    Raises: PromotionError for an amount that contracts in several currencies, or with and without tax, would take.
    """
    given = {
        "promotion": promotion.id,
        "promoted_family": promotion.family,
        "contracts": list(contracts),
        "since": since,
    }
    rows = connection.execute(_GETS, given).fetchall()
    applied = _applied(promotion, ((currency, has_it, in_family, 1) for _, currency, has_it, in_family in rows))
    return applied, [number for number, _, has_it, in_family in rows if in_family and not has_it]


def count_application(connection: Connection, promotion: Promotion, selection: Selection, *, since: date) -> Applied:
    """The same of all contracts that are meant on that day, counted by the database. Raises: PromotionError."""
    given = {"promotion": promotion.id, "promoted_family": promotion.family, "since": since}
    return _applied(promotion, connection.execute(_COUNTED, {**given, **asked_of(selection, since)}))


def _applied(promotion: Promotion, counted: Iterable[tuple[Any, ...]]) -> Applied:
    """Of so many contracts with a currency: whether they have it, and something of its family. Raises: PromotionError."""
    had = outside = 0
    currencies: dict[str, int] = {}
    for currency, has_it, in_family, contracts in counted:
        if has_it:
            had += contracts
        elif not in_family:
            outside += contracts
        else:
            currencies[currency] = currencies.get(currency, 0) + contracts
    if promotion.kind == "fixed" and len(currencies) > 1:
        said = ", ".join(f"{count} {currency}" for currency, count in sorted(currencies.items()))
        raise PromotionError(
            f"promotion {promotion.name} is an amount, and these contracts would take it as different ones ({said}):"
            " apply it to fewer, such as to one issuer's"
        )
    return Applied(sum(currencies.values()), had, outside, currencies)


def apply_promotion(
    connection: Connection, promotion: Promotion, contracts: Sequence[int], *, since: date, actor: str
) -> int:
    """Give contracts their copy; returns how many got one. Runs wait for the transaction; who has one keeps it."""
    made = 0
    for batch in in_batches(contracts, _BATCH):
        hold_contracts(connection, batch)
        made += connection.execute(
            _APPLY,
            {
                "promotion": promotion.id,
                "family": promotion.family,
                "contracts": list(batch),
                "since": since,
                "actor": actor,
            },
        ).rowcount
    return made


def load_undoing(
    connection: Connection, promotion_id: int, contracts: Sequence[int] | None
) -> tuple[Undone, list[int]]:
    """What undoing would take back, of all contracts or of some, and from which; what is charged stays."""
    given = {"promotion": promotion_id, "contracts": list(contracts or ())}
    rows = connection.execute(_COPIES if contracts is None else _COPIES_OF, given).fetchall()
    free = [number for number, charged in rows if not charged]
    return Undone(len(free), len(rows) - len(free)), free


def undo_promotion(connection: Connection, promotion_id: int, contracts: Sequence[int]) -> Undone:
    """Take copies back that no charge has counted; runs wait meanwhile."""
    done = Undone(0, 0)
    for batch in in_batches(contracts, _BATCH):
        hold_contracts(connection, batch)
        part, free = load_undoing(connection, promotion_id, batch)
        connection.execute(_TAKE_BACK, {"promotion": promotion_id, "contracts": free})
        done = Undone(done.undone + part.undone, done.charged + part.charged)
    return done
