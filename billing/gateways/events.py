"""What happens to a payment at a gateway, in one set of words for all of them.

Units: `happened` is an instant by the provider's clock, `value_on` a day of the issuer's zone.
Source: latam.md section 10 of the reference; the kinds are those of schema.sql's payment_event_kind.

Next: billing/gateways/rounds.py
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from billing.money import Money


class EventKind(StrEnum):
    """In the order in which they can follow each other at one and the same moment."""

    PENDING = "pending"
    FAILED = "failed"
    EXPIRED = "expired"
    PAID = "paid"
    REFUNDED = "refunded"
    REFUND_FAILED = "refund_failed"
    DISPUTED = "disputed"
    REVERSED = "reversed"
    RETURNED = "returned"
    DISPUTE_WON = "dispute_won"
    DISPUTE_LOST = "dispute_lost"
    SETTLED = "settled"


_RANK: Final = {kind: rank for rank, kind in enumerate(EventKind)}


@dataclass(frozen=True, slots=True)
class PaymentEvent:
    """One thing that a provider says happened to a payment.

    `key` is the event's own number; `payment_key` which payment; `part_key` which refund or dispute of it; `charge_key` is what
    we had told the provider to give back with the payment; without it, the mandate says whose it is.
    """

    key: str
    kind: EventKind
    payment_key: str
    amount: Money
    happened: datetime
    value_on: date
    part_key: str | None = None
    charge_key: str | None = None
    mandate_ref: str | None = None
    payer: str | None = None
    reason_code: str | None = None
    reason: str = ""


def in_order(events: Iterable[PaymentEvent]) -> list[PaymentEvent]:
    """As they happened, whatever the order in which they were told; the same set is always in the same order."""
    return sorted(events, key=lambda event: (event.happened, _RANK[event.kind], event.key))
