"""Notes and coins as they are counted on a page: one field a value."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from flask import request

from billing.cash import DENOMINATIONS, count_cash
from billing.money import Money, zero
from billing.payments import NotDone

# Of a currency whose notes are not known the sum is counted.
_ONE: tuple[Decimal, ...] = (Decimal(1),)
_MOST_DIGITS = 7


def values_of(currency: str) -> tuple[Decimal, ...]:
    """The notes and coins of a currency, the dearest first."""
    return tuple(sorted(DENOMINATIONS.get(currency, _ONE), reverse=True))


def pieces_typed(currency: str) -> dict[Decimal, int] | NotDone:
    """How many of each value were typed into the fields `count-VALUE`."""
    pieces: dict[Decimal, int] = {}
    for value in values_of(currency):
        typed = request.form.get(f"count-{value}", "").strip() or "0"
        if not (typed.isascii() and typed.isdigit()) or len(typed) > _MOST_DIGITS:
            return NotDone(f"{typed[:_MOST_DIGITS]!r} pieces of {value} {currency}")
        if int(typed):
            pieces[value] = int(typed)
    return pieces


def counted_of(pieces: Mapping[Decimal, int], currency: str) -> Money:
    """What they come to."""
    counted = count_cash(pieces, currency)
    return zero(currency) if isinstance(counted, NotDone) else counted
