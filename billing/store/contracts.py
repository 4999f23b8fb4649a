"""Contracts as their deeds see them, loaded in bulk: facts, terms and recurring items.

Units: days of the issuer's zone; of a contract without terms, of the zone given.

Next: billing/operations/doing.py
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import dict_row

from billing.charges import Discount, DiscountKind, Item, ItemKind, Opening, Terms
from billing.contract_facts import BilledAs, Contract, Level, Origin, Restriction, Status
from billing.held_items import HeldItem, item_on
from billing.money import read_money
from billing.periods import Alignment, Basis, Cycle
from billing.terms import Binding, ExitTable

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class DeedTerms:
    """What of a contract's terms deeds go by."""

    issuer_id: int
    currency: str
    includes_tax: bool
    basis: Basis
    alignment: Alignment
    billing_day: int | None


@dataclass(frozen=True, slots=True)
class KnownContract:
    """A contract as it stands. `at` is the moment that counts as now on the day it was loaded for; `zone` its days'."""

    id: int
    customer_id: int
    facts: Contract
    terms: DeedTerms | None
    items: tuple[HeldItem, ...]
    zone: str
    at: datetime


@dataclass(frozen=True, slots=True)
class _Offers:
    """What plans' products say, by product, currency and whether prices are with tax: (family, from month, amount) each
    step of leaving early, a pause's fee. The discounts are by contract.
    """

    exits: defaultdict[tuple[int, str, bool], list[tuple[str, int, Decimal]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    pause_fees: dict[tuple[int, str, bool], Decimal] = field(default_factory=dict)
    discounts: defaultdict[int, list[Discount]] = field(default_factory=lambda: defaultdict(list))


# The line of an ended contract is sold again when none of its accounts is left to it, or another in service has its circuit.
# What counts as now on a day: now itself on that day, its first moment on another (a replay, a day made up for).
_CONTRACTS: Final = """
SELECT w.id, w.customer_id, w.status::text, w.plan_id, w.starts_on, w.ends_on, w.zone, w.at, t.issuer_id, t.currency, t.includes_tax, t.basis::text,
    t.opening::text, t.alignment::text, t.billing_day, (t.signed_at AT TIME ZONE w.zone)::date AS signed_on, coalesce(t.distance, false) AS distance, t.billable_from,
    t.free_from, coalesce(t.trial_days, 0) AS trial_days, coalesce(t.minimum_months, 0) AS minimum_months, t.minimum_until, t.renew_months,
    coalesce(t.notice_days, 0) AS notice_days, coalesce(t.exit_is_free, false) AS exit_is_free, t.plan_locked_until, t.service_address_id, t.free_reason,
    t.free_review_on, coalesce(t.order_fees, false) AS order_fees, t.valid_until,
    EXISTS (SELECT FROM subscriber_account AS a WHERE a.contract_id = w.id AND (a.expires_at IS NULL OR a.expires_at > now())) AS account_bound,
    EXISTS (SELECT FROM address AS a WHERE a.customer_id = w.customer_id AND a.kind IN ('legal', 'billing')) AS addressed,
    w.status = 'ended' AND EXISTS (SELECT FROM subscriber_account AS a JOIN subscriber_account AS o ON o.circuit_ids && a.circuit_ids AND o.contract_id <> w.id
        JOIN contract AS c ON c.id = o.contract_id AND c.status IN ('trial', 'active', 'free') WHERE a.contract_id = w.id) AS circuit_is_resold,
    (SELECT max(upper(f.during)) FROM fiscal_period AS f WHERE f.issuer_id = t.issuer_id) AS books_open_from,
    (SELECT upper(r.during) FROM relief AS r WHERE r.contract_id = w.id AND upper(r.during) > w.at ORDER BY 1 LIMIT 1) AS relief_ends,
    ARRAY(SELECT (n.sent_at AT TIME ZONE w.zone)::date FROM contract_notice AS n WHERE n.contract_id = w.id AND n.sent_at IS NOT NULL
        AND n.kind IN ('price_change', 'term_change') ORDER BY 1) AS terms_changed_on
FROM (SELECT c.*, z.zone, CASE WHEN (now() AT TIME ZONE z.zone)::date = %(today)s::date THEN now() ELSE %(today)s::date::timestamp AT TIME ZONE z.zone END AS at
        FROM contract AS c LEFT JOIN contract_terms AS o ON o.contract_id = c.id LEFT JOIN issuer AS i ON i.id = o.issuer_id
            CROSS JOIN LATERAL (SELECT coalesce(i.zone, %(zone)s) AS zone) AS z WHERE c.id = ANY (%(ids)s)) AS w
    LEFT JOIN contract_terms AS t ON t.contract_id = w.id ORDER BY w.id
"""
_ITEMS: Final = """
SELECT i.contract_id, i.id, i.kind::text, i.product_id, p.plan_id, i.quantity, i.period_price, i.anchor, i.wanted_day, i.months, i.starts_on, i.ends_on, b.billed_through,
    i.ends_on IS NOT NULL AND EXISTS (SELECT FROM charge AS h JOIN charge AS g ON g.corrects_id = h.id WHERE h.item_id = i.id AND upper(g.during) > i.ends_on AND (g.units > 0 OR g.net = 0)),
    EXISTS (SELECT FROM contract_event AS e JOIN contract_item AS o ON o.id = (e.detail ->> 'item')::bigint AND o.product_id = i.product_id AND o.id < i.id
        WHERE e.contract_id = i.contract_id AND e.event = 'price_change' AND e.effective_on = i.starts_on)
        AND NOT EXISTS (SELECT FROM contract_event AS u WHERE u.contract_id = i.contract_id AND u.event = 'price_change_undone' AND (u.detail ->> 'new')::bigint = i.id)
FROM contract_item AS i JOIN product AS p ON p.id = i.product_id LEFT JOIN billing_position AS b ON b.item_id = i.id
WHERE i.contract_id = ANY (%(ids)s) AND i.kind IN ('plan', 'add_on') ORDER BY i.id
"""
# A pause that is over and not yet lifted is still told of, by its days.
_RESTRICTIONS: Final = """
SELECT r.contract_id, r.origin::text, r.level::text, (r.since AT TIME ZONE w.zone)::date, (r.until AT TIME ZONE w.zone)::date,
    (SELECT min(s.rule) FROM billing_stop AS s WHERE s.restriction_id = r.id)
FROM restriction AS r JOIN unnest(%(held)s::bigint[], %(zones)s::text[], %(moments)s::timestamptz[]) AS w (id, zone, at) ON w.id = r.contract_id
WHERE r.lifted_at IS NULL AND r.held_since IS NULL AND (r.until IS NULL OR r.until > w.at OR r.origin = 'customer_pause') ORDER BY r.since, r.id
"""
_PLAN_CHANGES: Final = """
SELECT contract_id, effective_on, plan_id FROM plan_change WHERE contract_id = ANY (%(ids)s) AND applied_at IS NULL ORDER BY effective_on
"""
# What the offers say, by the plan's product and the kind of prices.
_EXITS: Final = """
SELECT e.product_id, e.currency, e.includes_tax, p.family, e.from_month, e.amount FROM early_exit_cost AS e JOIN product AS p ON p.id = e.product_id
WHERE e.product_id = ANY (%s) ORDER BY e.from_month
"""
_PAUSE_FEES: Final = "SELECT product_id, currency, includes_tax, amount FROM pause_fee WHERE product_id = ANY (%s)"
_DISCOUNTS: Final = """
SELECT contract_id, id, kind::text, value, lower(during), upper(during), priority, item_id, family FROM discount WHERE contract_id = ANY (%(ids)s) ORDER BY id
"""


def load_contracts(
    connection: Connection, contract_ids: Sequence[int], *, today: date, zone: str = "UTC"
) -> dict[int, KnownContract]:
    """Those contracts by their ids; what is not there is left out. `zone` is for contracts without terms."""
    given = {"ids": list(contract_ids), "today": today, "zone": zone}
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_CONTRACTS, given).fetchall()
    items: defaultdict[int, list[HeldItem]] = defaultdict(list)
    for row in connection.execute(_ITEMS, given):
        items[row[0]].append(_item_of(row))
    restrictions: defaultdict[int, list[Restriction]] = defaultdict(list)
    for contract_id, origin, level, since, until, rule in connection.execute(
        _RESTRICTIONS,
        {
            "held": [row["id"] for row in rows],
            "zones": [row["zone"] for row in rows],
            "moments": [row["at"] for row in rows],
        },
    ):
        restrictions[contract_id].append(
            Restriction(Origin(origin), Level(level), since, until, BilledAs(rule or BilledAs.BILL))
        )
    waiting: defaultdict[int, list[tuple[date, int]]] = defaultdict(list)
    for contract_id, day, plan in connection.execute(_PLAN_CHANGES, given):
        waiting[contract_id].append((day, plan))
    offers = _load_offers(connection, [one for held in items.values() for one in held], given)
    return {
        row["id"]: _known(
            row, items[row["id"]], restrictions[row["id"]], waiting[row["id"]], offers=offers, today=today
        )
        for row in rows
    }


def _known(
    row: dict[str, Any],
    items: list[HeldItem],
    restrictions: list[Restriction],
    waiting: list[tuple[date, int]],
    *,
    offers: _Offers,
    today: date,
) -> KnownContract:
    facts = _facts(row, items, restrictions, waiting, offers=offers, current=item_on(items, today))
    return KnownContract(row["id"], row["customer_id"], facts, _terms(row), tuple(items), row["zone"], row["at"])


def _facts(
    row: dict[str, Any],
    items: list[HeldItem],
    restrictions: list[Restriction],
    waiting: list[tuple[date, int]],
    *,
    offers: _Offers,
    current: HeldItem | None,
) -> Contract:
    plan, changes = _plans(row, items, waiting)
    paid = [one.billed_through for one in items if one.billed_through and one.billed_through > one.starts_on]
    fee = offers.pause_fees.get((current.product_id, row["currency"], row["includes_tax"])) if current else None
    relief = row["relief_ends"]
    return Contract(
        status=Status(row["status"]),
        plan=plan,
        complete=row["issuer_id"] is not None and current is not None and row["addressed"],
        account_bound=row["account_bound"],
        order_fees=row["order_fees"],
        signed_on=row["signed_on"],
        distance=row["distance"],
        starts_on=row["starts_on"],
        ends_on=row["ends_on"],
        billable_from=row["billable_from"],
        free_from=row["free_from"],
        trial_days=row["trial_days"],
        minimum_months=row["minimum_months"],
        binding=Binding(row["minimum_until"], row["renew_months"], row["notice_days"]),
        exit_table=_exit_table(row, current, offers) if current else None,
        pause_fee=read_money(fee, row["currency"]) if fee else None,
        exit_is_free=row["exit_is_free"],
        terms_changed_on=tuple(row["terms_changed_on"]),
        cycle=current.cycle if current else None,
        paid_through=max(paid, default=None),
        plan_changes=changes,
        valid_until=row["valid_until"],
        plan_locked_until=row["plan_locked_until"],
        service_address=row["service_address_id"],
        restrictions=tuple(restrictions),
        relief_until=_last_day(relief, row["zone"]) if relief else None,
        free_reason=row["free_reason"],
        free_review_on=row["free_review_on"],
        line_is_resold=row["status"] == "ended" and (not row["account_bound"] or row["circuit_is_resold"]),
        books_open_from=row["books_open_from"],
    )


def _terms(row: dict[str, Any]) -> DeedTerms | None:
    """What was agreed with an issuer; None for a contract that none bills."""
    if row["issuer_id"] is None:
        return None
    return DeedTerms(
        row["issuer_id"],
        row["currency"],
        row["includes_tax"],
        Basis(row["basis"]),
        Alignment(row["alignment"]),
        row["billing_day"],
    )


def _plans(
    row: dict[str, Any], items: Sequence[HeldItem], waiting: Sequence[tuple[date, int]]
) -> tuple[int, tuple[tuple[date, int], ...]]:
    """The first plan and its changes: of a billed contract as its items tell them, else the one there is and those to come."""
    if row["status"] != Status.ACTIVE:
        return row["plan_id"], tuple(waiting)
    told = [
        (one.starts_on, one.plan)
        for one in sorted(items, key=lambda one: one.starts_on)
        if one.kind is ItemKind.PLAN and not one.is_void and one.plan is not None
    ]
    if not told:
        return row["plan_id"], tuple(waiting)
    plan = told[0][1]
    by_day = {day: other for day, other in told[1:]} | dict(waiting)
    changes: list[tuple[date, int]] = []
    for day, other in sorted(by_day.items()):
        # The same plan goes on in another item when its price or its periods changed.
        if other != (changes[-1][1] if changes else plan):
            changes.append((day, other))
    return plan, tuple(changes)


def _last_day(end: datetime, zone: str) -> date:
    """The day that an instant ends, or lies in."""
    return (end - timedelta(microseconds=1)).astimezone(ZoneInfo(zone)).date()


def _item_of(row: tuple[Any, ...]) -> HeldItem:
    return HeldItem(
        id=row[1],
        kind=ItemKind(row[2]),
        product_id=row[3],
        plan=row[4],
        quantity=row[5],
        period_price=row[6],
        cycle=Cycle(row[7], row[8], row[9]),
        starts_on=row[10],
        ends_on=row[11],
        billed_through=row[12],
        given_back=row[13],
        repriced=row[14],
    )


def _exit_table(row: dict[str, Any], current: HeldItem, offers: _Offers) -> ExitTable | None:
    """What leaving early costs by the offer of the plan, which the customer pays for less the discounts that it has."""
    steps = offers.exits.get((current.product_id, row["currency"], row["includes_tax"]))
    if steps is None:
        return None
    plan = Item(
        id=current.id,
        kind=current.kind,
        family=steps[0][0],
        quantity=current.quantity,
        period_price=current.period_price,
        cycle=current.cycle,
        starts_on=current.starts_on,
        ends_on=current.ends_on,
        billed_through=current.starts_on,
    )
    return ExitTable(
        tuple((month, read_money(amount, row["currency"])) for _, month, amount in steps),
        plan,
        Terms(row["currency"], basis=Basis(row["basis"]), opening=Opening(row["opening"])),
        tuple(offers.discounts[row["id"]]),
    )


def _load_offers(connection: Connection, items: Sequence[HeldItem], given: dict[str, Any]) -> _Offers:
    """What the plans' offers say of leaving and pausing, and the contracts' discounts where leaving costs."""
    offers = _Offers()
    products = sorted({one.product_id for one in items if one.kind is ItemKind.PLAN})
    for product_id, currency, includes_tax, *step in connection.execute(_EXITS, (products,)):
        offers.exits[product_id, currency, includes_tax].append(tuple(step))
    for product_id, currency, includes_tax, amount in connection.execute(_PAUSE_FEES, (products,)):
        offers.pause_fees[product_id, currency, includes_tax] = amount
    for row in connection.execute(_DISCOUNTS, given) if offers.exits else ():
        offers.discounts[row[0]].append(Discount(row[1], DiscountKind(row[2]), *row[3:]))
    return offers
