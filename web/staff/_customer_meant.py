"""Which customer a person means by a number, a reference or words: the one there is, or those to choose from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from billing.customer_search import search_patterns
from billing.store.customer_search import FoundCustomer, load_likely
from billing.store.customers import load_customer, load_customer_by_reference
from web.database import Connection

_GREATEST_ID: Final = 2**63 - 1
_SIMILAR: Final = 20


@dataclass(frozen=True, slots=True)
class Meant:
    """The customer, or None and those that it may be."""

    id: int | None
    name: str = ""
    similar: tuple[FoundCustomer, ...] = ()


def customer_meant(connection: Connection, text: str) -> Meant:
    """Who is meant: of that number, reference or name, or the only one that the words find."""
    text = text.strip()
    found = None
    if text.isascii() and text.isdigit() and int(text) <= _GREATEST_ID:
        found = load_customer(connection, int(text))
    if found is None and text:
        found = load_customer_by_reference(connection, text)
    if found is not None:
        return Meant(found.id, found.name)
    patterns = search_patterns(text)
    similar = load_likely(connection, patterns, limit=_SIMILAR) if patterns else []
    same = [one for one in similar if one.name == text] if len(similar) > 1 else similar
    return Meant(same[0].id, same[0].name) if len(same) == 1 else Meant(None, similar=tuple(similar))
