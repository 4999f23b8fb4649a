"""Worked cases of periods: their boundaries, what is due, when the next is, and changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from typing import Any, Final
from zoneinfo import ZoneInfo

from support.case_contract import (
    ALIGNMENT_NAMES,
    BASES,
    BOUNDARY_NAMES,
    DAY_NAMES,
    START,
    THROUGH,
    TODAY,
    Told,
    boundary_of,
    contract_of,
    currency_of,
    months_of,
    sum_of,
    told_charges,
    told_part,
)
from support.case_fields import (
    AnyOf,
    Fields,
    NotCoveredError,
    Values,
    as_day,
    as_instant,
    as_money,
    named,
    shown,
)

from billing.calendar import billing_day, first_moment
from billing.charges import Charge, Item, credit_for, next_due, rate
from billing.money import Money, zero
from billing.periods import Basis, Cycle, Period, Segment


def segments(given: Values) -> dict[str, Any]:
    """What is due of one item up to a day."""
    fields = Fields(given)
    told, through = contract_of(fields), fields.day(*THROUGH, *TODAY)
    fields.done()
    rated = rate([told.item], told.terms, through=through)
    return told_rating(told, rated.charges)


def told_rating(told: Told, charges: tuple[Charge, ...]) -> dict[str, Any]:
    """Charges with their sums, as cases ask for them."""
    # The form's own field: units/of of each segment with nine decimals.
    shares = [(Decimal(one.units) / one.of).quantize(Decimal("1e-9"), ROUND_HALF_UP) for one in charges]
    got = named(told_charges(charges, priced=told.priced), "segments", "charges", "lines", "periods", "items")
    got |= {"cycles": str(sum(shares, Decimal(0))), "count": len(charges)}
    if told.priced:
        nets = [one.net for one in charges]
        got |= named(sum_of(nets, told.terms.currency), "net_total", "total", "net", "billed_total", "amount")
        got |= named([shown(one) for one in nets], "nets", "amounts", "line_amounts", "prices")
        got |= named(sum_of([one.discounted for one in charges], told.terms.currency), "discount_total", "discount")
    return got


def cycle_around(period: list[str]) -> Cycle:
    start, end = map(as_day, period)
    months = (end.year - start.year) * 12 + end.month - start.month
    return Cycle(start, max(start.day, end.day), months)


def change(given: Values) -> dict[str, Any]:
    """A change in mid-period: the rest of the old given back, the rest of the new charged, each rounded on its own."""
    fields = Fields(given)
    day = fields.day("change_date", "changed_on", "date", "on", "effective", "effective_on")
    basis, currency = fields.word(BASES, "basis", default=Basis.ACTUAL), currency_of(fields)
    old, new = fields.take("old", "from", "before", default=None), fields.take("new", "to", "after", default=None)
    fields.done()
    got: dict[str, Any] = {}
    sides: list[Money] = []
    if old:
        price, cycle, whole = _side(old, "old", currency)
        _, of = cycle.units(whole, basis)
        charge = Charge(1, whole, of, of, price, zero(currency), whole.start)
        unused = Period(day, whole.end)
        sides.append(-credit_for(charge, unused, cycle=cycle, basis=basis, credited=zero(currency)))
        got["credit"] = told_part(unused, *cycle.units(unused, basis), sides[-1])
    if new:
        price, cycle, whole = _side(new, "new", currency)
        served = Period(day, whole.end)
        segment = Segment(served, *cycle.units(served, basis))
        sides.append(segment.net(price))
        got["charge"] = told_part(served, segment.units, segment.of, sides[-1])
    return {**got, **named(sum_of(sides, currency), "net_total", "total", "net", "difference")}


def _side(given: Values, what: str, currency: str) -> tuple[Money, Cycle, Period]:
    fields = Fields(given, what)
    price = as_money(fields.take("price", "amount", "period_price"), currency)
    period = fields.take("period")
    fields.done()
    return price, cycle_around(period), Period(*map(as_day, period))


def schedule(given: Values) -> dict[str, Any]:
    """Boundaries counted from an anchor."""
    fields = Fields(given)
    anchor = fields.day("anchor", "anchor_date", "start", "first_boundary")
    wanted = fields.whole(*DAY_NAMES, default=anchor.day)
    cycle = Cycle(anchor, wanted, months_of(fields))
    first = fields.whole("from_k", "skip", "offset", default=0)
    count = fields.whole("count", "n", "number")
    zone = fields.take("zone", "timezone", default=None)
    fields.done()
    days = [cycle.boundary(k) for k in range(first, first + count)]
    got = named([day.isoformat() for day in days], "boundaries", "dates", "schedule")
    got["days"] = [(after - day).days for day, after in pairwise(days)]
    if zone is not None:
        moments = [first_moment(day, ZoneInfo(zone)).isoformat() for day in days]
        got |= named(moments, "boundaries_utc", "instants_utc")
    return got


def first_boundaries(given: Values) -> dict[str, Any]:
    """The first boundary at or after a start, by the alignment; one case, or a list of queries."""
    fields = Fields(given)
    if fields.has("queries", "cases", "starts"):
        queries = fields.objects("queries", "cases", "starts")
        shared = {name: fields.take(name) for name in (*ALIGNMENT_NAMES, *DAY_NAMES, "months") if fields.has(name)}
        fields.done()
        each = [_first_boundary({**shared, **(one if isinstance(one, Mapping) else {"start": one})}) for one in queries]
        return named(
            [one["first_boundary"] for one in each], "first_boundary", "first_boundaries", "boundaries", "dates"
        )
    return _first_boundary(given)


def _first_boundary(given: Values) -> dict[str, Any]:
    fields = Fields({"alignment" if name in ("rule", "kind") else name: value for name, value in given.items()})
    start, months = fields.day(*START), months_of(fields, default=1)
    boundary, wanted = boundary_of(fields, start, months)
    row = Cycle(boundary, wanted, months)
    if boundary != start:  # an anchor that lies elsewhere: the first of its boundaries from the start on
        boundary = start if row.period_of(start).start == start else row.period_of(start).end
    basis, count = fields.word(BASES, "basis", default=Basis.ACTUAL), fields.whole("count", default=3)
    price = fields.take("price", "period_price", default=None)
    fields.done()
    cycle = Cycle(boundary, wanted, months)
    got = named(
        boundary.isoformat(), "first_boundary", "boundary", "anchor", "date", "first_full_period", "next_boundary"
    )
    got |= named(wanted, "anchor_day", "wanted_day", "billing_day", "day")
    got["boundaries"] = [cycle.boundary(k).isoformat() for k in range(count)]
    got |= named([boundary.isoformat(), cycle.boundary(1).isoformat()], "first_period", "first_full")
    opening = None
    if start < boundary:
        part = Period(start, boundary)
        segment = Segment(part, *cycle.units(part, basis))
        net = None if price is None else segment.net(as_money(price, "EUR"))
        opening = told_part(part, segment.units, segment.of, net)
    got |= named(opening, "opening", "opening_part", "leading", "part")
    got |= named(0 if opening is None else opening["days"], "opening_days", "days_before", "leading_days", "units")
    if opening is not None:
        got["of"] = opening["of"]
        if price is not None:
            got |= named(opening["net"], "net", "opening_net", "amount")
    return got


def local_date(given: Values) -> dict[str, Any]:
    """Which instants lie on a civil date of a zone."""
    fields = Fields(given)
    zone = ZoneInfo(fields.take("zone", "timezone", "tz"))
    instants = [as_instant(one) for one in fields.objects("instants_utc", "instants", "instant_utc", "instant", "at")]
    wanted = fields.day("billing_date", "date", default=None)
    fields.done()
    days = [billing_day(one, zone) for one in instants]
    got = named([day.isoformat() for day in days], "dates", "local_dates", "local_date", "billing_dates")
    if wanted is not None:
        got |= named([day == wanted for day in days], "is_billing_date", "is_date")
    return got


INSTANT: Final = (
    "at_utc",
    "at",
    "instant",
    "instant_utc",
    "now",
    "now_utc",
    "billing_at",
    "moment",
    "timestamp",
    "as_of_utc",
)
WHICH: Final = {
    **dict.fromkeys(
        ("true", "current", "this", "holding", "contains", "running", "advance", "in_advance", "anticipated"), 0
    ),
    **dict.fromkeys(
        ("false", "previous", "last", "ended", "past", "closed", "arrears", "in_arrears", "posticipated"), -1
    ),
    **dict.fromkeys(("next", "following", "coming"), 1),
}


def local_period(given: Values) -> dict[str, Any]:
    """The civil days of a period in a zone, and the instants at which it begins and ends."""
    fields = Fields(given)
    zone = ZoneInfo(fields.take("zone", "timezone", "tz", "billing_zone"))
    if fields.has("periods"):
        each = [local_period({"zone": str(zone), "period": one}) for one in fields.objects("periods")]
        fields.done()
        return {key: [one[key] for one in each] for key in each[0]} | {"periods": each}
    told = fields.take("period", "days", default=None)
    if told is None and fields.has("to", "end") and not fields.has(*INSTANT):
        told = [fields.take("from", "start"), fields.take("to", "end")]
    if told is not None:
        start, end = map(as_day, told)
        fields.done()
        return _in_zone(Period(start, end), zone)
    if fields.has("instants_utc", "instants"):
        instants = fields.objects("instants_utc", "instants")
        rest = {name: value for name, value in given.items() if name not in ("instants_utc", "instants")}
        each = [local_period({**rest, "at_utc": one}) for one in instants]
        return {key: [one[key] for one in each] for key in each[0]} | {"periods": each}
    instant = fields.take(*INSTANT, default=None)
    today = (
        fields.day("date", "on", "today", "local_date", default=None)
        if instant is None
        else billing_day(as_instant(instant), zone)
    )
    start = fields.day(*START, default=None)
    months = months_of(fields, default=1)
    if fields.has("count"):
        boundary, wanted = boundary_of(fields, start or as_day(fields.take("anchor")), months)
        return schedule(
            {
                "anchor": boundary.isoformat(),
                "anchor_day": wanted,
                "months": months,
                "count": fields.whole("count"),
                "zone": str(zone),
            }
        )
    if today is None:
        raise NotCoveredError(f"input has none of {', '.join((*INSTANT, 'date', 'period'))}")
    if start is None and not fields.has(*BOUNDARY_NAMES) and not fields.has(*ALIGNMENT_NAMES):
        start = today
    boundary, wanted = boundary_of(fields, start or today, months)
    which = fields.word(WHICH, "which", "pick", "mode", "timing", "wanted_period", "pay_in_advance", default=0)
    fields.done()
    period = Cycle(boundary, wanted, months).period_of(today)
    cycle = Cycle(boundary, wanted, months)
    if which:
        period = cycle.period_of(period.end if which > 0 else period.start - timedelta(days=1))
    begins = max(period.start, start) if start is not None and which <= 0 and start < period.end else period.start
    return {
        **_in_zone(Period(begins, period.end), zone),
        **named(today.isoformat(), "today", "local_date", "date", "billing_date"),
    }


def _next_days(item: Item, told: Told, several: int) -> list[str]:
    """So many days on which runs find something due, each after the one before."""
    days: list[str] = []
    day = next_due(item, told.terms)
    while day is not None and len(days) < several:
        days.append(day.isoformat())
        item = replace(item, billed_through=rate([item], told.terms, through=day).billed_through[item.id])
        day = next_due(item, told.terms)
    return days


def _in_zone(period: Period, zone: ZoneInfo) -> dict[str, Any]:
    begins, ends = first_moment(period.start, zone), first_moment(period.end, zone)
    last = ends - timedelta(seconds=1)
    got = named(period.start.isoformat(), "from", "start", "local_from", "from_date", "period_start")
    got |= named(period.end.isoformat(), "to", "end", "local_to", "to_date", "period_end")
    got |= named([period.start.isoformat(), period.end.isoformat()], "period", "interval")
    got |= named((period.end - timedelta(days=1)).isoformat(), "last_day", "to_inclusive", "through")
    got |= named(
        _utc(begins),
        "from_utc",
        "start_utc",
        "begins_utc",
        "starts_at",
        "from_datetime",
        "starts_at_utc",
        "from_instant",
    )
    got |= named(_utc(ends), "to_utc", "end_utc", "ends_utc", "ends_at", "to_datetime", "ends_at_utc", "to_instant")
    got |= named(_utc(last), "to_utc_inclusive", "last_second_utc", "last_second")
    got |= named([_utc(begins), _utc(ends)], "utc", "period_utc", "bounds_utc", "bounds", "interval_utc", "instants")
    got |= named((period.end - period.start).days, "days", "units", "of")
    hours = (ends - begins) / timedelta(hours=1)
    return got | named(f"{hours:g}", "hours", "elapsed_hours")


def _utc(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")


def next_invoice(given: Values) -> dict[str, Any]:
    """When the next document is due and for what, from where billing stands."""
    fields = Fields(given)
    told = contract_of(fields)
    stand = fields.day(
        "billed_through", "billed_until", "paid_through", "last_billed_to", "charged_through", default=None
    )
    today = fields.day(*TODAY, "last_run", "after", "last_invoice", "last_invoice_on", *THROUGH, default=None)
    several = fields.whole("count", "n", default=1)
    net_days = fields.whole("net_days", "terms_days", "due_days", "payment_terms", default=None)
    fields.done()
    item = told.item
    if stand is not None:
        item = replace(item, billed_through=stand)
    elif today is not None:
        done = rate([item], told.terms, through=today)
        item = replace(item, billed_through=done.billed_through.get(item.id, item.billed_through))
    day = next_due(item, told.terms)
    names = ("next_invoice", "next_invoice_on", "next_invoice_date", "invoice_on", "invoice_date", "next", "next_due", "date",
             "next_billing_date", "run_on", "due_on", "next_bill", "next_date", "on", "bill_on")  # fmt: skip
    if day is None:
        return named(None, *names) | named(None, "period", "amount", "net") | {"segments": []}
    rated = rate([item], told.terms, through=day)
    first, last = rated.charges[0].part, rated.charges[-1].part
    got = told_rating(told, rated.charges)
    first_one = told_charges(rated.charges[:1], priced=told.priced)[0] | named(day.isoformat(), "date", "on", "due")
    got |= named(AnyOf((day.isoformat(), first_one)), *names)
    got |= named(_next_days(item, told, several), "next_invoices", "dates", "upcoming", "next_dates", "invoices")
    got |= named([first.start.isoformat(), last.end.isoformat()], "period", "covers", "interval", "for")
    got |= named(first.start.isoformat(), "from", "period_start", "start") | named(
        last.end.isoformat(), "to", "period_end", "end"
    )
    got |= named((last.end - first.start).days, "days")
    after = replace(item, billed_through=rated.billed_through[item.id])
    following = next_due(after, told.terms)
    got |= named(following.isoformat() if following else None, "following", "after_that", "second_next")
    if net_days is not None:
        got |= named((day + timedelta(days=net_days)).isoformat(), "due", "due_date", "pay_by")
    return got


ADAPTERS: Final[Mapping[str, Callable[[Values], dict[str, Any]]]] = {
    "segments": segments,
    "change": change,
    "schedule": schedule,
    "first_boundary": first_boundaries,
    "local_date": local_date,
    "local_period": local_period,
    "next_invoice": next_invoice,
}
