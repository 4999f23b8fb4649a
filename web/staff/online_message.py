"""A message to the customers whose sessions were chosen in the list of who is online.

Written first, then shown with to how many it goes and how the first one reads, then queued as one batch that the worker sends.

Next: control_plane/messages/many.py
"""

from __future__ import annotations

import secrets

from flask import Blueprint, flash, redirect, render_template, request
from wtforms.fields import SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length

from billing.messages.errors import TextError
from billing.messages.message import Purpose
from control_plane.access.permissions import Permission
from control_plane.control_loop import by_hand
from control_plane.control_loop.by_hand import TooManyError
from control_plane.messages.many import Queued
from control_plane.messages.to_online import write_to_chosen
from control_plane.store.by_hand import load_audience
from control_plane.store.online_list import OnlineFilter
from web.acting import clock, person
from web.confirming import is_confirmed, rehearsal
from web.database import Connection
from web.forms import ONCE, REQUIRED, SEEN, PageForm, do_once, refuse, status_of
from web.language import gettext, lazy, moment_shown, ngettext
from web.marks import allowed
from web.message_words import fault_words, problem_words
from web.staff.online_deeds import Answer, GrownError, refuse_more, sessions_meant, the_list, too_many
from web.surroundings import here

pages = Blueprint("online_message", __name__)
_NOT_KEPT = frozenset({"csrf_token", ONCE, SEEN, "confirmed", "subject", "text", "purpose"})


class MessageForm(PageForm):
    """What they are told; `seen` says of how many sessions the numbers were."""

    subject = StringField(lazy("Subject"), [InputRequired(REQUIRED), Length(max=200)])
    text = TextAreaField(lazy("Text"), [InputRequired(REQUIRED), Length(max=10_000)], render_kw={"rows": 10})
    purpose = SelectField(
        lazy("Purpose"),
        choices=[
            SelectChoice(Purpose.SERVICE.value, lazy("Service: whoever has not declined it")),
            SelectChoice(Purpose.LEGAL.value, lazy("Required by law or contract: at any hour, to everybody")),
            SelectChoice(Purpose.MARKETING.value, lazy("Offer: only with a consent")),
        ],
        default=Purpose.SERVICE.value,
    )


@pages.post("/online/message")
@allowed(Permission.NETWORK_SEE, Permission.MESSAGE_SEND)
def write() -> Answer:
    """Write to the customers whose sessions are chosen."""
    asked, first = sessions_meant(), "subject" not in request.form
    form = MessageForm(None if first else request.form)
    form.once_key.data = form.once_key.data or secrets.token_urlsafe(16)
    try:
        if first or not form.validate():
            return _compose(form, asked)
        if is_confirmed():
            return do_once(lambda connection: _sent(connection, form, asked))
    except GrownError:
        refuse(form, "", gettext("The numbers have changed since you saw them. These are today's."))
    except TooManyError:
        return too_many()
    return _confirm(form, asked)


def _compose(form: MessageForm, asked: OnlineFilter) -> Answer:
    """The page on which it is written, with how many it would go to."""
    with rehearsal() as connection:
        meant = by_hand.choose(connection, asked)
        customers = len(load_audience(connection))
    if not customers:
        flash(gettext("No customer is behind these sessions."))
        return redirect(the_list(), 303)
    page = render_template(
        "staff/online/message.html", form=form, meant=meant, customers=customers, kept=_kept(), back=the_list()
    )
    return page, status_of(form)


def _confirm(form: MessageForm, asked: OnlineFilter) -> Answer:
    """The page with what would come of it."""
    try:
        with rehearsal() as connection:
            form.seen.data = str(by_hand.choose(connection, asked).sessions)
            queued = _queue(connection, form, asked)
    except TextError as error:
        refuse(form, "text", gettext("This text can't be filled in: %(why)s", why=fault_words(error)))
        return _compose(form, asked)
    except TooManyError:
        return too_many()
    kept = {name: [str(form[name].data)] for name in ("subject", "text", "purpose")} | _kept()
    page = render_template(
        "staff/online/confirm_message.html",
        form=form,
        question=gettext("Send this message?"),
        does=_does(queued),
        button=ngettext("Send to %(num)s customer", "Send to %(num)s customers", queued.messages),
        tone="primary",
        back=the_list(),
        fields=kept,
        example=queued.outlook.examples[0] if queued.outlook.examples else None,
    )
    return page, status_of(form)


def _sent(connection: Connection, form: MessageForm, asked: OnlineFilter) -> str:
    meant = by_hand.choose(connection, asked)
    refuse_more(form, meant.sessions)
    queued = _queue(connection, form, asked)
    flash(ngettext("%(num)s message is queued.", "%(num)s messages are queued.", queued.messages))
    return the_list()


def _queue(connection: Connection, form: MessageForm, asked: OnlineFilter) -> Queued:
    """Queue it for the customers of the sessions that were chosen."""
    scope = {"sessions": "chosen"} if asked.keys is not None else {"online": request.form.get("query", "")}
    return write_to_chosen(
        connection,
        here().settings,
        subject=form.subject.data,
        text=form.text.data,
        purpose=Purpose(form.purpose.data),
        scope=scope,
        by=person().name,
        now=clock(connection),
    )


def _does(queued: Queued) -> list[str]:
    """What will happen, a sentence each."""
    outlook = queued.outlook
    said = [ngettext("%(num)s customer is meant.", "%(num)s customers are meant.", queued.messages)]
    if outlook.goes:
        said.append(ngettext("%(num)s message goes at once.", "%(num)s messages go at once.", outlook.goes))
    if outlook.waits and outlook.until is not None:
        waits = ngettext("%(num)s message waits for the hours", "%(num)s messages wait for the hours", outlook.waits)
        said.append(gettext("%(waits)s: the first goes %(moment)s.", waits=waits, moment=moment_shown(outlook.until)))
    for why, count in sorted(outlook.withheld.items()):
        said.append(
            ngettext("%(num)s does not go: %(why)s.", "%(num)s do not go: %(why)s.", count, why=problem_words(why))
        )
    if not here().settings.email.host:
        said.append(gettext("None leaves before the settings name a mail server."))
    return said


def _kept() -> dict[str, list[str]]:
    """Which sessions are meant, as the form said it."""
    return {name: request.form.getlist(name) for name in request.form if name not in _NOT_KEPT}
