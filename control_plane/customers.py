"""What staff do to a customer: each deed written with its row in the audit log, in the caller's transaction.

Commands and pages call the same; what they were given is checked here, once.

Raises: BillingError where something that was typed has to be mended.
Next: billing/store/customers.py
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import psycopg

from billing.errors import BillingError
from billing.store import customers as store
from billing.store.customer_papers import delete_attachment, load_attachments
from billing.store.customers import Customer
from billing.tax_identifiers import TaxIdentifier
from control_plane import audit

Connection = psycopg.Connection[Any]

LANGUAGES: Final = ("en", "it", "es")
KINDS: Final = ("person", "company", "public_body")
_SPANISH: Final = frozenset(
    [
        "AR",
        "BO",
        "CL",
        "CO",
        "CR",
        "CU",
        "DO",
        "EC",
        "ES",
        "GT",
        "HN",
        "MX",
        "NI",
        "PA",
        "PE",
        "PR",
        "PY",
        "SV",
        "UY",
        "VE",
    ]
)
_ITALIAN: Final = frozenset(("IT", "SM", "VA"))


class HeldCustomerError(BillingError):
    """A customer stays, because of what depends on it."""

    def __init__(self, message: str, dependents: Sequence[store.Dependent]) -> None:
        super().__init__(message)
        self.dependents = tuple(dependents)


def spoken_in(country: object) -> str:
    """In which of our languages documents for a customer of a country are written, unless it is said."""
    return "it" if country in _ITALIAN else "es" if country in _SPANISH else "en"


def note_deed(
    connection: Connection, customer: Customer, deed: str, detail: Mapping[str, object], *, actor: str
) -> None:
    """Write who did what to a customer into the audit log."""
    audit.append(
        connection, actor=actor, action=f"customer.{deed}", subject=f"customer {customer.id}", detail=dict(detail)
    )


def add_customer(
    connection: Connection,
    columns: Mapping[str, object],
    *,
    identifiers: Sequence[TaxIdentifier] = (),
    place: Mapping[str, object] | None = None,
    reach: Mapping[str, object] | None = None,
    actor: str,
) -> Customer:
    """A new one, with its tax numbers, its seat and its main contact where they are given."""
    number = store.save_customer(connection, columns)
    found = store.load_customer(connection, number)
    assert found is not None, f"customer {number} was written in this transaction"
    for identifier in identifiers:
        store.save_tax_identifier(connection, number, identifier)
    if place:
        store.save_address(connection, number, "legal", place)
    if reach:
        store.save_contact(connection, number, "main", None, reach)
    note_deed(connection, found, "new", {"name": found.name}, actor=actor)
    return found


def edit_customer(connection: Connection, customer: Customer, columns: Mapping[str, object], *, actor: str) -> None:
    """Change what is given; the rest stays, and so does what is issued."""
    store.change_customer(connection, customer.id, columns)
    note_deed(connection, customer, "edit", columns, actor=actor)


def refuse_held(connection: Connection, customer: Customer) -> None:
    """Pass for one that nothing depends on. Raises: HeldCustomerError."""
    keeping = store.load_dependents(connection, customer.id)
    if keeping:
        said = ", ".join(f"{one.count:,} {one.noun}{'s' if one.count > 1 else ''}" for one in keeping)
        raise HeldCustomerError(
            f"customer {customer.id} {customer.name} stays: it has {said}; end its contracts instead", keeping
        )


def drop_customer(connection: Connection, customer: Customer, *, actor: str) -> None:
    """Delete one that nothing depends on. Raises: HeldCustomerError."""
    refuse_held(connection, customer)
    store.delete_customer(connection, customer.id)
    note_deed(connection, customer, "delete", {"name": customer.name}, actor=actor)


def put_identifier(connection: Connection, customer: Customer, identifier: TaxIdentifier, *, actor: str) -> list[int]:
    """A number in the place of the one of its scheme; returns other customers that have it, too."""
    store.save_tax_identifier(connection, customer.id, identifier)
    note_deed(connection, customer, "tax_id", {"scheme": identifier.scheme, "number": identifier.number}, actor=actor)
    return store.load_others_with_number(connection, customer.id, identifier)


def drop_identifier(connection: Connection, customer: Customer, scheme: str, *, actor: str) -> bool:
    """Take a number away; False when there was none of that scheme."""
    if not store.delete_tax_identifier(connection, customer.id, scheme):
        return False
    note_deed(connection, customer, "tax_id_removed", {"scheme": scheme}, actor=actor)
    return True


def put_address(
    connection: Connection,
    customer: Customer,
    kind: str,
    columns: Mapping[str, object],
    *,
    address_id: int | None = None,
    actor: str,
) -> int:
    """A new address or changes of one; returns its number."""
    number = store.save_address(connection, customer.id, kind, columns, address_id=address_id)
    note_deed(connection, customer, "address", {"kind": kind, "id": number, **columns}, actor=actor)
    return number


def drop_address(connection: Connection, customer: Customer, kind: str, address_id: int, *, actor: str) -> bool:
    """Take one away; False when there was none."""
    if not store.delete_address(connection, customer.id, address_id):
        return False
    note_deed(connection, customer, "address_removed", {"kind": kind, "id": address_id}, actor=actor)
    return True


def put_contact(
    connection: Connection,
    customer: Customer,
    role: str,
    contract_id: int | None,
    columns: Mapping[str, object],
    *,
    actor: str,
) -> None:
    """The customer's or a contract's contact of a role: a new one, or changes of the one there is."""
    store.save_contact(connection, customer.id, role, contract_id, columns)
    note_deed(connection, customer, "contact", {"role": role, "contract": contract_id, **columns}, actor=actor)


def drop_contact(connection: Connection, customer: Customer, role: str, contract_id: int | None, *, actor: str) -> bool:
    """Take one away; False when there was none."""
    if not store.delete_contact(connection, customer.id, role, contract_id):
        return False
    note_deed(connection, customer, "contact_removed", {"role": role, "contract": contract_id}, actor=actor)
    return True


def drop_attachment(connection: Connection, customer: Customer, number: int, *, actor: str) -> str | None:
    """Take a file away, which the audit log keeps; its name, None when there was none."""
    names = {one.id: one.name for one in load_attachments(connection, customer.id)}
    if number not in names or not delete_attachment(connection, customer.id, number):
        return None
    note_deed(connection, customer, "detach", {"file": number, "name": names[number]}, actor=actor)
    return names[number]
