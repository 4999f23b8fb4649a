"""Words, numbers, days and money as the reader has them: English, Italian, Spanish.

The English text is the key. Translations are in web/translations/LANGUAGE/SECTION.po, one file a section, all of them read when
the process starts; tests/structure/test_translations.py finds what is not translated. Formats are CLDR's.

Next: forms.py
"""

from __future__ import annotations

from copy import copy
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from typing import Any, Final, Literal, cast
from zoneinfo import ZoneInfo

from babel import Locale, numbers
from babel.dates import format_date, format_time, format_timedelta
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import g, request

from billing.money import Money, currency_places
from control_plane.quantities import mac_text
from web.surroundings import here

Language = Literal["en", "it", "es"]
LANGUAGES: Final[dict[Language, str]] = {"en": "English", "it": "Italiano", "es": "Español"}
COOKIE: Final = "language"
TRANSLATIONS: Final = Path(__file__).parent / "translations"
_LOCALES: Final = {"en": "en_GB", "it": "it_IT", "es": "es_ES"}
_OCTETS: Final = ("B", "kB", "MB", "GB", "TB", "PB")
_BITS: Final = ("bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s")
_STEP: Final = 1000
_MOST_DIGITS: Final = 18


class Lazy:
    """A text that is translated when it is shown: for labels that are written down before there is a reader."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return gettext(self.text)

    def __html__(self) -> str:
        from markupsafe import escape  # noqa: PLC0415  # only where a template shows it

        return str(escape(str(self)))

    def __mod__(self, values: object) -> str:
        return str(self) % values


def lazy(text: str) -> Any:
    """`text`, translated at each showing. WTForms and templates take it as a text."""
    return Lazy(text)


@lru_cache
def translations_of(language: str) -> NullTranslations:
    """All sections of a language together."""
    whole = Catalog(locale=language)
    for file in sorted((TRANSLATIONS / language).glob("*.po")):
        with file.open("rb") as text:
            for message in read_po(text, locale=language):
                if message.id and message.string:
                    whole.add(message.id, message.string, flags=message.flags, context=message.context)
    compiled = BytesIO()
    write_mo(compiled, whole)
    compiled.seek(0)
    return GNUTranslations(compiled) if language != "en" else NullTranslations()


def chosen_language() -> Language:
    """Of this request: the person's own, else the cookie's, else what the browser asks for, else English."""
    if "language" not in g:
        person, customer = g.get("staff"), g.get("subscriber")
        wanted = (
            (person.language if person else None)
            or request.cookies.get(COOKIE)
            or (customer.language if customer else None)
        )
        if wanted not in LANGUAGES:
            wanted = request.accept_languages.best_match(list(LANGUAGES), default="en")
        g.language = wanted
    return cast(Language, g.language)


def gettext(text: str, /, **values: object) -> str:
    """In the reader's language; `%(name)s` in it stand for `values`."""
    said = translations_of(chosen_language()).gettext(text)
    return said % values if values else said


def ngettext(one: str, many: str, number: int, /, **values: object) -> str:
    """By number, which stands as `%(num)s`."""
    said = translations_of(chosen_language()).ngettext(one, many, number)
    return said % _Kept({"num": number_shown(number), **values})


class _Kept(dict[str, object]):
    """Values of a text's places; a place without one stays, for a template fills in the rest itself."""

    def __missing__(self, name: str) -> str:
        return f"%({name})s"


def locale() -> Locale:
    """CLDR's."""
    return Locale.parse(_LOCALES[chosen_language()])


def zone() -> ZoneInfo:
    """Where the operator is: times are shown there."""
    return here().settings.zone


def money_shown(money: Money | None) -> str:
    """With its currency and all its places."""
    if money is None:
        return ""
    pattern = numbers.format_currency(
        money.amount, money.currency, locale=locale(), currency_digits=False, decimal_quantization=False
    )
    if currency_places(money.currency) == numbers.get_currency_precision(money.currency):
        pattern = numbers.format_currency(money.amount, money.currency, locale=locale())
    return pattern


def price_shown(amount: Decimal | str, currency: str) -> str:
    """A price of one, with at least the currency's places and all that it has; as it was read, or as a text of its digits."""
    amount = Decimal(amount)
    exponent = amount.normalize().as_tuple().exponent
    assert isinstance(exponent, int), f"{amount} is a number"
    places = max(currency_places(currency), -exponent)
    pattern = copy(locale().currency_formats["standard"])
    pattern.frac_prec = (places, places)
    return str(pattern.apply(amount, locale(), currency=currency, currency_digits=False))


def number_shown(number: Decimal | float | None, places: int | None = None) -> str:
    """Grouped as the reader groups."""
    if number is None:
        return ""
    if places is not None:
        zeros = "." + "0" * places if places else ""
        return numbers.format_decimal(number, format=f"#,##0{zeros}", locale=locale())
    return numbers.format_decimal(number, locale=locale(), decimal_quantization=False)


def percent_shown(percent: Decimal | float | None) -> str:
    """A number of percent with its sign."""
    return "" if percent is None else f"{number_shown(percent)}\N{NO-BREAK SPACE}%"


def day_shown(day: date | None, size: str = "medium") -> str:
    """A day; of a moment, the one that it is in the operator's zone."""
    if isinstance(day, datetime):
        day = day.astimezone(zone()).date()
    return "" if day is None else format_date(day, size, locale=locale())


def moment_shown(moment: datetime | None, *, seconds: bool = False) -> str:
    """A day and a time in the operator's zone."""
    if moment is None:
        return ""
    there = moment.astimezone(zone())
    kind = "medium" if seconds else "short"
    return f"{format_date(there, 'medium', locale=locale())}, {format_time(there, kind, locale=locale())}"


def time_shown(moment: datetime | None) -> str:
    """The time of a moment, to the second."""
    return "" if moment is None else format_time(moment.astimezone(zone()), "medium", locale=locale())


def ago_shown(moment: datetime | None, now: datetime) -> str:
    """How long ago, or in how long, in one unit."""
    if moment is None:
        return ""
    return format_timedelta(moment - now, add_direction=True, locale=locale(), threshold=0.9)


def span_shown(span: timedelta | float | None) -> str:
    """How long. Units: seconds, or a timedelta."""
    if span is None:
        return ""
    length = span if isinstance(span, timedelta) else timedelta(seconds=span)
    return format_timedelta(length, locale=locale(), threshold=0.9)


def month_shown(day: date) -> str:
    """A month and its year."""
    return format_date(day, "LLLL y", locale=locale())


def octets_shown(octets: int | None) -> str:
    """In the unit that leaves one to three digits before the point."""
    return _scaled(octets, _OCTETS)


def rate_shown(bits_per_s: int | None) -> str:
    """The same for a rate. Units: bit/s."""
    return _scaled(bits_per_s, _BITS)


def _scaled(amount: int | None, units: tuple[str, ...]) -> str:
    if amount is None:
        return ""
    value, unit = Decimal(amount), 0
    while abs(value) >= _STEP and unit + 1 < len(units):
        value, unit = value / _STEP, unit + 1
    places = 0 if unit == 0 or abs(value) >= 100 or value == value.to_integral_value() else 1
    return f"{number_shown(value, places)}\N{NO-BREAK SPACE}{units[unit]}"


def number_typed(number: Decimal, *, places: int = 0) -> str:
    """A number as the reader would type it into a field, with at least so many places: an amount is `622,80`, a rate `22`."""
    pattern = "0." + "0" * places + "#" * (_MOST_DIGITS - places)
    return numbers.format_decimal(number, pattern, locale=locale(), decimal_quantization=False)


def read_number(typed: str) -> Decimal:
    """A number as the reader writes it: `1.234,50` in Italian. Raises: ValueError with the words for a page."""
    words = gettext("Write a number such as %(example)s.", example=number_shown(Decimal("1234.5"), 2))
    try:
        value = Decimal(numbers.parse_decimal(typed.replace(" ", ""), locale=locale(), strict=True))
    except (numbers.NumberFormatError, InvalidOperation) as error:
        raise ValueError(words) from error
    if not value.is_finite() or len(value.as_tuple().digits) > _MOST_DIGITS:
        raise ValueError(words)
    return value


FILTERS: Final = {
    "money": money_shown,
    "price": price_shown,
    "number": number_shown,
    "percent": percent_shown,
    "day": day_shown,
    "moment": moment_shown,
    "clock": time_shown,
    "span": span_shown,
    "mac": mac_text,
    "month": month_shown,
    "octets": octets_shown,
    "rate": rate_shown,
}
