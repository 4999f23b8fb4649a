"""Webhooks: who is told of events by HTTP, what was sent and answered, and sending it again."""

from __future__ import annotations

from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from flask import Blueprint, flash, redirect, render_template, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response
from wtforms import SelectMultipleField, StringField
from wtforms.validators import InputRequired, Length, Regexp

from billing.store import webhooks as store
from billing.store.webhooks import Endpoint
from control_plane.access.permissions import Permission
from control_plane.outward import webhook_desk as desk
from control_plane.outward.target import TargetError
from web.acting import demand, person, transaction
from web.database import Connection
from web.forms import (
    REQUIRED,
    PageForm,
    changed_meanwhile,
    do_once,
    fingerprint,
    new_key,
    read_form,
    refuse,
    status_of,
    was_sent,
)
from web.language import gettext, lazy, moment_shown, ngettext
from web.lists import PAGE_ROWS, after, chosen, page_of
from web.marks import allowed
from web.money_words import words_of
from web.navigation import Entry
from web.sealing import sealer
from web.secret_words import tell_once
from web.surroundings import here

pages = Blueprint("webhook_desk", __name__)
ENTRIES: Final = (Entry("system", lazy("Webhooks"), "webhook_desk.show_all", Permission.WEBHOOK_SEE, order=60),)

_ALL: Final = "*"
_WORDS: Final = MappingProxyType(
    {
        _ALL: lazy("everything"),
        "contract.changed": lazy("a contract's status, plan or terms changed"),
        "document.issued": lazy("an invoice, a quote or an order was issued"),
        "document.credited": lazy("a credit note was issued"),
        "payment.recorded": lazy("money came in, or was found to be a customer's"),
        "payment.reversed": lazy("a payment came back"),
        "dunning.step": lazy("a reminder or a measure of a case ran"),
        "dunning.cleared": lazy("a case is over"),
        "cash_session.closed": lazy("a collector's or a desk's cash was counted and handed over"),
        "dunning.lifted": lazy("a line is limited for a debt no more, or less"),
        "einvoice.accepted": lazy("the tax authority took an e-invoice"),
        "einvoice.rejected": lazy("the tax authority refused an e-invoice"),
    }
)
STATES: Final = MappingProxyType(
    {
        "waiting": (lazy("waiting"), "busy"),
        "delivered": (lazy("delivered"), "good"),
        "parked": (lazy("given up"), "bad"),
    }
)


class EndpointForm(PageForm):
    """Who is told of what."""

    name = StringField(
        lazy("Name"),
        [
            InputRequired(REQUIRED),
            Regexp(r"^[\w.-]{1,64}$", message=lazy("Up to 64 letters, digits, dots and dashes.")),
        ],
    )
    url = StringField(lazy("Address"), [InputRequired(REQUIRED), Length(max=2000)])
    events = SelectMultipleField(lazy("Events"), [InputRequired(REQUIRED)], choices=[])

    def offer(self, chosen_before: tuple[str, ...] = ()) -> None:
        """Every event, and patterns that were chosen by a command."""
        known = [(name, f"{name}: {_WORDS[name]}" if name != _ALL else str(_WORDS[name])) for name in _WORDS]
        self.events.choices = [*known, *((name, name) for name in chosen_before if name not in _WORDS)]


class ReasonForm(PageForm):
    """Why."""

    reason = StringField(lazy("Reason"), [InputRequired(REQUIRED), Length(max=200)])


class PlainForm(PageForm):
    """No more than a yes."""


@pages.get("/webhooks")
@allowed(Permission.WEBHOOK_SEE)
def show_all() -> str:
    """Who is told of what, what waits, and who takes nothing."""
    with transaction() as connection:
        found, tallies = store.load_endpoints(connection), store.load_tallies(connection)
        newest = store.load_deliveries(connection, limit=10)
    shown = [(one, tallies.get(one.id, store.Tally(one.id, 0, 0, 0, None))) for one in found]
    return render_template("staff/webhooks/all.html", endpoints=shown, newest=newest, states=STATES, one_key=new_key)


@pages.get("/webhooks/deliveries")
@allowed(Permission.WEBHOOK_SEE)
def show_deliveries() -> str:
    """Deliveries, the newest first."""
    state, begin = chosen("state", STATES), after()
    with transaction() as connection:
        endpoints = {one.name: one.id for one in store.load_endpoints(connection)}
        name = chosen("webhook", endpoints)
        rows = store.load_deliveries(
            connection,
            endpoint_id=None if name is None else endpoints[name],
            state=state,
            before=int(begin[0]) if begin else None,
            limit=PAGE_ROWS + 1,
        )
    page = page_of(rows, lambda row: (row.id,))
    choices = [(key, words) for key, (words, _) in STATES.items()]
    names = [(one, one) for one in sorted(endpoints)]
    return render_template("staff/webhooks/deliveries.html", page=page, states=STATES, names=names, choices=choices)


@pages.route("/webhooks/deliveries/<int:number>", methods=["GET", "POST"])
@allowed(Permission.WEBHOOK_SEE)
def delivery(number: int) -> Response | str | tuple[str, int]:
    """One delivery: what is sent, and each try with its answer; sent again by who may."""
    form = read_form(PlainForm)
    if was_sent(form):
        demand(Permission.WEBHOOK_CHANGE)

        def again(connection: Connection) -> str:
            desk.replay_one(connection, number, actor=person().name)
            return url_for("webhook_desk.delivery", number=number)

        try:
            response = do_once(again)
            flash(gettext("It is sent again under the same event id."))
            return response
        except desk.WebhookRefusedError:
            refuse(form, "", gettext("It waits already, or its webhook is switched off or removed."))
    with transaction() as connection:
        found = store.load_delivery(connection, number) if number < 2**63 else None
    if found is None:
        raise NotFound
    one, body, tries = found
    shown = body.decode()
    return (
        render_template("staff/webhooks/delivery.html", one=one, body=shown, tries=tries, states=STATES, form=form),
        status_of(form),
    )


@pages.route("/webhooks/new", methods=["GET", "POST"])
@allowed(Permission.WEBHOOK_CHANGE)
def new() -> Response | tuple[str, int]:
    """A new endpoint; its secret is shown once."""
    form = read_form(EndpointForm)
    form.offer()
    if was_sent(form):
        try:
            with transaction() as connection:
                added = desk.add(
                    connection,
                    sealer(),
                    form.name.data,
                    url=form.url.data,
                    events=form.events.data,
                    secret=None,
                    allow_private=here().settings.webhooks.allow_private_addresses,
                    actor=person().name,
                )
            return _tell_secret(added.name, added.secret)
        except TargetError as error:
            refuse(form, "url", words_of(error.why))
        except desk.WebhookRefusedError:
            refuse(form, "name", gettext("There is one of this name already."))
    return render_template("staff/webhooks/edit.html", form=form, known=None), status_of(form)


@pages.route("/webhooks/<name>/edit", methods=["GET", "POST"])
@allowed(Permission.WEBHOOK_CHANGE)
def edit(name: str) -> Response | tuple[str, int]:
    """Another address, or other events."""
    with transaction() as connection:
        known = _held(connection, name)
    form = read_form(EndpointForm, name=known.name, url=known.url, events=list(known.events))
    form.offer(known.events)
    form.name.data = known.name
    form.seen.data = form.seen.data or fingerprint((known.url, known.events))
    if was_sent(form):
        try:
            return do_once(lambda connection: _change(connection, name, form))
        except TargetError as error:
            refuse(form, "url", words_of(error.why))
        except _ChangedError as changed:
            known = changed.known
    return render_template("staff/webhooks/edit.html", form=form, known=known), status_of(form)


class _ChangedError(Exception):
    """Somebody else was quicker."""

    def __init__(self, known: Endpoint) -> None:
        super().__init__()
        self.known = known


def _change(connection: Connection, name: str, form: Any) -> str:
    known = _held(connection, name)
    if changed_meanwhile(form, (known.url, known.events)):
        raise _ChangedError(known)
    allow_private = here().settings.webhooks.allow_private_addresses
    desk.change(
        connection, known, url=form.url.data, events=form.events.data, allow_private=allow_private, actor=person().name
    )
    return url_for("webhook_desk.show_all")


@pages.route("/webhooks/<name>/secret", methods=["GET", "POST"])
@allowed(Permission.WEBHOOK_CHANGE)
def rotate(name: str) -> Response | str | tuple[str, int]:
    """Sign with another secret; for a day the old one signs too."""
    form = read_form(PlainForm)
    with transaction() as connection:
        known = _held(connection, name)
        if was_sent(form):
            new = desk.rotate(connection, sealer(), known, secret=None, old_valid_s=86_400, actor=person().name)
            return _tell_secret(name, new.secret, old_until=new.old_until)
    does = [
        gettext("A new secret is made and shown once."),
        gettext("For 24 hours what is sent is signed with both, so that the receiver changes over when it likes."),
    ]
    return _confirm(
        form, gettext("Another secret for %(name)s?", name=name), does, gettext("Make a new secret"), tone="primary"
    )


def _tell_secret(name: str, secret: str, *, old_until: datetime | None = None) -> Response:
    hint = gettext("Give it to whoever keeps the receiver: it checks with it that what comes is from here.")
    if old_until is not None:
        hint += " " + gettext("The old one signs too until %(until)s.", until=moment_shown(old_until))
    tell_once(gettext("The secret of %(name)s", name=name), secret, hint=hint)
    return redirect(url_for("webhook_desk.show_all"), 303)


@pages.route("/webhooks/<name>/ping", methods=["POST"])
@allowed(Permission.WEBHOOK_CHANGE)
def ping(name: str) -> Response:
    """Have the worker send a ping now, and lead to how it goes."""

    def send(connection: Connection) -> str:
        number = store.add_ping(connection, _held(connection, name), by=person().name)
        return url_for("webhook_desk.delivery", number=number)

    return do_once(send)


@pages.route("/webhooks/<name>/<any(off,on,replay,remove):deed>", methods=["GET", "POST"])
@allowed(Permission.WEBHOOK_CHANGE)
def act(name: str, deed: str) -> Response | str | tuple[str, int]:
    """Switch off or on, send again what was given up, or remove: asked first, with what it concerns."""
    form = read_form(ReasonForm if deed == "off" else PlainForm)
    if was_sent(form):
        try:
            return do_once(lambda connection: _do(connection, name, deed, form))
        except desk.WebhookRefusedError:
            refuse(form, "", gettext("It is switched off: switch it on first."))
    with transaction() as connection:
        known = _held(connection, name)
        tally = store.load_tallies(connection).get(known.id, store.Tally(known.id, 0, 0, 0, None))
    waiting = ngettext("%(num)s delivery waits.", "%(num)s deliveries wait.", tally.waiting)
    parked = ngettext("%(num)s delivery was given up.", "%(num)s deliveries were given up.", tally.parked)
    asked = {
        "off": (
            gettext("Send nothing to %(name)s?", name=name),
            gettext("What happens meanwhile is kept and can be sent later."),
            gettext("Switch off"),
            "danger",
        ),
        "on": (
            gettext("Send to %(name)s again?", name=name),
            gettext("What was kept meanwhile is not sent by this: send it again afterwards."),
            gettext("Switch on"),
            "primary",
        ),
        "replay": (
            gettext("Send again to %(name)s what was given up?", name=name),
            gettext("Each goes out under its own event id, so that a receiver that has it leaves it be."),
            gettext("Send again"),
            "primary",
        ),
        "remove": (
            gettext("Remove %(name)s?", name=name),
            gettext("What waits is given up; what was sent can still be looked at."),
            gettext("Remove"),
            "danger",
        ),
    }
    question, does, button, tone = asked[deed]
    return _confirm(form, question, [does, waiting, parked], button, tone=tone)


def _do(connection: Connection, name: str, deed: str, form: Any) -> str:
    known, actor = _held(connection, name), person().name
    match deed:
        case "off":
            desk.switch_off(connection, known, reason=form.reason.data, actor=actor)
        case "on":
            desk.switch_on(connection, known, actor=actor)
        case "replay":
            desk.replay_all(connection, known, since=None, also_delivered=False, actor=actor)
        case _:
            desk.remove(connection, known, actor=actor)
    return url_for("webhook_desk.show_all")


def _confirm(form: Any, question: str, does: list[str], button: str, *, tone: str) -> tuple[str, int]:
    back = url_for("webhook_desk.show_all")
    given = {"question": question, "does": does, "button": button, "tone": tone, "back": back, "fields": {}}
    return render_template("confirm.html", form=form, **given), status_of(form)


def _held(connection: Connection, name: str) -> Endpoint:
    known = store.load_endpoint(connection, name)
    if known is None:
        raise NotFound
    return known
