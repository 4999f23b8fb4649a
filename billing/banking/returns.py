"""Which payment a return took back: every payment that something speaks for, with a score and the reasons.

A collection and its return bear the same end-to-end reference; without one, a payment of the same amount that may still come back, from
the same account or person, is only suggested.

Units: scores of 0 to 99.
Source: italy.md 2.5; EPC SEPA Direct Debit rulebook, R-transactions.

Next: billing/banking/csv_file.py
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from billing.banking.bank_line import BankLine
from billing.banking.evidence import name_tokens, tokens
from billing.money import Money


class Trace(StrEnum):
    """What speaks for a payment."""

    END_TO_END = "end_to_end"
    MANDATE = "mandate"
    IBAN = "same_iban"
    NAME = "same_name"
    NUMBER = "document_number"
    ONLY = "only_one_with_amount"


_WEIGHTS: Final = {
    Trace.END_TO_END: 97,
    Trace.MANDATE: 70,
    Trace.IBAN: 70,
    Trace.NAME: 55,
    Trace.NUMBER: 80,
    Trace.ONLY: 40,
}
_MOST_SUGGESTED: Final = 5
_CLEAR_BY: Final = 15


@dataclass(frozen=True, slots=True)
class PaymentTold:
    """A payment that did not come back yet, with what was told of it; `labels` are the invoices that it settles."""

    id: int
    amount: Money
    value_on: date
    reference: str = ""
    end_to_end: str = ""
    mandate: str = ""
    party: str = ""
    party_iban: str = ""
    labels: tuple[str, ...] = ()
    returns_until: date | None = None


@dataclass(frozen=True, slots=True)
class ReturnedPayment:
    """A payment that a line may have taken back."""

    payment_id: int
    score: int
    reasons: tuple[Trace, ...]


def amount_returned(line: BankLine) -> Money:
    """What of a return was the payment: without the bank's charge, where the file tells the two apart."""
    return line.whole if line.whole is not None else -line.amount


def suggest_returned(line: BankLine, payments: Iterable[PaymentTold]) -> tuple[ReturnedPayment, ...]:
    """Which of these payments a return took back, the likeliest first; only payments of its amount and before it."""
    alike = [one for one in payments if one.amount == amount_returned(line) and one.value_on <= line.booked_on]
    found = []
    for one in alike:
        reasons = [trace for trace, speaks in _traces(line, one) if speaks]
        if not reasons and len(alike) == 1 and one.returns_until is not None and line.booked_on <= one.returns_until:
            reasons = [Trace.ONLY]
        if reasons:
            doubt = 1.0
            for trace in reasons:
                doubt *= 1 - _WEIGHTS[trace] / 100
            found.append(ReturnedPayment(one.id, min(99, int(100 * (1 - doubt) + 1e-9)), tuple(reasons)))
    return tuple(sorted(found, key=lambda one: (-one.score, -one.payment_id))[:_MOST_SUGGESTED])


def clear_return(found: tuple[ReturnedPayment, ...], *, automatic_from: int) -> ReturnedPayment | None:
    """The one that needs no person."""
    if not found or found[0].score < automatic_from:
        return None
    return found[0] if len(found) == 1 or found[0].score - found[1].score >= _CLEAR_BY else None


def _traces(line: BankLine, payment: PaymentTold) -> Iterable[tuple[Trace, bool]]:
    words = tokens(line.text)
    same = line.end_to_end and line.end_to_end in (payment.end_to_end, payment.reference)
    yield Trace.END_TO_END, bool(same)
    yield Trace.MANDATE, bool(line.mandate and line.mandate == payment.mandate)
    yield Trace.IBAN, bool(line.party_iban and line.party_iban == payment.party_iban)
    yield Trace.NAME, bool(name_tokens(line.party) and name_tokens(line.party) == name_tokens(payment.party))
    numbers = (tokens(label) for label in payment.labels)
    yield Trace.NUMBER, any(words[at : at + len(one)] == one for one in numbers for at in range(len(words)))
