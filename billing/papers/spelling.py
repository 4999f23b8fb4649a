"""How amounts, days and numbers are written for who reads a paper: by language, and by the country where both say it differs.

A paper becomes plain JSON: every amount, day and number as texts, everything else as it stands.

Source: Unicode CLDR as Babel carries it; ISO 4217 for the places of an amount (billing/money.py).

Next: billing/papers/press.py
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from babel import Locale, UnknownLocaleError
from babel.core import get_global
from babel.dates import format_date, format_time

from billing.money import Money, currency_places
from billing.papers.paper import Percent, Price

# The most that a price or a quantity has in the books.
_PLACES: Final = 8
# English without a country that writes it in its own way: days before months.
_ENGLISH: Final = "en_GB"
# The market's name for CNY outside of China.
_NO_ISO: Final = {"CNH"}
_LETTERS_AND_DIGITS: Final = re.compile(r"(?<=[A-Za-z])(?=[-\d])|(?<=\d)(?=[A-Za-z])")


@lru_cache(maxsize=64)
def locale_for(language: str, country: str) -> Locale:
    """How a language is written in a country, or by itself where it is not at home there."""
    try:
        found = Locale.parse(f"{language}_{country}")
    except (UnknownLocaleError, ValueError):
        return Locale.parse(_ENGLISH if language == "en" else language)
    # CLDR has an English of Italy with commas before decimals; who asks for English reads points.
    return found if language != "en" or found.number_symbols["latn"]["decimal"] == "." else Locale.parse(_ENGLISH)


class Spelling:
    """Writes in one language as one country does. A value is written once, however often it stands on papers."""

    def __init__(self, language: str, country: str) -> None:
        self.locale = locale_for(language, country)
        self._pattern: Callable[[str, int, int], Any] = lru_cache(maxsize=64)(self._pattern_with)
        self.day: Callable[[date], dict[str, str]] = lru_cache(maxsize=4096)(self._day)

    def number(self, value: Decimal, least: int = 0) -> str:
        """With all digits that say something, and at least so many places."""
        return str(self._pattern("decimal", least, max(least, -_exponent(value))).apply(value, self.locale))

    def amount(self, money: Money) -> dict[str, Any]:
        """`amount` as it stands in a column, `full` with its currency."""
        value, places = money.amount, currency_places(money.currency)
        priced = self._pattern("currency", places, places)
        return {
            "amount": self._pattern("decimal", places, places).apply(value, self.locale),
            "full": _spaced(priced.apply(value, self.locale, currency=money.currency, currency_digits=False)),
            "currency": money.currency,
        }

    def price(self, price: Price) -> str:
        """At least the currency's places."""
        return self.number(price.each, currency_places(price.currency))

    def percent(self, percent: Percent) -> str:
        """With the sign where the language has it."""
        places = max(0, -_exponent(percent.percent))
        return str(self._pattern("percent", 0, places).apply(percent.percent / 100, self.locale))

    def moment(self, moment: datetime) -> str:
        """A day and a time of it to the minute, in the moment's own zone."""
        return f"{self.day(moment.date())['short']}, {format_time(moment, 'short', locale=self.locale)}"

    def _pattern_with(self, kind: str, least: int, most: int) -> Any:
        """CLDR's own for the language, with so many places and no fewer."""
        kinds = {
            "decimal": lambda: self.locale.decimal_formats[None],
            "currency": lambda: self.locale.currency_formats["standard"],
            "percent": lambda: self.locale.percent_formats[None],
        }
        pattern = copy(kinds[kind]())
        pattern.frac_prec = (least, most)
        return pattern

    def _day(self, day: date) -> dict[str, str]:
        return {
            "short": format_date(day, "medium", locale=self.locale),
            "long": format_date(day, "long", locale=self.locale),
        }


def spelled(value: object, spelling: Spelling) -> Any:
    """A paper, or what stands on it, as JSON holds it."""
    for kind, spell in _SPELLINGS:
        if isinstance(value, kind):
            return spell(value, spelling)
    if isinstance(value, tuple | list):
        return [spelled(one, spelling) for one in value]
    if isinstance(value, Mapping):
        return {key: spelled(one, spelling) for key, one in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: spelled(getattr(value, one.name), spelling) for one in fields(value)}
    assert value is None or isinstance(value, str | bool | int), f"{value!r} can't be printed"
    return value


# A moment is a day too, so it comes first.
_SPELLINGS: Final[tuple[tuple[type, Callable[[Any, Spelling], Any]], ...]] = (
    (Money, lambda value, spelling: spelling.amount(value)),
    (datetime, lambda value, spelling: spelling.moment(value)),
    (date, lambda value, spelling: spelling.day(value)),
    (Price, lambda value, spelling: spelling.price(value)),
    (Percent, lambda value, spelling: spelling.percent(value)),
    (Decimal, lambda value, spelling: spelling.number(value)),
)


def _spaced(amount: str) -> str:
    """With a blank between a currency's letters and the digits, which CLDR asks for beside its patterns."""
    return _LETTERS_AND_DIGITS.sub("\N{NO-BREAK SPACE}", amount)


def _exponent(value: Decimal) -> int:
    """Minus how many places say something."""
    exponent = value.normalize().as_tuple().exponent
    assert isinstance(exponent, int), f"{value} is no number"
    return max(-_PLACES, min(0, exponent))


@lru_cache(maxsize=1)
def known_currencies() -> frozenset[str]:
    """The codes of ISO 4217 that are in force, those of units of account such as CLF too, without metals and codes for tests."""
    used = {
        (code, tender)
        for rows in get_global("territory_currencies").values()
        for code, _, until, tender in rows
        if until is None
    }
    return frozenset(code for code, tender in used if tender or not code.startswith("X")) - _NO_ISO
