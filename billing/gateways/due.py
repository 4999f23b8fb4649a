"""What is asked for by itself of an invoice, and what is left out and why: a debit of what has fallen due, or a page to pay on.

Each due day of an invoice is debited once, whether that succeeds or not: what failed is a person's, dunning's, and a page's.

Units: days of the issuer's zone; amounts above zero.
Source: billing model section 12; latam.md section 10.2 of the reference.

Next: billing/operations/charging.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from billing.documents import Due
from billing.money import Money, total, zero


class Why(StrEnum):
    """Why something is left out, as lists show it."""

    DISPUTED = "disputed"
    IN_PLAN = "paid by a plan of instalments"
    UNDER_WAY = "a page or a debit of it is under way"
    HAS_CREDIT = "the customer's credit is laid on it first"
    OTHER_CURRENCY = "not in the currency of the account"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An open invoice that an account is to collect, or to make a page for where `mandate_id` is None.

    `parts` are all of its due days, `until` the last one that counts by now; `asked_to` is the last one that was debited by itself.
    """

    document_id: int
    label: str
    customer_id: int
    customer: str
    account_id: int
    account: str
    mandate_id: int | None
    open: Money
    parts: tuple[Due, ...]
    until: date
    asked_to: date | None = None
    left_out: Why | None = None


@dataclass(frozen=True, slots=True)
class ToAsk:
    """So much is asked for now; `due_on` is the day of a debit, None for a page."""

    candidate: Candidate
    amount: Money
    due_on: date | None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """It is not asked for, as things stand."""

    candidate: Candidate
    why: Why


def decide(one: Candidate) -> ToAsk | LeftOut | None:
    """What is to be done with it; None when all that fell due was asked for before."""
    if one.mandate_id is None:
        return LeftOut(one, one.left_out) if one.left_out is not None else ToAsk(one, one.open, None)
    due = _newly_due(one.parts, one.until, one.asked_to)
    if not due:
        return None
    if one.left_out is not None:
        return LeftOut(one, one.left_out)
    later = total((part.amount for part in one.parts if part.due_on > one.until), one.open.currency)
    new = total((part.amount for part in due), one.open.currency)
    # What was paid paid the first parts; what a debit before failed to bring is not tried again with this one.
    amount = min(one.open - later, new, key=lambda money: money.minor)
    return ToAsk(one, amount, max(part.due_on for part in due)) if zero(amount.currency) < amount else None


def _newly_due(parts: Sequence[Due], until: date, asked_to: date | None) -> list[Due]:
    return [part for part in parts if part.due_on <= until and (asked_to is None or part.due_on > asked_to)]
