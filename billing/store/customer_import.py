"""Customers of a file written in bulk: new ones a thousand a statement, what differs of others one by one.

Next: billing/store/catalogue.py
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import psycopg
from psycopg.rows import dict_row

from billing.customer_import import Fate, KnownAddress, KnownCustomer, Step
from billing.store.customers import change_customer, save_address, save_contact, save_tax_identifier
from billing.tax_identifiers import TaxIdentifier

Connection = psycopg.Connection[Any]
Advance = Callable[[int, int], None]
# One statement each: what customers are searched by is gathered when all of it is written, once.
_BATCH: Final = 1000
_CUSTOMERS: Final = """
SELECT c.id, c.external_reference, c.name, c.kind::text, c.given_name, c.family_name, c.language::text, p.name AS position,
    k.name AS contact_name, k.email, k.phone, k.mobile
FROM customer AS c LEFT JOIN fiscal_position AS p ON p.id = c.fiscal_position_id
    LEFT JOIN contact AS k ON k.customer_id = c.id AND k.role = 'main' AND k.contract_id IS NULL
WHERE c.external_reference = ANY (%s)
"""
_ADDRESSES: Final = """
SELECT customer_id, id, kind::text, street, house_number, postal_code, city, province, country, latitude, longitude
FROM address WHERE customer_id = ANY (%s) ORDER BY id
"""
_NEW: Final = """
WITH given AS (
    SELECT * FROM jsonb_to_recordset(%(customers)s::jsonb) AS g (number integer, reference text, name text, kind customer_kind, given_name text,
        family_name text, language spoken_language, position_name text)
), made AS (
    INSERT INTO customer (name, kind, given_name, family_name, language, external_reference, fiscal_position_id)
    SELECT g.name, coalesce(g.kind, 'person'), g.given_name, g.family_name, coalesce(g.language, %(language)s::spoken_language), g.reference, p.id
    FROM given AS g LEFT JOIN fiscal_position AS p ON p.name = g.position_name ORDER BY g.number RETURNING id, external_reference
), addressed AS (
    INSERT INTO address (customer_id, kind, street, house_number, postal_code, city, province, country, latitude, longitude)
    SELECT m.id, a.kind, a.street, a.house_number, a.postal_code, a.city, a.province, a.country, a.latitude, a.longitude
    FROM jsonb_to_recordset(%(addresses)s::jsonb) AS a (reference text, kind address_kind, street text, house_number text, postal_code text, city text,
        province text, country text, latitude numeric, longitude numeric) JOIN made AS m ON m.external_reference = a.reference
), numbered AS (
    INSERT INTO tax_identifier (customer_id, scheme, number)
    SELECT m.id, t.scheme, t.number FROM jsonb_to_recordset(%(numbers)s::jsonb) AS t (reference text, scheme text, number text)
        JOIN made AS m ON m.external_reference = t.reference
), reached AS (
    INSERT INTO contact (customer_id, role, name, email, phone, mobile)
    SELECT m.id, 'main', k.name, k.email, k.phone, k.mobile
    FROM jsonb_to_recordset(%(contacts)s::jsonb) AS k (reference text, name text, email text, phone text, mobile text)
        JOIN made AS m ON m.external_reference = k.reference
)
SELECT count(*) FROM made
"""
_SHARED: Final = """
SELECT t.scheme, t.number, min(t.customer_id), min(c.external_reference)
FROM tax_identifier AS t JOIN customer AS c ON c.id = t.customer_id
WHERE t.number = ANY (%s) GROUP BY t.scheme, t.number
"""


def load_known(connection: Connection, references: Sequence[str]) -> dict[str, KnownCustomer]:
    """The customers under these references, in the terms of the file."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_CUSTOMERS, (list(references),)).fetchall()
        ids = [row["id"] for row in rows]
        addresses: defaultdict[int, list[KnownAddress]] = defaultdict(list)
        for place in cursor.execute(_ADDRESSES, (ids,)):
            customer_id, number, kind = (place.pop(name) for name in ("customer_id", "id", "kind"))
            addresses[customer_id].append(KnownAddress(number, kind, place))
    numbers: defaultdict[int, dict[str, str]] = defaultdict(dict)
    for customer_id, scheme, text in connection.execute(
        "SELECT customer_id, scheme, number FROM tax_identifier WHERE customer_id = ANY (%s)", (ids,)
    ):
        numbers[customer_id][scheme] = text
    return {
        row["external_reference"]: KnownCustomer(
            id=row["id"],
            columns={name: row[name] for name in ("name", "kind", "given_name", "family_name", "language")},
            position=row["position"],
            numbers=numbers[row["id"]],
            addresses=tuple(addresses[row["id"]]),
            contact={"name": row["contact_name"], **{name: row[name] for name in ("email", "phone", "mobile")}},
        )
        for row in rows
    }


def load_shared_numbers(connection: Connection, steps: Sequence[Step]) -> dict[tuple[str, str], tuple[int, str | None]]:
    """Of the tax numbers that steps write, those that a customer has already: its number and reference."""
    numbers = sorted({number for step in steps for number in step.numbers.values()})
    rows = connection.execute(_SHARED, (numbers,)).fetchall()
    return {(scheme, number): (customer, reference) for scheme, number, customer, reference in rows}


def apply_steps(connection: Connection, steps: Sequence[Step], *, language: str, advance: Advance) -> None:
    """Write what is new and what differs, in the caller's transaction; `language` is that of who says none."""
    new = [step for step in steps if step.fate is Fate.NEW]
    changed = [step for step in steps if step.fate is Fate.CHANGED]
    total = len(new) + len(changed)
    for at in range(0, len(new), _BATCH):
        _save_new(connection, new[at : at + _BATCH], language)
        advance(min(at + _BATCH, len(new)), total)
    positions = dict(connection.execute("SELECT name, id FROM fiscal_position").fetchall()) if changed else {}
    for done, step in enumerate(changed, start=len(new) + 1):
        _save_changed(connection, step, positions)
        advance(done, total)


def _save_new(connection: Connection, steps: Sequence[Step], language: str) -> None:
    customers, addresses, numbers, contacts = [], [], [], []
    for place, step in enumerate(steps):
        named = {"reference": step.wanted.reference}
        customers.append({**named, "number": place, "position_name": step.position, **step.columns})
        addresses += [{**named, "kind": kind, **columns} for _, kind, columns in step.addresses]
        numbers += [{**named, "scheme": scheme, "number": number} for scheme, number in step.numbers.items()]
        contacts += [{**named, **step.contact}] if step.contact else []
    connection.execute(
        _NEW,
        {
            "customers": json.dumps(customers),
            "addresses": json.dumps(addresses, default=str),
            "numbers": json.dumps(numbers),
            "contacts": json.dumps(contacts),
            "language": language,
        },
    )


def _save_changed(connection: Connection, step: Step, positions: Mapping[str, int]) -> None:
    assert step.customer_id is not None, "who changes is known"
    columns: dict[str, object] = dict(step.columns)
    if step.position is not None:
        columns["fiscal_position_id"] = positions[step.position]
    change_customer(connection, step.customer_id, columns)
    for scheme, number in step.numbers.items():
        save_tax_identifier(connection, step.customer_id, TaxIdentifier(scheme, number))
    for address_id, kind, place in step.addresses:
        save_address(connection, step.customer_id, kind, place, address_id=address_id)
    if step.contact:
        save_contact(connection, step.customer_id, "main", None, step.contact)
