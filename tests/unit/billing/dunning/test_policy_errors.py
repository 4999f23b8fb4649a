"""What is wrong with a policy is told by step and field, and none goes below the law."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.dunning_policies import ECUADOR, ITALY, SINCE, errors_of, policy_of

from billing.dunning.guard import Hours
from billing.dunning.policy_data import default_policy, read_policy
from billing.dunning.policy_errors import policy_errors
from billing.money import Money

COMPANIES = {"customer_kinds": ["company"]}


def test_the_policies_to_begin_with_are_right_where_they_are_for():
    assert errors_of(ITALY) == []
    assert errors_of(ECUADOR) == []


@pytest.mark.parametrize(
    ("step", "change", "field"),
    [
        # The least that the law asks: L. 160/2019 art. 1 c. 291.
        ("formal_notice", {"channel": "email"}, "channel"),
        ("formal_notice", {"offset_days": 14}, "offset_days"),
        ("throttle", {"needs_notice_days": 39}, "needs_notice_days"),
        ("throttle", {"counted_from": "due", "offset_days": 55}, "offset_days"),
    ],
)
def test_a_step_below_the_law_is_refused_with_its_source(step, change, field):
    assert errors_of(ITALY, steps={step: change}) == [(step, field)]
    data = default_policy(ITALY)
    data["step"] = [one | change if one["code"] == step else one for one in data["step"]]
    (refused,) = read_policy(data, ITALY, since=SINCE)
    assert refused.below_floor
    assert "L. 160/2019" in str(refused)


@pytest.mark.parametrize(
    ("step", "change"),
    [
        ("formal_notice", {"channel": "registered_letter"}),
        ("formal_notice", {"offset_days": 15}),
        ("throttle", {"needs_notice_days": 40}),
        ("throttle", {"counted_from": "due", "offset_days": 56}),
    ],
)
def test_what_is_just_as_the_law_asks_is_accepted(step, change):
    assert errors_of(ITALY, steps={step: change}) == []


def test_without_a_formal_notice_nothing_is_limited_in_italy():
    without = [one for one in default_policy(ITALY)["step"] if one["code"] != "formal_notice"]

    assert errors_of(ITALY, step=without) == [("throttle", "action"), ("walled", "action"), ("blocked", "action")]
    # The plain policy is one of them: its notice is an e-mail of day 8.
    plain = errors_of(ITALY, step=default_policy(ECUADOR)["step"])
    assert ("notice", "channel") in plain
    assert ("notice", "offset_days") in plain
    assert {step for step, _ in plain} == {"notice", "throttle", "walled", "blocked"}


def test_all_services_are_touched_only_where_the_law_lets_them():
    assert errors_of(ITALY, contracts="all") == [(None, "contracts")]
    assert errors_of(ITALY, contracts="each") == []
    assert errors_of(ECUADOR, contracts="all") == []


def test_only_companies_may_have_agreed_to_fewer_days():
    shorter = {"days": 15, "reason": "contract, art. 9"}

    assert errors_of(ITALY, shorter_notice=shorter, scope=COMPANIES) == []
    assert errors_of(ITALY, shorter_notice=shorter) == [(None, "shorter_notice")]
    both = {"customer_kinds": ["company", "person"]}
    assert errors_of(ITALY, shorter_notice=shorter, scope=both) == [(None, "shorter_notice")]
    assert errors_of(ITALY, shorter_notice={"days": -1, "reason": "x"}, scope=COMPANIES) == [(None, "shorter_notice")]
    assert errors_of(ITALY, shorter_notice={"days": 15, "reason": " "}, scope=COMPANIES) == [(None, "shorter_notice")]
    early = {"throttle": {"counted_from": "due", "offset_days": 31}}
    assert errors_of(ITALY, shorter_notice=shorter, scope=COMPANIES, steps=early) == []


@pytest.mark.parametrize(
    ("step", "change", "field"),
    [
        ("reminder", {"code": "Reminder 1"}, "code"),
        ("reminder", {"offset_days": 541}, "offset_days"),
        ("throttle", {"offset_days": -1, "needs_notice_days": None}, "offset_days"),
        ("due_soon", {"is_formal": True}, "is_formal"),
        ("throttle", {"offset_days": -1, "counted_from": "not_before"}, "offset_days"),
        ("reminder", {"channel": None}, "channel"),
        ("reminder", {"template": None}, "template"),
        ("throttle", {"template": None}, "template"),
        ("throttle", {"is_formal": True, "needs_notice_days": None}, "is_formal"),
        ("reminder", {"fee_product": "LATE"}, "fee_product"),
        ("reminder", {"action": "fee"}, "fee_product"),
        ("reminder", {"min_documents": 0}, "min_documents"),
        ("reminder", {"min_debt": {"EUR": "-1"}}, "min_debt"),
        ("throttle", {"needs_notice_days": -1}, "needs_notice_days"),
        ("notice", {"needs_notice_days": 3}, "needs_notice_days"),
        ("notice", {"counted_from": "not_before"}, "counted_from"),
    ],
)
def test_what_is_wrong_with_a_step_names_it_and_the_field(step, change, field):
    assert (change.get("code", step), field) in errors_of(ECUADOR, steps={step: change})


def test_what_is_wrong_with_the_policy_itself_names_its_field():
    assert errors_of(ECUADOR, step=[]) == [(None, "steps")]
    twice = default_policy(ECUADOR)["step"][:1] * 2
    assert errors_of(ECUADOR, step=twice) == [("due_soon", "code")]
    assert errors_of(ECUADOR, promise={"hours": 0, "per_case": -1}) == [
        (None, "promise.hours"),
        (None, "promise.per_case"),
    ]
    assert errors_of(ECUADOR, min_debt={"USD": "-5"}) == [(None, "min_debt")]
    assert errors_of(ECUADOR, promise={"max_debt": {"USD": "-5"}}) == [(None, "promise.max_debt")]
    assert (None, "guard.hours") in errors_of(ECUADOR, guard={"hours": ["17:00-09:00"]})
    assert (None, "guard.weekdays") in errors_of(ECUADOR, guard={"weekdays": ["mon", "wed", "fri", "sun"]})
    assert errors_of(ECUADOR, guard={"weekdays": ["mon", "wed", "fri", "sun"], "eves_of_weekends": False}) == []
    needs = [one for one in default_policy(ECUADOR)["step"] if one["code"] != "notice"]
    assert ("throttle", "needs_notice_days") in errors_of(ECUADOR, step=needs)


def test_an_amount_of_a_currency_is_told_once_and_a_step_s_own_guard_is_looked_at_too():
    policy = policy_of(ECUADOR)

    twice = replace(policy, min_debt=(Money(1, "USD"), Money(2, "USD")))
    assert [(one.step, one.field) for one in policy_errors(twice)] == [(None, "min_debt")]
    own = replace(policy.guard, hours=(Hours(policy.guard.hours[0].ends, policy.guard.hours[0].begins),))
    steps = (*policy.steps[:-1], replace(policy.steps[-1], guard=own))
    assert [(one.step, one.field) for one in policy_errors(replace(policy, steps=steps))] == [
        ("blocked", "guard.hours")
    ]
    assert policy_errors(replace(policy, guard=replace(policy.guard, hours=()))) != ()
