"""How a charge stands: a pure function of what was presented and of the set of all events of its payments.

Source: latam.md section 10.2 of the reference.

Next: billing/gateways/acts.py
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from billing.gateways.events import EventKind, PaymentEvent, in_order
from billing.gateways.rounds import Round, rounds_of


class ChargeState(StrEnum):
    """As schema.sql's gateway_charge_state."""

    OPEN = "open"
    PRESENTED = "presented"
    PENDING = "pending"
    PAID = "paid"
    PARTLY_REFUNDED = "partly_refunded"
    REFUNDED = "refunded"
    REVERSED = "reversed"
    DISPUTED = "disputed"
    FAILED = "failed"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


_TRIED: Final = {
    EventKind.PENDING: ChargeState.PENDING,
    EventKind.FAILED: ChargeState.FAILED,
    EventKind.EXPIRED: ChargeState.EXPIRED,
}


def charge_state(events: Iterable[PaymentEvent], *, presented: bool, withdrawn: bool) -> ChargeState:
    """How a charge stands. Several payments of one charge count together: one that stays is enough to be paid."""
    by_payment: dict[str, list[PaymentEvent]] = defaultdict(list)
    for event in events:
        by_payment[event.payment_key].append(event)
    rounds = [one for key in sorted(by_payment) for one in rounds_of(by_payment[key])]
    if rounds:
        return _of_rounds(rounds)
    if withdrawn:
        return ChargeState.WITHDRAWN
    tried = [event for event in in_order(one for known in by_payment.values() for one in known) if event.kind in _TRIED]
    if tried:
        return _TRIED[tried[-1].kind]
    return ChargeState.PRESENTED if presented else ChargeState.OPEN


def _of_rounds(rounds: list[Round]) -> ChargeState:
    backs = [back for one in rounds for back in (*one.parts, *([one.whole] if one.whole is not None else []))]
    refunds = [back for back in backs if back.kind is EventKind.REFUNDED]
    came_again = {one.reference.partition(" ")[2] for one in rounds}
    if any(back.kind is EventKind.DISPUTED and back.reference not in came_again for back in backs):
        return ChargeState.DISPUTED
    if any(one.left for one in rounds):
        gone = [back for back in refunds if back.reference not in came_again]
        return ChargeState.PARTLY_REFUNDED if gone else ChargeState.PAID
    return ChargeState.REFUNDED if all(back.kind is EventKind.REFUNDED for back in backs) else ChargeState.REVERSED
