"""What a subscriber asks for: time to pay, with or without a proof of having paid, and another plan."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import Final

from flask import Blueprint, flash, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response
from wtforms import SelectField, TextAreaField
from wtforms.fields import FileField
from wtforms.validators import Length

from billing.operations.promising import Proof
from billing.store.portal_page import load_owed, sums_by_currency
from control_plane.access.portal import actor_of
from control_plane.plan_answers import ask_for_plan
from control_plane.store.plan_requests import load_offered_plans, load_requests_of
from control_plane.store.portal_lines import Line, load_lines
from web.acting import clock, subscriber, transaction
from web.database import Connection
from web.forms import PageForm, choices_of, do_once, read_form, refuse, status_of, was_sent
from web.language import gettext, lazy, moment_shown, zone
from web.marks import of_subscriber
from web.portal.promising import Promised, promise, try_promise, words_of_refusal
from web.security import takes_files

pages = Blueprint("portal_asking", __name__)
# A photograph of a receipt, or a bank's PDF.
MOST_OCTETS: Final = 5 * 1024 * 1024
_FORM_OCTETS: Final = MOST_OCTETS + 64 * 1024
# By how a file begins; what a browser says that it is counts for nothing.
_BEGINNINGS: Final = (
    (b"%PDF-", "application/pdf", "pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png", "png"),
    (b"\xff\xd8\xff", "image/jpeg", "jpg"),
)
_LONGEST_NOTE: Final = 1000
_IN_SERVICE: Final = frozenset({"trial", "active", "free"})


class PromiseForm(PageForm):
    """A promise; with a file it is a proof that somebody looks at."""

    proof = FileField(lazy("Proof of payment: PDF, PNG or JPEG, at most 5 MB"))


class PlanForm(PageForm):
    """Another plan."""

    plan = SelectField(lazy("Plan"))
    note = TextAreaField(lazy("Anything that we should know"), [Length(max=_LONGEST_NOTE)])


class NotGivenError(Exception):
    """Nothing was written; the words say why."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


@pages.route("/portal/promise", methods=["GET", "POST"])
@of_subscriber()
@takes_files(_FORM_OCTETS)
def give() -> Response | tuple[str, int]:
    """Promise to pay, or show that it is paid."""
    form = read_form(PromiseForm)
    with transaction() as connection:
        owed = load_owed(connection, subscriber().customer_id)
        possible = try_promise(connection, owed, subscriber().customer_id)
    if was_sent(form):
        proof = _proof(form)
        if not form.errors:
            digest = "" if proof is None else hashlib.sha256(proof.content).hexdigest()
            try:
                return do_once(lambda connection: _promise(connection, proof), body=digest)
            except NotGivenError as refused:
                refuse(form, "", refused.words)
    page = render_template(
        "portal/promise.html",
        form=form,
        sums=sums_by_currency(owed),
        until=possible.until if isinstance(possible, Promised) else None,
        why=None if isinstance(possible, Promised) else words_of_refusal(possible),
    )
    return page, status_of(form)


@pages.route("/portal/contracts/<int:contract_id>/plan", methods=["GET", "POST"])
@of_subscriber()
def plan(contract_id: int) -> Response | tuple[str, int]:
    """Ask for another plan; staff answer, and change it."""
    with transaction() as connection:
        line, plans = _line(connection, contract_id), load_offered_plans(connection, today=_today(connection))
        asked = [
            one for one in load_requests_of(connection, subscriber().customer_id) if one.contract_id == contract_id
        ]
    form = read_form(PlanForm)
    form.plan.choices = choices_of({str(number): name for number, name in plans if number != line.plan_id})
    if was_sent(form):
        try:
            return do_once(lambda connection: _ask(connection, contract_id, form))
        except NotGivenError as refused:
            refuse(form, "", refused.words)
    return render_template("portal/plan.html", form=form, line=line, asked=asked), status_of(form)


def _proof(form: PromiseForm) -> Proof | None:
    """The file that was sent, if it is one that may be; the form says what is wrong with it."""
    sent = request.files.get("proof")
    if sent is None or not sent.filename:
        return None
    content = sent.read(MOST_OCTETS + 1)
    sent.close()
    if len(content) > MOST_OCTETS:
        refuse(form, "proof", gettext("At most 5 MB."))
        return None
    kind = next(((media, ending) for begins, media, ending in _BEGINNINGS if content.startswith(begins)), None)
    if kind is None:
        refuse(form, "proof", gettext("This is neither a PDF nor a PNG or JPEG picture."))
        return None
    media, ending = kind
    return Proof(f"proof.{ending}", media, content)


def _promise(connection: Connection, proof: Proof | None) -> str:
    given = promise(connection, subscriber().customer_id, now=clock(connection), proof=proof)
    if not isinstance(given, Promised):
        raise NotGivenError(words_of_refusal(given))
    flash(gettext("Noted. Your line is open until %(moment)s.", moment=moment_shown(given.until)), "good")
    return url_for("portal.show")


def _line(connection: Connection, contract_id: int) -> Line:
    """Raises: NotFound for another's contract, or one that is not in service."""
    lines = load_lines(connection, subscriber().customer_id, now=clock(connection))
    found = next((one for one in lines if one.contract_id == contract_id), None)
    if found is None or found.status not in _IN_SERVICE:
        raise NotFound
    return found


def _ask(connection: Connection, contract_id: int, form: PlanForm) -> str:
    _line(connection, contract_id)
    who = actor_of(subscriber().customer_id)
    if not ask_for_plan(connection, contract_id, int(form.plan.data), note=form.note.data or None, by=who):
        raise NotGivenError(gettext("A request for this contract is open already: we answer it first."))
    flash(gettext("We have your request, and answer soon."), "good")
    return url_for("portal_asking.plan", contract_id=contract_id)


def _today(connection: Connection) -> date:
    return clock(connection).astimezone(zone()).date()
