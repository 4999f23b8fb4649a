"""What staff do to the catalogue: each deed with its row in the audit log, in the caller's transaction. Pages and programs call the same.

Next: store/plan.py
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from typing import Any

import psycopg

from billing.price_changes import PriceChange, Reach
from billing.store.acting import acting
from billing.store.catalogue_requests import Act, ask_for
from billing.store.issuers import add_position, add_rate, add_tax_code
from billing.store.promotions import Promotion
from billing.store.selection import Selection
from billing.store.stamp_duties import add_stamp_duty, end_stamp_duty
from control_plane import audit
from control_plane.store.changes import save_changes
from control_plane.store.plan import Plan, Profile, save_new_plan
from control_plane.store.plan_terms import remove_hours, save_hours, save_quota_steps

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class NewStampDuty:
    """What documents of a country owe from a day on, whose untaxed amounts come to more than `above`."""

    country: str
    currency: str
    above: Decimal
    amount: Decimal
    since: date
    until: date | None = None
    product: str | None = None


def add_plan(connection: Connection, name: str, profiles: tuple[int, int, int], *, actor: str) -> None:
    """A new plan: its profile in full, throttled and in the walled garden."""
    full, throttled, walled = profiles
    save_new_plan(connection, name, profile_id=full, throttle_profile_id=throttled, walled_profile_id=walled)
    audit.append(connection, actor=actor, action="plan.add", subject=name)


def change_plan(connection: Connection, plan: Plan, columns: Mapping[str, object], *, actor: str) -> None:
    """Set these columns of a plan."""
    save_changes(connection, "plan", plan.id, columns)
    audit.append(connection, actor=actor, action="plan.set", subject=plan.name, detail=dict(columns))


def set_hours(
    connection: Connection, plan: Plan, hours: tuple[time, time], profile: Profile | None, *, actor: str
) -> None:
    """Another profile at these hours of every day; None: no longer."""
    begins, ends = hours
    if profile is None:
        remove_hours(connection, plan.id, begins=begins, ends=ends)
    else:
        save_hours(connection, plan.id, begins=begins, ends=ends, profile_id=profile.id)
    detail = {"hours": f"{begins:%H:%M}-{ends:%H:%M}", "profile": None if profile is None else profile.name}
    audit.append(connection, actor=actor, action="plan.hours", subject=plan.name, detail=detail)


def set_quota_steps(connection: Connection, plan: Plan, steps: Sequence[tuple[int, str]], *, actor: str) -> None:
    """What happens at which percentage of the quota; none: the usual steps."""
    save_quota_steps(connection, plan.id, steps)
    detail = {"steps": [f"{percent}={action}" for percent, action in steps]}
    audit.append(connection, actor=actor, action="plan.quota", subject=plan.name, detail=detail)


def ask_for_promotion(
    connection: Connection, promotion: Promotion, selection: Selection, *, since: date, actor: str
) -> int:
    """Have it given to the contracts that are meant; the number of the request."""
    what = {"promotion": promotion.id, "name": promotion.name, "since": since.isoformat()}
    meant = {one: getattr(selection, one) for one in ("issuer", "product", "city", "postal_prefix")}
    return ask_for(connection, Act.PROMOTION, {**what, **meant}, by=actor)


def ask_to_take_back(connection: Connection, promotion: Promotion, *, actor: str) -> int:
    """Have it taken back from whom no charge has counted it; the number of the request."""
    return ask_for(connection, Act.PROMOTION_UNDO, {"promotion": promotion.id, "name": promotion.name}, by=actor)


def ask_for_new_price(connection: Connection, product: str, change: PriceChange, reach: Reach, *, actor: str) -> int:
    """Have the contracts that have a product given another price; the number of the request."""
    what = {
        "name": product,
        "product": reach.product_id,
        "to": None if change.month_price is None else str(change.month_price),
        "percent": None if change.percent is None else str(change.percent),
        "currency": reach.currency,
        "includes_tax": reach.includes_tax,
        "from": reach.day.isoformat(),
    }
    return ask_for(connection, Act.PRICE_CHANGE, what, by=actor)


def price_change_of(what: Mapping[str, Any]) -> tuple[PriceChange, Reach]:
    """What such a request asks for."""
    to, percent = what["to"], what["percent"]
    change = PriceChange(None if to is None else Decimal(to), None if percent is None else Decimal(percent))
    return change, Reach(what["product"], date.fromisoformat(what["from"]), what["currency"], what["includes_tax"])


def add_tax_rate(connection: Connection, code: str, percent: Decimal, *, since: date, actor: str) -> None:
    """A rate of a tax code from a day on; the one before ends there."""
    acting(connection, actor)
    add_rate(connection, code, percent, since=since)
    detail = {"percent": percent, "since": since, "until": None}
    audit.append(connection, actor=actor, action="tax.rate", subject=code, detail=detail)


def add_code(
    connection: Connection,
    code: str,
    *,
    actor: str,
    law: str | None = None,
    bears_stamp: bool = False,
    nature: str | None = None,
    rate: tuple[Decimal, date] | None = None,
) -> None:
    """A tax code: with a rate from a day on, or with the nature and the law by which it bears none. Raises: BillingError."""
    assert (rate is None) == (nature is not None), "one or the other"
    acting(connection, actor)
    add_tax_code(connection, code, nature=nature, law=law, bears_stamp=bears_stamp)
    if rate is not None:
        add_rate(connection, code, rate[0], since=rate[1])
    detail = {"nature": nature, "law": law, "bears_stamp": bears_stamp, "rate": rate}
    audit.append(connection, actor=actor, action="tax.code", subject=code, detail=detail)


def end_duty(connection: Connection, country: str, currency: str, *, on: date, actor: str) -> Decimal | None:
    """Nothing is owed from a day on; what ends there, None where nothing without an end holds on it."""
    acting(connection, actor)
    ended = end_stamp_duty(connection, country, currency, on=on)
    if ended is not None:
        detail = {"currency": currency, "until": on}
        audit.append(connection, actor=actor, action="tax.duty", subject=country, detail=detail)
    return ended


def set_stamp_duty(connection: Connection, duty: NewStampDuty, *, actor: str) -> Decimal | None:
    """Stamp duty of a country from a day on; what was owed before ends there. Returns that. Raises: BillingError."""
    acting(connection, actor)
    ended = add_stamp_duty(
        connection,
        duty.country,
        duty.currency,
        above=duty.above,
        amount=duty.amount,
        since=duty.since,
        until=duty.until,
        product=duty.product,
    )
    detail = {
        "above": duty.above,
        "amount": duty.amount,
        "currency": duty.currency,
        "since": duty.since,
        "until": duty.until,
    }
    audit.append(connection, actor=actor, action="tax.duty", subject=duty.country, detail=detail)
    return ended


def add_fiscal_position(
    connection: Connection, columns: Mapping[str, object], replaces: tuple[tuple[str, str], ...], *, actor: str
) -> int:
    """A new way in which customers of a kind and place are taxed; its number. Raises: BillingError."""
    acting(connection, actor)
    made = add_position(connection, columns, replaces=replaces)
    detail = {**columns, "replaces": [f"{before}={after}" for before, after in replaces]}
    audit.append(connection, actor=actor, action="tax.position", subject=str(columns["name"]), detail=detail)
    return made
