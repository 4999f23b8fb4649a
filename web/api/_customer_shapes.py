"""What a customer has one or several of, as calls answer it and take it: tax numbers, addresses, contacts."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

import msgspec

from billing import contacts
from billing.country_codes import country_fault
from billing.store.customers import Address
from billing.tax_identifiers import TaxIdentifier, read_identifier
from web.api._changes import Language, LongText, given
from web.api._shapes import NO_CONTROL, Words, wrong_value

PlaceKind = Literal["legal", "billing", "service"]
Role = Literal["main", "administrative", "technical", "collections"]
Country = Annotated[str, msgspec.Meta(pattern="^[A-Z]{2}$", description="ISO 3166-1")]
Degrees = Annotated[str, msgspec.Meta(pattern=r"^-?\d{1,3}(\.\d{1,6})?$", description="degrees, WGS 84")]
Short = Annotated[str, msgspec.Meta(min_length=1, max_length=20, pattern=NO_CONTROL)]
Line = Annotated[str, msgspec.Meta(min_length=1, max_length=120, pattern=NO_CONTROL)]
Email = Annotated[str, msgspec.Meta(max_length=254, pattern=r"^[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+$")]
Phone = Annotated[str, msgspec.Meta(min_length=1, max_length=40, description="with + and its country; kept as E.164")]
_MOST: Final = {"latitude": 90, "longitude": 180}


class TaxNumber(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A number at an authority; its `scheme` such as `it.codicefiscale`, `it.iva`, `eu.vat`, `ar.cuit`."""

    scheme: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
    number: Annotated[str, msgspec.Meta(min_length=1, max_length=60)]


class Place(msgspec.Struct, frozen=True):
    """An address: the seat (`legal`), where documents go (`billing`) or where the service is. `latitude` and `longitude` in degrees."""

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
    directions: str | None


class NewPlace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where something is; coordinates come both or not at all."""

    street: Line
    house_number: Line | None = None
    postal_code: Short
    city: Line
    province: Line | None = None
    country: Country
    latitude: Degrees | None = None
    longitude: Degrees | None = None
    directions: LongText | None = None

    def columns(self, *, within: str = "") -> dict[str, Any]:
        """As the table has them. Raises: Problem."""
        return columns_of(given(self), within=within)


class Contact(msgspec.Struct, frozen=True):
    """Who is written to about something, for one contract or for all. What is null the contact of the role `parent` tells."""

    id: int
    role: str
    contract_id: int | None
    parent: str | None
    name: str | None
    email: str | None
    phone: str | None
    mobile: str | None
    language: str | None


class NewContact(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How somebody is reached."""

    name: Words | None = None
    email: Email | None = None
    phone: Phone | None = None
    mobile: Phone | None = None
    language: Language | None = None


def columns_of(values: dict[str, Any], *, within: str = "") -> dict[str, Any]:
    """An address as the table has it. Raises: Problem for a country that there is not, or coordinates that are not on this globe."""
    if "country" in values and (fault := country_fault(values["country"])) is not None:
        raise wrong_value(fault, pointer=f"{within}/country")
    for name, most in _MOST.items():
        if values.get(name) is not None:
            values[name] = Decimal(values[name])
            if abs(values[name]) > most:
                raise wrong_value(f"at most {most} degrees", pointer=f"{within}/{name}")
    return values


def place_of(row: Address) -> Place:
    """As it is answered."""
    return Place(
        *(row.id, row.kind, row.street, row.house_number, row.postal_code, row.city, row.province, row.country),
        latitude=None if row.latitude is None else f"{row.latitude:f}",
        longitude=None if row.longitude is None else f"{row.longitude:f}",
        directions=row.directions,
    )


def contact_of(row: contacts.Contact, there: Sequence[contacts.Contact]) -> Contact:
    """As it is answered; `there` are all of the customer."""
    parent = next((one.role.value for one in there if one.id == row.parent_id), None)
    return Contact(
        *(row.id, row.role.value, row.contract_id, parent, row.name, row.email, row.phone, row.mobile, row.language)
    )


def identifier_of(asked: TaxNumber, pointer: str) -> TaxIdentifier:
    """The checked number. Raises: Problem."""
    read = read_identifier(asked.scheme, asked.number)
    if not isinstance(read, TaxIdentifier):
        raise wrong_value(read.reason, pointer=pointer)
    return read
