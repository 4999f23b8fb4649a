"""Issuers with their chart and registers, begun from their country's data; tax codes, rates, positions and exemptions.

Units: days are civil dates, `until` is not covered; percents are exact.

Next: billing/store/customers.py
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

import psycopg
from psycopg.rows import class_row
from psycopg.types.range import DateRange

from billing.country_codes import country_fault
from billing.country_data import CountryData
from billing.errors import BillingError
from billing.starting_books import CHART, METHODS, REGISTERS, SERIES
from billing.store.rows import id_of, insert_row

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Issuer:
    """A legal entity that invoices, as its row is."""

    id: int
    name: str
    country: str
    vat_number: str | None
    tax_number: str | None
    street: str
    house_number: str | None
    postal_code: str
    city: str
    province: str | None
    email: str | None
    phone: str | None
    zone: str
    currency: str
    tax_regime: str | None
    recharges_stamp: bool
    iban: str | None
    confirm_hours: int | None
    minimum_document: Decimal | None
    mails_invoices: bool
    bank_days: str | None


@dataclass(frozen=True, slots=True)
class Register:
    """A series of legal numbers, and how far it has come in its newest year."""

    id: int
    code: str
    kind: str
    name: str
    pattern: str
    purpose: str | None
    fiscal_position: str | None
    year: int | None
    last_number: int | None
    last_date: date | None


@dataclass(frozen=True, slots=True)
class Series:
    """Numbers of papers that are no documents, such as receipts, and how far they have come in their newest year."""

    id: int
    code: str
    kind: str
    name: str
    pattern: str
    year: int | None
    last_number: int | None
    last_date: date | None


@dataclass(frozen=True, slots=True)
class TaxCodeRow:
    """A tax code with all its rates in order, such as `22.0000 from 2013-10-01`."""

    id: int
    name: str
    nature: str | None
    legal_reference: str | None
    bears_stamp: bool
    rates: list[str]


@dataclass(frozen=True, slots=True)
class PositionRow:
    """A fiscal position; `replaces` such as `IT-22 -> IT-N2.1`."""

    id: int
    name: str
    liability: str
    priority: int | None
    issuer: str | None
    customer_kind: str | None
    countries: list[str]
    postal_prefix: str | None
    replaces: list[str]


@dataclass(frozen=True, slots=True)
class ExemptionRow:
    """A customer that bears another tax for a time, by a paper it gave."""

    id: int
    customer_id: int
    customer: str
    tax_code: str
    since: date
    until: date
    legal_reference: str
    placed_by: str


@dataclass(frozen=True, slots=True)
class Begun:
    """What a new issuer was given: names that were made, and those that the installation had already."""

    issuer_id: int
    accounts: int
    registers: list[str]
    tax_codes_made: list[str]
    tax_codes_there: list[str]
    positions_made: list[str]


# Whose numbers leave the house.
_LEGAL: Final = ("invoice", "credit_note")
_NUMBER_CHARACTERS: Final = 20
_MOST_DOCUMENTS: Final = 9_999_999
# As schema.sql has it.
_PATTERN: Final = "{number}/{code}/{year}"
_ISSUERS: Final = (
    "SELECT id, name, country, vat_number, tax_number, street, house_number, postal_code, city, province, email, phone,"
    " zone, currency, tax_regime, recharges_stamp, iban, confirm_hours, minimum_document, mails_invoices, bank_days FROM issuer ORDER BY name"
)
_REGISTERS: Final = """
SELECT r.id, r.code, r.kind::text, r.name, r.pattern, r.purpose::text, p.name AS fiscal_position, y.year, y.last_number, y.last_date FROM document_register AS r
LEFT JOIN fiscal_position AS p ON p.id = r.fiscal_position_id
LEFT JOIN LATERAL (SELECT * FROM register_year WHERE register_id = r.id ORDER BY year DESC LIMIT 1) AS y ON true
WHERE r.issuer_id = %s ORDER BY r.kind, r.code
"""
_SERIES: Final = """
SELECT s.id, s.code, s.kind::text, s.name, s.pattern, y.year, y.last_number, y.last_on AS last_date FROM number_series AS s
LEFT JOIN LATERAL (SELECT * FROM number_series_year WHERE series_id = s.id ORDER BY year DESC LIMIT 1) AS y ON true
WHERE s.issuer_id = %s ORDER BY s.kind, s.code
"""
_TAX_CODES: Final = """
SELECT c.id, c.name, c.nature, c.legal_reference, c.bears_stamp,
    ARRAY(SELECT trim_scale(r.percent)::text || ' from ' || lower(r.during) || coalesce(' until ' || upper(r.during), '')
        FROM tax_rate AS r WHERE r.tax_code_id = c.id ORDER BY r.during) AS rates
FROM tax_code AS c ORDER BY c.name
"""
_POSITIONS: Final = """
SELECT p.id, p.name, p.liability::text, p.priority, i.name AS issuer, p.customer_kind::text, p.countries, p.postal_prefix,
    ARRAY(SELECT f.name || ' -> ' || t.name FROM fiscal_position_tax AS x JOIN tax_code AS f ON f.id = x.from_tax_code_id
        JOIN tax_code AS t ON t.id = x.to_tax_code_id WHERE x.fiscal_position_id = p.id ORDER BY f.name) AS replaces
FROM fiscal_position AS p LEFT JOIN issuer AS i ON i.id = p.issuer_id ORDER BY p.priority NULLS LAST, p.name
"""
_EXEMPTIONS: Final = """
SELECT e.id, e.customer_id, k.name AS customer, c.name AS tax_code, lower(e.during) AS since, upper(e.during) AS until,
    e.legal_reference, e.placed_by
FROM exemption AS e JOIN customer AS k ON k.id = e.customer_id JOIN tax_code AS c ON c.id = e.tax_code_id
WHERE %(customer)s::bigint IS NULL OR e.customer_id = %(customer)s ORDER BY lower(e.during) DESC, e.id DESC
"""


def load_issuers(connection: Connection) -> list[Issuer]:
    """All of them, by name."""
    with connection.cursor(row_factory=class_row(Issuer)) as cursor:
        return cursor.execute(_ISSUERS).fetchall()


def load_issuer_registers(connection: Connection, issuer_id: int) -> list[Register]:
    """An issuer's, by kind and code."""
    with connection.cursor(row_factory=class_row(Register)) as cursor:
        return cursor.execute(_REGISTERS, (issuer_id,)).fetchall()


def load_series(connection: Connection, issuer_id: int) -> list[Series]:
    """An issuer's series of numbers of receipts and settlements, by kind and code."""
    with connection.cursor(row_factory=class_row(Series)) as cursor:
        return cursor.execute(_SERIES, (issuer_id,)).fetchall()


def hold_issuer(connection: Connection, issuer_id: int) -> Issuer | None:
    """One, for who is about to change it: nobody else does until the transaction ends. None: there is none."""
    connection.execute("SELECT FROM issuer WHERE id = %s FOR NO KEY UPDATE", (issuer_id,))
    return next((one for one in load_issuers(connection) if one.id == issuer_id), None)


def load_tax_codes(connection: Connection) -> list[TaxCodeRow]:
    """All of them with their rates, by name."""
    with connection.cursor(row_factory=class_row(TaxCodeRow)) as cursor:
        return cursor.execute(_TAX_CODES).fetchall()


def load_positions(connection: Connection) -> list[PositionRow]:
    """All of them, in the order in which they are tried, then those that are only named."""
    with connection.cursor(row_factory=class_row(PositionRow)) as cursor:
        return cursor.execute(_POSITIONS).fetchall()


def load_exemptions(connection: Connection, customer_id: int | None = None) -> list[ExemptionRow]:
    """All, or one customer's; the newest first."""
    with connection.cursor(row_factory=class_row(ExemptionRow)) as cursor:
        return cursor.execute(_EXEMPTIONS, {"customer": customer_id}).fetchall()


def begin_issuer(connection: Connection, given: Mapping[str, object], country: CountryData) -> Begun:
    """Write an issuer with the default chart, its registers, and what its country has that is not there yet.

    Tax codes and positions belong to the installation: a second issuer of a country finds them as the first left them.
    """
    issuer_id = insert_row(connection, "issuer", given)
    for account in CHART:
        columns = {"code": account.code, "name": account.name, "role": account.role, "family": account.family}
        insert_row(connection, "ledger_account", {"issuer_id": issuer_id, **columns})
    for method in METHODS:
        insert_row(connection, "payment_method", {"issuer_id": issuer_id, **asdict(method)})
    for series in SERIES:
        insert_row(connection, "number_series", {"issuer_id": issuer_id, **asdict(series)})
    made, there = _begin_taxes(connection, country)
    positions = _begin_positions(connection, country)
    codes = []
    for register in REGISTERS:
        add_register(
            connection, issuer_id, register.code, kind=register.kind, name=register.name, purpose=register.purpose
        )
        codes.append(register.code)
    for own in country.registers:
        add_register(connection, issuer_id, own.code, kind=own.kind, name=own.name, position=own.position)
        codes.append(own.code)
    return Begun(issuer_id, len(CHART), codes, made, there, positions)


def _begin_taxes(connection: Connection, country: CountryData) -> tuple[list[str], list[str]]:
    known = {code.name for code in load_tax_codes(connection)}
    made, there = [], []
    for code in country.tax_codes:
        if code.name in known:
            there.append(code.name)
            continue
        add_tax_code(connection, code.name, nature=code.nature, law=code.law, bears_stamp=code.bears_stamp)
        for rate in code.rates:
            add_rate(connection, code.name, rate.percent, since=rate.since, until=rate.until)
        made.append(code.name)
    row = connection.execute("SELECT FROM stamp_duty WHERE country = %s LIMIT 1", (country.country,)).fetchone()
    if row is None:
        product_id = _begin_stamp_product(connection, country) if country.stamp_line else None
        for duty in country.stamp_duties:
            connection.execute(
                "INSERT INTO stamp_duty (country, currency, during, above, amount, product_id) VALUES (%s, %s, %s, %s, %s, %s)",
                (
                    country.country,
                    duty.currency,
                    DateRange(duty.since, duty.until),
                    duty.above,
                    duty.amount,
                    product_id,
                ),
            )
    return made, there


def _begin_stamp_product(connection: Connection, country: CountryData) -> int:
    """What stands on a document where the issuer recharges the duty: a product, so that its tax code and words are data."""
    line = country.stamp_line
    assert line is not None
    code_id = id_of(connection, "tax_code", line.tax_code)
    columns = {"name": line.name, "kind": "one_off", "family": "stamp_duty", "tax_code_id": code_id}
    product_id = insert_row(connection, "product", columns)
    for language, text in line.texts:
        connection.execute("INSERT INTO product_text VALUES (%s, %s, %s)", (product_id, language, text))
    return product_id


def _begin_positions(connection: Connection, country: CountryData) -> list[str]:
    known = {position.name for position in load_positions(connection)}
    made = []
    for position in country.positions:
        if position.name in known:
            continue
        add_position(
            connection,
            {
                "name": position.name,
                "liability": position.liability,
                "priority": position.priority,
                "customer_kind": position.kind,
                "countries": list(position.countries),
                "postal_prefix": position.postal_prefix,
            },
            replaces=position.replaces,
        )
        made.append(position.name)
    return made


def add_register(
    connection: Connection,
    issuer_id: int,
    code: str,
    *,
    kind: str,
    name: str,
    pattern: str | None = None,
    purpose: str | None = None,
    position: str | None = None,
) -> int:
    """One more register; returns its id. Without a pattern the database's own holds; `position` names a fiscal position.

    Raises: NotThereError for a fiscal position that there is not; BillingError for numbers that are too long, or that another
    register prints alike.
    """
    if kind in _LEGAL:
        _check_numbers(connection, issuer_id, code, pattern or _PATTERN)
    position_id = id_of(connection, "fiscal_position", position) if position else None
    columns: dict[str, object] = {"issuer_id": issuer_id, "code": code, "kind": kind, "name": name, "purpose": purpose}
    columns["fiscal_position_id"] = position_id
    return insert_row(connection, "document_register", columns | ({"pattern": pattern} if pattern else {}))


def _check_numbers(connection: Connection, issuer_id: int, code: str, pattern: str) -> None:
    """Whoever receives invoices takes so many characters of a number, and tells them apart by what is printed alone.

    Source: FatturaPA's Numero and control 00404.
    """
    printed = pattern.replace("{code}", code)
    longest = printed.replace("{year}", "2026").replace("{number}", str(_MOST_DOCUMENTS))
    if len(longest) > _NUMBER_CHARACTERS:
        raise BillingError(
            f"register {code}: document {_MOST_DOCUMENTS} would be printed as {longest}, and a number has {_NUMBER_CHARACTERS}"
            " characters at most: give a shorter pattern"
        )
    others = {
        one.pattern.replace("{code}", one.code): one.code
        for one in load_issuer_registers(connection, issuer_id)
        if one.kind in _LEGAL and one.code != code
    }
    if printed in others:
        raise BillingError(
            f"register {code} would print the numbers of register {others[printed]} once more: give it a pattern of its own,"
            " such as one with {code}"
        )


def add_tax_code(
    connection: Connection, name: str, *, nature: str | None, law: str | None, bears_stamp: bool = False
) -> int:
    """One more tax code; returns its id."""
    return insert_row(
        connection,
        "tax_code",
        {"name": name, "nature": nature, "legal_reference": law, "bears_stamp": bears_stamp},
    )


def add_rate(
    connection: Connection, code: str, percent: Decimal, *, since: date, until: date | None = None
) -> list[str]:
    """A rate of a code from a day on; what held on that day without an end, ends there. Returns what was ended.

    Raises: NotThereError for a code that there is not; the database refuses what overlaps otherwise.
    """
    code_id = id_of(connection, "tax_code", code)
    ended = connection.execute(
        "UPDATE tax_rate SET during = daterange(lower(during), %(since)s) WHERE tax_code_id = %(code)s"
        " AND upper_inf(during) AND lower(during) < %(since)s RETURNING percent::text",
        {"since": since, "code": code_id},
    ).fetchall()
    connection.execute(
        "INSERT INTO tax_rate (tax_code_id, during, percent) VALUES (%s, %s, %s)",
        (code_id, DateRange(since, until), percent),
    )
    return [percent for (percent,) in ended]


def add_position(
    connection: Connection, columns: Mapping[str, object], *, replaces: tuple[tuple[str, str], ...] = ()
) -> int:
    """One more fiscal position; `replaces` pairs names of tax codes.

    Raises: NotThereError for one that there is not; BillingError for a country that there is not.
    """
    for code in columns.get("countries") or ():  # type: ignore[attr-defined]  # a list
        if (fault := country_fault(code)) is not None:
            raise BillingError(f"fiscal position {columns['name']}: {fault}")
    position_id = insert_row(connection, "fiscal_position", columns)
    for before, after in replaces:
        connection.execute(
            "INSERT INTO fiscal_position_tax (fiscal_position_id, from_tax_code_id, to_tax_code_id) VALUES (%s, %s, %s)",
            (position_id, id_of(connection, "tax_code", before), id_of(connection, "tax_code", after)),
        )
    return position_id


def add_exemption(
    connection: Connection, customer_id: int, code: str, *, since: date, until: date, law: str, placed_by: str
) -> int:
    """All of a customer's taxed lines get this code for a time. Raises: NotThereError for a code that there is not."""
    return insert_row(
        connection,
        "exemption",
        {
            "customer_id": customer_id,
            "tax_code_id": id_of(connection, "tax_code", code),
            "during": DateRange(since, until),
            "legal_reference": law,
            "placed_by": placed_by,
        },
    )


def end_exemptions(connection: Connection, customer_id: int, *, on: date) -> int:
    """From that day on the customer is taxed as anybody: what held on it ends there, what begins later is taken away. Returns how many.

    What is issued stays.
    """
    given = {"customer": customer_id, "on": on}
    gone = connection.execute(
        "DELETE FROM exemption WHERE customer_id = %(customer)s AND lower(during) >= %(on)s", given
    ).rowcount
    ended = connection.execute(
        "UPDATE exemption SET during = daterange(lower(during), %(on)s) WHERE customer_id = %(customer)s AND upper(during) > %(on)s",
        given,
    ).rowcount
    return gone + ended
