"""A policy as a file says it, and what is told of a file that can't be read."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, time

import pytest
from support.dunning_policies import ECUADOR, ITALY, SINCE, errors_of, policy_of

from billing.contract_facts import Level
from billing.dunning.floor import Channel
from billing.dunning.guard import Hours
from billing.dunning.policy import LEVELS, Contracts
from billing.dunning.policy_data import default_policy, read_policy
from billing.money import Money


def steps_told(policy):
    return [(one.offset_days, one.action.value, one.counted_from.value) for one in policy.steps]


def test_italy_s_first_policy_is_that_of_the_billing_model():
    assert steps_told(policy_of(ITALY)) == [
        (-3, "notify", "due"),
        (3, "notify", "due"),
        (16, "notify", "due"),
        (0, "throttle", "not_before"),
        (3, "walled", "not_before"),
        (14, "suspend", "not_before"),
        (60, "propose_end", "not_before"),
    ]
    (formal,) = [one for one in policy_of(ITALY).steps if one.is_formal]
    assert (formal.code, formal.channel) == ("formal_notice", Channel.CERTIFIED_MAIL)
    assert LEVELS[policy_of(ITALY).steps[5].action] is Level.BLOCKED


def test_elsewhere_it_is_the_plain_one():
    assert steps_told(policy_of(ECUADOR)) == [
        (-3, "notify", "due"),
        (3, "notify", "due"),
        (8, "notify", "due"),
        (16, "throttle", "due"),
        (22, "walled", "due"),
        (40, "suspend", "due"),
    ]
    assert policy_of(ECUADOR).guard.closed.country == "EC"


def test_all_that_a_policy_may_say_is_read():
    policy = policy_of(
        ITALY,
        min_debt={"EUR": "5.00"},
        contracts="each",
        guard={
            "hours": ["09:00-12:30", "14:00-16:00"],
            "weekdays": ["fri", "sun"],
            "region": "MI",
            "days": [date(2026, 8, 14), "2026-08-13"],
            "eves_of_holidays": False,
        },
        promise={"hours": 72, "per_case": "none", "per_month": 1, "max_debt": {"EUR": "300"}, "refused_days": 10},
    )

    assert policy.contracts is Contracts.EACH
    assert policy.min_debt == (Money(500, "EUR"),)
    assert policy.guard.hours == (Hours(time(9), time(12, 30)), Hours(time(14), time(16)))
    assert policy.guard.closed.weekdays == {4, 6}
    assert policy.guard.closed.days == {date(2026, 8, 14), date(2026, 8, 13)}
    assert (policy.guard.closed.region, policy.guard.closed.eves_of_holidays) == ("MI", False)
    assert (policy.promise.hours, policy.promise.per_case, policy.promise.per_month) == (72, None, 1)
    assert policy.promise.max_debt == (Money(30000, "EUR"),)


def test_a_policy_comes_back_from_json_as_it_was():
    data = default_policy(ITALY) | {"guard": {"days": ["2026-08-14"]}, "min_debt": {"EUR": "5.00"}}

    assert read_policy(json.loads(json.dumps(data)), ITALY, since=SINCE) == read_policy(data, ITALY, since=SINCE)
    assert read_policy(data, ITALY, version=4, since=SINCE) == replace(policy_of(ITALY, **data), version=4)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"name": ""}, (None, "name")),
        ({"colour": "red"}, (None, "colour")),
        ({"contracts": "some"}, (None, "contracts")),
        ({"min_debt": {"EUR": "5.001"}}, (None, "min_debt")),
        ({"min_debt": {"EUR": "five"}}, (None, "min_debt")),
        ({"min_debt": {"EUR": "Infinity"}}, (None, "min_debt")),
        ({"min_debt": 5}, (None, "min_debt")),
        ({"step": 7}, (None, "step")),
        ({"step": ["x"]}, (None, "step")),
        ({"guard": {"hours": ["nine"]}}, (None, "guard.hours")),
        ({"guard": {"weekdays": ["domenica"]}}, (None, "guard.weekdays")),
        ({"guard": {"days": ["soon"]}}, (None, "guard.days")),
        ({"guard": {"region": "Atlantis"}}, (None, "guard.region")),
        ({"guard": {"moon": True}}, (None, "guard.moon")),
        ({"guard": {"easter_monday": 1}}, (None, "guard.easter_monday")),
        ({"promise": {"per_case": "few"}}, (None, "promise.per_case")),
        ({"promise": {"hours": True}}, (None, "promise.hours")),
        ({"scope": {"colour": ["red"]}}, (None, "scope.colour")),
        ({"shorter_notice": {"days": 3}}, (None, "shorter_notice.reason")),
    ],
)
def test_what_cannot_be_read_is_told_by_its_field(change, where):
    assert where in errors_of(ITALY, **change)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"offset_days": "3"}, ("reminder", "offset_days")),
        ({"offset_days": None}, ("reminder", "offset_days")),
        ({"action": "shout"}, ("reminder", "action")),
        ({"action": None}, ("reminder", "action")),
        ({"channel": "pigeon"}, ("reminder", "channel")),
        ({"counted_from": "birth"}, ("reminder", "counted_from")),
        ({"code": None}, ("2", "code")),
        ({"loud": True}, ("reminder", "loud")),
        ({"min_debt": {"EUR": "x"}}, ("reminder", "min_debt")),
        ({"confirm": "yes"}, ("reminder", "confirm")),
    ],
)
def test_what_cannot_be_read_of_a_step_is_told_by_step_and_field(change, where):
    assert where in errors_of(ITALY, steps={"reminder": change})
