"""A customer's access to the portal: whether they have it, a link by mail or in a letter, kept out and let in again, sign-ins, devices with notices.

Next: ../../control_plane/access/portal_office.py
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from flask import Blueprint, flash, redirect, render_template, url_for
from werkzeug.exceptions import Conflict
from werkzeug.wrappers import Response
from wtforms import SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired, Length

from billing.calendar import billing_day
from billing.operations.printing import load_invitation_paper
from billing.papers.errors import PaperError
from billing.papers.paper import InvitationPaper
from billing.payments import NotDone
from billing.store.push_devices import load_devices_of
from control_plane.access.permissions import Permission
from control_plane.access.portal_office import (
    Invitation,
    drop_device,
    end_sessions,
    invite_by_letter,
    keep_out,
    let_in,
    reachable,
    send_link,
)
from control_plane.store.portal import LETTER_S, LINK_S, load_access_of, load_sessions_of
from web.acting import person, transaction
from web.confirming import confirm_page, is_confirmed
from web.database import Connection
from web.forms import REQUIRED, PageForm, do_once, read_form, refuse, status_of, was_sent
from web.issuing import Books, books_of
from web.language import gettext, lazy, ngettext, span_shown
from web.marks import allowed
from web.money_words import error_words, words_of
from web.papers import pdf_of
from web.staff.customers import known
from web.surroundings import here

pages = Blueprint("portal_access", __name__, url_prefix="/customers/<int:number>/portal")
_SESSIONS: Final = 20
Answer = Response | tuple[str, int]


class LinkForm(PageForm):
    """To which contact a link goes."""

    contact = SelectField(lazy("To"), coerce=int)


class LockForm(PageForm):
    """Why a customer is kept out."""

    reason = StringField(lazy("Reason"), [InputRequired(REQUIRED), Length(max=200)])


class _RefusedError(Exception):
    """Nothing was written; the form says why."""


@pages.route("", methods=["GET"])
@allowed(Permission.CUSTOMER_SEE, Permission.PORTAL_SEE)
def show(number: int) -> str:
    """Access, sign-ins and devices."""
    return _page(number, read_form(LinkForm))


@pages.post("/link")
@allowed(Permission.CUSTOMER_SEE, Permission.PORTAL_SEE, Permission.PORTAL_CHANGE)
def link(number: int) -> Answer:
    """Mail a contact a link that lets them in once."""
    form = read_form(LinkForm)
    _offer(number, form)
    if was_sent(form):
        if (address := link_maker()) is None:
            refuse(form, "", gettext("Links can't be mailed yet: the settings name no public address ([messages] public_url)."))  # fmt: skip
        else:
            answer = _tried(
                form,
                number,
                lambda connection: send_link(
                    connection, number, form.contact.data, link=address, actor=person().name, now=datetime.now(UTC)
                ),
                gettext("The link is on its way. It lets in once, within %(time)s.", time=span_shown(LINK_S)),
            )
            if answer is not None:
                return answer
    return _page(number, form), status_of(form)


@pages.post("/letter")
@allowed(Permission.CUSTOMER_SEE, Permission.PORTAL_SEE, Permission.PORTAL_CHANGE)
def letter(number: int) -> Answer:
    """The letter that invites a customer, to be printed: what it says stands nowhere else."""
    form, now = read_form(LinkForm), datetime.now(UTC)
    address = link_maker()
    if address is None:
        refuse(form, "", gettext("A letter can't name the portal yet: the settings name no public address ([messages] public_url)."))  # fmt: skip
        return _page(number, form), status_of(form)
    with transaction() as connection:
        known(connection, number)
        books = books_of(connection)
        invited = invite_by_letter(connection, number, link=address, actor=person().name, now=now)
        paper = _letter_of(connection, number, books, invited) if isinstance(invited, Invitation) else None
    if isinstance(invited, NotDone):
        refuse(form, "", words_of(invited))
    if paper is None:
        return _page(number, form), status_of(form)
    try:
        return pdf_of(books.issuer.id, paper, f"portal-{number}")
    except PaperError as error:
        raise Conflict(gettext("This can't be printed: %(why)s", why=error_words(error))) from error


def _letter_of(connection: Connection, number: int, books: Books, invited: Invitation) -> InvitationPaper:
    until = billing_day(invited.until, ZoneInfo(books.issuer.zone))
    return load_invitation_paper(
        connection, number, issuer_id=books.issuer.id, page=invited.page, until=until, dated=books.today
    )


@pages.route("/lock", methods=["GET", "POST"])
@allowed(Permission.CUSTOMER_SEE, Permission.PORTAL_SEE, Permission.PORTAL_CHANGE)
def lock(number: int) -> Answer:
    """Keep a customer out, once it is known what that ends."""
    now, form = datetime.now(UTC), read_form(LockForm)
    with transaction() as connection:
        one = known(connection, number)
        signed_in = [each for each in load_sessions_of(connection, number, now=now, limit=1000) if not each.is_over]
        devices = load_devices_of(connection, number)
    if was_sent(form) and is_confirmed():
        answer = _tried(
            form,
            number,
            lambda connection: keep_out(connection, number, reason=form.reason.data, actor=person().name, now=now),
            gettext("The customer is kept out of the portal."),
        )
        if answer is not None:
            return answer
    does = [
        gettext("Neither a link nor the password lets them in any more. Their lines and contracts stay as they are."),
        ngettext("%(count)s session ends.", "%(count)s sessions end.", len(signed_in), count=len(signed_in)),
        ngettext(
            "%(count)s device shows no more notices.",
            "%(count)s devices show no more notices.",
            len(devices),
            count=len(devices),
        ),
    ]
    question = gettext("Keep %(name)s out of the portal?", name=one.name)
    back = url_for("portal_access.show", number=number)
    return confirm_page(form, question, does, button=gettext("Keep them out"), back=back), status_of(form)


@pages.post("/unlock")
@allowed(Permission.CUSTOMER_SEE, Permission.PORTAL_SEE, Permission.PORTAL_CHANGE)
def unlock(number: int) -> Answer:
    """Let a customer in again."""
    form = read_form(LinkForm)
    _offer(number, form)
    said = gettext("The customer may come in again.")
    answer = _tried(form, number, lambda connection: let_in(connection, number, actor=person().name), said)
    return answer if answer is not None else (_page(number, form), status_of(form))


@pages.post("/end-sessions")
@allowed(Permission.CUSTOMER_SEE, Permission.PORTAL_SEE, Permission.PORTAL_CHANGE)
def end_all(number: int) -> Response:
    """Sign a customer out everywhere."""
    with transaction() as connection:
        known(connection, number)
        end_sessions(connection, number, actor=person().name, now=datetime.now(UTC))
    flash(gettext("They are signed out everywhere."), "good")
    return redirect(url_for("portal_access.show", number=number), 303)


@pages.post("/devices/<int:device>/remove")
@allowed(Permission.CUSTOMER_SEE, Permission.PORTAL_SEE, Permission.PORTAL_CHANGE)
def remove(number: int, device: int) -> Response:
    """Show no notices on a device any more."""
    with transaction() as connection:
        known(connection, number)
        removed = drop_device(connection, number, device, actor=person().name)
    flash(gettext("This device shows no more notices.") if removed else gettext("This device is gone already."), "good")
    return redirect(url_for("portal_access.show", number=number), 303)


def link_maker() -> Callable[[str], str] | None:
    """What makes a page's address of a link's token; None where the settings name no public one."""
    public = here().settings.messages.public_url.rstrip("/")
    return (lambda token: public + url_for("portal_entrance.enter", token=token)) if public else None


def _tried(form: PageForm, number: int, deed: Callable[[Connection], NotDone | None], said: str) -> Response | None:
    """Where it leads, or None where nothing was written, which the form says."""

    def done(connection: Connection) -> str:
        if (refused := deed(connection)) is not None:
            refuse(form, "", words_of(refused))
            raise _RefusedError
        flash(said, "good")
        return url_for("portal_access.show", number=number)

    try:
        return do_once(done)
    except _RefusedError:
        return None


def _offer(number: int, form: Any) -> None:
    with transaction() as connection:
        known(connection, number)
        form.contact.choices = [
            SelectChoice(one.id, f"{one.name} <{one.email}>" if one.name else one.email)
            for one in reachable(connection, number)
        ]


def _page(number: int, form: Any) -> str:
    now = datetime.now(UTC)
    _offer(number, form)
    with transaction() as connection:
        one = known(connection, number)
        access = load_access_of(connection, number)
        sessions = load_sessions_of(connection, number, now=now, limit=_SESSIONS)
        devices = load_devices_of(connection, number)
    return render_template(
        "staff/customers/portal.html",
        one=one,
        access=access,
        sessions=sessions,
        devices=devices,
        form=form,
        letter_s=LETTER_S,
    )
