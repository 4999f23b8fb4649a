"""What a deed on a payment came to, read beside what was before: asked with before it is done for good, and answered after it.

Next: billing/operations/receiving.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from billing.money import Money
from billing.store.payments import KnownPayment, OpenAgain, load_open_again, load_payment, load_settled

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class PaymentEffects:
    """The invoices that it settles otherwise than before, as they stand now; what it settles newly; and what settles nothing."""

    opened: tuple[OpenAgain, ...]
    settles: tuple[tuple[str, Money], ...]
    left: Money | None


def load_effects(connection: Connection, payment: KnownPayment, before: Sequence[tuple[str, Money]]) -> PaymentEffects:
    """What came of a deed in this transaction; `before` is what the payment settled before it."""
    after = dict(load_settled(connection, payment.id))
    there = dict(before)
    changed = [one for one in before if after.get(one[0]) != one[1]]
    now = load_payment(connection, payment.id)
    return PaymentEffects(
        opened=tuple(load_open_again(connection, changed, payment.issuer_id)),
        settles=tuple((label, amount) for label, amount in after.items() if there.get(label) != amount),
        left=now.open if now is not None and now.open and now.reversed_on is None else None,
    )
