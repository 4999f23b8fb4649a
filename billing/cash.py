"""Cash that collectors take: how it is counted, what should be there, and what a hand-over says in the books.

Cash is the collector's to account for from the receipt to the hand-over. What it began with (the opening) is the main cash's all the
time, so cash with collectors is what was received and not yet handed over (I30). A payment that is taken back after its hand-over
lowers what the next one should bring: a closed session stays as it is.

Units: `Money`; values of notes and coins are decimals of the currency.
Source: billing model sections 13 and 16; denominations: the central banks' lists of what is in circulation.

Next: billing/collectors.py
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from billing.money import Money, currency_places, settle_product, zero
from billing.payments import NotDone
from billing.postings import Accounts, Leg

CASH: Final = "cash"
BANK: Final = "bank"
WITH_COLLECTOR: Final = "cash_with_collector"
SHORTAGE: Final = "cash_shortage"
SURPLUS: Final = "surplus"

# Notes and coins of the countries that there is data for; of another currency any value is taken.
_CENTS: Final = ("2", "1", "0.50", "0.20", "0.10")
DENOMINATIONS: Final[Mapping[str, frozenset[Decimal]]] = {
    currency: frozenset(map(Decimal, values))
    for currency, values in {
        "EUR": ("500", "200", "100", "50", "20", "10", "5", *_CENTS, "0.05", "0.02", "0.01"),
        "ARS": ("20000", "10000", "2000", "1000", "500", "200", "100", "50", "20", "10", "5", "2", "1"),
        "BRL": ("200", "100", "50", "20", "10", "5", "2", "1", "0.50", "0.25", "0.10", "0.05", "0.01"),
        "CLP": ("20000", "10000", "5000", "2000", "1000", "500", "100", "50", "10"),
        "COP": ("100000", "50000", "20000", "10000", "5000", "2000", "1000", "500", "200", "100", "50"),
        "DOP": ("2000", "1000", "500", "200", "100", "50", "25", "20", "10", "5", "1"),
        "MXN": ("1000", "500", "200", "100", "50", "20", "10", "5", *_CENTS, "0.05"),
        "PEN": ("200", "100", "50", "20", "10", "5", *_CENTS),
        "UYU": ("2000", "1000", "500", "200", "100", "50", "20", "10", "5", "2", "1"),
        "USD": ("100", "50", "20", "10", "5", "2", "1", "0.50", "0.25", "0.10", "0.05", "0.01"),
    }.items()
}
_MOST_PIECES: Final = 1_000_000


class Destination(StrEnum):
    """Where cash goes before the hand-over: to the main cash, or paid in at the bank."""

    CASH = CASH
    BANK = BANK


@dataclass(frozen=True, slots=True)
class Takings:
    """What went through a collector's hands in a session: with what it began, cash that came in, left, was taken back."""

    opening: Money
    received: Money
    withdrawn: Money
    taken_back: Money

    @property
    def expected(self) -> Money:
        """What should be there. Below zero where more was taken back than came in: the collector gave out money of his own."""
        return self.opening + self.received - self.withdrawn - self.taken_back

    @property
    def with_collector(self) -> Money:
        """What the books say that the collector has: without what it began with."""
        return self.expected - self.opening


@dataclass(frozen=True, slots=True)
class HandOver:
    """What was counted against what should be there."""

    takings: Takings
    counted: Money

    @property
    def difference(self) -> Money:
        """Below zero is missing."""
        return self.counted - self.takings.expected


def count_cash(pieces: Mapping[Decimal, int], currency: str) -> Money | NotDone:
    """What so many notes and coins of each value come to, or the value that there is none of."""
    known = DENOMINATIONS.get(currency)
    together = zero(currency)
    for value, count in pieces.items():
        if value <= 0 or (known is not None and value not in known) or value != round(value, currency_places(currency)):
            values = ", ".join(str(one) for one in sorted(known, reverse=True)) if known else "what the currency has"
            return NotDone(
                "there is no note or coin of %(value)s %(currency)s; there are: %(values)s",
                value=value,
                currency=currency,
                values=values,
            )
        if not 0 <= count <= _MOST_PIECES:
            return NotDone(
                "%(count)s pieces of %(value)s %(currency)s: count them again",
                count=count,
                value=value,
                currency=currency,
            )
        together += settle_product(value, count, currency)
    return together


def refuse_more_cash(amount: Money, takings: Takings, most: Money | None) -> NotDone | None:
    """Why a collector takes no more cash: the limit of what one may carry."""
    if most is None or takings.expected + amount <= most:
        return None
    return NotDone(
        "%(expected)s are in hand and at most %(most)s may be: hand over before taking %(amount)s more in cash",
        expected=takings.expected,
        most=most,
        amount=amount,
    )


def hand_over_legs(hand: HandOver, accounts: Accounts) -> tuple[Leg, ...]:
    """The entry of a hand-over; none where nothing came in and nothing is missing.

    What was counted beyond the opening goes to the main cash; what is missing or too much to its account; the collector has nothing any more.

    Raises: BillingError for an account that the issuer does not have.
    """
    missing = -hand.difference
    legs = []
    if into := hand.counted - hand.takings.opening:
        legs.append(Leg(accounts.of(CASH), into))
    if missing:
        legs.append(Leg(accounts.of(SHORTAGE, SURPLUS if missing.minor < 0 else None), missing))
    if had := hand.takings.with_collector:
        legs.append(Leg(accounts.of(WITH_COLLECTOR), -had))
    assert sum(leg.amount.minor for leg in legs) == 0, f"{legs} do not balance"
    return tuple(legs)


def withdrawal_legs(amount: Money, to: Destination, accounts: Accounts) -> tuple[Leg, ...]:
    """Cash that leaves a collector before the hand-over."""
    return (Leg(accounts.of(to), amount), Leg(accounts.of(WITH_COLLECTOR), -amount))
