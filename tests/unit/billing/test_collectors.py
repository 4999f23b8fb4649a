"""Collectors: what a scope is as it is typed, and what nobody takes at the door."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from billing.collectors import Collector, Scope, ScopeKind, read_scope, reference_of, refuse_collecting
from billing.payments import Method, MethodKind, NotDone

CASH = Method(1, 1, "cash", "Cash", MethodKind.CASH)
CARLA = Collector(3, 1, "Carla", None, 1, "RE", None, active=True)


@pytest.mark.parametrize(
    ("text", "scope"),
    [
        ("everyone", Scope(ScopeKind.EVERYONE)),
        ("City: San Juan ", Scope(ScopeKind.CITY, "San Juan")),
        ("customer:17", Scope(ScopeKind.CUSTOMER, "17")),
        ("group:north:2", Scope(ScopeKind.GROUP, "north:2")),
        ("postal_code:101", Scope(ScopeKind.POSTAL_CODE, "101")),
    ],
)
def test_a_scope_as_it_is_typed(text, scope):
    assert read_scope(text) == scope
    assert str(read_scope(text, through=date(2026, 3, 31))) == f"{scope} until 2026-03-31"


def test_a_scope_as_it_is_told():
    told = [str(read_scope(text)) for text in ("everyone", "city:Asti")]
    assert told == ["everyone", "city:Asti"]
    assert "such as customer:17" in read_scope("customer:").message
    assert "such as city:NAME" in read_scope("city:").message


@pytest.mark.parametrize("text", ["", "zone:7", "everyone:x", "city:", "city", "customer:Anna"])
def test_what_is_no_scope_is_refused_with_an_example(text):
    assert isinstance(read_scope(text), NotDone)


def test_two_collectors_may_use_the_same_key():
    assert reference_of(3, "a") == "collector 3: a" != reference_of(4, "a")


@pytest.mark.parametrize(
    ("collector", "method", "key", "words"),
    [
        (replace(CARLA, active=False), CASH, "k", "Carla collects no more"),
        (CARLA, replace(CASH, name="Debit", kind=MethodKind.DIRECT_DEBIT), "k", "Debit is not paid to a collector"),
        (CARLA, replace(CASH, name="Page", kind=MethodKind.GATEWAY), "k", "Page is not paid to a collector"),
        (CARLA, replace(CASH, issuer_id=2), "k", "Carla collects for another issuer"),
        (CARLA, CASH, " ", "each payment has a key of its own"),
        (CARLA, CASH, "k" * 151, "each payment has a key of its own"),
    ],
)
def test_what_is_not_collected(collector, method, key, words):
    refused = refuse_collecting(collector, method, key)
    assert refused is not None
    assert refused.message.startswith(words)
    assert refuse_collecting(CARLA, CASH, "k" * 150) is refuse_collecting(CARLA, CASH, "k") is None
