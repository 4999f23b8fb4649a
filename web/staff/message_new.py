"""A message to one customer: written, then shown as it reads and when it goes, then queued.

Next: control_plane/messages/desk.py
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response
from wtforms import SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, Optional

from billing.messages.errors import TextError
from billing.messages.message import Enclosure, NewMessage, Purpose
from billing.store.customers import Customer, load_customer
from billing.store.issued import NoDocumentError, find_document, load_parties_of
from control_plane.access.permissions import Permission
from control_plane.messages import desk
from web.acting import clock, person, transaction
from web.confirming import is_confirmed, rehearsal
from web.database import Connection
from web.forms import ONCE, REQUIRED, PageForm, do_once, read_form, refuse, status_of, was_sent
from web.language import gettext, lazy, moment_shown
from web.marks import allowed
from web.message_words import fault_words, problem_words
from web.surroundings import here

pages = Blueprint("message_new", __name__)
_GREATEST_ID = 2**63 - 1
Answer = Response | tuple[str, int] | str


class LetterForm(PageForm):
    """What the customer is told."""

    subject = StringField(lazy("Subject"), [InputRequired(REQUIRED), Length(max=200)])
    text = TextAreaField(lazy("Text"), [InputRequired(REQUIRED), Length(max=10_000)], render_kw={"rows": 10})
    document = StringField(lazy("With this document"), [Optional(), Length(max=100)])
    purpose = SelectField(
        lazy("Purpose"),
        choices=[
            SelectChoice(Purpose.SERVICE.value, lazy("Service: whoever has not declined it")),
            SelectChoice(Purpose.LEGAL.value, lazy("Required by law or contract: at any hour, to everybody")),
            SelectChoice(Purpose.MARKETING.value, lazy("Offer: only with a consent")),
        ],
        default=Purpose.SERVICE.value,
    )


@pages.route("/messages/new", methods=["GET", "POST"])
@allowed(Permission.MESSAGE_SEND)
def write() -> Answer:
    """Write to a customer: `?customer=` says to whom."""
    form = read_form(LetterForm, document=request.args.get("document", ""))
    with transaction() as connection:
        customer = _customer(connection)
        sent = was_sent(form) and _document_fits(connection, form, customer)
    if sent:
        try:
            if is_confirmed():
                return do_once(lambda connection: _queued(connection, form, customer))
            with rehearsal() as connection:
                return _confirm(form, customer, _write(connection, form, customer))
        except TextError as error:
            refuse(form, "text", gettext("This text can't be filled in: %(why)s", why=fault_words(error)))
    page = render_template("staff/messages/new.html", form=form, customer=customer)
    return page, status_of(form)


def _queued(connection: Connection, form: LetterForm, customer: Customer) -> str:
    written = _write(connection, form, customer)
    flash(gettext("The message is queued."))
    return url_for("messages.show", number=written.number)


def _write(connection: Connection, form: LetterForm, customer: Customer) -> desk.Written:
    enclosures: tuple[Enclosure, ...] = ()
    if form.document.data:
        enclosures = (Enclosure("document", find_document(connection, form.document.data)),)
    message = NewMessage(
        customer.id,
        "text",
        f"by hand {request.form[ONCE]}",
        {"subject": form.subject.data, "text": form.text.data},
        Purpose(form.purpose.data),
        enclosures=enclosures,
    )
    return desk.write_one(connection, here().settings, message, by=person().name, now=clock(connection))


def _confirm(form: LetterForm, customer: Customer, written: desk.Written) -> str:
    outlook, does = written.outlook, []
    if outlook.goes:
        does.append(gettext("It goes at once."))
    if outlook.waits and outlook.until is not None:
        does.append(gettext("It waits for the hours: it goes %(moment)s.", moment=moment_shown(outlook.until)))
    does += [gettext("It does not go: %(why)s.", why=problem_words(why)) for why in sorted(outlook.withheld)]
    if not here().settings.email.host:
        does.append(gettext("None leaves before the settings name a mail server."))
    fields = {name: [str(form[name].data or "")] for name in ("subject", "text", "document", "purpose")}
    return render_template(
        "staff/online/confirm_message.html",
        form=form,
        question=gettext("Send this message?"),
        does=does,
        button=gettext("Send to %(name)s", name=customer.name),
        tone="primary",
        back=url_for("customers.show", number=customer.id),
        fields=fields,
        example=outlook.examples[0] if outlook.examples else None,
    )


def _document_fits(connection: Connection, form: Any, customer: Customer) -> bool:
    """Whether the document that is to go along is there and theirs; the form says so."""
    if not form.document.data:
        return True
    try:
        _, theirs = load_parties_of(connection, find_document(connection, form.document.data))
    except NoDocumentError:
        refuse(form, "document", gettext("There is no document of this number."))
        return False
    if theirs != customer.id:
        refuse(form, "document", gettext("This document is not of this customer."))
        return False
    return True


def _customer(connection: Connection) -> Customer:
    typed = request.args.get("customer", "")
    number = int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 19 else 0
    found = load_customer(connection, number) if 0 < number <= _GREATEST_ID else None
    if found is None:
        raise NotFound
    return found
