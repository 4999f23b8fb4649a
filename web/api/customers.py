"""Customers: found by what is known of them, and shown."""

from __future__ import annotations

from typing import Annotated

import msgspec

from billing.customer_search import search_patterns
from billing.store.customer_search import load_found
from billing.store.customers import load_addresses, load_contacts, load_customer, load_tax_identifiers
from control_plane.access.permissions import Permission
from web.api._shapes import NO_CONTROL, there_is_none
from web.calls import Noun, Paging, Slice, part_after, slice_of
from web.database import Connection

pages = Noun("customers")


class Question(Paging, frozen=True, kw_only=True):
    """Which customers."""

    q: (
        Annotated[
            str,
            msgspec.Meta(
                max_length=200, pattern=NO_CONTROL, description="words, parts of words or numbers that all have to fit"
            ),
        ]
        | None
    ) = None


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


class Place(msgspec.Struct, frozen=True):
    """An address; `latitude` and `longitude` in degrees."""

    id: int
    kind: str
    street: str
    house_number: str | None
    postal_code: str
    city: str
    province: str | None
    country: str
    latitude: str | None
    longitude: str | None


class Reach(msgspec.Struct, frozen=True):
    """How a customer is reached about something, for one contract or for all."""

    role: str
    contract_id: int | None
    email: str | None
    phone: str | None
    mobile: str | None


class TaxNumber(msgspec.Struct, frozen=True):
    """A number at an authority."""

    scheme: str
    number: str


class OneCustomer(msgspec.Struct, frozen=True):
    """A customer with addresses, contacts and numbers."""

    id: int
    name: str
    kind: str
    given_name: str | None
    family_name: str | None
    language: str
    external_reference: str | None
    fiscal_position: str | None
    tax_numbers: list[TaxNumber]
    addresses: list[Place]
    contacts: list[Reach]


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
    after = part_after(asked, int)
    rows = load_found(connection, search_patterns(asked.q or ""), limit=asked.limit + 1, after=after[0] if after else 0)
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
    refusals=(404,),
    does=("customers.show",),
)
def show(connection: Connection, *, number: int) -> OneCustomer:
    """One customer."""
    found = load_customer(connection, number) if number < 2**63 else None
    if found is None:
        raise there_is_none()
    return OneCustomer(
        *(found.id, found.name, found.kind, found.given_name, found.family_name),
        *(found.language, found.external_reference, found.fiscal_position),
        tax_numbers=[TaxNumber(one.scheme, one.number) for one in load_tax_identifiers(connection, number)],
        addresses=[
            Place(
                *(one.id, one.kind, one.street, one.house_number, one.postal_code, one.city, one.province, one.country),
                latitude=None if one.latitude is None else f"{one.latitude:f}",
                longitude=None if one.longitude is None else f"{one.longitude:f}",
            )
            for one in load_addresses(connection, number)
        ],
        contacts=[
            Reach(one.role, one.contract_id, one.email, one.phone, one.mobile)
            for one in load_contacts(connection, number)
        ],
    )
