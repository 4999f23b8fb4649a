"""What a country gives a new issuer: tax codes with rates by date, stamp duty, fiscal positions, registers of its own.

Beside it stands what the law asks before a line is limited for a debt, which is read from here whenever it is needed. The rest is where an issuer starts; afterwards the database is the truth, and a new rate is a row there.

Units: percents and amounts are exact decimals, days are civil dates, `until` is not covered.
Source: billing/countries/*.toml, each of which names its own.

Next: billing/starting_books.py
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from billing.dunning.floor import Channel, Floor
from billing.errors import BillingError

_FOLDER: Final = Path(__file__).resolve().parent / "countries"


@dataclass(frozen=True, slots=True)
class DatedPercent:
    """A rate from a day on, until another or for good."""

    since: date
    until: date | None
    percent: Decimal


@dataclass(frozen=True, slots=True)
class CountryTaxCode:
    """A tax code as `tax_code` holds it, with its rates; one with a nature has rate 0 and none here."""

    name: str
    nature: str | None
    law: str | None
    bears_stamp: bool
    rates: tuple[DatedPercent, ...]


@dataclass(frozen=True, slots=True)
class CountryStampDuty:
    """As `stamp_duty` holds it."""

    since: date
    until: date | None
    above: Decimal
    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class StampLine:
    """The product that a recharged stamp duty is: its name, tax code and words by language."""

    name: str
    tax_code: str
    texts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class CountryPosition:
    """As `fiscal_position` holds it; `replaces` pairs names of tax codes."""

    name: str
    liability: str
    priority: int | None
    kind: str | None
    countries: tuple[str, ...]
    postal_prefix: str | None
    replaces: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class CountryRegister:
    """A register that the country's law wants beside the usual ones; `position` names a fiscal position."""

    code: str
    kind: str
    name: str
    position: str | None


@dataclass(frozen=True, slots=True)
class CountryData:
    """All of a country. `company_numbers` are the schemes that an issuer's tax number may be of; `tax_regimes` all that its authority
    has, where it codes them.
    """

    country: str
    currency: str
    zone: str
    tax_regime: str | None
    company_numbers: tuple[str, ...]
    tax_codes: tuple[CountryTaxCode, ...]
    stamp_duties: tuple[CountryStampDuty, ...]
    stamp_line: StampLine | None
    positions: tuple[CountryPosition, ...]
    registers: tuple[CountryRegister, ...]
    dunning_floors: tuple[Floor, ...] = ()
    tax_regimes: tuple[str, ...] = ()


def known_countries() -> tuple[str, ...]:
    """The countries that have a file, as ISO 3166 codes in order."""
    return tuple(sorted(path.stem.upper() for path in _FOLDER.glob("*.toml")))


def load_country(country: str) -> CountryData:
    """What the file of a country says. Raises: BillingError when there is none."""
    path = _FOLDER / f"{country.lower()}.toml"
    if country not in known_countries():
        raise BillingError(
            f"nothing is known of country {country!r}: there are {', '.join(known_countries())};"
            f" another is a file billing/countries/{country.lower()}.toml"
        )
    read = tomllib.loads(path.read_text(encoding="utf-8"))
    return CountryData(
        country=read["country"],
        currency=read["currency"],
        zone=read["zone"],
        tax_regime=read.get("tax_regime"),
        company_numbers=tuple(read["company_numbers"]),
        tax_codes=tuple(_tax_code(one) for one in read.get("tax_code", ())),
        stamp_duties=tuple(
            CountryStampDuty(
                one["from"], one.get("until"), Decimal(one["above"]), Decimal(one["amount"]), one["currency"]
            )
            for one in read.get("stamp_duty", ())
        ),
        stamp_line=_stamp_line(read["stamp_line"]) if "stamp_line" in read else None,
        positions=tuple(_position(one) for one in read.get("position", ())),
        registers=tuple(
            CountryRegister(one["code"], one["kind"], one["name"], one.get("position"))
            for one in read.get("register", ())
        ),
        dunning_floors=tuple(_floor(one) for one in read.get("dunning_floor", ())),
        tax_regimes=tuple(read.get("tax_regimes", ())),
    )


@lru_cache(maxsize=1)
def countries_of_codes() -> Mapping[str, str]:
    """Whose each tax code is that a country's file has, by its name."""
    return {code.name: country for country in known_countries() for code in load_country(country).tax_codes}


def _tax_code(read: dict[str, Any]) -> CountryTaxCode:
    return CountryTaxCode(
        name=read["name"],
        nature=read.get("nature"),
        law=read.get("law"),
        bears_stamp=read.get("bears_stamp", False),
        rates=tuple(
            DatedPercent(one["from"], one.get("until"), Decimal(one["percent"])) for one in read.get("rates", ())
        ),
    )


def _stamp_line(read: dict[str, Any]) -> StampLine:
    return StampLine(read["name"], read["tax_code"], tuple(read["texts"].items()))


def _position(read: dict[str, Any]) -> CountryPosition:
    return CountryPosition(
        name=read["name"],
        liability=read.get("liability", "immediate"),
        priority=read.get("priority"),
        kind=read.get("kind"),
        countries=tuple(read.get("countries", ())),
        postal_prefix=read.get("postal_prefix"),
        replaces=tuple(read.get("replaces", {}).items()),
    )


def _floor(read: dict[str, Any]) -> Floor:
    return Floor(
        since=read["from"],
        late_after_days=read["late_after_days"],
        notice_days=read["notice_days"],
        channels=frozenset(map(Channel, read["channels"])),
        only_concerned=read.get("only_concerned", False),
        may_shorten=frozenset(read.get("may_shorten", ())),
        source=read["source"],
    )
