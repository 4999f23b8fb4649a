"""How long a contract binds, and what leaving costs: days and amounts counted by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from billing.charges import Discount, DiscountKind, Item, ItemKind, Terms
from billing.money import Money
from billing.periods import Cycle, Timing
from billing.terms import (
    Binding,
    ExitTable,
    earliest_end,
    exit_cost,
    is_renewed,
    leaves_free,
    may_withdraw,
    notice_due,
    term_end,
    term_until,
    whole_months,
)

D = date.fromisoformat


def exits(*steps, discounts=()):
    """A table for a plan of 30.00 a month from 1 January 2026."""
    day = D("2026-01-01")
    plan = Item(1, ItemKind.PLAN, "access", Decimal(1), Decimal(30), Cycle(day, 1, 1), day, None, day)
    return ExitTable(tuple((month, Money(cost, "EUR")) for month, cost in steps), plan, Terms("EUR"), discounts)


TABLE = exits((0, 12000), (6, 9000), (12, 4000))
RENEWED = Binding(D("2026-03-01"), renew_months=12, notice_days=60)


@pytest.mark.parametrize(
    ("start", "end", "months"),
    [
        ("2026-01-31", "2026-02-27", 0),
        ("2026-01-31", "2026-02-28", 1),
        ("2026-01-15", "2026-02-14", 0),
        ("2026-01-15", "2027-01-15", 12),
        ("2026-01-15", "2026-01-15", 0),
        ("2026-01-15", "2029-01-15", 36),
        ("2026-01-15", "2026-04-14", 2),
        ("2026-05-15", "2026-01-20", 0),  # an end before the start
    ],
)
def test_months_of_service_are_whole_ones_and_the_last_day_stands_for_a_missing_one(start, end, months):
    assert whole_months(D(start), D(end)) == months


def test_a_term_ends_on_the_same_day_of_the_month_or_on_its_last():
    assert term_until(D("2024-02-29"), 12) == D("2025-02-28")
    assert term_until(D("2026-01-10"), 24) == D("2028-01-10")


@pytest.mark.parametrize(
    ("ends_on", "cost"),
    [
        ("2026-03-01", 12000),  # two months served: the first step
        ("2026-06-30", 12000),  # five whole months
        ("2026-07-01", 9000),
        ("2027-01-01", 4000),
        ("2027-12-01", 3000),  # one month of 30.00 was left to pay: less than the table's 40.00
        ("2027-12-17", 1452),  # 15 of 31 days of it: 3000 * 15 / 31 = 1451.6
        ("2028-01-01", 0),
        ("2028-05-01", 0),
    ],
)
def test_leaving_early_costs_what_the_table_says_and_never_more_than_was_left_to_pay(ends_on, cost):
    got = exit_cost(TABLE, starts_on=D("2026-01-01"), ends_on=D(ends_on), minimum_until=D("2028-01-01"))
    assert got == Money(cost, "EUR")


def test_leaving_costs_nothing_without_a_minimum_term_or_before_the_tables_first_step():
    late = exits((3, 5000))
    day = D("2026-01-01")
    assert not exit_cost(TABLE, starts_on=day, ends_on=D("2026-02-01"), minimum_until=None)
    assert not exit_cost(late, starts_on=day, ends_on=D("2026-03-31"), minimum_until=D("2027-01-01"))
    assert exit_cost(late, starts_on=day, ends_on=D("2026-04-01"), minimum_until=D("2027-01-01")).minor == 5000


@pytest.mark.parametrize(
    ("discounts", "cost"),
    [
        ((), 6000),  # two months of 30.00 were left
        ((Discount(1, DiscountKind.PERCENT, Decimal(50), D("2026-01-01")),), 3000),
        (
            (Discount(1, DiscountKind.PERCENT, Decimal(50), D("2026-01-01"), D("2027-12-01")),),
            4500,
        ),  # in its first month
        ((Discount(1, DiscountKind.FIXED, Decimal(10), D("2026-01-01"), family="access"),), 4000),
        ((Discount(1, DiscountKind.FIXED, Decimal(10), D("2026-01-01"), family="voice"),), 6000),  # not the plan's
        ((Discount(1, DiscountKind.PERCENT, Decimal(100), D("2026-01-01")),), 0),
    ],
)
def test_what_was_left_to_pay_is_less_by_the_discounts_that_it_would_have_had(discounts, cost):
    dear = exits((0, 10000), discounts=discounts)
    got = exit_cost(dear, starts_on=D("2026-01-01"), ends_on=D("2027-11-01"), minimum_until=D("2028-01-01"))
    assert got == Money(cost, "EUR")


@pytest.mark.parametrize("timing", Timing)
def test_when_the_rest_would_have_been_due_does_not_change_what_it_is(timing):
    late = replace(TABLE, terms=Terms("EUR", timing=timing, fixed_day=20, lead_days=10))
    got = exit_cost(late, starts_on=D("2026-01-01"), ends_on=D("2027-12-01"), minimum_until=D("2028-01-01"))
    assert got == Money(3000, "EUR")


@pytest.mark.parametrize(
    ("day", "end", "renewed"),
    [("2026-02-28", "2026-03-01", False), ("2026-03-01", "2027-03-01", True), ("2027-03-01", "2028-03-01", True)],
)
def test_a_term_is_renewed_tacitly_from_its_end_on(day, end, renewed):
    assert (term_end(RENEWED, D(day)), is_renewed(RENEWED, D(day))) == (D(end), renewed)


def test_a_term_without_renewal_is_followed_by_none():
    once = Binding(D("2026-03-01"), notice_days=30)
    assert (term_end(once, D("2026-02-28")), term_end(once, D("2026-03-01"))) == (D("2026-03-01"), None)
    assert term_end(Binding(), D("2026-03-01")) is None


def test_the_notice_says_whether_the_term_is_renewed_or_ends():
    assert notice_due(RENEWED, D("2025-10-01")) == ("renewal", D("2025-12-31"))
    assert notice_due(Binding(D("2026-03-01"), notice_days=30), D("2025-10-01")) == ("expiry", D("2026-01-30"))
    assert notice_due(Binding(), D("2025-10-01")) is None


def test_after_a_tacit_renewal_nobody_gives_more_than_thirty_days_notice():
    assert earliest_end(RENEWED, D("2026-02-28")) == D("2026-04-29")  # the agreed 60 days
    assert earliest_end(RENEWED, D("2026-03-01")) == D("2026-03-31")
    assert earliest_end(Binding(D("2026-03-01"), 12, 10), D("2026-03-01")) == D("2026-03-11")
    assert earliest_end(Binding(), D("2026-03-01")) == D("2026-03-01")  # no notice was agreed
    # Where nothing renews it, nothing shortens the notice.
    assert earliest_end(Binding(D("2026-03-01"), notice_days=60), D("2026-03-01")) == D("2026-04-30")
    assert earliest_end(Binding(renew_months=12, notice_days=60), D("2026-03-01")) == D("2026-04-30")


def test_withdrawal_is_open_to_the_fourteenth_day_after_signing():
    signed = D("2026-05-01")
    assert may_withdraw(signed, signed)
    assert may_withdraw(signed, D("2026-05-15"))
    assert not may_withdraw(signed, D("2026-05-16"))
    assert not may_withdraw(signed, D("2026-04-30"))


def test_a_change_by_the_issuer_opens_the_door_for_sixty_days():
    assert leaves_free((D("2026-01-01"),), D("2026-01-01"))
    assert not leaves_free((D("2026-01-01"),), D("2025-12-31"))
    assert leaves_free((D("2026-01-01"),), D("2026-03-02"))
    assert not leaves_free((D("2026-01-01"),), D("2026-03-03"))
    assert not leaves_free((), D("2026-03-02"))
