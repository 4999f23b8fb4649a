"""Texts of messages: which there are, how each reads, changed with a preview while one types, tried on oneself, and as they were again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, Final

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.exceptions import BadRequest, NotFound
from werkzeug.wrappers import Response
from wtforms import StringField, TextAreaField
from wtforms.validators import InputRequired, Length, Optional

from billing.messages.errors import TextError
from billing.messages.texts import KNOWN, LANGUAGES, Source, Written, names_of
from billing.store.issued import NoDocumentError, find_document
from billing.store.issuers import load_issuers
from billing.store.message_templates import find_own, find_source, hold_text
from control_plane.access.permissions import Permission
from control_plane.messages.channel import ChannelError
from control_plane.messages.own_texts import (
    KindHere,
    NoSuchTextError,
    Place,
    as_customer_reads,
    as_document_reads,
    as_it_reads,
    go_back,
    keep,
    load_kinds_here,
    load_own_versions,
    names_for,
    text_to_go_back_to,
)
from control_plane.messages.trial import send_text
from control_plane.store.staff import load_person
from web.acting import person, transaction
from web.confirming import confirm_page, rehearsal
from web.database import Connection
from web.forms import (
    REQUIRED,
    PageForm,
    changed_meanwhile,
    do_once,
    fingerprint,
    read_form,
    refuse,
    status_of,
    was_sent,
)
from web.language import LANGUAGES as NAMES
from web.language import chosen_language, gettext, lazy
from web.marks import allowed
from web.message_words import PURPOSES, fault_words, kind_words
from web.navigation import Entry
from web.staff._customer_meant import customer_meant
from web.staff.messages import as_mail
from web.surroundings import here

pages = Blueprint("message_templates", __name__)
ENTRIES: Final = (Entry("messages", lazy("Texts"), "message_templates.show_all", Permission.MESSAGE_SEE, order=30),)
Answer = Response | tuple[str, int] | str
_OF_DOCUMENTS: Final = frozenset({"invoice", "credit_note"})
_FIELDS: Final = MappingProxyType({"subject": "subject", "text": "body", "HTML": "html"})


class TextForm(PageForm):
    """A text. `of` says for whom the preview is: it is not kept."""

    subject = StringField(lazy("Subject"), [InputRequired(REQUIRED), Length(max=1000)])
    body = TextAreaField(lazy("Text"), [InputRequired(REQUIRED), Length(max=20_000)])
    html = TextAreaField(lazy("HTML of its own"), [Optional(), Length(max=100_000)])
    of = StringField(lazy("Preview for"), [Optional(), Length(max=100)])


@pages.get("/messages/templates")
@allowed(Permission.MESSAGE_SEE)
def show_all() -> str:
    """The kinds of messages, and in which languages their text is the operator's own."""
    with transaction() as connection:
        kinds = load_kinds_here(connection)
    return render_template("staff/message_templates/all.html", kinds=kinds, languages=NAMES, **_words())


@pages.get("/messages/templates/<kind>")
@allowed(Permission.MESSAGE_SEE)
def lead(kind: str) -> Response:
    """To the text in the reader's language."""
    return redirect(url_for("message_templates.show", kind=kind, language=chosen_language()), 303)


@pages.get("/messages/templates/<kind>/<any(en,it,es):language>")
@allowed(Permission.MESSAGE_SEE)
def show(kind: str, language: str) -> str:
    """A text as it counts now, how it reads with made-up figures, and all that it was."""
    with transaction() as connection:
        known, place = _known(connection, kind, language)
        source = _source(connection, place)
        versions = load_own_versions(connection, place)
        written, trouble = None, ""
        if source is not None:
            try:
                written = as_it_reads(connection, here().settings, place, source)
            except TextError as error:
                trouble = fault_words(error)
        issuers = load_issuers(connection)
    newest = versions[-1] if versions else None
    return render_template(
        "staff/message_templates/show.html",
        known=known,
        place=place,
        source=source,
        written=written,
        trouble=trouble,
        versions=list(reversed(versions)),
        is_own=newest is not None and newest.subject is not None,
        issuers=issuers,
        names=names_for(place),
        languages=NAMES,
        **_words(),
    )


@pages.route("/messages/templates/<kind>/<any(en,it,es):language>/edit", methods=["GET", "POST"])
@allowed(Permission.MESSAGE_CHANGE)
def edit(kind: str, language: str) -> Answer:
    """Another text, which counts from now on; `trial` sends what is typed to oneself first."""
    with transaction() as connection:
        known, place = _known(connection, kind, language)
        source = _source(connection, place)
        seen = _version(connection, place)
    form = read_form(
        TextForm, subject=source and source.subject, body=source and source.body, html=source and source.html
    )
    if request.method == "GET":
        form.seen.data = fingerprint(seen)
    if was_sent(form):
        try:
            if "trial" in request.form:
                _try_on_oneself(form, place)
            else:
                return do_once(lambda connection: _kept(connection, form, place))
        except TextError as error:
            _refuse(form, error)
        except _ChangedError:
            with transaction() as connection:
                source = _source(connection, place)
    there = source if form.form_errors else None
    page = render_template(
        "staff/message_templates/edit.html", form=form, known=known, place=place, there=there, names=names_for(place),
        has_documents=kind in _OF_DOCUMENTS, languages=NAMES, **_words(),
    )  # fmt: skip
    return page, status_of(form)


@pages.post("/messages/templates/<kind>/<any(en,it,es):language>/preview")
@allowed(Permission.MESSAGE_CHANGE)
def preview(kind: str, language: str) -> str:
    """How what is typed reads, for made-up figures or a real customer or document."""
    form = read_form(TextForm)
    with _looked_at(kind, language) as (connection, place):
        try:
            written, of = _as_read(connection, form, place)
        except TextError as error:
            field, words = _FIELDS.get(error.part, "body"), fault_words(error)
            line = _line(form, error)
            return render_template(
                "staff/message_templates/preview.html", fault=words, field=field, line=line, at=error.line
            )
    return render_template("staff/message_templates/preview.html", written=written, of=of)


@pages.post("/messages/templates/<kind>/<any(en,it,es):language>/mail")
@allowed(Permission.MESSAGE_CHANGE)
def preview_mail(kind: str, language: str) -> Response:
    """The same as a reader of mails shows it."""
    form = read_form(TextForm)
    with _looked_at(kind, language) as (connection, place):
        try:
            written, _ = _as_read(connection, form, place)
        except TextError as error:
            raise BadRequest(fault_words(error)) from error
    if written is None:
        raise BadRequest(gettext("Nobody knows what this kind tells before one was sent."))
    return as_mail(written.html)


@pages.route("/messages/templates/<kind>/<any(en,it,es):language>/back", methods=["GET", "POST"])
@allowed(Permission.MESSAGE_CHANGE)
def back(kind: str, language: str) -> Answer:
    """Back to the shipped text, or with `?to=` to an earlier version of one's own: asked first."""
    form = read_form(PageForm)
    typed = request.args.get("to", "")
    version = int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 10 else None
    with transaction() as connection:
        _, place = _known(connection, kind, language)
        try:
            text_to_go_back_to(connection, place, version)
        except NoSuchTextError as error:
            raise NotFound from error
    leads = _address("show", place)
    if was_sent(form):

        def gone_back(connection: Connection) -> str:
            made = go_back(connection, place, version, by=person().name)
            flash(gettext("Version %(version)s counts from now on.", version=made))
            return leads

        return do_once(gone_back)
    does = [
        gettext("What is written from now on reads so."),
        gettext("Your text of today is kept: it can be made to count again."),
    ]
    question = (
        gettext("Back to the shipped text?")
        if version is None
        else gettext("Back to version %(version)s?", version=version)
    )
    return confirm_page(form, question, does, button=gettext("Go back"), back=leads, tone="primary"), status_of(form)


class _ChangedError(Exception):
    """Somebody else kept a version meanwhile; the form says so."""


def _kept(connection: Connection, form: Any, place: Place) -> str:
    hold_text(connection, place.kind, place.language, place.issuer_id)
    if changed_meanwhile(form, _version(connection, place)):
        raise _ChangedError
    version = keep(connection, here().settings, place, _typed(form), by=person().name)
    flash(gettext("Version %(version)s counts from now on.", version=version))
    return _address("show", place)


def _try_on_oneself(form: Any, place: Place) -> None:
    """Send what is typed to the one who types. What the server answered is said."""
    with rehearsal() as connection:
        written, _ = _as_read(connection, form, place)
        address = _own_address(connection)
    if address is None:
        refuse(form, "", gettext("You have no e-mail address: your own account has a place for it."))
        return
    if written is None:
        refuse(form, "", gettext("Nobody knows what this kind tells before one was sent."))
        return
    try:
        said = send_text(here().settings, address, written, language=place.language)
        flash(gettext("Sent to %(address)s. The mail server says: %(said)s", address=address, said=said))
    except ChannelError as error:
        refuse(form, "", gettext("The mail server did not take it: %(why)s", why=str(error)))


def _own_address(connection: Connection) -> str | None:
    known = load_person(connection, person().name)
    return None if known is None else known.email


def _as_read(connection: Connection, form: Any, place: Place) -> tuple[Written | None, str]:
    """What is typed as it reads, and for whom. Raises: TextError."""
    settings, source, of = here().settings, _typed(form), (form.of.data or "").strip()
    if of and place.kind in _OF_DOCUMENTS:
        try:
            document = find_document(connection, of)
            written = as_document_reads(connection, settings, place, source, document_id=document)
        except NoDocumentError:
            written = None
        if written is not None:
            return written, gettext("As the customer of %(number)s would get it.", number=of)
    meant = customer_meant(connection, of) if of else None
    if meant is not None and meant.id is not None:
        read = as_customer_reads(connection, settings, place, source, customer_id=meant.id)
        return read, gettext("As %(name)s would get it.", name=meant.name)
    written = as_it_reads(connection, settings, place, source)
    if written is None:
        names = ", ".join(sorted(names_of(source) - set(KNOWN)))
        return None, gettext("It is sent with: %(names)s", names=names or "-")
    return written, gettext("There is none of this name or number: figures are made up.") if of else gettext(
        "Figures are made up."
    )


@contextmanager
def _looked_at(kind: str, language: str) -> Iterator[tuple[Connection, Place]]:
    with rehearsal() as connection:
        yield connection, _known(connection, kind, language)[1]


def _typed(form: Any) -> Source:
    return Source(form.subject.data or "", form.body.data or "", form.html.data or None)


def _refuse(form: Any, error: TextError) -> None:
    """Say what is wrong beside the field, with its line."""
    words, field = fault_words(error), _FIELDS.get(error.part, "body")
    if error.line is not None and field != "subject":
        words = gettext("Line %(line)s: %(words)s", line=error.line, words=words)
        words = f"{words} «{_line(form, error)}»"
    refuse(form, field, words)


def _line(form: Any, error: TextError) -> str:
    """The line of what is typed in which it is."""
    lines = (form[_FIELDS.get(error.part, "body")].data or "").splitlines()
    return lines[error.line - 1].strip()[:200] if error.line and error.line <= len(lines) else ""


def _known(connection: Connection, kind: str, language: str) -> tuple[KindHere, Place]:
    """The kind and which text is meant. Raises: NotFound."""
    assert language in LANGUAGES, "the route knows no others"
    known = next((one for one in load_kinds_here(connection) if one.name == kind), None)
    if known is None:
        raise NotFound
    issuer = request.args.get("issuer", "")
    if not issuer:
        return known, Place(kind, language)
    if issuer not in {str(one.id) for one in load_issuers(connection)}:
        raise BadRequest(gettext("%(value)s is no choice here.", value=issuer[:40]))
    return known, Place(kind, language, int(issuer))


def _source(connection: Connection, place: Place) -> Source | None:
    """The text that counts; None where the operator's own kind has none in that language."""
    try:
        return find_source(connection, place.kind, place.language, place.issuer_id)
    except TextError:
        return None


def _version(connection: Connection, place: Place) -> tuple[object, ...]:
    own = find_own(connection, place.kind, place.language, place.issuer_id)
    return (len(load_own_versions(connection, place)), own)


def _address(page: str, place: Place) -> str:
    return url_for(f"message_templates.{page}", kind=place.kind, language=place.language, issuer=place.issuer_id)


def _words() -> dict[str, Any]:
    return {"kind_words": kind_words, "purposes": PURPOSES, "address_of": _address}
