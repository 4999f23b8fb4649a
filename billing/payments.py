"""Money that comes in, comes back or is given back: by which method, from whom, and what each says in the books.

What came in stays as it was recorded. Whose it turned out to be, that it came back, that it was refunded or that an invoice is
written off are events of their own, each with an entry that mirrors what it takes back.

Units: days of the issuer's zone; `today` is passed in.
Source: billing model sections 12 and 13.

Next: billing/operations/receiving.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

from billing.allocation import Choice
from billing.ledger import first_open_day
from billing.money import Money
from billing.periods import Period
from billing.postings import CUSTOMERS, Accounts, Leg
from billing.sentence import Sentence

SUSPENSE: Final = "suspense"
CLEARING: Final = "clearing"
BAD_DEBTS: Final = "bad_debts"
# A bank tells its rows some days late and their value some days ahead; beyond this somebody mistyped a year.
_OLDEST: Final = timedelta(days=3650)
_AHEAD: Final = timedelta(days=31)


class MethodKind(StrEnum):
    """How money travels."""

    CASH = "cash"
    CARD = "card"
    TRANSFER = "transfer"
    SLIP = "slip"
    DIRECT_DEBIT = "direct_debit"
    GATEWAY = "gateway"
    OTHER = "other"


class PaymentSource(StrEnum):
    """Through what we were told. With the reference it names an event: told again, it is the same one."""

    WEBHOOK = "webhook"
    FILE = "file"
    COUNTER = "counter"
    COLLECTOR = "collector"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class Method:
    """A way in which an issuer is paid. `returns_days`: so long what came by it may come back; `mails_receipt`: who pays is thanked."""

    id: int
    issuer_id: int
    code: str
    name: str
    kind: MethodKind
    returns_days: int | None = None
    offered: bool = True
    mails_receipt: bool = True


@dataclass(frozen=True, slots=True)
class NewPayment:
    """A payment as it is told. Without a customer it waits with those that nobody knows; `choices` come before the usual order.

    Without a reference it gets its own number for one, and told again it is another payment.
    """

    method: Method
    amount: Money
    value_on: date
    source: PaymentSource
    reference: str = ""
    customer_id: int | None = None
    payer: str | None = None
    note: str | None = None
    choices: tuple[Choice, ...] = ()

    @property
    def returns_until(self) -> date | None:
        """The last day on which it may come back."""
        days = self.method.returns_days
        return None if days is None else self.value_on + timedelta(days=days)


@dataclass(frozen=True, slots=True)
class Happening:
    """What happens to money that is there: the day it is of, why, who told it under which reference."""

    dated: date
    reason: str
    source: PaymentSource = PaymentSource.MANUAL
    reference: str = ""


@dataclass(frozen=True, slots=True, init=False)
class NotDone(Sentence):
    """Nothing was written; its words name the thing and what to do."""


def refuse_payment(payment: NewPayment, *, today: date) -> NotDone | None:
    """Why a payment is not recorded as it is told, before anything is looked up."""
    if payment.amount.minor <= 0:
        return NotDone(
            "a payment of %(amount)s: give an amount above zero, or refund what is to go back", amount=payment.amount
        )
    if not payment.method.offered:
        return NotDone("%(method)s is not offered any more: choose another method", method=payment.method.name)
    if payment.choices and payment.customer_id is None:
        return NotDone("which invoices it pays is chosen by a customer: say whose payment it is")
    if not today - _OLDEST <= payment.value_on <= today + _AHEAD:
        return NotDone(
            "a value date of %(value_on)s, and today is %(today)s: look at the year",
            value_on=payment.value_on,
            today=today,
        )
    return None


def refuse_day(what: Sentence, dated: date, *, since: date, today: date) -> NotDone | None:
    """Why what a person does to money is not of that day: before there was anything to do it to, or still to come.

    What is valued ahead can be taken back today.
    """
    first = min(since, today)
    if first <= dated <= today:
        return None
    return NotDone(
        "%(what)s on %(dated)s: give a day from %(first)s to today, %(today)s",
        what=what,
        dated=dated,
        first=first,
        today=today,
    )


def booking_day(wanted: date, closed: Sequence[Period], today: date) -> date:
    """The day of an entry: the one that it is of, today at the latest, the first open one where that is closed."""
    return first_open_day(closed, min(wanted, today))


def account_of_money(method: Method, source: PaymentSource, accounts: Accounts) -> int:
    """Where money of that method lies until it is at the bank: in the cash box, with the collector, on its way.

    Raises: BillingError when the issuer has no such account.
    """
    if method.kind is MethodKind.CASH:
        return accounts.of("cash_with_collector" if source is PaymentSource.COLLECTOR else "cash")
    return accounts.of(CLEARING, method.code)


def account_of_owner(customer_id: int | None, accounts: Accounts) -> int:
    """Who has it: the customer, or those that nobody knows."""
    return accounts.of(SUSPENSE if customer_id is None else CUSTOMERS)


def payment_legs(amount: Money, *, money_account: int, customer_id: int | None, accounts: Accounts) -> tuple[Leg, ...]:
    """Money in. With a negative amount: money that came back or is given back."""
    return (
        Leg(money_account, amount),
        Leg(account_of_owner(customer_id, accounts), -amount, customer_id),
    )


def match_legs(amount: Money, *, was: int | None, becomes: int | None, accounts: Accounts) -> tuple[Leg, ...]:
    """A payment changes its owner."""
    return (
        Leg(account_of_owner(was, accounts), amount, was),
        Leg(account_of_owner(becomes, accounts), -amount, becomes),
    )


def write_off_legs(amount: Money, *, customer_id: int, accounts: Accounts) -> tuple[Leg, ...]:
    """What nobody will pay. With a negative amount: it is asked for again."""
    return (Leg(accounts.of(BAD_DEBTS), amount), Leg(accounts.of(CUSTOMERS), -amount, customer_id))
