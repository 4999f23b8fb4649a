"""What a line of each report of the books is: values only.

Units: amounts have their currency's places; days are civil dates of the issuer's zone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class JournalRow:
    """One posting with its entry."""

    entry: int
    dated: date
    source: str
    document: str | None
    text: str
    evidence: str | None
    corrects: int | None
    account: str
    account_name: str
    customer: int | None
    currency: str
    debit: Decimal | None
    credit: Decimal | None
    made_by: str


@dataclass(frozen=True, slots=True)
class TrialBalanceRow:
    """One account: what stood there before the period, what moved in it, and what stands there at its end."""

    account: str
    account_name: str
    role: str
    currency: str
    opening: Decimal
    debit: Decimal
    credit: Decimal
    balance: Decimal


@dataclass(frozen=True, slots=True)
class CardRow:
    """One posting of an account, with what stands there after it; the first row is what stood there before."""

    dated: date
    entry: int | None
    document: str | None
    text: str
    customer: int | None
    currency: str
    debit: Decimal | None
    credit: Decimal | None
    balance: Decimal


@dataclass(frozen=True, slots=True)
class StatementRow:
    """One line of a customer's account; above zero the customer owes. The first row of a currency is what stood there before."""

    dated: date
    what: str
    reference: str
    due_on: date | None
    currency: str
    debit: Decimal | None
    credit: Decimal | None
    balance: Decimal
    entry: int | None


@dataclass(frozen=True, slots=True)
class MovedMoney:
    """What is behind an entry of a customer's account that is no document's. `method` is code and name; `inner` is what its reference is
    when nobody gave one; `structured` is the reference that a payer gave a bank; `invoice` is the printed number of what was let go.
    """

    entry: int
    method: tuple[str, str] | None
    source: str | None
    reference: str | None
    inner: str | None
    structured: str | None
    invoice: str | None


@dataclass(frozen=True, slots=True)
class OpenRow:
    """A part of an invoice that is not settled, or what a credit note or a payment has left (below zero). `payable` is the whole's."""

    document: str
    kind: str
    customer: int
    customer_name: str
    document_date: date
    due_on: date
    currency: str
    payable: Decimal
    open: Decimal
    days_over: int


@dataclass(frozen=True, slots=True)
class AgeingRow:
    """What a customer has open in one currency, by how many days it is over its due day; credit is below zero."""

    customer: int
    customer_name: str
    currency: str
    not_due: Decimal
    up_to_30: Decimal
    up_to_60: Decimal
    up_to_90: Decimal
    over_90: Decimal
    credit: Decimal
    together: Decimal
