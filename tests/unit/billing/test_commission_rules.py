"""Rules of commissions: when one holds, which one takes a line, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from billing.commission_rules import Rule, RuleKind, months_after, precedence, refuse_rule
from billing.money import Money

TEN = Rule(1, RuleKind.RECURRING, percent=Decimal(10))


def test_a_rule_holds_from_its_first_day_up_to_and_with_its_last():
    rule = replace(TEN, since=date(2026, 2, 1), until=date(2026, 2, 28))
    days = (date(2026, 1, 31), date(2026, 2, 1), date(2026, 2, 28), date(2026, 3, 1))
    assert [rule.holds(day) for day in days] == [False, True, True, False]
    assert TEN.holds(date(1990, 1, 1))


def test_an_agents_own_rule_comes_before_everybodys_and_a_products_before_all_products():
    everybody, product = TEN, replace(TEN, id=2, product_id=7)
    own, own_product = replace(TEN, id=3, agent_id=5), replace(TEN, id=4, agent_id=5, product_id=7)
    rules = [everybody, product, own, own_product]
    assert [rule.id for rule in sorted(rules, key=precedence)] == [4, 3, 2, 1]


def test_months_end_on_the_same_day_or_the_months_last():
    assert months_after(date(2026, 1, 31), 1) == date(2026, 2, 28)
    assert months_after(date(2026, 1, 31), 2) == date(2026, 3, 31)
    assert months_after(date(2024, 2, 29), 24) == date(2026, 2, 28)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"percent": None}, "a rule gives so many percent, or an amount"),
        ({"flat": Money(500, "EUR")}, "a rule gives so many percent, or an amount"),
        ({"percent": Decimal(0)}, "0 percent"),
        ({"percent": Decimal("100.01")}, "100.01 percent"),
        ({"percent": None, "flat": Money(0, "EUR")}, "a commission of 0.00 EUR"),
        ({"since": date(2026, 2, 2), "until": date(2026, 2, 1)}, "a rule from 2026-02-02 up to 2026-02-01"),
        ({"months": 0}, "earns for 0 months"),
        ({"survives_months": 601}, "survives 601 months"),
        ({"kind": RuleKind.ONE_OFF, "months": 3}, "a one-off commission is earned once"),
        ({"after_periods": 0}, "payable after 0 paid invoices"),
    ],
)
def test_what_is_no_rule_is_refused(change, words):
    refused = refuse_rule(replace(TEN, **change))
    assert refused is not None
    assert refused.message.startswith(words)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"percent": Decimal(100), "months": 600, "survives_months": 1, "after_periods": 1},
        {"percent": None, "flat": Money(1, "EUR"), "kind": RuleKind.ONE_OFF},
        {"since": date(2026, 2, 1), "until": date(2026, 2, 1)},
    ],
)
def test_what_is_a_rule_is_taken(change):
    assert refuse_rule(replace(TEN, **change)) is None
