"""What is told of an issuer, compact and checked before it is written; what is wrong is named by its column.

A number has to be of a kind that its country has for companies, an account's check digits right, a zone and a calendar known.

Next: billing/store/issuers.py
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final
from zoneinfo import available_timezones

from billing.bank_account import WrongBankAccount, read_iban
from billing.bank_days import read_calendar
from billing.country_data import CountryData
from billing.dunning.holidays_of import UnknownCalendarError
from billing.errors import BillingError
from billing.money import read_money
from billing.sentence import Sentence
from billing.tax_identifiers import WrongIdentifier, read_identifier
from billing.telephone import WrongTelephone, read_telephone

_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+")


@dataclass(frozen=True, slots=True)
class WrongIssuerData:
    """Why a value was not taken; `detail` says which of its parts is wrong, in English."""

    column: str
    why: Sentence
    detail: str = ""

    def __str__(self) -> str:
        return self.detail or str(self.why)


def read_issuer_data(
    given: Mapping[str, object], country: CountryData, *, currency: str
) -> dict[str, object] | list[WrongIssuerData]:
    """The columns that were given, texts compact; or all that is wrong with them. What is None is to be empty.

    `currency`: of the issuer's books, which its smallest document is in.
    """
    read: dict[str, object] = dict(given)
    wrong: list[WrongIssuerData] = []
    for column, value in given.items():
        if value is None or column not in _READERS:
            continue
        found = _READERS[column](value, country, currency)
        if isinstance(found, WrongIssuerData):
            wrong.append(found)
        else:
            read[column] = found
    return wrong or read


def _number(column: str) -> Callable[[object, CountryData, str], object]:
    def read(value: object, country: CountryData, currency: str) -> object:
        del currency
        found = [read_identifier(scheme, str(value)) for scheme in country.company_numbers]
        good = [one for one in found if not isinstance(one, WrongIdentifier)]
        if good:
            return good[0].number
        detail = "; ".join(one.reason for one in found if isinstance(one, WrongIdentifier))
        return WrongIssuerData(column, Sentence("no company has such a number: look at each of its characters"), detail)

    return read


def _iban(value: object, country: CountryData, currency: str) -> object:
    del country, currency
    found = read_iban(str(value))
    if isinstance(found, WrongBankAccount):
        return WrongIssuerData("iban", Sentence("this is no IBAN: one of its characters is mistyped"), found.reason)
    return found


def _phone(value: object, country: CountryData, currency: str) -> object:
    del country, currency
    found = read_telephone(str(value))
    if isinstance(found, WrongTelephone):
        return WrongIssuerData("phone", Sentence("this is no telephone number: it begins with + and the country"), found.reason)  # fmt: skip
    return found


def _email(value: object, country: CountryData, currency: str) -> object:
    del country, currency
    good = _EMAIL.fullmatch(str(value))
    return value if good else WrongIssuerData("email", Sentence("this is no e-mail address"))


def _zone(value: object, country: CountryData, currency: str) -> object:
    del country, currency
    known = value in available_timezones()
    return value if known else WrongIssuerData("zone", Sentence("there is no such zone: Europe/Rome is one"))


def _calendar(value: object, country: CountryData, currency: str) -> object:
    del country, currency
    try:
        return read_calendar(str(value))
    except UnknownCalendarError as error:
        return WrongIssuerData("bank_days", Sentence("there is no such calendar: IT or IT-TO are some"), str(error))


def _regime(value: object, country: CountryData, currency: str) -> object:
    del currency
    if not country.tax_regimes or value in country.tax_regimes:
        return value
    detail = f"there is no tax regime {value!r} in {country.country}: {', '.join(country.tax_regimes)}"
    return WrongIssuerData("tax_regime", Sentence("this country has no such tax regime"), detail)


def _smallest(value: object, country: CountryData, currency: str) -> object:
    del country
    try:
        if (amount := read_money(Decimal(str(value)), currency)).minor > 0:
            return amount.amount
        return WrongIssuerData("minimum_document", Sentence("the smallest document is above 0"))
    except BillingError as error:
        why = Sentence("%(currency)s has fewer decimals", currency=currency)
        return WrongIssuerData("minimum_document", why, str(error))


_READERS: Final[Mapping[str, Callable[[object, CountryData, str], object]]] = {
    "vat_number": _number("vat_number"),
    "tax_number": _number("tax_number"),
    "iban": _iban,
    "phone": _phone,
    "email": _email,
    "zone": _zone,
    "bank_days": _calendar,
    "tax_regime": _regime,
    "minimum_document": _smallest,
}


def next_number(pattern: str, code: str, *, year: int | None, last: int | None, today: date) -> str:
    """How the next number of a series is printed, on a document of today: each year begins with 1."""
    number = (last or 0) + 1 if year == today.year else 1
    return pattern.replace("{number}", str(number)).replace("{code}", code).replace("{year}", str(today.year))
