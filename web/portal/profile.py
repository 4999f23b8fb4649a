"""What a subscriber says of themselves: the language of letters, and consents."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, flash, render_template, url_for
from werkzeug.wrappers import Response
from wtforms import BooleanField, SelectField

from billing.messages.message import EMAIL
from billing.store.customer_papers import load_consents, save_consent
from billing.store.rows import update_row
from control_plane.access.portal import actor_of
from web.acting import subscriber, transaction
from web.database import Connection
from web.forms import PageForm, choices_of, do_once, read_form, status_of, was_sent
from web.language import LANGUAGES, gettext, lazy
from web.marks import of_subscriber
from web.portal.devices import notices_of

pages = Blueprint("portal_profile", __name__)
_MARKETING: Final = "marketing"
# Kept with the consent: what was agreed to, in the words that were shown.
_WORDING: Final = lazy("Write to me about offers by e-mail. I can take this back here at any time.")


class ProfileForm(PageForm):
    """What may be said here."""

    language = SelectField(
        lazy("Language of invoices and letters"),
        choices=choices_of({str(code): name for code, name in LANGUAGES.items()}),
    )
    offers = BooleanField(_WORDING)


@pages.route("/portal/profile", methods=["GET", "POST"])
@of_subscriber()
def show() -> Response | tuple[str, int]:
    """Language and consents."""
    with transaction() as connection:
        given, notices = _offers(connection), notices_of(connection)
    form = read_form(ProfileForm, language=subscriber().language, offers=given)
    if was_sent(form):
        return do_once(lambda connection: _save(connection, form))
    return render_template("portal/profile.html", form=form, notices=notices), status_of(form)


def _offers(connection: Connection) -> bool:
    return any(
        one.given
        for one in load_consents(connection, subscriber().customer_id)
        if one.in_force and one.purpose == _MARKETING and one.channel == EMAIL
    )


def _save(connection: Connection, form: ProfileForm) -> str:
    who = subscriber()
    if form.language.data != who.language:
        update_row(connection, "customer", who.customer_id, {"language": form.language.data})
    if form.offers.data != _offers(connection):
        save_consent(
            connection,
            who.customer_id,
            purpose=_MARKETING,
            channel=EMAIL,
            given=form.offers.data,
            wording=str(_WORDING),
            evidence=f"portal session {who.session_id}",
            taken_by=actor_of(who.customer_id),
        )
    flash(gettext("Kept."), "good")
    return url_for("portal_profile.show")
