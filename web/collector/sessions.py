"""The office's side of cash: collectors' sessions, change to begin with, what leaves before, and hand-overs with their differences."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Final

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response
from wtforms import SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired, Length

from billing.cash import Destination, count_cash
from billing.money import Money
from billing.operations.handing_over import begin_session, hand_over, withdraw
from billing.operations.printing import load_cash_session_paper
from billing.payments import NotDone
from billing.store.cash import (
    Session,
    load_count,
    load_receipts,
    load_session,
    load_sessions,
    load_taken_back,
    load_withdrawals,
)
from billing.store.collector_rounds import load_offer
from billing.store.collectors import load_collector
from control_plane.access.permissions import Permission
from web.acting import clock, person, transaction
from web.collector.bound import Bound, issuer_of
from web.collector.counting import counted_of, pieces_typed, values_of
from web.database import Connection
from web.forms import REQUIRED, MoneyField, PageForm, do_once, fingerprint, read_form, refuse, status_of, was_sent
from web.language import chosen_language, gettext, lazy
from web.lists import after, chosen, page_of
from web.marks import allowed
from web.navigation import Entry
from web.papers import pdf_of

pages = Blueprint("cash_sessions", __name__)
ENTRIES: Final = (Entry("field", lazy("Cash sessions"), "cash_sessions.show_all", Permission.CASH_MANAGE, order=20),)
_ROWS: Final = 50
_LONGEST_NOTE: Final = 200


class HandOverForm(PageForm):
    """What the office has counted; the pieces of each value are read beside it."""

    note = StringField(lazy("Note"), [Length(max=_LONGEST_NOTE)])


class OpenForm(PageForm):
    """Change to begin with."""

    amount = MoneyField(lazy("Change to begin with"), [InputRequired(REQUIRED)])


class WithdrawForm(PageForm):
    """Cash that leaves before the hand-over."""

    amount = MoneyField(lazy("Amount"), [InputRequired(REQUIRED)])
    to = SelectField(
        lazy("Where it goes"),
        choices=[
            SelectChoice(Destination.CASH.value, lazy("To the main cash")),
            SelectChoice(Destination.BANK.value, lazy("Paid in at the bank")),
        ],
    )
    reason = StringField(lazy("Reason"), [InputRequired(REQUIRED), Length(max=_LONGEST_NOTE)])


class NotDoneHereError(Exception):
    """Nothing was written; `field` is the one it lies at."""

    def __init__(self, field: str, words: str) -> None:
        super().__init__(words)
        self.field = field
        self.words = words


@pages.get("/field/sessions")
@allowed(Permission.CASH_MANAGE)
def show_all() -> str:
    """The newest sessions first; those that are open on top of the page."""
    key = after()
    only_open = chosen("state", ("open",)) is not None
    with transaction() as connection:
        sessions = load_sessions(connection, only_open=only_open, before=int(key[0]) if key else None, limit=_ROWS + 1)
    return render_template("collector/sessions.html", page=page_of(sessions, lambda one: (one.id,), rows_a_page=_ROWS))


@pages.get("/field/sessions/<int:session_id>")
@allowed(Permission.CASH_MANAGE)
def show(session_id: int) -> str:
    """A session with its receipts and what else moved cash."""
    with transaction() as connection:
        session = _known(connection, session_id)
        receipts = load_receipts(connection, session_id)
        back, out = load_taken_back(connection, session_id), load_withdrawals(connection, session_id)
        count, offer = load_count(connection, session_id, "closing"), load_offer(connection, session_id)
    counted = None if offer is None else counted_of(offer.pieces, session.currency)
    return render_template(
        "collector/session_office.html",
        session=session,
        receipts=receipts,
        back=back,
        out=out,
        count=count,
        offer=offer,
        counted=counted,
    )


@pages.get("/field/sessions/<int:session_id>.pdf")
@allowed(Permission.CASH_MANAGE)
def paper(session_id: int) -> Response:
    """The paper of a hand-over, for both to sign."""
    with transaction() as connection:
        _known(connection, session_id)
        issuer_id, printed = load_cash_session_paper(
            connection, session_id, language=chosen_language(), now=clock(connection)
        )
    return pdf_of(issuer_id, printed, f"session-{session_id}")


@pages.route("/field/sessions/<int:session_id>/hand-over", methods=["GET", "POST"])
@allowed(Permission.CASH_MANAGE)
def close(session_id: int) -> Response | tuple[str, int]:
    """Count what a collector brings, see the difference, then take it: it can't be opened again."""
    with transaction() as connection:
        session, offer = _known(connection, session_id), load_offer(connection, session_id)
    if session.closed_at is not None:
        return redirect(url_for("cash_sessions.show", session_id=session_id), 303)
    form = read_form(HandOverForm, note=None if offer is None else offer.note)
    pieces = {} if offer is None else offer.pieces
    counted: Money | None = None
    if was_sent(form):
        typed = pieces_typed(session.currency)
        money = typed if isinstance(typed, NotDone) else count_cash(typed, session.currency)
        if isinstance(typed, NotDone) or isinstance(money, NotDone):
            refuse(form, "", gettext("Give whole numbers of notes and coins."))
        else:
            pieces, counted = typed, money
            sure = request.form.get("sure") == fingerprint((sorted(pieces.items()), session.takings.expected))
            if sure:
                try:
                    return do_once(
                        lambda connection: _hand_over(
                            connection, session_id, pieces, seen=session.takings.expected, note=form.note.data
                        )
                    )
                except NotDoneHereError as refused:
                    refuse(form, refused.field, refused.words)
    page = render_template(
        "collector/hand_over.html",
        form=form,
        session=session,
        offer=offer,
        values=values_of(session.currency),
        pieces=pieces,
        counted=None if form.errors else counted,
        sure=fingerprint((sorted(pieces.items()), session.takings.expected)),
    )
    return page, status_of(form)


@pages.route("/field/sessions/<int:session_id>/withdraw", methods=["GET", "POST"])
@allowed(Permission.CASH_MANAGE)
def take_out(session_id: int) -> Response | tuple[str, int]:
    """Take cash out of an open session before it is handed over."""
    with transaction() as connection:
        session = _known(connection, session_id)
    form = read_form(WithdrawForm)
    form.amount.currency = session.currency
    if was_sent(form):
        try:
            return do_once(lambda connection: _withdraw(connection, session_id, form))
        except NotDoneHereError as refused:
            refuse(form, refused.field, refused.words)
    return render_template("collector/withdraw.html", form=form, session=session), status_of(form)


@pages.route("/field/collectors/<int:collector_id>/open", methods=["GET", "POST"])
@allowed(Permission.CASH_MANAGE)
def begin(collector_id: int) -> Response | tuple[str, int]:
    """Give a collector change to begin with."""
    with transaction() as connection:
        bound = _collector(connection, collector_id)
    form = read_form(OpenForm)
    form.amount.currency = bound.issuer.currency
    if was_sent(form):
        try:
            return do_once(lambda connection: _begin(connection, collector_id, form))
        except NotDoneHereError as refused:
            refuse(form, refused.field, refused.words)
    return render_template("collector/begin.html", form=form, collector=bound.collector), status_of(form)


def _begin(connection: Connection, collector_id: int, form: OpenForm) -> str:
    amount = form.amount.money()
    if amount is None or amount.minor < 0:
        raise NotDoneHereError("amount", gettext("Give what the collector is given, or nothing."))
    begun = begin_session(connection, collector_id, amount, actor=person().name)
    if isinstance(begun, NotDone):
        raise NotDoneHereError("", gettext("This collector collects no more, or has a session that is open."))
    return url_for("cash_sessions.show", session_id=begun.id)


def _withdraw(connection: Connection, session_id: int, form: WithdrawForm) -> str:
    amount, session = form.amount.money(), _known(connection, session_id)
    assert amount is not None, "the form has looked"
    done = withdraw(
        connection,
        session_id,
        amount,
        Destination(form.to.data),
        reason=form.reason.data,
        today=_today(connection, session),
        actor=person().name,
    )
    if isinstance(done, NotDone):
        words = gettext("No more can be taken out than came in and is there, and only while the session is open.")
        raise NotDoneHereError("amount", words)
    return url_for("cash_sessions.show", session_id=session_id)


def _hand_over(
    connection: Connection, session_id: int, pieces: dict[Decimal, int], *, seen: Money, note: str | None
) -> str:
    session = _known(connection, session_id)
    done = hand_over(
        connection,
        session_id,
        pieces,
        taken_by=person().full_name,
        today=_today(connection, session),
        actor=person().name,
        note=note or None,
        seen=seen,
    )
    if isinstance(done, NotDone):
        words = gettext(
            "The session has gone on since you counted, or somebody else has taken it. Look, and count again."
        )
        raise NotDoneHereError("", words)
    return url_for("cash_sessions.show", session_id=session_id)


def _known(connection: Connection, session_id: int) -> Session:
    found = load_session(connection, session_id) if session_id < 2**63 else None
    if found is None:
        raise NotFound
    return found


def _collector(connection: Connection, collector_id: int) -> Bound:
    found = load_collector(connection, collector_id) if collector_id < 2**63 else None
    if found is None:
        raise NotFound
    return Bound(found, issuer_of(connection, found.issuer_id), clock(connection))


def _today(connection: Connection, session: Session) -> date:
    return _collector(connection, session.collector_id).today
