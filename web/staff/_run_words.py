"""Words for billing runs: their states, parts, kinds of charges, and what a preview found, with names in the place of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from billing.money import Money, read_money
from billing.store.due_work import Scope
from billing.store.run_requests import load_customer_names, load_product_names
from web.database import Connection
from web.language import day_shown, gettext, lazy

STATES: Final[Mapping[str, tuple[Any, str]]] = {
    "prepared": (lazy("Waits to be confirmed"), "warn"),
    "issuing": (lazy("Issuing"), "busy"),
    "done": (lazy("Done"), "good"),
    "cancelled": (lazy("Given up"), "calm"),
}
CHARGE_KINDS: Final[Mapping[str, Any]] = {
    "period": lazy("Time"),
    "one_off": lazy("One-off"),
    "instalment": lazy("Instalment"),
    "usage": lazy("Usage"),
    "credit": lazy("Given back"),
    "early_exit": lazy("Early exit"),
    "pause_fee": lazy("Fee of a pause"),
}
DOCUMENT_KINDS: Final[Mapping[str, Any]] = {"invoice": lazy("Invoices"), "credit_note": lazy("Credit notes")}


@dataclass(frozen=True, slots=True)
class Difference:
    """A contract that comes to something else than the last time."""

    contract: int
    customer: int
    name: str
    before: Money | None
    now: Money | None
    by: Money


@dataclass(frozen=True, slots=True)
class Sum:
    """What something comes to."""

    words: Any
    count: int
    net: Money
    tax: Money | None = None
    gross: Money | None = None


@dataclass(frozen=True, slots=True)
class Unbilled:
    """Who is not billed, and why."""

    customer: int
    name: str
    contract: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What a run will come to, ready to be shown."""

    customers: int
    contracts: int
    charges: int
    waiting: int
    covered: int
    documents: tuple[Sum, ...]
    kinds: tuple[Sum, ...]
    products: tuple[Sum, ...]
    failed: int
    failures: tuple[Unbilled, ...]
    unbilled: int
    unbilled_some: tuple[Unbilled, ...]
    changed: tuple[Difference, ...]
    news: int
    new: tuple[Difference, ...]
    gones: int
    gone: tuple[Difference, ...]
    lines: tuple[Mapping[str, Any], ...]


def scope_words(scope: Scope) -> str:
    """Which part of the work a run takes."""
    parts = []
    if scope.customer_id is not None:
        parts.append(gettext("Customer %(number)s", number=scope.customer_id))
    if scope.contract_id is not None:
        parts.append(gettext("Contract %(number)s", number=scope.contract_id))
    if scope.billing_group is not None:
        parts.append(gettext("Group %(name)s", name=scope.billing_group))
    if scope.through is not None:
        parts.append(gettext("due by %(day)s", day=day_shown(scope.through)))
    return ", ".join(parts) or gettext("All contracts")


def preview_of(connection: Connection, expected: Mapping[str, Any]) -> Preview | None:
    """What a run's row holds of its preview; None for one that has none."""
    if not expected:
        return None
    lists = [expected.get(name, {}) for name in ("new", "gone", "unbilled")]
    rows = [*expected["changes"], *expected["failures"], *(row for part in lists for row in part.get("contracts", ()))]
    names = load_customer_names(connection, [row["customer"] for row in rows])
    sold = expected.get("products", ())
    products = load_product_names(connection, [one["product"] for one in sold if one["product"] is not None])
    new, gone, unbilled = lists
    return Preview(
        **{name: expected[name] for name in ("customers", "contracts", "charges", "waiting", "covered", "failed")},
        documents=tuple(_sum(one, DOCUMENT_KINDS[one["kind"]]) for one in expected["documents"]),
        kinds=tuple(_sum(one, CHARGE_KINDS[one["kind"]]) for one in expected.get("charge_kinds", ())),
        products=tuple(_sum(one, products.get(one["product"], gettext("Without a product"))) for one in sold),
        failures=_unbilled(expected["failures"], names),
        unbilled=unbilled.get("count", 0),
        unbilled_some=_unbilled(unbilled.get("contracts", ()), names),
        changed=tuple(_difference(one, names) for one in expected["changes"]),
        news=new.get("count", 0),
        new=tuple(_difference({**one, "before": None}, names) for one in new.get("contracts", ())),
        gones=gone.get("count", 0),
        gone=tuple(_difference({**one, "now": None}, names) for one in gone.get("contracts", ())),
        lines=tuple(expected.get("lines", ())),
    )


def _sum(told: Mapping[str, Any], words: Any) -> Sum:
    amounts = [
        read_money(Decimal(told[name]), told["currency"]) if name in told else None for name in ("net", "tax", "gross")
    ]
    net, tax, gross = amounts
    assert net is not None, "each has one"
    return Sum(words, told["count"], net, tax, gross)


def _difference(told: Mapping[str, Any], names: Mapping[int, str]) -> Difference:
    before, now = (
        None if told[name] is None else read_money(Decimal(told[name]), told["currency"]) for name in ("before", "now")
    )
    nothing = read_money(Decimal(0), told["currency"])
    by = (now or nothing) - (before or nothing)
    return Difference(told["contract"], told["customer"], names.get(told["customer"], ""), before, now, by)


def _unbilled(rows: Any, names: Mapping[int, str]) -> tuple[Unbilled, ...]:
    return tuple(
        Unbilled(one["customer"], names.get(one["customer"], ""), one["contract"], one["reason"]) for one in rows
    )
