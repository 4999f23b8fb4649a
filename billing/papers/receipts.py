"""A payment becomes the receipt that is handed out, a cash session the paper that both sides of a hand-over sign.

Source: billing model section 16.

Next: billing/papers/template_data.py
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from billing.money import Money, total
from billing.papers.paper import (
    Barcode,
    CashMovement,
    CashSessionPaper,
    CollectedPayment,
    Denomination,
    Frame,
    PaidDocument,
    PaperKind,
    PrintedParty,
    ReceiptPaper,
)
from billing.papers.parties import recipient_of, sender_of
from billing.starting_books import METHODS

# A way of paying that nobody has renamed is written in the paper's language.
_OWN_NAMES: Final = {(one.code, one.name): f"by_{one.code}" for one in METHODS}


@dataclass(frozen=True, slots=True)
class ReceivedPayment:
    """A payment as its receipt tells it. `still_open` is what the customer owed just after it; `received_at` in the issuer's zone."""

    label: str
    issued_on: date
    received_at: datetime
    method: tuple[str, str]
    amount: Money
    documents: tuple[PaidDocument, ...]
    still_open: Money | None = None
    collector: str | None = None
    reversed_on: date | None = None


def method_said(code: str, name: str) -> str:
    """What a way of paying is called: a word of the wording, or the name that an operator gave it."""
    return _OWN_NAMES.get((code, name), name)


def receipt_paper(
    received: ReceivedPayment,
    *,
    issuer: Mapping[str, Any],
    customer: Mapping[str, Any] | None,
    language: str,
    size: str,
) -> ReceiptPaper:
    """What is printed of it; without a customer it names none."""
    country = str(issuer.get("country", ""))
    recipient = PrintedParty("") if customer is None else recipient_of(customer, country, language)
    rest = received.amount - total((one.amount for one in received.documents), received.amount.currency)
    return ReceiptPaper(
        PaperKind.RECEIPT,
        Frame(language, country, received.issued_on, sender_of(issuer), recipient, received.label),
        size,
        received.received_at,
        method_said(*received.method),
        received.amount,
        received.documents,
        rest=rest or None,
        still_open=received.still_open or None,
        collector=received.collector,
        codes=(Barcode("code128", received.label, "receipt_number"),),
        reversed_on=received.reversed_on,
    )


def cash_session_paper(
    *,
    number: int,
    collector: str,
    taken_by: str | None,
    issuer: Mapping[str, Any],
    language: str,
    dated: date,
    times: tuple[datetime, datetime],
    sums: tuple[Money, Money, Money],
    payments: Sequence[CollectedPayment],
    movements: Sequence[CashMovement],
    denominations: Sequence[Denomination],
) -> CashSessionPaper:
    """What is printed of a hand-over; `sums` are the opening, what should be there, and what was counted."""
    opening, expected, counted = sums
    frame = Frame(
        language, str(issuer.get("country", "")), dated, sender_of(issuer), PrintedParty(collector), str(number)
    )
    opened_at, closed_at = times
    return CashSessionPaper(
        PaperKind.CASH_SESSION,
        frame,
        opened_at,
        closed_at,
        opening,
        tuple(payments),
        tuple(denominations),
        expected,
        counted,
        counted - expected,
        taken_by,
        tuple(movements),
    )
