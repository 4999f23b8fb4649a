"""Worked cases of what happens within a contract's life: suspensions, trials and promotions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from support.case_contract import (
    START,
    THROUGH,
    TODAY,
    Told,
    contract_of,
    interval_of,
    sum_of,
    terms_of,
    told_charges,
    told_part,
)
from support.case_fields import AnyOf, EitherSign, Fields, NotCoveredError, Values, as_day, as_number, named
from support.case_periods import cycle_around, told_rating

from billing.charges import Discount, DiscountKind, Item, ItemKind, next_due, rate
from billing.contract_facts import Contract, Status
from billing.contracts import decide_deed
from billing.credited_days import Charged, DaysNotPaid, credits_due
from billing.deeds import Activate, Changed, EndTrial
from billing.money import Money, zero
from billing.periods import Period, Timing
from billing.terms import term_until

RULES: Final = {
    **dict.fromkeys(("bill", "charge", "billed", "continue", "keep", "keep_billing", "full", "none", "ignore"), "bill"),
    **dict.fromkeys(("credit_days", "credit", "days", "prorate", "pro_rata", "prorated", "credited"), "credit_days"),
    **dict.fromkeys(("stop", "stop_billing", "no_charge", "skip", "suppress", "suspend", "whole_periods"), "stop"),
}
RULE_NAMES: Final = ("rule", "billing", "policy", "treatment", "billing_while_suspended", "while_suspended", "during_suspension",
                     "restriction_billing", "suspension_rule", "suspension_billing", "suspension_policy")  # fmt: skip
TIMES: Final = ("suspensions", "suspended", "suspension", "restrictions", "restriction", "pauses", "pause", "paused", "blocked",
                "stops", "suspend", "suspended_period", "blocked_periods", "not_served")  # fmt: skip
SUSPENDED_FROM: Final = ("suspended_from", "suspended_on", "suspend_on", "suspended_at", "paused_on", "pause_on", "pause_from",
                         "blocked_on", "blocked_from", "restricted_from", "suspension_start", "pause_start")  # fmt: skip
SUSPENDED_TO: Final = ("suspended_to", "suspended_until", "resumed_on", "resume_on", "reactivated_on", "lifted_on", "pause_to",
                       "pause_until", "blocked_to", "restricted_to", "suspension_end", "pause_end", "unblocked_on")  # fmt: skip


def suspension_billing(given: Values) -> dict[str, Any]:
    """What is charged and given back when the service is restricted: `bill`, `credit_days` or `stop`."""
    if str(given.get("mode", "")).lower() in RULES:  # some call the rule the mode
        given = {**{name: value for name, value in given.items() if name != "mode"}, "rule": given["mode"]}
    fields = Fields(given)
    rule, told, through = _rule(fields), *_restricted_contract(fields)
    times = _times_of(fields)
    today = fields.day("as_of", "on", "today", "settled_on", "asked_on", default=None)
    fields.done()
    stops = times if rule == "stop" else []
    rated = rate([told.item], told.terms, through=through, stops=stops)
    item = replace(told.item, billed_through=rated.billed_through.get(1, told.item.billed_through))
    nothing = zero(told.terms.currency)
    charged = [Charged(number, one, nothing) for number, one in enumerate(rated.charges)]
    # Unless a day is named, when all is over.
    days = [today] if today else [through, *(end for _, end in times if end), *(one.part.end for one in rated.charges)]
    not_paid = (
        [DaysNotPaid(number, start, end) for number, (start, end) in enumerate(times)] if rule == "credit_days" else []
    )
    credits = credits_due(charged, not_paid, [item], told.terms, through=max(days)).credits
    got = told_rating(told, rated.charges)
    back = [told_part(one.part, one.units, one.of, -one.amount) for one in credits]
    for one in back:
        one |= {name: EitherSign(one[name]) for name in ("net", "amount", "price")}
    currency = told.terms.currency
    credit_total = EitherSign(sum_of([-one.amount for one in credits], currency))
    got |= named(back, "credits", "credit_lines")
    got["credit"] = back[0] if len(back) == 1 else back or {"net": credit_total}
    got |= named(credit_total, "credit_total", "credited", "credited_total", "credit_net")
    got |= named(
        sum_of([one.net for one in rated.charges], currency),
        "charge_total",
        "charged",
        "charged_total",
        "charges_total",
    )
    left = [*(one.net for one in rated.charges), *(-one.amount for one in credits)]
    got |= named(
        sum_of(left, currency), "net_total", "total", "net", "billed", "billed_total", "due", "amount", "payable"
    )
    if len(rated.charges) == 1:
        got["charge"] = told_charges(rated.charges, priced=told.priced)[0]
    got |= named(
        [[one.start.isoformat(), one.end.isoformat()] for _, one in rated.stopped],
        "stopped",
        "stops",
        "skipped",
        "left_out",
    )
    units = sum(one.units for one in credits)
    got |= named(units, "units_credited", "credited_units", "credited_days", "credit_days", "days_credited", "units")
    got |= named(
        sum(one.units for one in rated.charges) - units,
        "billed_days",
        "units_billed",
        "billed_units",
        "days_billed",
        "charged_days",
        "served_days",
    )
    if len(rated.charges) == 1:
        got |= named(rated.charges[0].of, "of", "units_in_period", "days_in_period")
    return got


def _rule(fields: Fields) -> str:
    """The rule. Not to charge is to give the days back."""
    names = (
        "charge_suspended",
        "bill_while_suspended",
        "charge_while_suspended",
        "bill_suspended",
        "charged_while_suspended",
    )
    if fields.has(*names):
        return "bill" if fields.take(*names) else "credit_days"
    return str(fields.word(RULES, *RULE_NAMES))


def _restricted_contract(fields: Fields) -> tuple[Told, date]:
    """The contract, or one charged period alone, and up to when it is billed."""
    if not fields.has("period"):
        told = contract_of(fields)
        return told, fields.day(*THROUGH)
    period = fields.take("period", "charged_period")
    cycle, whole = cycle_around(period), Period(*map(as_day, period))
    price = fields.number("price", "period_price", "net", "line_net", "charged", "amount")
    terms = terms_of(fields)
    item = Item(1, ItemKind.PLAN, "access", Decimal(1), price, cycle, whole.start, None, whole.start)
    return Told(item, terms, True), whole.start if terms.timing is Timing.ANTICIPATED else whole.end


def _times_of(fields: Fields) -> list[tuple[date, date | None]]:
    """The times of the restriction: a list of times, one of them, or two days."""
    if fields.has(*SUSPENDED_FROM):
        return [(fields.day(*SUSPENDED_FROM), fields.day(*SUSPENDED_TO, default=None))]
    value = fields.take(*TIMES)
    alone = isinstance(value, Mapping) or (isinstance(value, list) and value and isinstance(value[0], str))
    return [interval_of(one, "a suspension") for one in ([value] if alone else value)]


def trial(given: Values) -> dict[str, Any]:
    """A trial and the first charge after it."""
    fields = Fields(given)
    start = fields.day(*START)
    until = fields.day("trial_end", "trial_until", "trial_ends", "trial_ends_on", "trial_to", default=None)
    days = fields.whole("trial_days", "trial", "trial_period_days", "trial_length", default=None)
    if months := fields.whole("trial_months", default=0):
        until = term_until(start, months)
    if days is None and until is None:
        raise NotCoveredError("input has none of trial_days, trial_end, trial_months")
    length = (until - start).days if until is not None else days
    assert length is not None
    pending = Contract(Status.PENDING, plan=1, account_bound=True, trial_days=length)
    active = decide_deed(pending, Activate(start), start)
    assert isinstance(active, Changed), active
    billable = active.contract.billable_from
    assert billable is not None
    told = contract_of(fields, start=billable)
    through = fields.day(*THROUGH, default=None)
    asked = [as_day(one) for one in fields.objects("check", "checks", "on", "dates", "status_on", "today", default=[])]
    fields.done()
    first = next_due(told.item, told.terms)
    rated = rate([told.item], told.terms, through=through or max([first or billable, *asked]))
    got = told_rating(told, rated.charges)
    got |= named(billable.isoformat(), "first_billable", "billable_from", "trial_over", "trial_end", "trial_ends", "first_billable_day",
                 "active_from", "charge_from", "billing_starts")  # fmt: skip
    got |= named(first.isoformat() if first else None, "first_charge_on", "first_invoice", "first_invoice_on",
                 "first_invoice_date", "first_due", "next_invoice", "first_bill")  # fmt: skip
    if rated.charges:
        one = told_charges(rated.charges[:1], priced=told.priced)[0]
        got |= named([one["from"], one["to"]], "first_period", "period") | {"from": one["from"], "to": one["to"]}
        got["first_charge"] = AnyOf((one["from"], one, one.get("net")))
        got |= named(one, "first_segment", "first", "charge") | {"units": one["units"], "of": one["of"]}
        got |= named(one.get("net"), "first_net", "first_amount", "first_charge_net")
    got |= named([_status_on(active.contract, day) for day in asked], "status", "statuses", "state", "states")
    got |= named([day < billable for day in asked], "in_trial", "on_trial")
    invoices = {one.due_on for one in rated.charges}
    return got | named(len(invoices), "invoices", "documents", "invoice_count")


def _status_on(contract: Contract, day: date) -> str:
    outcome = decide_deed(contract, EndTrial(), day)
    return str(outcome.contract.status if isinstance(outcome, Changed) else contract.status)


KINDS: Final = {
    **dict.fromkeys(("percent", "percentage", "pct", "%", "percent_off"), DiscountKind.PERCENT),
    **dict.fromkeys(("fixed", "amount", "fixed_amount", "absolute", "amount_off", "value"), DiscountKind.FIXED),
    **dict.fromkeys(("free", "free_months", "full"), "free"),
}
LASTS_MONTHS: Final = ("months", "duration_months", "duration_in_months", "for_months", "month_count")
LASTS_PERIODS: Final = (
    "periods",
    "cycles",
    "duration_in_cycles",
    "duration_periods",
    "billing_cycles",
    "recurrences",
    "for_periods",
    "count",
)
PROMOTIONS: Final = ("promotion", "promotions", "discount", "discounts", "coupon", "coupons", "phases", "promo")


def promotion(given: Values) -> dict[str, Any]:
    """Discounts that last for some months or periods, or phases of price, and what is charged period by period."""
    fields = Fields(given)
    given_ones = fields.objects(*PROMOTIONS)
    count = fields.whole(
        "count", "bill_periods", "periods", "invoices", "months_billed", "periods_billed", default=None
    )
    phases = [one for one in given_ones if isinstance(one, Mapping) and {"price", "period_price"} & set(one)]
    normal = phases[-1] if phases and not fields.has("price", "period_price", "month_price", "monthly_price") else None
    told = contract_of(
        fields if normal is None else Fields({**given, "price": normal.get("price", normal.get("period_price"))})
    )
    if normal is not None:
        contract_of(fields)
    through = fields.day(*THROUGH, *TODAY, default=None)
    fields.done()
    item, cycle = told.item, told.item.cycle
    discounts, since = [], item.starts_on
    for number, one in enumerate(given_ones, start=1):
        discount, until = _discount_of(number, one, item, since if phases else item.starts_on)
        since = until or since
        discounts += [discount] if discount is not None else []
    if through is None:
        if count is None:
            raise NotCoveredError(f"input has none of {', '.join((*THROUGH, 'count'))}")
        end = cycle.boundary(count) if item.starts_on == cycle.anchor else cycle.boundary(count - 1)
        item = replace(item, ends_on=min(end, item.ends_on or end))
        through = end
    rated = rate([item], told.terms, through=through, discounts=discounts)
    got = told_rating(told, rated.charges)
    by_period: dict[date, list[Money]] = {}
    for charge in rated.charges:
        by_period.setdefault(cycle.period_of(charge.part.start).start, []).append(charge.net)
    sums = [sum_of(one, told.terms.currency) for one in by_period.values()]
    got |= named(sums, "invoices", "invoice_totals", "by_period", "period_nets", "per_period", "monthly")
    got |= named(sums, "nets", "amounts", "prices") if len(sums) != len(rated.charges) else {}
    ends = [one.ends_on.isoformat() if one.ends_on else None for one in discounts]
    got |= named(ends[0] if len(ends) == 1 else ends, "promotion_ends", "discount_ends", "ends_on", "until")
    discounted = [charge.part for charge in rated.charges if charge.discounted]
    return got | named(len(discounted), "discounted_periods", "discounted")


def _discount_of(number: int, given: Any, item: Item, since: date) -> tuple[Discount | None, date | None]:
    """One discount, or one phase of price as what takes the price down to it, and up to when it lasts."""
    fields = Fields(given, "a promotion")
    start = fields.day("starts", "start", "from", "since", "starts_on", default=since)
    months, periods = fields.whole(*LASTS_MONTHS, default=None), fields.whole(*LASTS_PERIODS, default=None)
    until = fields.day("ends", "end", "until", "to", "ends_on", default=None)
    if days := fields.whole("days", "duration_days", default=0):
        until = start + timedelta(days=days)
    duration = fields.take("duration", "frequency", default=None)
    if duration == "recurring":
        duration, periods = "repeating", fields.whole("frequency_duration", default=periods)
    if duration == "once":
        periods = 1
    elif isinstance(duration, int) and months is None and periods is None:
        periods = duration
    elif duration not in (None, "forever", "repeating"):
        raise NotCoveredError(f"a promotion: duration {duration!r}")
    if periods is not None:
        until = _after_periods(item, start, periods)
    elif months is not None:
        until = term_until(start, months)
    kind, value = _worth(fields, item)
    priority = fields.whole("priority", "order", default=number)
    fields.done()
    if kind is None:
        return None, until
    return Discount(number, kind, value, start, until, priority), until


def _after_periods(item: Item, start: date, periods: int) -> date:
    """Where so many whole periods from a day end; an opening part counts as one."""
    day = start
    for _ in range(periods):
        day = item.cycle.period_of(day).end
    return day


def _worth(fields: Fields, item: Item) -> tuple[DiscountKind | None, Decimal]:
    phase = fields.number("price", "period_price", default=None)
    if phase is not None:
        less = item.period_price - phase
        fields.take("type", "kind", "phase", default=None)
        if less < 0:
            raise NotCoveredError(f"a phase of {phase} above the last one's {item.period_price} is no discount")
        return (None, less) if not less else (DiscountKind.FIXED, less * item.quantity)
    percent = fields.number(
        "percent", "pct", "percent_off", "percentage", "percentage_rate", "discount_pct", default=None
    )
    if percent is not None:
        fields.take("type", "kind", "coupon_type", default=None)
        return DiscountKind.PERCENT, percent
    off = fields.number("amount_off", "fixed", "amount", "off", default=None)
    if off is not None:
        fields.take("type", "kind", "coupon_type", default=None)
        return DiscountKind.FIXED, off
    kind = fields.word(KINDS, "type", "kind", "discount_type", "coupon_type")
    if kind == "free":
        return DiscountKind.PERCENT, Decimal(100)
    return kind, as_number(fields.take("value"))


ADAPTERS: Final[Mapping[str, Callable[[Values], dict[str, Any]]]] = {
    "suspension_billing": suspension_billing,
    "trial": trial,
    "promotion": promotion,
}
