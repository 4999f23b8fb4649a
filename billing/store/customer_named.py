"""The customer that somebody means by a number, a reference or a whole name.

Next: billing/store/customers.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from billing.customer_search import search_patterns
from billing.store.customer_search import FoundCustomer, load_likely
from billing.store.customers import Customer, load_customer, load_customer_by_reference

Connection = psycopg.Connection[Any]
_GREATEST_ID: Final = 2**63 - 1
_LOOKED_AT: Final = 50


@dataclass(frozen=True, slots=True)
class NobodyMeant:
    """There is none, or there are several: `same` of that very name, `similar` of one like it."""

    same: Sequence[FoundCustomer]
    similar: Sequence[FoundCustomer]


def find_meant(connection: Connection, text: str) -> Customer | NobodyMeant:
    """The customer of that number, reference (also as ref:TEXT) or whole name."""
    found = None
    if text.isascii() and text.isdigit() and int(text) <= _GREATEST_ID:
        found = load_customer(connection, int(text))
    if found is None:
        found = load_customer_by_reference(connection, text.removeprefix("ref:"))
    if found is not None:
        return found
    patterns = search_patterns(text)
    similar = load_likely(connection, patterns, limit=_LOOKED_AT) if patterns else []
    same = [one for one in similar if one.name == text]
    if len(same) == 1:
        by_name = load_customer(connection, same[0].id)
        assert by_name is not None, f"customer {same[0].id} was there a moment ago"
        return by_name
    return NobodyMeant(same, similar)
