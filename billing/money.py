"""Settled amounts and the only place that rounds: half away from zero, once, at the end.

Unit prices, quantities and rates are exact decimals until they become `Money`. Nothing here is ever a float.

Units: `minor` is the currency's smallest unit (cents of EUR, whole CLP, thousandths of TND).
Source: ISO 4217 for the places; round-half-up on the absolute value as FatturaPA controls 00421-00423 and EN 16931 count it.

Next: billing/periods.py
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Final

from msgspec import Struct

from billing.errors import BillingError
from billing.sentence import Sentence

# ISO 4217 currencies that do not have two places; schema.sql's currency_places() names the same ones.
_PLACES: Final = {
    **dict.fromkeys(
        (
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "UYI",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ),
        0,
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}

Exact = Decimal | Fraction | int


class CurrenciesDifferError(BillingError):
    """Two amounts in different currencies were to be added or compared."""


class Money(Struct, frozen=True):
    """An amount that is settled: a whole number of the currency's smallest unit."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        assert isinstance(self.minor, int), f"{self.minor!r} is no whole number of {self.currency}'s smallest unit"

    def __add__(self, other: Money) -> Money:
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.minor - self._same(other), self.currency)

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.minor < self._same(other)

    def __le__(self, other: Money) -> bool:
        return self.minor <= self._same(other)

    def __bool__(self) -> bool:
        return self.minor != 0

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"

    @property
    def amount(self) -> Decimal:
        """The same amount in whole units, with all the currency's places: 10.50, never 10.5."""
        return Decimal(self.minor).scaleb(-currency_places(self.currency))

    def _same(self, other: Money) -> int:
        if self.currency != other.currency:
            raise CurrenciesDifferError(
                Sentence(
                    "%(self)s and %(other)s can't be put together: their currencies differ", self=self, other=other
                )
            )
        return other.minor


def currency_places(currency: str) -> int:
    """How many decimals amounts of this currency have."""
    return _PLACES.get(currency, 2)


def zero(currency: str) -> Money:
    """Nothing, in that currency."""
    return Money(0, currency)


def settle(amount: Exact, currency: str) -> Money:
    """Round an exact amount to the currency's places, half away from zero. With `settle_ratio` the only rounding there is."""
    numerator, denominator = amount.as_integer_ratio()
    return settle_ratio(numerator, denominator, currency)


def settle_ratio(numerator: int, denominator: int, currency: str) -> Money:
    """The same for an amount that is a ratio of whole numbers, in whole units of the currency; `denominator` is above zero.

    Exact like a Fraction, which would look for the greatest common divisor at every step.
    """
    return Money(round_half_away(numerator * 10 ** currency_places(currency), denominator), currency)


def settle_product(first: Exact, second: Exact, currency: str) -> Money:
    """The product of two exact numbers, settled once."""
    a, b = first.as_integer_ratio()
    c, d = second.as_integer_ratio()
    return settle_ratio(a * c, b * d, currency)


def percent_of(amount: Money, percent: Exact) -> Money:
    """So many percent of an amount, settled once."""
    numerator, denominator = percent.as_integer_ratio()
    return Money(round_half_away(amount.minor * numerator, denominator * 100), amount.currency)


def read_money(amount: Decimal, currency: str) -> Money:
    """An amount that came from outside or from the database and must already have the currency's places.

    Raises: BillingError when it has more places than the currency.
    """
    settled = settle(amount, currency)
    if settled.amount != amount:
        raise BillingError(
            Sentence(
                "%(amount)s %(currency)s has more than %(places)s decimals",
                amount=amount,
                currency=currency,
                places=currency_places(currency),
            )
        )
    return settled


def share(whole: Money, part: int, of: int) -> Money:
    """`part` of `of` equal units of an amount, multiplied before it is divided.

    Source: billing model section 7; `of` is at least 1.
    """
    return Money(round_half_away(whole.minor * part, of), whole.currency)


def total(amounts: Iterable[Money], currency: str) -> Money:
    """Their exact sum; of nothing it is zero."""
    result = zero(currency)
    for amount in amounts:
        result += amount
    return result


def split(whole: Money, weights: Sequence[Exact]) -> tuple[Money, ...]:
    """Spread an amount by weight so that the parts add up to it: largest remainder, ties to the first.

    Raises: BillingError when no weight is above zero, or one is below.
    """
    if not weights or min(weights) < 0 or not any(weights):
        raise BillingError(
            Sentence(
                "%(whole)s can't be spread over weights %(weights)s: at least one above zero, none below",
                whole=whole,
                weights=list(map(str, weights)),
            )
        )
    ratios = [Fraction(weight) for weight in weights]
    sum_of_weights = sum(ratios)
    parts = spread(
        Money(abs(whole.minor), whole.currency), [abs(whole.minor) * ratio / sum_of_weights for ratio in ratios]
    )
    return parts if whole.minor >= 0 else tuple(-part for part in parts)


def spread(whole: Money, exact: Sequence[Fraction]) -> tuple[Money, ...]:
    """Whole units that add up to an amount and lie within one unit of their exact shares, which add up to it nearly.

    Largest remainder, ties to the first; shares may be below zero.
    """
    parts = [share.numerator // share.denominator for share in exact]
    missing = whole.minor - sum(parts)
    assert 0 <= missing <= len(parts), f"{whole} is not near the sum of {len(parts)} shares"
    by_remainder = sorted(range(len(parts)), key=lambda index: (parts[index] - exact[index], index))
    for index in by_remainder[:missing]:
        parts[index] += 1
    return tuple(Money(part, whole.currency) for part in parts)


def instalments(whole: Money, count: int) -> tuple[Money, ...]:
    """Equal shares rounded down, the rest on the first: together exactly the price.

    Source: billing model section 5 and its invariant I14.
    Raises: BillingError for fewer than one.
    """
    if count < 1:
        raise BillingError(Sentence("%(whole)s in %(count)s instalments: at least one", whole=whole, count=count))
    sign = -1 if whole.minor < 0 else 1
    each, rest = divmod(abs(whole.minor), count)
    return (
        Money(sign * (each + rest), whole.currency),
        *(Money(sign * each, whole.currency) for _ in range(count - 1)),
    )


def round_half_away(numerator: int, denominator: int) -> int:
    """The whole number nearest to a ratio; a half goes away from zero. `denominator` is above zero."""
    assert denominator > 0, f"{numerator}/{denominator}"
    magnitude = (2 * abs(numerator) + denominator) // (2 * denominator)
    return -magnitude if numerator < 0 else magnitude
