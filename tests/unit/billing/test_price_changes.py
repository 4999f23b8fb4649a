"""New prices for what is agreed: on which boundary, how much, and what it comes to."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.periods import Cycle
from billing.price_changes import (
    NOTICE,
    PriceChange,
    PriceChangeError,
    PricedItem,
    boundary_from,
    check_day,
    new_price_for,
    price_totals,
)

MONTHLY = PricedItem(
    1,
    7,
    "EUR",
    False,
    Decimal(1),
    Decimal("29.90"),
    Cycle(date(2026, 1, 31), 31, 1),
    date(2026, 1, 31),
    None,
    date(2026, 5, 31),
)


@pytest.mark.parametrize(
    ("day", "on"),
    [
        (date(2026, 6, 1), date(2026, 6, 30)),
        (date(2026, 6, 30), date(2026, 6, 30)),
        (date(2026, 7, 1), date(2026, 7, 31)),
        (date(2027, 2, 1), date(2027, 2, 28)),
        (date(2026, 2, 1), date(2026, 5, 31)),  # billed to there
    ],
)
def test_a_new_price_holds_from_the_first_boundary_that_is_not_billed(day, on):
    new = new_price_for(MONTHLY, PriceChange(Decimal("32.90")), day)
    assert (new.on, new.period_price, new.told_by) == (on, Decimal("32.90"), on - timedelta(days=30))


def test_a_year_paid_ahead_changes_where_it_ends_at_twelve_times_the_month():
    yearly = replace(MONTHLY, cycle=Cycle(date(2026, 1, 31), 31, 12), billed_through=date(2027, 1, 31))
    new = new_price_for(yearly, PriceChange(Decimal("32.90")), date(2026, 6, 1))
    assert (new.on, new.period_price) == (date(2027, 1, 31), Decimal("394.80"))


@pytest.mark.parametrize(
    ("before", "percent", "after"),
    [
        ("29.90", "4.5", "31.25"),  # 31.2455
        ("29.90", "-10", "26.91"),
        ("0.10", "5", "0.11"),  # 0.105, half away from zero
        ("29.90", "-100", "0.00"),
    ],
)
def test_a_percentage_is_of_what_each_has_rounded_to_the_currency(before, percent, after):
    item = replace(MONTHLY, period_price=Decimal(before))
    assert new_price_for(item, PriceChange(percent=Decimal(percent)), date(2026, 7, 1)).period_price == Decimal(after)


@pytest.mark.parametrize(
    ("quantity", "before", "percent", "after"),
    [
        ("1000", "0.004", "5", "0.0042"),
        ("1000", "0.004", "-100", "0"),
        ("3", "5.00", "4.5", "5.225"),
        ("7", "0.33333333", "0.1", "0.33366666"),  # 0.33366666333
    ],
)
def test_a_unit_of_many_keeps_a_price_below_the_smallest_coin(quantity, before, percent, after):
    item = replace(MONTHLY, quantity=Decimal(quantity), period_price=Decimal(before))
    assert new_price_for(item, PriceChange(percent=Decimal(percent)), date(2026, 7, 1)).period_price == Decimal(after)


def test_what_ends_before_or_has_the_price_is_left_alone():
    change = PriceChange(Decimal("32.90"))
    ends = replace(MONTHLY, ends_on=date(2026, 6, 30))
    assert new_price_for(ends, change, date(2026, 6, 1)) is None
    assert new_price_for(replace(ends, ends_on=date(2026, 7, 1)), change, date(2026, 6, 1)) is not None
    assert new_price_for(replace(MONTHLY, period_price=Decimal("32.90000000")), change, date(2026, 6, 1)) is None


def test_totals_are_what_a_month_comes_to_by_currency_and_tax():
    yearly = replace(MONTHLY, cycle=Cycle(date(2026, 1, 31), 31, 12), period_price=Decimal(300), quantity=Decimal(2))
    gross = replace(MONTHLY, includes_tax=True)
    prices = [
        new_price_for(one, PriceChange(percent=Decimal(10)), date(2026, 7, 1)) for one in (MONTHLY, yearly, gross)
    ]
    net, tax = price_totals(prices)
    # 29.90 + 2 x 300 / 12 = 79.90; 32.89 + 2 x 330 / 12 = 87.89
    assert (net.items, str(net.before), str(net.after)) == (2, "79.90 EUR", "87.89 EUR")
    assert (tax.includes_tax, str(tax.after)) == (True, "32.89 EUR")


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"month_price": Decimal(1), "percent": Decimal(1)},
        {"month_price": Decimal(-1)},
        {"percent": Decimal("-100.1")},
    ],
)
def test_a_change_that_is_none_is_refused(given):
    with pytest.raises(PriceChangeError):
        PriceChange(**given)


def test_nobody_is_told_later_than_thirty_days_before():
    check_day(date(2026, 7, 1), date(2026, 6, 1))
    with pytest.raises(PriceChangeError, match="2026-07-01 is the first day"):
        check_day(date(2026, 6, 30), date(2026, 6, 1))


@given(
    wanted=st.integers(1, 31),
    months=st.integers(1, 12),
    day=st.dates(date(2024, 1, 1), date(2032, 12, 31)),
    through=st.dates(date(2024, 1, 1), date(2032, 12, 31)),
)
def test_the_day_is_always_a_boundary_at_or_after_what_is_asked_and_billed_and_less_than_a_period_later(
    wanted, months, day, through
):
    anchor = date(2024, 1, wanted)
    cycle = Cycle(anchor, wanted, months)
    on = boundary_from(cycle, max(day, through))
    assert on >= max(day, through)
    assert on in {cycle.boundary(k) for k in range(-200, 200)}
    assert not any(max(day, through) <= cycle.boundary(k) < on for k in range(-200, 200))
    assert (
        new_price_for(
            replace(MONTHLY, cycle=cycle, starts_on=anchor, billed_through=through), PriceChange(Decimal(1)), day
        ).told_by
        == on - NOTICE
    )
