"""Customers: found by what is known of them, shown, written, changed; what each has one or several of is beside it."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import UNSET, UnsetType

from billing.customer_search import search_patterns
from billing.money import read_money
from billing.store.customer_list import AskedCustomers, load_listed
from billing.store.customer_page import load_customer_page
from billing.store.customers import Customer, load_customer, load_customer_by_reference
from billing.store.issuers import load_positions
from billing.store.payments import hold_customers
from control_plane.access.permissions import Permission
from control_plane.customers import add_customer, drop_customer, edit_customer
from web.acting import may, person
from web.api._changes import Language, check_telephones, given
from web.api._customer_shapes import (
    Contact,
    NewContact,
    NewPlace,
    Place,
    TaxNumber,
    contact_of,
    identifier_of,
    place_of,
)
from web.api._shapes import (
    NO_CONTROL,
    Amount,
    Words,
    amount_of,
    there_is_none,
    wrong_value,
)
from web.calls import Noun, Paging, Slice, part_after, slice_of
from web.database import Connection
from web.versions import check_version, tell_version

pages = Noun("customers")

Kind = Literal["person", "company", "public_body"]


class Question(Paging, frozen=True, kw_only=True):
    """Which customers: `served` with or without a contract in service."""

    q: (
        Annotated[
            str,
            msgspec.Meta(
                max_length=200, pattern=NO_CONTROL, description="words, parts of words or numbers that all have to fit"
            ),
        ]
        | None
    ) = None
    kind: Kind | None = None
    served: bool | None = None


class ListedCustomer(msgspec.Struct, frozen=True):
    """A customer in a list. `contracts` are those in service."""

    id: int
    name: str
    kind: str
    external_reference: str | None
    place: str | None
    tax_number: str | None
    phone: str | None
    email: str | None
    contracts: int


class HeldContract(msgspec.Struct, frozen=True):
    """A contract of a customer."""

    id: int
    plan: str
    status: str
    starts_on: date | None
    ends_on: date | None


class OneCustomer(msgspec.Struct, frozen=True):
    """A customer with addresses, contacts, numbers and contracts. `owes` is null for whom documents are not shown to; above zero is owed."""

    id: int
    name: str
    kind: str
    given_name: str | None
    family_name: str | None
    language: str
    external_reference: str | None
    fiscal_position: str | None
    created_at: datetime
    tax_numbers: list[TaxNumber]
    addresses: list[Place]
    contacts: list[Contact]
    contracts: list[HeldContract]
    owes: list[Amount] | None


class NewCustomer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A customer to be written, with its tax numbers, its seat and its main contact where they are known. A person has both names or neither."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "name": "Anna Rossi",
        "given_name": "Anna",
        "family_name": "Rossi",
        "language": "it",
        "seat": {"street": "Via Po", "house_number": "3", "postal_code": "10123", "city": "Torino", "country": "IT"},
        "contact": {"email": "anna@example.it", "mobile": "+39 333 1234567"},
    }

    name: Words
    kind: Kind = "person"
    given_name: Words | None = None
    family_name: Words | None = None
    language: Language = "en"
    external_reference: Words | None = None
    fiscal_position: Annotated[str, msgspec.Meta(description="by its name; without it by kind and place")] | None = None
    tax_numbers: Annotated[list[TaxNumber], msgspec.Meta(max_length=10)] = []
    seat: NewPlace | None = None
    contact: NewContact | None = None


class CustomerChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What changes: what is left out stays, what is null goes."""

    name: Words | UnsetType = UNSET
    kind: Kind | UnsetType = UNSET
    given_name: Words | UnsetType | None = UNSET
    family_name: Words | UnsetType | None = UNSET
    language: Language | UnsetType = UNSET
    external_reference: Words | UnsetType | None = UNSET
    fiscal_position: str | UnsetType | None = UNSET


@pages.call(
    "GET",
    "/customers",
    permission=Permission.CUSTOMER_SEE,
    asked=Question,
    answers=Slice[ListedCustomer],
    refusals=(404,),
    does=("customers.show_list",),
)
def find(connection: Connection, *, asked: Question) -> Slice[ListedCustomer]:
    """Customers by number, those that fit `q` where it is given."""
    question = AskedCustomers(search_patterns(asked.q or ""), asked.kind, asked.served)
    after = part_after(asked, int)
    rows = load_listed(connection, question, by="id", down=False, after=after, limit=asked.limit + 1)
    return slice_of(
        rows,
        asked,
        shown=lambda row: msgspec.convert(row, ListedCustomer, from_attributes=True),
        key=lambda row: (row.id,),
    )


@pages.call(
    "GET",
    "/customers/<int:number>",
    permission=Permission.CUSTOMER_SEE,
    answers=OneCustomer,
    version="told",
    does=("customers.show",),
)
def show(connection: Connection, *, number: int) -> OneCustomer:
    """One customer."""
    return _shown(connection, known(connection, number))


@pages.call(
    "POST",
    "/customers",
    permission=Permission.CUSTOMER_CHANGE,
    body=NewCustomer,
    answers=OneCustomer,
    status=201,
    does=("customers.new",),
)
def new(connection: Connection, *, body: NewCustomer) -> OneCustomer:
    """Write a new customer."""
    columns: dict[str, Any] = {
        name: getattr(body, name)
        for name in ("name", "kind", "given_name", "family_name", "language", "external_reference")
    }
    columns |= _position(connection, {"fiscal_position": body.fiscal_position})
    _check(connection, columns, None)
    place = None if body.seat is None else body.seat.columns(within="/seat")
    reach = None if body.contact is None else given(body.contact)
    check_telephones(reach or {}, "phone", "mobile", within="/contact")
    made = add_customer(
        connection,
        columns,
        identifiers=[identifier_of(one, f"/tax_numbers/{place}/number") for place, one in enumerate(body.tax_numbers)],
        place=place,
        reach=reach,
        actor=person().name,
    )
    return _shown(connection, made)


@pages.call(
    "PATCH",
    "/customers/<int:number>",
    permission=Permission.CUSTOMER_CHANGE,
    body=CustomerChange,
    answers=OneCustomer,
    version="needed",
    does=("customers.edit",),
)
def change(connection: Connection, *, number: int, body: CustomerChange) -> OneCustomer:
    """Change who a customer is: documents keep what they were issued with."""
    hold_customers(connection, [number])
    found = known(connection, number)
    check_version(found)
    columns = _position(connection, given(body))
    _check(connection, columns, found)
    edit_customer(connection, found, columns, actor=person().name)
    return _shown(connection, known(connection, number))


@pages.call(
    "DELETE",
    "/customers/<int:number>",
    permission=Permission.CUSTOMER_CHANGE,
    answers=None,
    version="needed",
    does=("customers.delete",),
)
def delete(connection: Connection, *, number: int) -> None:
    """Delete a customer that was written by mistake: one with contracts, documents, notes or files stays."""
    hold_customers(connection, [number])
    found = known(connection, number)
    check_version(found)
    drop_customer(connection, found, actor=person().name)


def known(connection: Connection, number: int) -> Customer:
    """The customer of that number. Raises: Problem."""
    found = load_customer(connection, number)
    if found is None:
        raise there_is_none()
    return found


def _check(connection: Connection, columns: dict[str, Any], found: Customer | None) -> None:
    """Raises: Problem for what is of another customer, or of no person."""
    reference = columns.get("external_reference")
    other = load_customer_by_reference(connection, reference) if reference else None
    if other is not None and (found is None or other.id != found.id):
        raise wrong_value(f"customer {other.id} has it already", pointer="/external_reference")
    names = [columns.get(name, getattr(found, name, None)) for name in ("given_name", "family_name")]
    if (names[0] is None) != (names[1] is None):
        raise wrong_value(
            "a person has both names or neither", pointer="/given_name" if names[0] is None else "/family_name"
        )
    if names[0] is not None and columns.get("kind", getattr(found, "kind", None)) != "person":
        raise wrong_value("only a person has a given and a family name", pointer="/kind")


def _position(connection: Connection, values: dict[str, Any]) -> dict[str, Any]:
    """With the number of a fiscal position in the place of its name."""
    if "fiscal_position" not in values:
        return values
    name = values.pop("fiscal_position")
    there = {one.name: one.id for one in load_positions(connection)}
    if name is not None and name not in there:
        raise wrong_value(f"there is no such position; there are {', '.join(there)}", pointer="/fiscal_position")
    return values | {"fiscal_position_id": None if name is None else there[name]}


def _shown(connection: Connection, found: Customer) -> OneCustomer:
    page = load_customer_page(connection, found)
    tell_version(found)
    assert isinstance(found.created_at, datetime)
    return OneCustomer(
        *(found.id, found.name, found.kind, found.given_name, found.family_name),
        *(found.language, found.external_reference, found.fiscal_position, found.created_at),
        tax_numbers=[TaxNumber(one.scheme, one.number) for one in page.tax_identifiers],
        addresses=[place_of(one) for one in page.addresses],
        contacts=[contact_of(one, page.contacts) for one in page.contacts],
        contracts=[HeldContract(**one) for one in page.contracts],
        owes=[amount_of(read_money(Decimal(owed), currency)) for currency, owed in page.balances.items()]
        if may(Permission.DOCUMENT_SEE)
        else None,
    )
