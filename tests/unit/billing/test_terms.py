"""How long a contract binds, and what leaving costs: days and amounts counted by hand."""

from __future__ import annotations

from datetime import date

import pytest

from billing.money import Money
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
TABLE = ExitTable(
    ((0, Money(12000, "EUR")), (6, Money(9000, "EUR")), (12, Money(4000, "EUR"))), Money(3000, "EUR")
)  # fmt: skip
RENEWED = Binding(D("2026-03-01"), renew_months=12, notice_days=60)


@pytest.mark.parametrize(
    ("start", "end", "months"),
    [
        ("2026-01-31", "2026-02-27", 0),
        ("2026-01-31", "2026-02-28", 1),
        ("2026-01-15", "2026-02-14", 0),
        ("2026-01-15", "2027-01-15", 12),
        ("2026-01-15", "2026-01-15", 0),
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
    late = ExitTable(((3, Money(5000, "EUR")),), Money(3000, "EUR"))
    day = D("2026-01-01")
    assert not exit_cost(TABLE, starts_on=day, ends_on=D("2026-02-01"), minimum_until=None)
    assert not exit_cost(late, starts_on=day, ends_on=D("2026-03-31"), minimum_until=D("2027-01-01"))
    assert exit_cost(late, starts_on=day, ends_on=D("2026-04-01"), minimum_until=D("2027-01-01")).minor == 5000


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


def test_withdrawal_is_open_to_the_fourteenth_day_after_signing():
    signed = D("2026-05-01")
    assert may_withdraw(signed, D("2026-05-15"))
    assert not may_withdraw(signed, D("2026-05-16"))
    assert not may_withdraw(signed, D("2026-04-30"))


def test_a_change_by_the_issuer_opens_the_door_for_sixty_days():
    assert leaves_free((D("2026-01-01"),), D("2026-03-02"))
    assert not leaves_free((D("2026-01-01"),), D("2026-03-03"))
    assert not leaves_free((), D("2026-03-02"))
