"""A promotion for one contract: given with its own copy, taken back while no charge has counted it, each with what the next bill comes to.

Next: billing/store/promotions.py
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg

from billing.money import Money
from billing.payments import NotDone
from billing.store.contract_page import ContractPage, load_page
from billing.store.promotions import (
    Promotion,
    apply_promotion,
    load_promotions,
    load_undoing,
    plan_application,
    undo_promotion,
)
from control_plane import audit
from control_plane.contract_deeds import bill_through

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Discounted:
    """A contract's page, and the sums of its next bill on a day; no day where nothing of it is billed."""

    page: ContractPage
    on: date | None
    gross: tuple[Money, ...]


def load_givable(connection: Connection, *, today: date, page: ContractPage | None = None) -> list[Promotion]:
    """The promotions that are given today, less those that the contract of that page has."""
    has = {one["promotion_id"] for one in page.discounts} if page is not None else set()
    return [one for one in load_promotions(connection) if one.is_given(today) and one.id not in has]


def look_at_bill(connection: Connection, number: int, *, today: date) -> Discounted:
    """A contract as this transaction sees it, with what it is billed next."""
    page = load_page(connection, number)
    assert page is not None, "the contract was there a moment ago"
    days = [one.due_on for one in page.items if one.due_on is not None]
    coming = bill_through(connection, number, max(today, min(days))) if days and page.contract.issuer else None
    return Discounted(page, None if coming is None else coming.on, () if coming is None else tuple(coming.gross))


def give_promotion(
    connection: Connection, number: int, promotion_id: int, *, since: date, today: date, actor: str
) -> NotDone | None:
    """Give a contract its copy of a promotion, from a day on; one that is billed further has it from there."""
    promotion = next((one for one in load_promotions(connection) if one.id == promotion_id), None)
    if promotion is None or not promotion.is_given(today):
        return NotDone("this promotion is not given today")
    planned, gets = plan_application(connection, promotion, [number], since=since)
    if planned.had:
        return NotDone("contract %(number)s has %(name)s already", number=number, name=promotion.name)
    if not gets:
        return NotDone("contract %(number)s has nothing that %(name)s is taken off", number=number, name=promotion.name)
    apply_promotion(connection, promotion, gets, since=since, actor=actor)
    detail = {"promotion": promotion.name, "from": since}
    audit.append(connection, actor=actor, action="contract.promotion", subject=f"contract {number}", detail=detail)
    return None


def take_promotion(connection: Connection, number: int, promotion_id: int, *, actor: str) -> NotDone | None:
    """Take a contract's copy of a promotion back, which no charge has counted."""
    promotion = next((one for one in load_promotions(connection) if one.id == promotion_id), None)
    found, free = load_undoing(connection, promotion_id, [number])
    if promotion is None or found.undone + found.charged == 0:
        return NotDone("contract %(number)s has no such promotion", number=number)
    if undo_promotion(connection, promotion_id, free).undone == 0:
        return NotDone("%(name)s has been charged and stays: credit what it should not have been", name=promotion.name)
    audit.append(
        connection,
        actor=actor,
        action="contract.promotion_undo",
        subject=f"contract {number}",
        detail={"promotion": promotion.name},
    )
    return None
