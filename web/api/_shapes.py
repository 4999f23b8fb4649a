"""Values that several calls answer with, and how they are read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Annotated, Any, Final, Literal, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from billing.errors import BillingError
from billing.money import Money, read_money
from billing.payments import NotDone
from billing.sentence import Sentence
from billing.store.issuers import Issuer, load_issuers
from web.acting import clock
from web.database import Connection
from web.problems import Problem, Wrong

# Texts without control characters: PostgreSQL holds no NUL, and papers no others.
NO_CONTROL: Final = r"^[^\x00-\x1f\x7f]*$"
Currency = Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$", description="ISO 4217")]
Digits = Annotated[
    str, msgspec.Meta(pattern=r"^-?\d{1,15}(\.\d{1,6})?$", description="a decimal number with all its digits")
]
Words = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=NO_CONTROL)]
Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=NO_CONTROL, description="why; it is kept")]
Number = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
Text = Annotated[str, msgspec.Meta(max_length=200, pattern=NO_CONTROL)]
Shape = TypeVar("Shape", bound=msgspec.Struct)
Outcome = TypeVar("Outcome")


class PaperSize(msgspec.Struct, frozen=True):
    """On what a receipt is printed: a roll of 80 or 58 mm, or a sheet."""

    size: Literal["80mm", "58mm", "a4"] = "80mm"


class PaperLanguage(msgspec.Struct, frozen=True):
    """In which language a paper is printed that is of nobody's own."""

    language: Literal["en", "es", "it"] = "en"


class Amount(msgspec.Struct, frozen=True):
    """An amount of money."""

    amount: Digits
    currency: Currency


def amount_of(money: Money) -> Amount:
    """As it is answered."""
    return Amount(f"{money.amount:f}", money.currency)


def money_of(given: Amount, pointer: str) -> Money:
    """As the books have it. Raises: Problem where the currency has not so many places."""
    try:
        return read_money(Decimal(given.amount), given.currency)
    except BillingError as error:
        raise Problem(422, "A value is refused.", Wrong(str(error), pointer=f"{pointer}/amount")) from error


def there_is_none() -> Problem:
    """For a number that nothing has."""
    return Problem(404, "There is no such thing.")


def wrong_value(words: str, *, pointer: str | None = None, parameter: str | None = None) -> Problem:
    """For one value that is refused."""
    return Problem(422, "A value is refused.", Wrong(words, pointer=pointer, parameter=parameter))


def done(outcome: Outcome | NotDone) -> Outcome:
    """What came of a deed. Raises: Problem where nothing was written."""
    if isinstance(outcome, NotDone):
        raise Problem(409, outcome.message)
    return outcome


@contextmanager
def refusals_of(kind: type[BillingError] = BillingError, *, pointer: str | None = None) -> Iterator[None]:
    """What billing refuses in the block is answered: as a state (409), or as the value at that place."""
    try:
        yield
    except kind as error:
        words = str(error)
        if pointer is not None:
            raise wrong_value(words, pointer=pointer) from error
        raise Problem(409, words) from error


def shaped(kind: type[Shape], row: object, **more: Any) -> Shape:
    """A shape, filled from what `row` calls the same; `more` are those that it does not have, or has otherwise."""
    names = [one.name for one in msgspec.structs.fields(kind)]
    return kind(**{name: written(more[name] if name in more else getattr(row, name)) for name in names})


def written(value: Any) -> Any:
    """A value as it is answered: money as an amount, a decimal with its digits, a choice by its name."""
    match value:
        case Money():
            return amount_of(value)
        case Decimal():
            return f"{value:f}"
        case Sentence():
            return value.message
        case Enum():
            return value.value
        case IPv4Address() | IPv6Address() | IPv4Network() | IPv6Network():
            return str(value)
        case list() | tuple():
            return [written(one) for one in value]
        case Mapping():
            return {name: written(one) for name, one in value.items()}
        case _:
            return value


@dataclass(frozen=True, slots=True)
class Books:
    """An issuer's, at a moment."""

    issuer: Issuer
    now: datetime

    @property
    def zone(self) -> ZoneInfo:
        """Where the issuer is."""
        return ZoneInfo(self.issuer.zone)

    @property
    def today(self) -> date:
        """The day there."""
        return self.now.astimezone(self.zone).date()


def books_of(connection: Connection, issuer_id: int | None, *, asked: bool = False) -> Books:
    """The books that are meant: the only issuer's where none is named.

    Raises: Problem: of the body's `issuer_id` 422; `asked` for by a parameter, 404 where there is none of that number.
    """
    issuers = load_issuers(connection)
    meant = [one for one in issuers if issuer_id is None or one.id == issuer_id]
    if len(meant) == 1:
        return Books(meant[0], clock(connection))
    if asked and issuer_id is not None:
        raise Problem(404, "There is no such issuer.")
    words = "there is no such issuer" if issuer_id is not None or not issuers else "there are several: say whose books"
    raise wrong_value(words, **({"parameter": "issuer_id"} if asked else {"pointer": "/issuer_id"}))
