"""What a customer has one or several of, written and taken away: tax numbers, addresses, contacts."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import psycopg
from msgspec import UNSET, UnsetType

from billing import contacts
from billing.store.customers import Address, load_addresses, load_contacts, load_tax_identifiers
from billing.store.payments import hold_customers
from control_plane.access.permissions import Permission
from control_plane.customers import (
    drop_address,
    drop_contact,
    drop_identifier,
    put_address,
    put_contact,
    put_identifier,
)
from web.acting import person
from web.api._changes import Language, LongText, check_telephones, given
from web.api._customer_shapes import (
    Contact,
    Country,
    Degrees,
    Email,
    Line,
    NewContact,
    NewPlace,
    Phone,
    Place,
    PlaceKind,
    Role,
    Short,
    TaxNumber,
    columns_of,
    contact_of,
    identifier_of,
    place_of,
)
from web.api._shapes import Number, Words, there_is_none, wrong_value
from web.api.customers import known
from web.calls import Noun
from web.database import Connection
from web.problems import Problem
from web.versions import check_version, tell_version

pages = Noun("customers", "parts")


class TaxNumberToKeep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The number; blanks and dots in it are left out."""

    number: Annotated[str, msgspec.Meta(min_length=1, max_length=60)]


class KeptTaxNumber(msgspec.Struct, frozen=True):
    """A number as it is kept. `others` are customers under the same number: not wrong, but often the same one twice."""

    scheme: str
    number: str
    others: list[int]


class PlaceToAdd(NewPlace, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An address: a customer has one seat (`legal`) and one for documents (`billing`), and as many for services as it wants."""

    kind: PlaceKind = "service"


class PlaceChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What changes of an address: what is left out stays, what is null goes."""

    street: Line | UnsetType = UNSET
    house_number: Line | UnsetType | None = UNSET
    postal_code: Short | UnsetType = UNSET
    city: Line | UnsetType = UNSET
    province: Line | UnsetType | None = UNSET
    country: Country | UnsetType = UNSET
    latitude: Degrees | UnsetType | None = UNSET
    longitude: Degrees | UnsetType | None = UNSET
    directions: LongText | UnsetType | None = UNSET


class ContactToAdd(NewContact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is written to about something; what it leaves out the customer's contact of the role `parent` tells."""

    role: Role
    contract_id: Number | None = None
    parent: Role | None = None


class ContactChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What changes of a contact: what is left out stays, what is null goes."""

    name: Words | UnsetType | None = UNSET
    email: Email | UnsetType | None = UNSET
    phone: Phone | UnsetType | None = UNSET
    mobile: Phone | UnsetType | None = UNSET
    language: Language | UnsetType | None = UNSET
    parent: Role | UnsetType | None = UNSET


@pages.call(
    "PUT",
    "/customers/<int:number>/tax-numbers/<scheme>",
    permission=Permission.CUSTOMER_CHANGE,
    body=TaxNumberToKeep,
    answers=KeptTaxNumber,
    does=("customer_parts.tax_number",),
)
def put_tax_number(connection: Connection, *, number: int, scheme: str, body: TaxNumberToKeep) -> KeptTaxNumber:
    """Give a customer a tax number, in the place of the one of its scheme."""
    hold_customers(connection, [number])
    found = known(connection, number)
    identifier = identifier_of(TaxNumber(scheme, body.number), "/number")
    others = put_identifier(connection, found, identifier, actor=person().name)
    return KeptTaxNumber(identifier.scheme, identifier.number, others)


@pages.call(
    "DELETE",
    "/customers/<int:number>/tax-numbers/<scheme>",
    permission=Permission.CUSTOMER_CHANGE,
    answers=None,
    does=("customer_parts.tax_number",),
)
def remove_tax_number(connection: Connection, *, number: int, scheme: str) -> None:
    """Take a tax number away: invoices from now on are without it."""
    hold_customers(connection, [number])
    found = known(connection, number)
    if scheme not in {one.scheme for one in load_tax_identifiers(connection, number)}:
        raise there_is_none()
    drop_identifier(connection, found, scheme, actor=person().name)


@pages.call(
    "POST",
    "/customers/<int:number>/addresses",
    permission=Permission.CUSTOMER_CHANGE,
    body=PlaceToAdd,
    answers=Place,
    status=201,
    does=("customer_parts.new_place",),
)
def add_address(connection: Connection, *, number: int, body: PlaceToAdd) -> Place:
    """Add an address."""
    hold_customers(connection, [number])
    found = known(connection, number)
    if body.kind != "service" and any(one.kind == body.kind for one in load_addresses(connection, number)):
        raise Problem(409, "There is one of this kind already: change that one.")
    columns = {name: value for name, value in body.columns().items() if name != "kind"}
    made = put_address(connection, found, body.kind, columns, actor=person().name)
    return _told_place(connection, number, made)


@pages.call(
    "GET",
    "/customers/<int:number>/addresses/<int:address>",
    permission=Permission.CUSTOMER_SEE,
    answers=Place,
    version="told",
)
def show_address(connection: Connection, *, number: int, address: int) -> Place:
    """One address."""
    return _told_place(connection, number, address)


@pages.call(
    "PATCH",
    "/customers/<int:number>/addresses/<int:address>",
    permission=Permission.CUSTOMER_CHANGE,
    body=PlaceChange,
    answers=Place,
    version="needed",
    does=("customer_parts.edit_place",),
)
def change_address(connection: Connection, *, number: int, address: int, body: PlaceChange) -> Place:
    """Change an address: documents keep the one that they were issued with."""
    hold_customers(connection, [number])
    found = known(connection, number)
    there = _place(connection, number, address)
    check_version(there)
    put_address(connection, found, there.kind, columns_of(given(body)), address_id=address, actor=person().name)
    return _told_place(connection, number, address)


@pages.call(
    "DELETE",
    "/customers/<int:number>/addresses/<int:address>",
    permission=Permission.CUSTOMER_CHANGE,
    answers=None,
    version="needed",
    does=("customer_parts.remove_place",),
)
def remove_address(connection: Connection, *, number: int, address: int) -> None:
    """Take an address away that no contract is served at."""
    hold_customers(connection, [number])
    found = known(connection, number)
    there = _place(connection, number, address)
    check_version(there)
    try:
        drop_address(connection, found, there.kind, address, actor=person().name)
    except psycopg.errors.ForeignKeyViolation as error:
        raise Problem(409, "A contract is served there: move the contract first.") from error


@pages.call(
    "POST",
    "/customers/<int:number>/contacts",
    permission=Permission.CUSTOMER_CHANGE,
    body=ContactToAdd,
    answers=Contact,
    status=201,
    does=("customer_parts.new_contact",),
)
def add_contact(connection: Connection, *, number: int, body: ContactToAdd) -> Contact:
    """Say who is written to about something, for all contracts or for one."""
    hold_customers(connection, [number])
    found = known(connection, number)
    there = load_contacts(connection, number)
    if any((one.contract_id, one.role.value) == (body.contract_id, body.role) for one in there):
        raise Problem(409, "There is one for it already: change that one.")
    values = {name: getattr(body, name) for name in ("name", "email", "phone", "mobile", "language")}
    if not any(values.values()) and body.parent is None:
        raise wrong_value("say how somebody is reached", pointer="/email")
    columns = _columns(values | {"parent": body.parent}, there)
    put_contact(connection, found, body.role, body.contract_id, columns, actor=person().name)
    made = next(
        one
        for one in load_contacts(connection, number)
        if (one.contract_id, one.role.value) == (body.contract_id, body.role)
    )
    return _told_contact(connection, number, made.id)


@pages.call(
    "GET",
    "/customers/<int:number>/contacts/<int:contact>",
    permission=Permission.CUSTOMER_SEE,
    answers=Contact,
    version="told",
)
def show_contact(connection: Connection, *, number: int, contact: int) -> Contact:
    """One contact."""
    return _told_contact(connection, number, contact)


@pages.call(
    "PATCH",
    "/customers/<int:number>/contacts/<int:contact>",
    permission=Permission.CUSTOMER_CHANGE,
    body=ContactChange,
    answers=Contact,
    version="needed",
    does=("customer_parts.edit_contact",),
)
def change_contact(connection: Connection, *, number: int, contact: int, body: ContactChange) -> Contact:
    """Change a contact."""
    hold_customers(connection, [number])
    found = known(connection, number)
    there = load_contacts(connection, number)
    one = _contact(there, contact)
    check_version(one)
    columns = _columns(given(body), there)
    put_contact(connection, found, one.role.value, one.contract_id, columns, actor=person().name)
    return _told_contact(connection, number, contact)


@pages.call(
    "DELETE",
    "/customers/<int:number>/contacts/<int:contact>",
    permission=Permission.CUSTOMER_CHANGE,
    answers=None,
    version="needed",
    does=("customer_parts.remove_contact",),
)
def remove_contact(connection: Connection, *, number: int, contact: int) -> None:
    """Take a contact away: what it told those below it, they no longer say."""
    hold_customers(connection, [number])
    found = known(connection, number)
    one = _contact(load_contacts(connection, number), contact)
    check_version(one)
    drop_contact(connection, found, one.role.value, one.contract_id, actor=person().name)


def _place(connection: Connection, number: int, address: int) -> Address:
    for one in load_addresses(connection, number):
        if one.id == address:
            return one
    raise there_is_none()


def _told_place(connection: Connection, number: int, address: int) -> Place:
    there = _place(connection, number, address)
    tell_version(there)
    return place_of(there)


def _contact(there: list[contacts.Contact], contact: int) -> contacts.Contact:
    for one in there:
        if one.id == contact:
            return one
    raise there_is_none()


def _told_contact(connection: Connection, number: int, contact: int) -> Contact:
    there = load_contacts(connection, number)
    one = _contact(there, contact)
    tell_version(one)
    return contact_of(one, there)


def _columns(values: dict[str, Any], there: list[contacts.Contact]) -> dict[str, Any]:
    """As the table has them; the parent is one of the customer's own. Raises: Problem."""
    check_telephones(values, "phone", "mobile")
    if "parent" in values:
        role = values.pop("parent")
        own = {one.role.value: one.id for one in there if one.contract_id is None}
        if role is not None and role not in own:
            raise wrong_value("the customer has no contact for that", pointer="/parent")
        values["parent_id"] = None if role is None else own[role]
    return values
