"""A customer with its tax numbers, addresses and contacts: written, changed, read, and kept when it is needed.

Next: billing/store/customer_papers.py
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import psycopg
from psycopg.rows import class_row

from billing.contacts import Contact, ContactRole
from billing.country_codes import country_fault
from billing.errors import BillingError
from billing.plain_text import is_seen
from billing.sentence import Sentence
from billing.store.rows import NotThereError, insert_row, update_row
from billing.tax_identifiers import TaxIdentifier

Connection = psycopg.Connection[Any]
# Of these kinds a customer has one.
SINGLE_KINDS: Final = ("legal", "billing")
# What a paper names somebody and a place by.
_NAMES: Final = ("name", "given_name", "family_name")
_PLACE: Final = ("street", "postal_code", "city")


@dataclass(frozen=True, slots=True)
class Customer:
    """Who owes, as its row is; `fiscal_position` by name."""

    id: int
    name: str
    kind: str
    given_name: str | None
    family_name: str | None
    language: str
    external_reference: str | None
    fiscal_position: str | None
    created_at: object


@dataclass(frozen=True, slots=True)
class Address:
    """Where a customer has its seat, gets documents, or is served."""

    id: int
    kind: str
    street: str
    house_number: str | None
    postal_code: str
    city: str
    province: str | None
    country: str
    latitude: Decimal | None
    longitude: Decimal | None
    directions: str | None


@dataclass(frozen=True, slots=True)
class Dependent:
    """Why a customer can't be deleted: so many rows of a kind."""

    noun: str
    count: int


_CUSTOMER: Final = """
SELECT c.id, c.name, c.kind::text, c.given_name, c.family_name, c.language::text, c.external_reference,
    p.name AS fiscal_position, c.created_at
FROM customer AS c LEFT JOIN fiscal_position AS p ON p.id = c.fiscal_position_id
"""
# In the words of who reads them; consents and notes are evidence, the rest is law or money.
_DEPENDENTS: Final = (
    ("contract", "contract", "customer_id"),
    ("contract paid for another customer", "contract_terms", "payer_id"),
    ("document", "document", "customer_id"),
    ("posting", "posting", "customer_id"),
    ("consent", "consent", "customer_id"),
    ("note", "note", "customer_id"),
    ("attachment", "attachment", "customer_id"),
    ("exemption", "exemption", "customer_id"),
)


def load_customer(connection: Connection, customer_id: int) -> Customer | None:
    """One by its number."""
    with connection.cursor(row_factory=class_row(Customer)) as cursor:
        return cursor.execute(_CUSTOMER + "WHERE c.id = %s", (customer_id,)).fetchone()


def load_customer_by_reference(connection: Connection, reference: str) -> Customer | None:
    """One by its number in another system."""
    with connection.cursor(row_factory=class_row(Customer)) as cursor:
        return cursor.execute(_CUSTOMER + "WHERE c.external_reference = %s", (reference,)).fetchone()


def save_customer(connection: Connection, columns: Mapping[str, object]) -> int:
    """Write a new one; returns its number. Raises: BillingError for a name of nothing that is seen."""
    _check_seen(columns, _NAMES)
    return insert_row(connection, "customer", columns)


def change_customer(connection: Connection, customer_id: int, changes: Mapping[str, object]) -> None:
    """Set these columns. Raises: NotThereError, and BillingError as `save_customer`."""
    _check_seen(changes, _NAMES)
    update_row(connection, "customer", customer_id, changes)


def _check_seen(columns: Mapping[str, object], names: tuple[str, ...]) -> None:
    for name in names:
        if columns.get(name) is not None and not is_seen(str(columns[name])):
            raise BillingError(f"{name.replace('_', ' ')}: there is nothing in it that is seen")


def load_dependents(connection: Connection, customer_id: int) -> list[Dependent]:
    """What keeps a customer: it can be deleted when there is nothing."""
    found = []
    for noun, table, column in _DEPENDENTS:
        row = connection.execute(
            f"SELECT count(*) FROM {table} WHERE {column} = %s",  # noqa: S608 - our names
            (customer_id,),
        ).fetchone()
        assert row is not None
        if row[0]:
            found.append(Dependent(noun, int(row[0])))
    return found


def delete_customer(connection: Connection, customer_id: int) -> None:
    """Delete one that nothing depends on, with its numbers, addresses and contacts. Raises: NotThereError.

    What appears meanwhile is refused by the database's foreign keys.
    """
    if connection.execute("DELETE FROM customer WHERE id = %s", (customer_id,)).rowcount != 1:
        raise NotThereError(Sentence("there is no customer %(customer_id)s", customer_id=customer_id))


def save_tax_identifier(connection: Connection, customer_id: int, identifier: TaxIdentifier) -> None:
    """The customer's number of that scheme, in the place of the one there was."""
    connection.execute(
        "INSERT INTO tax_identifier (customer_id, scheme, number) VALUES (%s, %s, %s)"
        " ON CONFLICT (customer_id, scheme) DO UPDATE SET number = excluded.number"
        " WHERE tax_identifier.number <> excluded.number",
        (customer_id, identifier.scheme, identifier.number),
    )


def delete_tax_identifier(connection: Connection, customer_id: int, scheme: str) -> bool:
    """Take a number away; False when there was none of that scheme."""
    done = connection.execute(
        "DELETE FROM tax_identifier WHERE customer_id = %s AND scheme = %s", (customer_id, scheme)
    )
    return done.rowcount == 1


def load_tax_identifiers(connection: Connection, customer_id: int) -> list[TaxIdentifier]:
    """A customer's, by scheme."""
    with connection.cursor(row_factory=class_row(TaxIdentifier)) as cursor:
        return cursor.execute(
            "SELECT scheme, number FROM tax_identifier WHERE customer_id = %s ORDER BY scheme", (customer_id,)
        ).fetchall()


def load_others_with_number(connection: Connection, customer_id: int, identifier: TaxIdentifier) -> list[int]:
    """Other customers under the same number: not wrong, but often the same one twice."""
    rows = connection.execute(
        "SELECT customer_id FROM tax_identifier WHERE number = %s AND scheme = %s AND customer_id <> %s ORDER BY 1 LIMIT 10",
        (identifier.number, identifier.scheme, customer_id),
    ).fetchall()
    return [int(row[0]) for row in rows]


def save_address(
    connection: Connection, customer_id: int, kind: str, columns: Mapping[str, object], *, address_id: int | None = None
) -> int:
    """A new address or changes of one that is there; returns its number.

    A seat or billing address there is already is changed. A new one needs street, postal code, city and country.
    Raises: NotThereError for a number that is no address of that kind of this customer; BillingError for a country that there is
    not, or a street or city of nothing that is seen.
    """
    _check_seen(columns, _PLACE)
    if "country" in columns and (fault := country_fault(str(columns["country"]))) is not None:
        raise BillingError(f"country: {fault}")
    row = connection.execute(
        "SELECT id FROM address WHERE customer_id = %s AND kind = %s AND (id = %s OR (%s::bigint IS NULL AND kind::text = ANY (%s)))",
        (customer_id, kind, address_id, address_id, list(SINGLE_KINDS)),
    ).fetchone()
    if row is not None:
        update_row(connection, "address", int(row[0]), columns)
        return int(row[0])
    if address_id is not None:
        raise NotThereError(
            Sentence(
                "customer %(customer_id)s has no %(kind)s address %(address_id)s",
                customer_id=customer_id,
                kind=kind,
                address_id=address_id,
            )
        )
    return insert_row(connection, "address", {"customer_id": customer_id, "kind": kind, **columns})


def delete_address(connection: Connection, customer_id: int, address_id: int) -> bool:
    """Take one away; False when there was none. The database keeps one that a contract is served at."""
    done = connection.execute("DELETE FROM address WHERE customer_id = %s AND id = %s", (customer_id, address_id))
    return done.rowcount == 1


def load_addresses(connection: Connection, customer_id: int) -> list[Address]:
    """A customer's: seat, billing, then where it is served."""
    with connection.cursor(row_factory=class_row(Address)) as cursor:
        return cursor.execute(
            "SELECT id, kind::text, street, house_number, postal_code, city, province, country, latitude, longitude, directions"
            " FROM address WHERE customer_id = %s ORDER BY address.kind, id",
            (customer_id,),
        ).fetchall()


def load_contacts(connection: Connection, customer_id: int) -> list[Contact]:
    """A customer's, its contracts' too, by contract and role; empty fields are still empty."""
    rows = connection.execute(
        "SELECT id, role::text, contract_id, parent_id, name, email, phone, mobile, language::text FROM contact"
        " WHERE customer_id = %s ORDER BY contract_id NULLS FIRST, contact.role",
        (customer_id,),
    ).fetchall()
    return [Contact(row[0], ContactRole(row[1]), *row[2:]) for row in rows]


def save_contact(
    connection: Connection, customer_id: int, role: str, contract_id: int | None, columns: Mapping[str, object]
) -> int:
    """The customer's contact of a role, or a contract's: a new one, or changes of the one there is; returns its number."""
    row = connection.execute(
        "SELECT id FROM contact WHERE customer_id = %s AND role = %s AND contract_id IS NOT DISTINCT FROM %s",
        (customer_id, role, contract_id),
    ).fetchone()
    if row is None:
        return insert_row(
            connection, "contact", {"customer_id": customer_id, "role": role, "contract_id": contract_id, **columns}
        )
    update_row(connection, "contact", int(row[0]), columns)
    return int(row[0])


def delete_contact(connection: Connection, customer_id: int, role: str, contract_id: int | None) -> bool:
    """Take one away; False when there was none. Those below it lose what it told them."""
    done = connection.execute(
        "DELETE FROM contact WHERE customer_id = %s AND role = %s AND contract_id IS NOT DISTINCT FROM %s",
        (customer_id, role, contract_id),
    )
    return done.rowcount == 1


def load_names(connection: Connection, customer_ids: Sequence[int]) -> dict[int, str]:
    """What these customers are called."""
    return dict(
        connection.execute("SELECT id, name FROM customer WHERE id = ANY (%s)", (list(customer_ids),)).fetchall()
    )
