"""A contract made from the catalogue: prices of the day are copied, so that a later price touches nothing agreed.

Its items wait with the planned day until activation gives them theirs.

Raises: BillingError naming what is missing and what to do.
Source: billing model sections 4 and 5.

Next: billing/store/contract_items.py
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any, Final

import psycopg

from billing.charges import ItemKind
from billing.contract_facts import Status
from billing.errors import BillingError
from billing.held_items import NEW, HeldItem
from billing.money import instalments, settle
from billing.new_contract import NewContract, NewTerms, SoldProduct
from billing.periods import Cycle, first_boundary
from billing.sentence import Sentence
from billing.store import contract_items as items_store
from billing.store.acting import acting
from billing.store.positions import place_items
from billing.terms import term_until

Connection = psycopg.Connection[Any]
MADE_AS: Final = (Status.DRAFT, Status.PENDING)


class NewContractError(BillingError):
    """A contract can't be made as it is asked for."""


_PRODUCT: Final = """
SELECT name, kind::text, plan_id, minimum_months, renew_months, notice_days, offered @> %s::date FROM product WHERE id = %s
"""
_TERMS: Final = """
INSERT INTO contract_terms (contract_id, issuer_id, payer_id, service_address_id, currency, billing_group, due_days, timing, fixed_day, lead_days, includes_tax,
    basis, opening, on_negative, order_fees, trial_days, minimum_months, renew_months, notice_days, distance, alignment, billing_day, signed_at)
VALUES (%(contract)s, %(issuer_id)s, %(payer_id)s, %(service_address_id)s, %(currency)s, %(billing_group)s, %(due_days)s, %(timing)s, %(fixed_day)s, %(lead_days)s,
    %(includes_tax)s, %(basis)s, %(opening)s, %(on_negative)s, %(order_fees)s, %(trial_days)s, %(minimum_months)s, %(renew_months)s, %(notice_days)s, %(distance)s,
    %(alignment)s, %(billing_day)s, CASE WHEN %(signed)s THEN %(today)s::date::timestamp AT TIME ZONE (SELECT zone FROM issuer WHERE id = %(issuer_id)s) END)
"""
_FEE: Final = """
INSERT INTO contract_item (contract_id, product_id, kind, quantity, period_price, starts_on) VALUES (%s, %s, 'one_off', %s, %s, %s) RETURNING id
"""
_PROMOTION: Final = """
SELECT name, kind::text, value, family, months, priority, offered @> %s::date FROM promotion WHERE id = %s
"""
_DISCOUNT: Final = """
INSERT INTO discount (contract_id, family, kind, value, during, priority, promotion_id, reason, placed_by)
VALUES (%s, %s, %s, %s, daterange(%s, %s), %s, %s, %s, %s)
"""


def make_contract(connection: Connection, new: NewContract, *, today: date, actor: str) -> int:
    """Write a contract with its terms, items, instalments and discounts; returns its number.

    The caller owns the transaction. Raises: NewContractError, NoPriceError.
    """
    if new.status not in MADE_AS:
        raise NewContractError(
            Sentence(
                "a contract is made as %(known)s, not as %(status)s", known=" or ".join(MADE_AS), status=new.status
            )
        )
    start = new.planned_start or today
    acting(connection, actor, event="created", effective_on=today)
    plan_row = _product(connection, new.plan, "plan", today)
    terms = _filled(connection, new.terms, plan_row)
    row = connection.execute(
        "INSERT INTO contract (customer_id, plan_id, status) VALUES (%s, %s, %s) RETURNING id",
        (new.customer_id, plan_row["plan_id"], str(new.status)),
    ).fetchone()
    assert row is not None
    contract_id = int(row[0])
    given = {name: _plain(getattr(terms, name)) for name in NewTerms.__dataclass_fields__}
    signed = {"contract": contract_id, "signed": new.status is Status.PENDING, "today": today}
    connection.execute(_TERMS, {**given, **signed})
    boundary = first_boundary(start, terms.alignment, months=terms.months, day=terms.billing_day)
    cycle = Cycle(*boundary, terms.months)
    _save_recurring(connection, contract_id, new, terms, cycle, start=start, today=today, plan_id=plan_row["plan_id"])
    for fee in new.fees:
        _save_fee(connection, contract_id, fee, terms, start=start, today=today)
    for promotion_id in new.promotions:
        _save_promotion(connection, contract_id, promotion_id, start=start, today=today, actor=actor)
    if new.status is Status.PENDING and terms.order_fees:
        place_items(connection, [contract_id])
    connection.execute("SELECT set_config('corrente.event', '', true), set_config('corrente.effective_on', '', true)")
    return contract_id


def _product(connection: Connection, sold: SoldProduct, kind: str, today: date) -> dict[str, Any]:
    row = connection.execute(_PRODUCT, (today, sold.product_id)).fetchone()
    if row is None:
        raise NewContractError(Sentence("there is no product %(product_id)s", product_id=sold.product_id))
    name, is_kind, plan_id, minimum, renew, notice, offered = row
    if is_kind != kind:
        raise NewContractError(
            Sentence("product %(name)s is %(is_kind)s, wanted is %(kind)s", name=repr(name), is_kind=is_kind, kind=kind)
        )
    if not offered:
        raise NewContractError(
            Sentence("product %(name)s is not offered on %(today)s; choose one that is", name=repr(name), today=today)
        )
    return {"plan_id": plan_id, "minimum_months": minimum, "renew_months": renew, "notice_days": notice}


def _filled(connection: Connection, terms: NewTerms, plan_row: dict[str, Any]) -> NewTerms:
    """The terms with what the plan's product and the issuer say."""
    issuer = connection.execute("SELECT currency FROM issuer WHERE id = %s", (terms.issuer_id,)).fetchone()
    if issuer is None:
        raise NewContractError(Sentence("there is no issuer %(issuer_id)s", issuer_id=terms.issuer_id))
    from_plan = {
        name: plan_row[name]
        for name in ("minimum_months", "renew_months", "notice_days")
        if getattr(terms, name) is None
    }
    return replace(terms, currency=terms.currency or issuer[0], **from_plan)


def _price(connection: Connection, sold: SoldProduct, terms: NewTerms, *, months: int, today: date) -> Decimal:
    if sold.unit_price is not None:
        return sold.unit_price
    assert terms.currency is not None, "filled in before"
    return items_store.load_price(
        connection,
        currency=terms.currency,
        includes_tax=terms.includes_tax,
        months=months,
        on=today,
        product=sold.product_id,
    ).period_price


def _save_recurring(
    connection: Connection,
    contract_id: int,
    new: NewContract,
    terms: NewTerms,
    cycle: Cycle,
    *,
    start: date,
    today: date,
    plan_id: int,
) -> None:
    for sold, kind in ((new.plan, ItemKind.PLAN), *((one, ItemKind.ADD_ON) for one in new.add_ons)):
        if kind is ItemKind.ADD_ON:
            _product(connection, sold, kind, today)
        price = _price(connection, sold, terms, months=terms.months, today=today)
        plan = plan_id if kind is ItemKind.PLAN else None
        item = HeldItem(NEW, kind, sold.product_id, plan, sold.quantity, price, cycle, start)
        items_store.save_item(connection, contract_id, item)


def _save_fee(
    connection: Connection, contract_id: int, fee: SoldProduct, terms: NewTerms, *, start: date, today: date
) -> None:
    _product(connection, fee, "one_off", today)
    price = _price(connection, fee, terms, months=1, today=today)
    row = connection.execute(_FEE, (contract_id, fee.product_id, fee.quantity, price, start)).fetchone()
    assert row is not None
    if fee.instalments == 1:
        return
    assert terms.currency is not None, "filled in before"
    parts = instalments(settle(price * fee.quantity, terms.currency), fee.instalments)
    cycle = Cycle(start, start.day, terms.months)
    dated = [(number + 1, cycle.boundary(number), part.amount) for number, part in enumerate(parts)]
    items_store.save_instalments(connection, row[0], dated)


def _save_promotion(
    connection: Connection, contract_id: int, promotion_id: int, *, start: date, today: date, actor: str
) -> None:
    row = connection.execute(_PROMOTION, (today, promotion_id)).fetchone()
    if row is None:
        raise NewContractError(Sentence("there is no promotion %(promotion_id)s", promotion_id=promotion_id))
    name, kind, value, family, months, priority, offered = row
    if not offered:
        raise NewContractError(Sentence("promotion %(name)s is not offered on %(today)s", name=repr(name), today=today))
    until = None if months is None else term_until(start, months)
    reason = f"promotion {name}"
    connection.execute(
        _DISCOUNT, (contract_id, family, kind, value, start, until, priority, promotion_id, reason, actor)
    )


def _plain(value: object) -> object:
    """Words of the database, where they are enums of ours."""
    return str(value) if isinstance(value, str) else value
