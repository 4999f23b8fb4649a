"""One box that finds by whatever is known: a name, a number, a username, an address. What kinds are looked for is the caller's word.

Next: control_plane/store/search.py
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import Any, Final

import psycopg

from billing.customer_search import search_patterns
from billing.store.customer_search import FoundCustomer, load_found, load_likely
from control_plane.access.permissions import Permission
from control_plane.quantities import QuantityError, mac_text, read_mac
from control_plane.store import search as store

Connection = psycopg.Connection[Any]

# Of each kind; who wants more says more, or opens the kind's own list.
MOST_HITS: Final = 8
# Of what fits so many are looked at for the best of them.
_LOOKED_AT: Final = 60
_MOST_LETTERS: Final = 200
_MOST_DIGITS: Final = 18


class Found(StrEnum):
    """What a hit is."""

    CUSTOMER = "customer"
    CONTRACT = "contract"
    ACCOUNT = "account"
    DOCUMENT = "document"


# Who looks finds what they may see.
NEEDS: Final = {
    Found.CUSTOMER: Permission.CUSTOMER_SEE,
    Found.CONTRACT: Permission.CONTRACT_SEE,
    Found.ACCOUNT: Permission.ACCOUNT_SEE,
    Found.DOCUMENT: Permission.DOCUMENT_SEE,
}


@dataclass(frozen=True, slots=True)
class Hit:
    """One that was found: by what it is opened, what it is called, and what tells it from others. `exact`: it was meant."""

    kind: Found
    key: str
    title: str
    facts: tuple[str, ...]
    exact: bool = False
    live: bool = False
    status: str = ""


def search(connection: Connection, text: str, *, kinds: Collection[Found]) -> tuple[Hit, ...]:
    """The best of each of these kinds, exact ones first; nothing for less than two letters that are no number."""
    text = " ".join(text.split())[:_MOST_LETTERS]
    if (len(text) < 2 and not text.isdigit()) or "\0" in text:  # one letter is in every name
        return ()
    questions: dict[Found, Callable[[Connection, str], list[Hit]]] = {
        Found.CUSTOMER: _customers,
        Found.CONTRACT: _contracts,
        Found.ACCOUNT: _accounts,
        Found.DOCUMENT: _documents,
    }
    hits = [hit for kind, ask in questions.items() if kind in kinds for hit in ask(connection, text)]
    return tuple(sorted(hits, key=lambda hit: not hit.exact))


def meant(hits: tuple[Hit, ...]) -> Hit | None:
    """The one that Enter leads to: the only exact one, or the only one at all."""
    exact = [hit for hit in hits if hit.exact]
    if len(exact) == 1:
        return exact[0]
    return hits[0] if len(hits) == 1 else None


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None


def _customers(connection: Connection, text: str) -> list[Hit]:
    number = _number(text)
    found = load_likely(connection, search_patterns(text), limit=_LOOKED_AT)
    if number is not None and number not in {one.id for one in found}:
        found = [*load_found(connection, (), limit=1, after=number - 1), *found]
        if found and found[0].id != number and not search_fits(found[0], text):
            found = found[1:]
    ranked = sorted(found, key=lambda one: (_distance(one, text, number), one.id))
    return [_customer_hit(one, exact=_distance(one, text, number) == 0) for one in ranked[:MOST_HITS]]


def search_fits(one: FoundCustomer, text: str) -> bool:
    """Whether a customer is known by exactly this text."""
    return _distance(one, text, None) == 0


def _distance(one: FoundCustomer, text: str, number: int | None) -> int:
    """How far a customer is from what was typed; 0: it was meant."""
    said, compact = text.casefold(), "".join(letter for letter in text if letter.isalnum()).casefold()
    keys = (one.tax_number, one.external_reference, one.email, one.name)
    phone = (one.phone or "").removeprefix("+")
    if one.id == number or said in {(key or "").casefold() for key in keys}:
        return 0
    if compact and compact in ((one.tax_number or "").casefold(), phone, f"00{phone}"):
        return 0
    return 1 if one.name.casefold().startswith(said) else 2


def _customer_hit(one: FoundCustomer, *, exact: bool) -> Hit:
    facts = tuple(part for part in (one.place, one.tax_number, one.phone, one.email) if part)
    return Hit(Found.CUSTOMER, str(one.id), one.name, (str(one.id), *facts), exact)


def _contracts(connection: Connection, text: str) -> list[Hit]:
    number = _number(text)
    one = None if number is None else store.find_contract(connection, number)
    if one is None:
        return []
    return [Hit(Found.CONTRACT, str(one.id), str(one.id), (one.customer, one.plan), exact=True, status=one.status)]


def _accounts(connection: Connection, text: str) -> list[Hit]:
    try:
        found = store.find_by_address(connection, ip_address(text), limit=MOST_HITS)
        return [_account_hit(one, exact=True) for one in found]
    except ValueError:
        pass
    hits = []
    try:
        by_mac = store.find_by_mac(connection, read_mac(text), limit=MOST_HITS)
        hits = [_account_hit(one, exact=True, mac=True) for one in by_mac]
    except QuantityError:
        pass
    found = store.find_accounts(connection, text, limit=MOST_HITS)
    return [*hits, *(_account_hit(one, exact=one.username == text) for one in found)][:MOST_HITS]


def _account_hit(one: store.FoundAccount, *, exact: bool, mac: bool = False) -> Hit:
    why = mac_text(one.why) if mac and one.why else one.why
    facts = tuple(part for part in (why, one.customer, one.plan) if part)
    return Hit(Found.ACCOUNT, one.username, one.username, facts, exact, live=one.live, status=one.status)


def _documents(connection: Connection, text: str) -> list[Hit]:
    found = store.find_documents(connection, text, limit=MOST_HITS)
    return [Hit(Found.DOCUMENT, str(one.id), one.label, (one.customer,), one.label == text) for one in found]
