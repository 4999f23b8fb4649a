"""Which contact a notice goes to, and what it knows from those above it.

Source: billing model section 2; schema.sql's contact.

Next: billing/tax.py
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum


class ContactRole(StrEnum):
    """What somebody is written to about; without one for it, main."""

    MAIN = "main"
    ADMINISTRATIVE = "administrative"
    TECHNICAL = "technical"
    COLLECTIONS = "collections"


@dataclass(frozen=True, slots=True)
class Contact:
    """A person of one customer or, with a contract, for that contract alone. What is None its parent tells."""

    id: int
    role: ContactRole
    contract_id: int | None = None
    parent_id: int | None = None
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    mobile: str | None = None
    language: str | None = None


def contact_for(role: ContactRole, contacts: Iterable[Contact], *, contract_id: int | None = None) -> Contact | None:
    """Whom a notice reaches, of all contacts of one customer, with its empty fields filled from those above it.

    The contract's own of that role, the customer's of that role, the contract's main one, the customer's; or nobody.
    """
    everyone = tuple(contacts)
    by_place = {(one.contract_id, one.role): one for one in everyone}
    for wanted in (role, ContactRole.MAIN):
        for place in (contract_id, None):
            found = by_place.get((place, wanted))
            if found is not None:
                return _filled(found, {one.id: one for one in everyone})
    return None


def _filled(contact: Contact, by_id: Mapping[int, Contact]) -> Contact:
    """The contact with what it leaves empty from the nearest above it that says it; a circle ends where it began."""
    seen = {contact.id}
    filled = contact
    above = by_id.get(contact.parent_id) if contact.parent_id is not None else None
    while above is not None and above.id not in seen:
        seen.add(above.id)
        filled = replace(
            filled,
            name=filled.name or above.name,
            email=filled.email or above.email,
            phone=filled.phone or above.phone,
            mobile=filled.mobile or above.mobile,
            language=filled.language or above.language,
        )
        above = by_id.get(above.parent_id) if above.parent_id is not None else None
    return filled
