"""What the commands of the books share: who writes is told to the database, and customers and issuers are found as people name them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

from billing.errors import BillingError
from billing.store.acting import acting
from billing.store.customer_named import find_meant
from billing.store.customers import Customer
from billing.store.issuers import Issuer, load_issuers
from control_plane.cli._console import Connection, Refused, open_database, os_user, unknown
from control_plane.cli._options import Quantity
from control_plane.quantities import QuantityError
from control_plane.settings import Settings

_SIMILAR: Final = 3
# Behind what any of our columns holds.
_LONGEST_AMOUNT: Final = 30
_BEYOND: Final = Decimal(10) ** 12
_PLACES_OF_PRICES: Final = 8
# Sums of days, such as a period's end, still are days then.
_LAST_YEAR: Final = 2999


@contextmanager
def open_books(settings: Settings) -> Iterator[Connection]:
    """A connection for one command that writes money, in the caller's name; what billing refuses ends it with its words."""
    with open_database(settings) as connection:
        acting(connection, os_user())
        try:
            yield connection
        except BillingError as error:
            raise Refused(str(error)) from error


def known_customer(connection: Connection, text: str) -> Customer:
    """The customer of that number, reference (also as ref:TEXT) or whole name; else the refusal that names similar ones."""
    found = find_meant(connection, text)
    if isinstance(found, Customer):
        return found
    same, similar = found.same, found.similar
    known = ", ".join(f"{one.id} {one.name}" for one in (same or similar)[:_SIMILAR])
    if len(same) > 1:
        raise Refused(f"there are {len(same)} customers named {text!r}: {known}; give the number")
    hint = f"did you mean {known}?" if known else "`corrente customer list WORDS` finds them"
    raise Refused(f"there is no customer {text!r}; {hint}")


def known_issuer(connection: Connection, name: str) -> Issuer:
    """The issuer of that name, or the refusal that names similar ones."""
    issuers = {issuer.name: issuer for issuer in load_issuers(connection)}
    if name not in issuers:
        raise unknown("issuer", name, issuers, also="`corrente issuer list` shows them")
    return issuers[name]


def issuer_meant(connection: Connection, name: str | None) -> Issuer:
    """The issuer of that name; without a name the only one there is, or the refusal that names those there are."""
    if name is not None:
        return known_issuer(connection, name)
    issuers = load_issuers(connection)
    if len(issuers) == 1:
        return issuers[0]
    if not issuers:
        raise Refused("there is no issuer yet: `corrente issuer new` makes one")
    raise Refused(f"say which issuer with --issuer; there are: {', '.join(one.name for one in issuers)}")


def currency_meant(connection: Connection, issuer: Issuer, text: str | None) -> str:
    """The currency that was typed, the issuer's where none was; one in which that issuer bills nobody is mistyped."""
    currency = (text or issuer.currency).upper()
    if currency != issuer.currency:
        known = connection.execute(
            "SELECT FROM contract_terms WHERE issuer_id = %(issuer)s AND currency = %(currency)s"
            " UNION SELECT FROM document WHERE issuer_id = %(issuer)s AND currency = %(currency)s LIMIT 1",
            {"issuer": issuer.id, "currency": currency},
        )
        if known.rowcount == 0:
            raise Refused(f"{issuer.name} bills nobody in {currency}; its books are in {issuer.currency}")
    return currency


def read_currency(text: str) -> str:
    """A currency as ISO 4217 codes it. Raises: QuantityError."""
    from billing.papers.spelling import known_currencies  # noqa: PLC0415 - few commands name a currency

    code = text.strip().upper()
    if code not in known_currencies():
        raise QuantityError(f"{text!r} is no currency: three letters of ISO 4217, such as EUR")
    return code


def today_of(zone: str) -> date:
    """What day it is where an issuer's billing days begin and end."""
    return datetime.now(UTC).astimezone(ZoneInfo(zone)).date()


def read_day(text: str) -> date:
    """A day up to 2999. Raises: QuantityError."""
    try:
        day = date.fromisoformat(text.strip())
    except ValueError as error:
        raise QuantityError(f"{text!r}: expected a day such as 2026-01-31") from error
    if day.year > _LAST_YEAR:
        raise QuantityError(f"{text!r}: expected a day before {_LAST_YEAR + 1}-01-01")
    return day


def read_decimal(text: str, *, places: int = _PLACES_OF_PRICES) -> Decimal:
    """A number that the books may hold, with so many decimals at most: the database would round more of them in silence.

    Raises: QuantityError.
    """
    try:
        read = Decimal(text.strip())
    except InvalidOperation as error:
        raise QuantityError(f"{text!r}: expected a number such as 29.90, with a point") from error
    # Before anything is worked out with it: 1e-99999999 would keep a processor busy for hours.
    exponent = read.as_tuple().exponent
    if len(text) > _LONGEST_AMOUNT or not isinstance(exponent, int) or abs(exponent) > _LONGEST_AMOUNT:
        raise QuantityError(f"{text!r}: expected a number such as 29.90")
    if abs(read) >= _BEYOND:
        raise QuantityError(f"{text!r}: expected a number such as 29.90, less than {_BEYOND:,}")
    if read != round(read, places):
        raise QuantityError(f"{text!r}: expected a number such as 29.90, with {places} decimals at most")
    return read


DAY: Final = Quantity("day", read_day)
DECIMAL: Final = Quantity("number", read_decimal)
AMOUNT: Final = Quantity("amount", partial(read_decimal, places=3))
TAX_RATE: Final = Quantity("percent", partial(read_decimal, places=4))
CURRENCY: Final = Quantity("currency", read_currency)
