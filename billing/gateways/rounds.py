"""What the books are to say of one payment at a gateway: a pure function of all that is known of it.

A payment comes in rounds: it was paid, and stays; or it was paid, came back, and was paid again (a debit that is presented again, a
dispute that is won). Each round is a payment of ours; what came back of it is its reversal, what was given back a refund.

Source: latam.md section 10.2 of the reference, rules 2 and 4; billing model section 12.

Next: billing/gateways/charge_state.py
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from billing.gateways.events import EventKind, PaymentEvent, in_order
from billing.money import Money, total

# What takes the money of a round away. A debit that fails after it was paid is one of them.
_TAKES_BACK: Final = (EventKind.REVERSED, EventKind.RETURNED, EventKind.DISPUTED, EventKind.FAILED)


@dataclass(frozen=True, slots=True)
class Back:
    """Money of a round that went back: all of what was left, or a part. `reference` names it for ever."""

    reference: str
    amount: Money
    dated: date
    kind: EventKind
    reason: str
    reason_code: str | None = None


@dataclass(frozen=True, slots=True)
class Round:
    """One time that the money came in. `parts` went back one by one; `whole` is what took back all of it at once."""

    reference: str
    amount: Money
    value_on: date
    charge_key: str | None = None
    payer: str | None = None
    parts: tuple[Back, ...] = ()
    whole: Back | None = None

    @property
    def left(self) -> Money:
        """What of it is still here."""
        if self.whole is not None:
            return self.amount - self.amount
        return self.amount - total((part.amount for part in self.parts), self.amount.currency)


def rounds_of(events: Iterable[PaymentEvent]) -> tuple[Round, ...]:
    """The rounds of one payment; of what never was paid there are none."""
    found: list[Round] = []
    taken: set[str] = set()
    given: set[str] = set()
    for event in in_order(events):
        if event.kind is EventKind.PAID:
            if not found or _is_away(found[-1]):
                found.append(_begun(event, _reference(event.payment_key, len(found))))
        elif event.kind in _TAKES_BACK or event.kind is EventKind.REFUNDED:
            if event.part_key not in taken:
                _take_back(found, event)
            taken |= {event.part_key} if event.part_key is not None and found else set()
        elif event.kind in (EventKind.DISPUTE_WON, EventKind.REFUND_FAILED) and event.part_key is not None:
            if event.part_key not in given:
                _give_again(found, event)
            given.add(event.part_key)
    return tuple(found)


def _is_away(last: Round) -> bool:
    """Whether its money came back, so that it can be paid again; what was refunded is not."""
    gone = (*last.parts, last.whole) if last.whole is not None else last.parts
    return not last.left and any(back is not None and back.kind is not EventKind.REFUNDED for back in gone)


def _reference(payment_key: str, number: int) -> str:
    return payment_key if number == 0 else f"{payment_key} #{number + 1}"


def _begun(event: PaymentEvent, reference: str) -> Round:
    return Round(reference, event.amount, event.value_on, event.charge_key, event.payer)


def _take_back(found: list[Round], event: PaymentEvent) -> None:
    """From the last round that has something left; without one there is nothing to take."""
    place = next((at for at in reversed(range(len(found))) if found[at].left), None)
    if place is None:
        return
    hit = found[place]
    asked = event.amount if event.amount.currency == hit.amount.currency and event.amount else hit.left
    amount = min(asked, hit.left, key=lambda money: money.minor)
    words = event.reason or _WORDS[event.kind]
    back = Back(
        event.part_key or event.key, amount, max(event.value_on, hit.value_on), event.kind, words, event.reason_code
    )
    if event.kind is not EventKind.REFUNDED and amount == hit.amount:
        found[place] = replace(hit, whole=back)
    else:
        found[place] = replace(hit, parts=(*hit.parts, back))


def _give_again(found: list[Round], event: PaymentEvent) -> None:
    """What a won dispute or a refund that did not arrive brings back, if we knew that it was away."""
    gone = next(
        (
            back
            for one in found
            for back in (*one.parts, *([one.whole] if one.whole is not None else []))
            if back.reference == event.part_key
        ),
        None,
    )
    if gone is None:
        return
    first = found[0]
    again = f"{_reference(event.payment_key, 0)} {gone.reference}"
    found.append(Round(again, gone.amount, max(event.value_on, gone.dated), first.charge_key, first.payer))


_WORDS: Final = {
    EventKind.REFUNDED: "refunded at the provider",
    EventKind.REVERSED: "reversed by the provider",
    EventKind.RETURNED: "returned by the bank",
    EventKind.DISPUTED: "disputed by the payer",
    EventKind.FAILED: "failed after it was paid",
}
