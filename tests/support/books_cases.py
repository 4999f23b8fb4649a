"""For every constraint of the books: a statement it must refuse, and the legal neighbour it must let pass."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from support.case import Case, case
from support.legal_world import insert

# A column, something that is wrong in it, and something that is right.
_BAD: Final = (
    ("issuer", "name", "''", "'Example Net 3'"),
    ("issuer", "vat_number", "'IT 01234560017'", "'01234560017'"),
    ("issuer", "tax_number", "'abc'", "'01234560017'"),
    ("issuer", "street", "''", "'Via Roma'"),
    ("issuer", "postal_code", "''", "'10100'"),
    ("issuer", "city", "''", "'Torino'"),
    ("issuer", "email", "'post at example.net'", "'post@example.net'"),
    ("issuer", "iban", "'IT60 X054'", "'IT60X0542811101000000123456'"),
    ("issuer", "confirm_hours", "721", "0"),
    ("customer", "given_name", "''", "NULL"),
    ("customer", "family_name", "''", "NULL"),
    ("tax_identifier", "scheme", "'iva'", "'ar.cuit'"),
    ("tax_identifier", "number", "'it 0123'", "'01234560017'"),
    ("address", "street", "''", "'Via Po'"),
    ("address", "city", "''", "'Torino'"),
    ("address", "latitude", "90.1", "-90"),
    ("address", "longitude", "180.1", "-180"),
    ("contact", "name", "''", "'Bruno'"),
    ("contact", "email", "'bruno'", "'bruno@example.net'"),
    ("contact", "phone", "'011 5551234'", "'+390115551234'"),
    ("contact", "mobile", "'3395551234'", "'+393395551234'"),
    ("consent", "purpose", "'Marketing'", "'profiling'"),
    ("consent", "channel", "'e-mail'", "'sms'"),
    ("consent", "wording", "''", "'Yes.'"),
    ("consent", "taken_by", "''", "'portal'"),
    ("note", "text", "''", "'Called.'"),
    ("note", "author", "''", "'bruno'"),
    ("attachment", "name", "'../contract.pdf'", "'offer 2.pdf'"),
    ("attachment", "media_type", "'pdf'", "'image/jpeg'"),
    ("attachment", "content", "''", "'\\x00'"),
    ("attachment", "author", "''", "'bruno'"),
)
_REFERENCES: Final = (
    ("tax_identifier", "customer_id"),
    ("address", "customer_id"),
    ("contact", "customer_id"),
    ("consent", "customer_id"),
    ("note", "customer_id"),
    ("attachment", "customer_id"),
)
# Tables whose every write is in the audit log, with a column that an update may change.
_MONEY: Final = (
    ("issuer", "name"),
    ("tax_identifier", "number"),
    ("address", "street"),
    ("attachment", None),
)
_SECOND_CUSTOMER: Final = insert("customer", id="2")


def _columns() -> Iterator[Case]:
    for table, column, wrong, right in _BAD:
        both = {"given_name": "'Anna'", "family_name": "'Rossi'"} if column in ("given_name", "family_name") else {}
        yield case(f"{table}_{column}_check", table, {**both, column: wrong}, both or {column: right})
    for table in ("issuer", "address", "contact", "consent", "note", "attachment"):
        yield case(f"{table}_pkey", table, {"id": "1", **_no_parent(table)}, {"id": "77"})
    yield case("tax_identifier_pkey", "tax_identifier", {"scheme": "'it.codicefiscale'"})
    for table, column in _REFERENCES:
        yield case(f"{table}_{column}_fkey", table, {column: "999"})


def _parties() -> Iterator[Case]:
    yield case("issuer_name_key", "issuer", {"name": "'Example Net'"})
    for zone in ("'Europe/Turin'", "'CET+1'"):
        yield case("issuer_zone_known", "issuer", {"zone": zone}, {"zone": "'America/Guayaquil'"})
    person = {"given_name": "'Anna'", "family_name": "'Rossi'"}
    yield case("customer_person_has_both_names", "customer", {**person, "family_name": "NULL"}, person)
    yield case("customer_person_has_both_names", "customer", {**person, "kind": "'company'"}, {"kind": "'company'"})
    yield case(
        "address_coordinates_in_pairs", "address", {"latitude": "NULL"}, {"latitude": "NULL", "longitude": "NULL"}
    )
    seat = insert("address", kind="'legal'")
    yield Case("address_one_seat", f"{seat}; {seat}", f"{seat}; {insert('address')}")
    yield case("address_of_customer", "address", {"id": "1"})._replace(
        breaks="ALTER TABLE address DROP CONSTRAINT address_pkey CASCADE; " + insert("address", id="1")
    )
    yield Case(
        "contact_of_customer",
        "ALTER TABLE contact DROP CONSTRAINT contact_pkey CASCADE; " + insert("contact", id="1", parent_id="NULL"),
        insert("contact"),
    )
    yield Case(
        "contract_of_customer",
        "ALTER TABLE contract DROP CONSTRAINT contract_pkey CASCADE; " + insert("contract", id="1"),
        insert("contract"),
    )
    for table in ("contact", "note", "attachment"):
        yield Case(
            f"{table}_contract_of_customer",
            f"{_SECOND_CUSTOMER}; {insert(table, contract_id='1', customer_id='2', **_no_parent(table))}",
            insert(table, contract_id="1"),
        )
    yield Case(
        "contact_parent_of_customer",
        f"{_SECOND_CUSTOMER}; {insert('contact', customer_id='2')}",
        f"{_SECOND_CUSTOMER}; {insert('contact', customer_id='2', parent_id='NULL')}",
    )
    yield case("contact_not_own_parent", "contact", {"id": "7", "parent_id": "7"}, {"id": "7"})
    yield case("contact_one_a_role", "contact", {"role": "'main'"}, {"role": "'main'", "contract_id": "1"})
    under = insert("contact", id="7")
    third = insert("contact", id="8", parent_id="7", role="'collections'")
    yield Case(
        "contact_no_circle",
        f"{under}; {third}; UPDATE contact SET parent_id = 8 WHERE id = 1",
        f"{under}; {third}; UPDATE contact SET parent_id = 1 WHERE id = 8",
    )
    for table, column in (("consent", "given"), ("note", "text")):
        for wrong in (f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}"):
            yield Case(f"{table}_append_only", wrong, insert(table))
    yield Case("attachment_never_changes", "UPDATE attachment SET name = 'other.pdf'", "DELETE FROM attachment")


def _no_parent(table: str) -> dict[str, str]:
    return {"parent_id": "NULL"} if table == "contact" else {}


def _signed() -> Iterator[Case]:
    """Money that nobody says to write is not written."""
    for table, column in _MONEY:
        deeds = {"insert": insert(table), "delete": f"DELETE FROM {table} WHERE false"}
        deeds["update"] = (
            f"UPDATE {table} SET {column} = {column}" if column else f"UPDATE {table} SET name = name WHERE false"
        )
        for word, deed in deeds.items():
            yield Case(f"{table}_money_{word}", f"SET LOCAL corrente.actor = ''; {deed}", deed)


BOOKS_CASES: Final[tuple[Case, ...]] = tuple(one for group in (_columns, _parties, _signed) for one in group())
