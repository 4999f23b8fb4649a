"""Values that several calls answer with, and how they are read."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final

import msgspec

from billing.errors import BillingError
from billing.money import Money, read_money
from web.problems import Problem, Wrong

# Texts without control characters: PostgreSQL holds no NUL, and papers no others.
NO_CONTROL: Final = r"^[^\x00-\x1f\x7f]*$"
Currency = Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$", description="ISO 4217")]
Digits = Annotated[
    str, msgspec.Meta(pattern=r"^-?\d{1,15}(\.\d{1,6})?$", description="a decimal number with all its digits")
]
Words = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=NO_CONTROL)]
Number = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]


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
