"""What a provider sends to the bank: which payments are in it, what it kept, and what that says in the books.

Source: latam.md section 10.2 of the reference, rule 5; billing model section 13, "settlement and gateway fee".

Next: billing/operations/recording.py
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from billing.money import Money, total, zero
from billing.payments import CLEARING, Method
from billing.postings import Accounts, Leg

BANK = "bank"
FEES = "fees"


class LineKind(StrEnum):
    """What a line of a payout is of."""

    PAYMENT = "payment"
    REFUND = "refund"
    RETURN = "return"
    FEE = "fee"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class PayoutLine:
    """`amount` before fees, below zero for what went back; `fee` is what the provider kept of it, or gave back below zero."""

    kind: LineKind
    amount: Money
    fee: Money
    payment_key: str | None = None


@dataclass(frozen=True, slots=True)
class Payout:
    """Money on its way to the bank: `amount` arrives. A payout that failed is told by another one with all signs turned."""

    key: str
    ref: str
    amount: Money
    arrives_on: date
    happened: datetime
    lines: tuple[PayoutLine, ...]

    @property
    def fee(self) -> Money:
        """What the provider kept, of payments and for itself."""
        currency = self.amount.currency
        own = total((-line.amount for line in self.lines if line.kind is LineKind.FEE), currency)
        return own + total((line.fee for line in self.lines), currency)

    @property
    def gross(self) -> Money:
        """What of the payments, refunds and returns is in it."""
        return total((line.amount for line in self.lines if line.kind is not LineKind.FEE), self.amount.currency)

    @property
    def unexplained(self) -> Money:
        """What arrives and no line explains; nothing, if the provider counts right."""
        return self.amount - (self.gross - self.fee)


def payout_legs(payout: Payout, method: Method, accounts: Accounts) -> tuple[Leg, ...]:
    """The bank and the fees against what was on its way. What no line explains stays on its way, where it is found.

    Raises: BillingError when the issuer has no account for one of them.
    """
    legs = (
        Leg(accounts.of(BANK), payout.amount),
        Leg(accounts.of(FEES), payout.fee),
        Leg(accounts.of(CLEARING, method.code), -(payout.amount + payout.fee)),
    )
    return tuple(leg for leg in legs if leg.amount != zero(leg.amount.currency))
