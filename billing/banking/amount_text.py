"""Amounts and days as banks write them, read in one way or refused: a mark in the wrong place is never guessed at.

Units: amounts are exact decimals, days civil dates.

Next: billing/banking/layout.py
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Final

# 999 999 999 999.999 with its marks, a sign and a currency.
_LONGEST: Final = 40
_MINUS: Final = "-\u2212\u2012\u2013"
_BLANKS: Final = re.compile(r"[\s\u00a0\u202f\u2009]")
_CURRENCY: Final = re.compile(r"^(?:[A-Z]{3}|[\u20ac$\u00a3])|(?:[A-Z]{3}|[\u20ac$\u00a3])$")
_DAY_PARTS: Final = {
    "YYYY": r"(?P<year>\d{4})",
    "YY": r"(?P<short>\d{2})",
    "MM": r"(?P<month>\d{2})",
    "DD": r"(?P<day>\d{2})",
    "M": r"(?P<month>\d{1,2})",
    "D": r"(?P<day>\d{1,2})",
}
_DAY_PART: Final = re.compile("YYYY|YY|MM|DD|M|D")


class UnreadableError(ValueError):
    """What stands there is no amount or no day in the way that was said; the message says why."""


def read_amount(text: str, decimal: str) -> Decimal:
    """An amount with `decimal` ("," or ".") before its decimals: 1.234,56 or 1 234,56 or -12,00 or 12,00- or (12,00).

    Marks between thousands are the other one of the two, blanks or apostrophes, and stand before groups of three, all alike.
    Raises: UnreadableError.
    """
    if len(text) > _LONGEST:
        raise UnreadableError(f"{text[:_LONGEST]!r} is no amount")
    plain = _CURRENCY.sub("", _CURRENCY.sub("", text.strip()).strip()).strip()
    minus, plain = _sign(plain, text)
    whole, mark, decimals = plain.partition(decimal)
    whole = _without_thousands(whole, other="." if decimal == "," else ",", text=text)
    if not whole.isascii() or not whole.isdigit() or (mark and not (decimals.isascii() and decimals.isdigit())):
        raise UnreadableError(f"{text!r} is no amount with {decimal!r} before its decimals")
    amount = Decimal(f"{whole}.{decimals or '0'}")
    return -amount if minus else amount


def _sign(plain: str, text: str) -> tuple[bool, str]:
    """Whether it is below zero, and the rest; one sign at most."""
    if plain.startswith("(") and plain.endswith(")"):
        return True, plain[1:-1].strip()
    signs = 0
    minus = False
    for place in (0, -1):
        if plain and plain[place] in "+" + _MINUS:
            signs += 1
            minus = plain[place] in _MINUS
            plain = (plain[1:] if place == 0 else plain[:-1]).strip()
    if signs > 1:
        raise UnreadableError(f"{text!r} has two signs")
    return minus, plain


def _without_thousands(whole: str, *, other: str, text: str) -> str:
    marks = {one for one in whole if not one.isdigit()}
    if not marks:
        return whole
    mark = marks.pop()
    known = mark in (other, "'", "\u2019") or _BLANKS.fullmatch(mark)
    if mark.isalpha():
        raise UnreadableError(f"{text!r} is no amount")
    groups = whole.split(mark)
    if marks or not known or not 1 <= len(groups[0]) <= 3 or any(len(group) != 3 for group in groups[1:]):
        raise UnreadableError(f"{text!r}: {mark!r} does not stand between thousands; is the decimal mark another one?")
    return "".join(groups)


def read_day(text: str, form: str) -> date:
    """A day written as `form` says, such as DD/MM/YYYY; a time behind it does not count. Raises: UnreadableError."""
    found = re.match(day_pattern(form) + r"(?:[T ]\d{1,2}:\d{2}.*)?$", text.strip())
    if found is None:
        raise UnreadableError(f"{text[:_LONGEST]!r} is no day written {form}")
    parts = found.groupdict()
    year = int(parts["year"]) if parts.get("year") else 2000 + int(parts["short"])
    try:
        return date(year, int(parts["month"]), int(parts["day"]))
    except ValueError as error:
        raise UnreadableError(f"{text!r}: there is no such day when it is written {form}") from error


def day_pattern(form: str) -> str:
    """What a day of that form looks like. Raises: UnreadableError for a form without a day, month and year of its own."""
    parts = _DAY_PART.findall(form)
    if sorted(part[0] for part in parts) != ["D", "M", "Y"]:
        raise UnreadableError(f"{form!r}: a day is written with DD, MM and YYYY, such as DD/MM/YYYY")
    pieces, place = [], 0
    for part in _DAY_PART.finditer(form):
        pieces += [re.escape(form[place : part.start()]), _DAY_PARTS[part[0]]]
        place = part.end()
    return "^" + "".join(pieces) + re.escape(form[place:])
