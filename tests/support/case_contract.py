"""A contract's recurring item and terms out of a worked case, under the names that authors of such cases use."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from support.case_fields import Fields, NotCoveredError, as_day, shown

from billing.charges import Charge, Item, ItemKind, Opening, Terms
from billing.money import Money, total
from billing.periods import Alignment, Basis, Cycle, Period, Timing, first_boundary

START: Final = ("start", "start_date", "starts_on", "starts", "activated_on", "activation", "activation_date", "service_start",
                "subscribed_on", "subscription_start", "created_on", "begin", "begins_on", "since")  # fmt: skip
END: Final = (
    "end",
    "end_date",
    "ends_on",
    "ends",
    "cancelled_on",
    "cancel_on",
    "terminated_on",
    "terminates_on",
    "service_end",
)
THROUGH: Final = ("bill_through", "through", "billed_until", "target_date", "target", "run_date", "bill_on", "run_on")
TODAY: Final = ("on", "today", "as_of", "at", "asked_on", "query_date", "reference_date")
MONTHS: Final = ("months", "period_months", "interval_months", "length_months", "every_months", "month_count")
PERIOD_WORD: Final = (
    "interval",
    "billing_period",
    "frequency",
    "cadence",
    "billing_interval",
    "period_length",
    "recurrence",
)
WORDS_OF_MONTHS: Final = {
    **dict.fromkeys(("month", "monthly", "1m"), 1), **dict.fromkeys(("bimonthly", "two_months", "2m"), 2),
    **dict.fromkeys(("quarter", "quarterly", "3m"), 3), **dict.fromkeys(("year", "yearly", "annual", "annually", "12m"), 12),
    **dict.fromkeys(("half_year", "half_yearly", "semiannual", "semi_annual", "biannual", "6m"), 6),
}  # fmt: skip
MODES: Final = {
    **dict.fromkeys(("advance", "in_advance", "anticipated", "prepaid", "pay_in_advance", "upfront", "true"), Timing.ANTICIPATED),
    **dict.fromkeys(("arrears", "in_arrears", "arrear", "in_arrear", "posticipated", "postpaid", "false"), Timing.POSTICIPATED),
}  # fmt: skip
BASES: Final = {
    **dict.fromkeys(("actual", "actual_days", "days", "act_act", "daily"), Basis.ACTUAL),
    **dict.fromkeys(("thirty", "30_360", "30", "thirty_day", "thirty_days", "30_day_month"), Basis.THIRTY),
}  # fmt: skip
ALIGNMENTS: Final = {
    **dict.fromkeys(("anniversary", "subscription", "start", "own"), Alignment.ANNIVERSARY),
    **dict.fromkeys(("day_of_month", "fixed_day", "account", "bcd", "billing_day", "day"), Alignment.DAY_OF_MONTH),
    **dict.fromkeys(("calendar", "calendar_month", "natural", "calendar_period"), Alignment.CALENDAR),
}  # fmt: skip
OPENINGS: Final = {one.value: one for one in Opening} | {
    "prorated": Opening.PRORATE, "pro_rata": Opening.PRORATE, "create_prorations": Opening.PRORATE, "none": Opening.FREE,
    "joined": Opening.JOIN, "with_next": Opening.JOIN,
}  # fmt: skip
ALIGNMENT_NAMES: Final = ("alignment", "align", "billing_time", "align_to", "policy", "anchor_policy")
DAY_NAMES: Final = (
    "anchor_day",
    "billing_day",
    "day_of_month",
    "wanted_day",
    "bill_day",
    "bill_cycle_day",
    "bcd",
    "day",
)
BOUNDARY_NAMES: Final = ("first_boundary", "anchor", "anchor_date", "billing_cycle_anchor", "first_full_period")
CURRENCIES: Final = {0: "CLP", 2: "EUR", 3: "TND"}


@dataclass(frozen=True, slots=True)
class Told:
    """An item as a case tells it; `priced` says whether it has a price at all."""

    item: Item
    terms: Terms
    priced: bool


def currency_of(fields: Fields) -> str:
    """The currency, named or by its places; EUR without either."""
    places = fields.whole("currency_decimals", "decimals", "places", default=None)
    named = fields.take("currency", default=None)
    if named is None and places not in (None, *CURRENCIES):
        raise NotCoveredError(f"no currency of {places} places is known")
    return str(named) if named is not None else CURRENCIES[2 if places is None else places]


def months_of(fields: Fields, *, default: int | None = None) -> int:
    """How many months a period has, as a number or a word."""
    word = fields.word(WORDS_OF_MONTHS, *PERIOD_WORD, default=None)
    months = fields.whole(*MONTHS, default=word if word is not None else default)
    if months is None:
        raise NotCoveredError(f"{fields.what} has none of {', '.join((*MONTHS, *PERIOD_WORD))}")
    return months


def boundary_of(fields: Fields, start: date, months: int) -> tuple[date, int]:
    """The first boundary and its wanted day: told, or by the alignment."""
    given = fields.take(*BOUNDARY_NAMES, default=None)
    day = fields.whole(*DAY_NAMES, default=None)
    alignment = fields.word(ALIGNMENTS, *ALIGNMENT_NAMES, default=None)
    if given is not None:
        boundary = as_day(given)
        return boundary, boundary.day if day is None else day
    if alignment is None:
        alignment = Alignment.ANNIVERSARY if day is None else Alignment.DAY_OF_MONTH
    wanted = day if alignment is Alignment.DAY_OF_MONTH else None
    if alignment is Alignment.ANNIVERSARY and day not in (None, start.day):
        raise NotCoveredError(f"an anniversary of {start} with billing day {day}")
    return first_boundary(start, alignment, months=months, day=wanted)


def contract_of(fields: Fields, *, start: date | None = None, months: int | None = 1) -> Told:
    """The item and its terms; `start` is the first billable day where that is not the contract's own start."""
    begins = start or fields.day(*START)
    if fields.has("period") and isinstance(fields.take("period"), list):
        raise NotCoveredError("a period beside a start")
    length = months_of(fields, default=months)
    boundary, wanted = boundary_of(fields, begins, length)
    end = fields.day(*END, default=None)
    price, quantity = price_of(fields, length), fields.number("quantity", "qty", "units", default=Decimal(1))
    item = Item(
        id=1,
        kind=ItemKind.PLAN,
        family="access",
        quantity=quantity,
        period_price=price or Decimal(0),
        cycle=Cycle(boundary, wanted, length),
        starts_on=begins,
        ends_on=end,
        billed_through=begins,
    )
    return Told(item, terms_of(fields), price is not None)


def price_of(fields: Fields, months: int) -> Decimal | None:
    """What a whole period costs; a price of a month counts once for each month."""
    by_month = fields.number("month_price", "monthly_price", "price_per_month", default=None)
    price = fields.number("price", "period_price", "recurring_price", "amount", "fee", "unit_price", default=None)
    return price if by_month is None else by_month * months


def terms_of(fields: Fields) -> Terms:
    """How the item is counted and falls due."""
    return Terms(
        currency_of(fields),
        timing=fields.word(MODES, "mode", "timing", "billing_mode", "pay", "pay_in_advance", default=Timing.ANTICIPATED),
        basis=fields.word(BASES, "basis", "day_count", "proration_basis", default=Basis.ACTUAL),
        opening=fields.word(OPENINGS, "opening", "opening_part", "first_part", "proration_behavior", default=Opening.PRORATE),
        fixed_day=fields.whole("fixed_day", "issue_day", "invoice_day", default=None),
        lead_days=fields.whole("lead_days", "days_before", "days_in_advance", "prepare_days", default=0),
    )  # fmt: skip


def told_charges(charges: list[Charge] | tuple[Charge, ...], *, priced: bool) -> list[dict[str, Any]]:
    """Charges as cases write segments."""
    return [told_part(one.part, one.units, one.of, one.net if priced else None) for one in charges]


def told_part(part: Period, units: int, of: int, net: Money | None) -> dict[str, Any]:
    """A part of a period as a case writes it; `net` first of what one value can stand for."""
    told: dict[str, Any] = {"from": part.start.isoformat(), "to": part.end.isoformat()}
    if net is not None:
        told |= {"net": shown(net), "amount": shown(net), "price": shown(net)}
    return {**told, "units": units, "of": of, "days": (part.end - part.start).days}


def sum_of(amounts: list[Money], currency: str) -> str:
    """Their sum as a case writes it."""
    return shown(total(amounts, currency))


def interval_of(value: Any, what: str) -> tuple[date, date | None]:
    """A time as a list of two days, or an object; its end may be open."""
    if isinstance(value, list) and len(value) == 2:
        return as_day(value[0]), None if value[1] is None else as_day(value[1])
    if isinstance(value, dict):
        fields = Fields(value, what)
        start = fields.day("from", "since", "start", "begin", "suspended_on", "suspend", "pause")
        end = fields.day("to", "until", "end", "resumed_on", "lifted_on", "resume", default=None)
        fields.take("origin", "level", "reason", "rule", "billing", default=None)
        fields.done()
        return start, end
    raise NotCoveredError(f"{what} {value!r} is no time")
