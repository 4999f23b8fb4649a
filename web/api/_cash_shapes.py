"""Collectors' cash as it is answered: sessions, receipts, counted notes and coins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

import msgspec

from billing.cash import count_cash
from billing.money import Money
from billing.payments import NotDone
from billing.store.cash import Receipt, Session, load_receipts, load_taken_back, load_withdrawals
from billing.store.collector_rounds import Offer
from web.api._shapes import Amount, Digits, amount_of, shaped, wrong_value
from web.database import Connection


class Pieces(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So many notes or coins of a value; of a currency whose notes are not known the sum is counted in ones."""

    value: Digits
    count: Annotated[int, msgspec.Meta(ge=0, le=9_999_999)]


Counting = Annotated[list[Pieces], msgspec.Meta(max_length=50)]


class CashSession(msgspec.Struct, frozen=True):
    """A collector's cash between two hand-overs. `expected` is what should be there, `difference` below zero is missing."""

    id: int
    collector_id: int
    collector: str
    opened_at: datetime
    closed_at: datetime | None
    taken_by: str | None
    opening: Amount
    received: Amount
    withdrawn: Amount
    taken_back: Amount
    expected: Amount
    counted: Amount | None
    difference: Amount | None
    note: str | None


class CashReceipt(msgspec.Struct, frozen=True):
    """A receipt with the payment that it is for. `reversed_on`: it was taken back."""

    payment_id: int
    number: str
    issued_on: date
    customer_id: int | None
    customer: str
    collector: str | None
    method: str
    in_cash: bool
    amount: Amount
    reversed_on: date | None


class TakenBack(msgspec.Struct, frozen=True):
    """A payment that was taken back and counts in the session."""

    payment_id: int
    amount: Amount
    in_cash: bool
    dated: date
    reason: str


class Left(msgspec.Struct, frozen=True):
    """Cash that left before the hand-over."""

    id: int
    amount: Amount
    dated: date
    reason: str
    made_by: str


class Offered(msgspec.Struct, frozen=True):
    """What the collector has counted, to be taken by the office."""

    pieces: list[Pieces]
    together: Amount
    note: str | None
    offered_at: datetime


class OneSession(msgspec.Struct, frozen=True):
    """A session with all that went through it."""

    session: CashSession
    receipts: list[CashReceipt]
    taken_back: list[TakenBack]
    withdrawals: list[Left]
    offer: Offered | None


def session_shown(session: Session) -> CashSession:
    """As it is answered; one that is closed with what was counted."""
    takings = session.takings
    return shaped(
        CashSession,
        session,
        opening=takings.opening,
        received=takings.received,
        withdrawn=takings.withdrawn,
        taken_back=takings.taken_back,
        expected=takings.expected if session.expected is None else session.expected,
    )


def receipt_shown(receipt: Receipt) -> CashReceipt:
    """As it is answered."""
    return shaped(CashReceipt, receipt, number=receipt.label)


def whole_session(connection: Connection, session: Session, offer: Offer | None) -> OneSession:
    """A session with all that went through it."""
    return OneSession(
        session_shown(session),
        [receipt_shown(one) for one in load_receipts(connection, session.id)],
        [shaped(TakenBack, one) for one in load_taken_back(connection, session.id)],
        [shaped(Left, one) for one in load_withdrawals(connection, session.id)],
        None if offer is None else _offer_shown(offer, session.currency),
    )


def counted(given: Sequence[Pieces], currency: str) -> tuple[dict[Decimal, int], Money]:
    """What was counted, by value, and what it comes to. Raises: Problem for a note or coin that there is none of."""
    pieces: dict[Decimal, int] = {}
    for one in given:
        if one.count:
            value = Decimal(one.value).normalize()
            value = value.quantize(Decimal(1)) if value == value.to_integral_value() else value
            pieces[value] = pieces.get(value, 0) + one.count
    money = count_cash(pieces, currency)
    if isinstance(money, NotDone):
        raise wrong_value(money.message, pointer="/pieces")
    return pieces, money


def _offer_shown(offer: Offer, currency: str) -> Offered:
    pieces: Mapping[Decimal, int] = offer.pieces
    money = count_cash(pieces, currency)
    assert not isinstance(money, NotDone), "it was counted when it was offered"
    shown = [Pieces(f"{value:f}", count) for value, count in sorted(pieces.items(), reverse=True)]
    return Offered(shown, amount_of(money), offer.note, offer.offered_at)
