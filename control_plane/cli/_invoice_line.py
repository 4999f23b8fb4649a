"""Lines of invoices as they are typed: `product=Activation,quantity=2`, and lines to give back: `1=10.00`."""

from __future__ import annotations

import difflib
import re
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from billing.periods import Period
from billing.store.catalogue import load_products
from control_plane.cli._books import read_day, read_decimal
from control_plane.cli._console import Connection, unknown
from control_plane.cli._options import Quantity
from control_plane.quantities import QuantityError

_KEYS: Final = ("product", "text", "quantity", "price", "discount", "tax", "account", "from", "until")
_NAMES: Final = {
    "text": "description",
    "price": "unit_price",
    "discount": "discount_percent",
    "tax": "tax_code",
}
_NUMBERS: Final = ("quantity", "price", "discount")
# A comma parts keys only where one follows: texts may have commas.
_NEXT: Final = re.compile(rf",\s*(?=(?:{'|'.join(_KEYS)})=)")
# What looks like a key and is none: as part of a text it would be issued for good, and the line without what it was to say.
_STRAY: Final = re.compile(r",\s*(\w+)\s*=")


def read_line(text: str) -> dict[str, Any]:
    """A line's parts by the names that WantedLine has; `product` as it was typed. Raises: QuantityError."""
    line: dict[str, Any] = {}
    days: dict[str, date] = {}
    for part in _NEXT.split(text):
        key, equals, value = part.partition("=")
        key = key.strip()
        if not equals or key not in _KEYS:
            raise QuantityError(f"{part!r}: expected KEY=VALUE with one of {', '.join(_KEYS)}")
        stray = _STRAY.search(value)
        if stray is not None:
            raise QuantityError(_stray_words(stray[1], text))
        if not value.strip() or key in days or _NAMES.get(key, key) in line:
            raise QuantityError(f"{key} is given {'twice' if value.strip() else 'empty'} in {text!r}")
        if key in ("from", "until"):
            days[key] = read_day(value)
        else:
            line[_NAMES.get(key, key)] = read_decimal(value) if key in _NUMBERS else value.strip()
    if len(days) == 1 or (days and days["until"] < days["from"]):
        raise QuantityError(f"{text!r}: a time has from= and until=, its first and its last day")
    if days:
        line["during"] = Period(days["from"], days["until"] + timedelta(days=1))
    if not {"product", "description"} & line.keys():
        raise QuantityError(f"{text!r}: a line has product= or text=")
    return line


def _stray_words(word: str, text: str) -> str:
    near = difflib.get_close_matches(word.lower(), _KEYS, n=1)
    meant = f"did you mean {near[0]}=?" if near else "in a text leave the = out"
    return f"{word}= in {text!r} is none of {', '.join(_KEYS)}; {meant}"


def read_credited(text: str) -> tuple[int, Decimal | None]:
    """A line's number and how much of it; None is all that is left. Raises: QuantityError."""
    number, equals, amount = text.partition("=")
    if not (number.isascii() and number.isdigit()):
        raise QuantityError(f"{text!r}: expected a line's number, or LINE=AMOUNT such as 1=10.00")
    return int(number), read_decimal(amount) if equals else None


def read_product(connection: Connection, text: str, *, day: date) -> int:
    """The product of that name, else the refusal that names similar ones."""
    names = {product.name: product.id for product in load_products(connection, day=day)}
    if text not in names:
        raise unknown("product", text, names, also="`corrente catalogue list` shows them")
    return names[text]


LINE: Final = Quantity("line", read_line)
CREDITED: Final = Quantity("line", read_credited)
