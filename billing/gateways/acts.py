"""From what the books are to say of a payment to what is left to do: nothing twice, whatever was booked before.

Next: billing/gateways/payouts.py
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from billing.gateways.rounds import Back, Round


@dataclass(frozen=True, slots=True)
class Booked:
    """A round as the books have it: its payment's number, whether it came back, the refunds of it that are booked."""

    payment_id: int
    is_reversed: bool = False
    refunds: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Record:
    """Record the round as a payment."""

    round: Round


@dataclass(frozen=True, slots=True)
class Reverse:
    """The payment of that reference came back, whole."""

    reference: str
    why: Back


@dataclass(frozen=True, slots=True)
class GiveBack:
    """A part of the payment of that reference went back."""

    reference: str
    why: Back


Act = Record | Reverse | GiveBack


def acts_for(rounds: Iterable[Round], booked: Mapping[str, Booked]) -> list[Act]:
    """What is left to do, in order; asked again after it is done: nothing."""
    found: list[Act] = []
    for one in rounds:
        known = booked.get(one.reference)
        if known is None:
            found.append(Record(one))
        done = known or Booked(0)
        if done.is_reversed:
            # A refund that is told only now was in what came back already.
            continue
        parts = [back for back in one.parts if back.reference not in done.refunds]
        found += [GiveBack(one.reference, back) for back in parts]
        if one.whole is not None:
            found.append(Reverse(one.reference, one.whole))
    return found
