"""What a collector has in hand: the open session, the count, and the hand-over that the office is asked for."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from flask import Blueprint, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response
from wtforms import StringField
from wtforms.validators import Length

from billing.cash import count_cash
from billing.money import zero
from billing.operations.handing_over import begin_session
from billing.operations.printing import load_cash_session_paper
from billing.payments import NotDone
from billing.store.cash import load_receipts, load_sessions, load_taken_back, load_withdrawals
from billing.store.collector_rounds import load_offer, save_offer
from control_plane.access.permissions import Permission
from web.acting import person, transaction
from web.collector.bound import own_collector, own_open_session, own_session
from web.collector.counting import counted_of, pieces_typed, values_of
from web.database import Connection
from web.forms import PageForm, do_once, read_form, refuse, status_of, was_sent
from web.language import chosen_language, gettext, lazy
from web.marks import allowed
from web.navigation import Entry
from web.papers import pdf_of

pages = Blueprint("field_cash", __name__)
ENTRIES: Final = (
    Entry("field", lazy("My cash"), "field_cash.show", Permission.CASH_TAKE, order=10, bound_to="collector_id"),
)
_OLDER: Final = 30
_LONGEST_NOTE: Final = 200


class CountForm(PageForm):
    """What was counted; the pieces of each value are read beside it."""

    note = StringField(lazy("Note"), [Length(max=_LONGEST_NOTE)])


@pages.get("/field/cash")
@allowed(Permission.CASH_TAKE)
def show() -> str:
    """What is in hand now, and the sessions before."""
    with transaction() as connection:
        bound = own_collector(connection)
        sessions = load_sessions(connection, collector_id=bound.collector.id, limit=_OLDER)
        open_now = [one for one in sessions if one.closed_at is None]
        offers = {one.id: load_offer(connection, one.id) for one in open_now}
        receipts = {one.id: load_receipts(connection, one.id) for one in open_now}
    return render_template(
        "collector/cash.html",
        open_now=open_now,
        offers=offers,
        receipts=receipts,
        older=[one for one in sessions if one.closed_at is not None],
        most=bound.collector.most_cash,
        currency=bound.issuer.currency,
        form=read_form(PageForm),
    )


@pages.post("/field/cash/open")
@allowed(Permission.CASH_TAKE)
def begin() -> Response:
    """Open a session with nothing in hand; change to begin with is the office's to give."""
    with transaction() as connection:
        bound = own_collector(connection)
        begun = begin_session(connection, bound.collector.id, zero(bound.issuer.currency), actor=person().name)
    if isinstance(begun, NotDone):
        flash(gettext("A session is open already."), "warn")
    return redirect(url_for("field_cash.show"), 303)


@pages.route("/field/cash/<int:session_id>/count", methods=["GET", "POST"])
@allowed(Permission.CASH_TAKE)
def count(session_id: int) -> Response | tuple[str, int]:
    """Count notes and coins, see the difference, and ask the office to take them."""
    form = read_form(CountForm)
    with transaction() as connection:
        session = own_open_session(connection, session_id)
        offer = load_offer(connection, session_id)
    pieces: dict[Decimal, int] | NotDone
    if form.errors or not was_sent(form):
        pieces = {} if offer is None else offer.pieces
    else:
        pieces = pieces_typed(session.currency)
        if isinstance(pieces, NotDone) or isinstance(count_cash(pieces, session.currency), NotDone):
            refuse(form, "", gettext("Give whole numbers of notes and coins."))
        else:
            counted = pieces
            return do_once(lambda connection: _offer(connection, session_id, counted, form.note.data or None))
    shown = {} if isinstance(pieces, NotDone) else pieces
    page = render_template(
        "collector/count.html",
        form=form,
        session=session,
        values=values_of(session.currency),
        pieces=shown,
        counted=counted_of(shown, session.currency),
    )
    return page, status_of(form)


@pages.get("/field/cash/<int:session_id>")
@allowed(Permission.CASH_TAKE)
def session(session_id: int) -> str:
    """A session of this collector with all that went through it."""
    with transaction() as connection:
        own = own_session(connection, session_id)
        receipts = load_receipts(connection, session_id)
        back, out = load_taken_back(connection, session_id), load_withdrawals(connection, session_id)
        offer = load_offer(connection, session_id)
    counted = None if offer is None else counted_of(offer.pieces, own.currency)
    return render_template(
        "collector/session.html", session=own, receipts=receipts, back=back, out=out, offer=offer, counted=counted
    )


@pages.get("/field/cash/<int:session_id>.pdf")
@allowed(Permission.CASH_TAKE)
def paper(session_id: int) -> Response:
    """The list of a session, for both to sign."""
    with transaction() as connection:
        own_session(connection, session_id)
        bound = own_collector(connection)
        issuer_id, printed = load_cash_session_paper(connection, session_id, language=chosen_language(), now=bound.now)
    return pdf_of(issuer_id, printed, f"session-{session_id}")


def _offer(connection: Connection, session_id: int, pieces: dict[Decimal, int], note: str | None) -> str:
    session = own_open_session(connection, session_id)
    save_offer(connection, session.id, pieces, note=note, by=person().name)
    return url_for("field_cash.session", session_id=session.id)
