"""The office's side of cash: who collects from whom, sessions, change to begin with, what leaves before, hand-overs with their differences."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Literal

import msgspec
from flask import Response

from billing.cash import Destination
from billing.operations.handing_over import begin_session, hand_over, withdraw
from billing.operations.printing import load_cash_session_paper
from billing.store.cash import Session, load_session, load_sessions
from billing.store.collector_rounds import load_offer
from billing.store.collectors import load_collector, load_collectors, load_scopes
from control_plane.access.permissions import Permission
from web.acting import clock, person
from web.api._cash_shapes import CashSession, Counting, OneSession, counted, session_shown, whole_session
from web.api._shapes import (
    Amount,
    PaperLanguage,
    Words,
    amount_of,
    books_of,
    done,
    money_of,
    there_is_none,
    written,
    wrong_value,
)
from web.calls import File, Noun, Paging, Slice, part_after, slice_of
from web.database import Connection
from web.papers import pdf_of

pages = Noun("cash")
_MOST_OPEN = 1000
_DESTINATIONS = {"cash": Destination.CASH, "bank": Destination.BANK}


class Scope(msgspec.Struct, frozen=True):
    """Whose documents somebody may collect: everyone's, or of a customer, billing group, city, province, postal code; up to and with a day."""

    kind: str
    value: str | None
    through: date | None


class OneCollector(msgspec.Struct, frozen=True):
    """Who collects, from whom, at most how much cash they may carry, and what they have in hand now."""

    id: int
    issuer_id: int
    name: str
    active: bool
    most_cash: Amount | None
    scopes: list[Scope]
    in_hand: list[Amount]


class SessionQuestion(Paging, frozen=True, kw_only=True):
    """Which sessions: all, or those that are open."""

    state: Literal["open"] | None = None


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a collector is given to begin with."""

    amount: Amount


class Withdrawing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Cash that leaves before the hand-over: to the main cash, or paid in at the bank."""

    amount: Amount
    to: Literal["cash", "bank"]
    reason: Words


class HandingOver(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the office has counted. `expected` is what should be there as it was seen: where the session has gone on, nothing is taken."""

    pieces: Counting
    expected: Amount
    note: Words | None = None


@pages.call("GET", "/cash/collectors", permission=Permission.CASH_MANAGE, answers=list[OneCollector])
def collectors(connection: Connection) -> list[OneCollector]:
    """Who collects, from whom, and what each has in hand."""
    open_now = load_sessions(connection, only_open=True, limit=_MOST_OPEN)
    return [
        OneCollector(
            id=one.id,
            issuer_id=one.issuer_id,
            name=one.name,
            active=one.active,
            most_cash=written(one.most_cash),
            scopes=[Scope(part.kind.value, part.value, part.through) for part in load_scopes(connection, one.id)],
            in_hand=[amount_of(each.takings.expected) for each in open_now if each.collector_id == one.id],
        )
        for one in load_collectors(connection)
    ]


@pages.call(
    "POST",
    "/cash/collectors/<int:number>/sessions",
    permission=Permission.CASH_MANAGE,
    body=Change,
    answers=CashSession,
    status=201,
    refusals=(404, 409),
)
def begin(connection: Connection, *, number: int, body: Change) -> CashSession:
    """Open a collector's session with change to begin with."""
    if load_collector(connection, number) is None:
        raise there_is_none()
    amount = money_of(body.amount, "/amount")
    if amount.minor < 0:
        raise wrong_value("what the collector is given, or nothing", pointer="/amount/amount")
    return session_shown(done(begin_session(connection, number, amount, actor=person().name)))


@pages.call(
    "GET",
    "/cash/sessions",
    permission=Permission.CASH_MANAGE,
    asked=SessionQuestion,
    answers=Slice[CashSession],
    refusals=(404,),
)
def find(connection: Connection, *, asked: SessionQuestion) -> Slice[CashSession]:
    """Sessions, the newest first."""
    key = part_after(asked, int)
    before = None if key is None else key[0]
    rows = load_sessions(connection, only_open=asked.state == "open", before=before, limit=asked.limit + 1)
    return slice_of(rows, asked, shown=session_shown, key=lambda one: (one.id,))


@pages.call(
    "GET", "/cash/sessions/<int:number>", permission=Permission.CASH_MANAGE, answers=OneSession, refusals=(404,)
)
def show(connection: Connection, *, number: int) -> OneSession:
    """A session with its receipts and what else moved cash."""
    return whole_session(connection, _known(connection, number), load_offer(connection, number))


@pages.call(
    "GET",
    "/cash/sessions/<int:number>.pdf",
    permission=Permission.CASH_MANAGE,
    asked=PaperLanguage,
    answers=File("application/pdf"),
    refusals=(404,),
)
def paper(connection: Connection, *, number: int, asked: PaperLanguage) -> Callable[[], Response]:
    """The paper of a hand-over, for both to sign."""
    _known(connection, number)
    issuer_id, printed = load_cash_session_paper(connection, number, language=asked.language, now=clock(connection))
    return lambda: pdf_of(issuer_id, printed, f"session-{number}")


@pages.call(
    "POST",
    "/cash/sessions/<int:number>/withdrawals",
    permission=Permission.CASH_MANAGE,
    body=Withdrawing,
    answers=OneSession,
    status=201,
    refusals=(404, 409),
)
def take_out(connection: Connection, *, number: int, body: Withdrawing) -> OneSession:
    """Take cash out of an open session before it is handed over."""
    session = _known(connection, number)
    amount = money_of(body.amount, "/amount")
    if amount.currency != session.currency:
        raise wrong_value(f"the session is in {session.currency}", pointer="/amount/currency")
    done(
        withdraw(
            connection,
            number,
            amount,
            _DESTINATIONS[body.to],
            reason=body.reason,
            today=books_of(connection, session.issuer_id).today,
            actor=person().name,
        )
    )
    return whole_session(connection, _known(connection, number), load_offer(connection, number))


@pages.call(
    "POST",
    "/cash/sessions/<int:number>/hand-over",
    permission=Permission.CASH_MANAGE,
    body=HandingOver,
    answers=OneSession,
    refusals=(404, 409),
)
def close(connection: Connection, *, number: int, body: HandingOver) -> OneSession:
    """Take what a collector brings, with its difference: the session can't be opened again."""
    session = _known(connection, number)
    pieces, _ = counted(body.pieces, session.currency)
    seen = money_of(body.expected, "/expected")
    if seen.currency != session.currency:
        raise wrong_value(f"the session is in {session.currency}", pointer="/expected/currency")
    done(
        hand_over(
            connection,
            number,
            pieces,
            taken_by=person().full_name,
            today=books_of(connection, session.issuer_id).today,
            actor=person().name,
            note=body.note,
            seen=seen,
        )
    )
    return whole_session(connection, _known(connection, number), None)


def _known(connection: Connection, number: int) -> Session:
    found = load_session(connection, number)
    if found is None:
        raise there_is_none()
    return found
