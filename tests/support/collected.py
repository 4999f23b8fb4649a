"""Collectors of the ISP with books, as tests make them: Carla collects from everyone, in cash."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from itertools import count
from typing import Any, Final

import psycopg
from support.small_isp import one

from billing.collectors import Scope, ScopeKind
from billing.money import read_money
from billing.operations.collecting import Taken, Taking, take_payment
from billing.payments import NotDone
from billing.store.acting import acting
from billing.store.collectors import add_scopes
from billing.store.payments import load_methods

_KEYS: Final = count(1)
DAY: Final = date(2026, 3, 10)


def make_collector(
    connection: psycopg.Connection[Any], issuer_id: int, name: str = "Carla", *scopes: Scope, **given: object
) -> int:
    """A collector with the issuer's series of receipts; of everyone where no scope is said."""
    acting(connection, "maria")
    series = one(connection, "SELECT id FROM number_series WHERE issuer_id = %s AND kind = 'receipt'", issuer_id)
    number = one(
        connection,
        "INSERT INTO collector (issuer_id, name, series_id, most_cash) VALUES (%s, %s, %s, %s) RETURNING id",
        *(issuer_id, name, series, given.get("most_cash")),
    )
    add_scopes(connection, number, scopes or (Scope(ScopeKind.EVERYONE),))
    return number


def taking(
    connection: psycopg.Connection[Any],
    issuer_id: int,
    collector_id: int,
    amount: str,
    customer_id: int,
    *,
    method: str = "cash",
    key: str | None = None,
    **given: Any,
) -> Taking:
    """A payment as a collector's phone tells it, under a key of its own."""
    methods = {one.code: one for one in load_methods(connection, issuer_id)}
    money = read_money(Decimal(amount), "EUR")
    return Taking(
        collector_id,
        customer_id,
        money,
        methods[method],
        key or f"tap {next(_KEYS)}",
        given.pop("value_on", DAY),
        **given,
    )


def collect(
    connection: psycopg.Connection[Any], issuer_id: int, collector_id: int, amount: str, customer_id: int, **given: Any
) -> Taken:
    """Take it on its day; it must be taken."""
    told = taking(connection, issuer_id, collector_id, amount, customer_id, **given)
    taken = take_payment(connection, told, today=DAY, actor="carla")
    assert not isinstance(taken, NotDone), taken
    return taken
