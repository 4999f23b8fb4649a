"""A CSV file of customers to what we want to be known of them: every refusal with the line it stands in.

Columns are found by their names in the first line; docs/samples/customers.csv shows all of them. Comma or semicolon, UTF-8 with or
without a byte order mark. An empty field says nothing: what is known stays. A column named as a kind of tax number (it.iva) holds it.

Next: billing/customer_import.py
"""

from __future__ import annotations

import csv
import difflib
import io
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Final

from billing.country_codes import country_fault
from billing.errors import BillingError
from billing.plain_text import is_seen
from billing.tax_identifiers import KINDS, WrongIdentifier, read_identifier
from billing.telephone import WrongTelephone, read_telephone

# A larger file is no list of customers.
MAX_CSV_OCTETS: Final = 1 << 28
_LONGEST_FIELD: Final = 2000
_OWN: Final = ("name", "kind", "given_name", "family_name", "language", "position")
_PLACE: Final = ("street", "house_number", "postal_code", "city", "province", "country", "latitude", "longitude")
_CONTACT: Final = ("contact_name", "email", "phone", "mobile")
_PLACES: Final = {"": "legal", "billing_": "billing", "service_": "service"}
COLUMNS: Final = ("reference", *_OWN, *(f"{prefix}{name}" for prefix in _PLACES for name in _PLACE), *_CONTACT)
_KINDS: Final = ("person", "company", "public_body")
_LANGUAGES: Final = ("en", "it", "es")
_REFERENCE: Final = re.compile(r"[^\s\x00-\x1f\x7f]{1,64}")
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+")
_DEGREES: Final = {"latitude": Decimal(90), "longitude": Decimal(180)}
_PLACES_OF_DEGREES: Final = Decimal("0.000001")


class CustomerCsvError(BillingError):
    """The file can't be read as a whole; the message says why and what to do."""


class _RefusedError(Exception):
    pass


@dataclass(frozen=True, slots=True)
class WantedCustomer:
    """What a line says; only what it says is in here.

    `columns` are those of customer, `position` names a fiscal position, `numbers` are tax numbers by scheme, `addresses` columns
    by kind, `contact` the columns of the main contact.
    """

    line: int
    reference: str
    columns: Mapping[str, str]
    position: str | None = None
    numbers: Mapping[str, str] = field(default_factory=dict)
    addresses: Mapping[str, Mapping[str, str | Decimal]] = field(default_factory=dict)
    contact: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """A line that can't be taken, and why."""

    line: int
    reference: str
    reason: str


@dataclass(frozen=True, slots=True)
class Defaults:
    """What stands for an empty field: a country of addresses, and what is put before telephone numbers without one.

    `positions` are the names of the fiscal positions there are.
    """

    positions: Collection[str] = ()
    country: str | None = None
    dialling_code: str | None = None


def read_customers(octets: bytes, defaults: Defaults) -> tuple[list[WantedCustomer], list[RefusedLine]]:
    """The customers of a file, and the lines that are refused. Raises: CustomerCsvError when it has no usable header."""
    wanted: list[WantedCustomer] = []
    refused: list[RefusedLine] = []
    lines: dict[str, int] = {}
    for number, row in _rows(_text(octets)):
        try:
            customer = _customer(number, row, defaults)
            if customer.reference in lines:
                raise _RefusedError(
                    f"reference {customer.reference!r} stands in line {lines[customer.reference]} already"
                )
        except _RefusedError as error:
            refused.append(RefusedLine(number, row.get("reference", "").strip(), str(error)))
            continue
        lines[customer.reference] = number
        wanted.append(customer)
    return wanted, refused


def _text(octets: bytes) -> str:
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = octets[: error.start].count(b"\n") + 1
        raise CustomerCsvError(f"line {line}: this is no UTF-8: save the file as UTF-8") from error


def _rows(text: str) -> list[tuple[int, dict[str, str]]]:
    header = text.split("\n", 1)[0].rstrip("\r")
    if not header.strip():
        raise CustomerCsvError("line 1: no header; it names the columns, reference and others")
    delimiter = ";" if header.count(";") > header.count(",") else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        names = [name.strip().lower() for name in next(reader)]
        _check_header(names)
        rows, last = [], reader.line_num
        for values in reader:
            number, last = last + 1, reader.line_num
            if any(value.strip() for value in values):
                rows.append((number, _named(names, values)))
    except csv.Error as error:
        raise CustomerCsvError(f"line {reader.line_num}: {error}") from error
    return rows


def _check_header(names: list[str]) -> None:
    known = (*COLUMNS, *KINDS)
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(COLUMNS)} and kinds of tax numbers"
            raise CustomerCsvError(f"line 1: unknown column {name!r}; {hint}")
        if names.count(name) > 1:
            raise CustomerCsvError(f"line 1: column {name!r} stands there twice")
    if "reference" not in names:
        raise CustomerCsvError("line 1: column reference is missing: a second import finds customers by it")


def _named(names: list[str], values: list[str]) -> dict[str, str]:
    # A line of another width is refused where its number is known.
    if len(values) != len(names):
        return {"": f"{len(values)} fields, the header has {len(names)}"}
    return {name: value.strip() for name, value in zip(names, values, strict=True)}


def _customer(line: int, row: Mapping[str, str], defaults: Defaults) -> WantedCustomer:
    if "" in row:
        raise _RefusedError(row[""])
    for column, value in row.items():
        if any(ord(character) < 32 or 127 <= ord(character) < 160 for character in value):
            raise _RefusedError(f"{column}: holds a control character")
        if len(value) > _LONGEST_FIELD:
            raise _RefusedError(f"{column}: {len(value)} characters, {_LONGEST_FIELD} are the most")
        if value and not is_seen(value):
            raise _RefusedError(f"{column}: there is nothing in it that is seen")
    said = {column: value for column, value in row.items() if value}
    reference = said.get("reference", "")
    if not _REFERENCE.fullmatch(reference):
        raise _RefusedError(f"reference: {reference!r}: 1 to 64 characters without blanks")
    position = said.get("position")
    if position is not None and position not in defaults.positions:
        raise _RefusedError(f"position: there is no fiscal position {position!r}")
    return WantedCustomer(
        line=line,
        reference=reference,
        columns=_own(said),
        position=position,
        numbers=_numbers(said),
        addresses=_addresses(said, defaults),
        contact=_contact(said, defaults),
    )


def _own(said: Mapping[str, str]) -> dict[str, str]:
    own = {name: said[name] for name in _OWN if name in said and name != "position"}
    for name, choices in (("kind", _KINDS), ("language", _LANGUAGES)):
        if own.get(name, choices[0]) not in choices:
            raise _RefusedError(f"{name}: {own[name]!r}: one of {', '.join(choices)}")
    if ("given_name" in own) != ("family_name" in own):
        raise _RefusedError("given_name and family_name come together")
    if "given_name" in own:
        if own.get("kind", "person") != "person":
            raise _RefusedError("given_name: only a person has one")
        own.setdefault("name", f"{own['given_name']} {own['family_name']}")
    return own


def _numbers(said: Mapping[str, str]) -> dict[str, str]:
    numbers = {}
    for scheme in KINDS:
        if scheme in said:
            read = read_identifier(scheme, said[scheme])
            if isinstance(read, WrongIdentifier):
                raise _RefusedError(read.reason)
            numbers[scheme] = read.number
    return numbers


def _addresses(said: Mapping[str, str], defaults: Defaults) -> dict[str, Mapping[str, str | Decimal]]:
    found: dict[str, Mapping[str, str | Decimal]] = {}
    for prefix, kind in _PLACES.items():
        place: dict[str, str | Decimal] = {name: said[prefix + name] for name in _PLACE if prefix + name in said}
        if not place:
            continue
        if defaults.country is not None:
            place.setdefault("country", defaults.country)
        if (fault := country_fault(str(place.get("country", "IT")))) is not None:
            raise _RefusedError(f"{prefix}country: {fault}")
        if ("latitude" in place) != ("longitude" in place):
            raise _RefusedError(f"{prefix}latitude and {prefix}longitude come together")
        for name, most in _DEGREES.items():
            if name in place:
                place[name] = _degrees(prefix + name, str(place[name]), most)
        found[kind] = place
    return found


def _degrees(column: str, text: str, most: Decimal) -> Decimal:
    try:
        degrees = Decimal(text.replace(",", ".")).quantize(_PLACES_OF_DEGREES)
    except InvalidOperation as error:
        raise _RefusedError(f"{column}: {text!r}: degrees such as 45.066667") from error
    if abs(degrees) > most:
        raise _RefusedError(f"{column}: {text!r}: -{most} to {most}")
    return degrees


def _contact(said: Mapping[str, str], defaults: Defaults) -> dict[str, str]:
    contact = {name.removeprefix("contact_"): said[name] for name in _CONTACT if name in said}
    if not _EMAIL.fullmatch(contact.get("email", "a@b")):
        raise _RefusedError(f"email: {contact['email']!r} is no address")
    for name in ("phone", "mobile"):
        if name in contact:
            read = read_telephone(contact[name], dialling_code=defaults.dialling_code)
            if isinstance(read, WrongTelephone):
                raise _RefusedError(f"{name}: {read.reason}")
            contact[name] = read
    return contact
