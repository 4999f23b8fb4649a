"""Which policy is whose, and from when."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from support.dunning_policies import ECUADOR, ITALY, policy_of

from billing.dunning.policy import Scope, amount_in, policy_for
from billing.money import Money

DAY = date(2026, 3, 1)
BASE = policy_of(ITALY)
COMPANIES = replace(BASE, name="companies", scope=Scope(customer_kinds=frozenset({"company"})))
FIBRE = replace(BASE, name="fibre", scope=Scope(profiles=frozenset({"fibre"})))
BY_SLIP = replace(BASE, name="by slip", scope=Scope(frozenset({"company"}), frozenset({"slip"})))


@pytest.mark.parametrize(
    ("kind", "method", "profile", "name"),
    [
        ("person", None, None, "formal notice"),
        ("company", None, None, "companies"),
        ("company", "slip", None, "by slip"),
        ("person", "slip", None, "formal notice"),
        ("company", "slip", "fibre", "fibre"),
    ],
)
def test_the_policy_that_fits_most_exactly_is_the_customers(kind, method, profile, name):
    policies = [BASE, COMPANIES, FIBRE, BY_SLIP]

    for order in (policies, policies[::-1]):
        found = policy_for(order, customer_kind=kind, method=method, profile=profile, today=DAY)
        assert found is not None
        assert found.name == name


def test_the_newest_version_in_force_holds_and_one_of_tomorrow_does_not():
    second = replace(BASE, version=2, since=DAY)
    third = replace(BASE, version=3, since=date(2026, 3, 2))

    def version_on(day):
        found = policy_for([BASE, third, second], customer_kind="person", method=None, profile=None, today=day)
        return None if found is None else found.version

    assert [version_on(date(2025, 12, 31)), version_on(date(2026, 2, 28)), version_on(DAY), version_on(date(2026, 3, 2))] == [None, 1, 2, 3]  # fmt: skip


def test_the_law_of_italy_asks_for_forty_days_since_2020_and_nothing_is_asked_elsewhere():
    assert BASE.notice_days(DAY) == 40
    assert BASE.notice_days(date(2019, 12, 31)) == 0
    assert policy_of(ECUADOR).notice_days(DAY) == 0
    company = policy_of(
        ITALY, scope={"customer_kinds": ["company"]}, shorter_notice={"days": 15, "reason": "contract, art. 9"}
    )
    assert company.notice_days(DAY) == 15


def test_thresholds_are_a_currencys_own():
    policy = policy_of(ITALY, min_debt={"EUR": "5.00", "USD": "6"})

    assert policy.threshold("EUR") == Money(500, "EUR")
    assert policy.threshold("CLP") == Money(0, "CLP")
    assert amount_in((), "EUR") == Money(0, "EUR")


def test_a_policy_that_is_off_is_nobodys_and_the_others_hold():
    off = replace(COMPANIES, name="a company off", version=2, steps=(), scope=Scope())

    found = policy_for([BASE, replace(COMPANIES, name="a company off"), off], customer_kind="company", method=None, profile=None, today=DAY)  # fmt: skip
    assert found is BASE
    assert policy_for([replace(BASE, steps=())], customer_kind="person", method=None, profile=None, today=DAY) is None
