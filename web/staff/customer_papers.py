"""What is kept of a customer as evidence: notes, files, consents."""

from __future__ import annotations

import mimetypes
from hashlib import sha256
from io import BytesIO
from typing import Any, Final

from flask import Blueprint, abort, flash, render_template, request, send_file, url_for
from werkzeug.wrappers import Response

from billing.store.customer_page import CustomerPage, load_customer_page
from billing.store.customer_papers import (
    load_attachments,
    load_content,
    save_attachment,
    save_consent,
    save_note,
)
from control_plane.access.permissions import Permission
from control_plane.customers import drop_attachment
from web.acting import person, transaction
from web.database import Connection
from web.forms import PageForm, choices_of, do_once, read_form, refuse, status_of, was_sent
from web.language import gettext
from web.marks import allowed
from web.security import takes_files
from web.staff.customer_forms import ConsentForm, FileForm, NoteForm, SureForm
from web.staff.customers import contract_choices, known

pages = Blueprint("customer_papers", __name__)
# As the database has it; a form around a file needs some more.
MOST_OCTETS: Final = 20_000_000
_AROUND: Final = 100_000
Answer = str | Response | tuple[str, int]


def _page(number: int) -> CustomerPage:
    with transaction() as connection:
        return load_customer_page(connection, known(connection, number))


def _contract(form: Any, page: CustomerPage) -> int | None:
    there = contract_choices(page)
    form.contract.choices = choices_of(there)
    if form.contract.data and form.contract.data not in there:
        abort(400)
    return int(form.contract.data) if form.contract.data else None


@pages.route("/customers/<int:number>/notes", methods=["GET", "POST"])
@allowed(Permission.CUSTOMER_CHANGE)
def note(number: int) -> Answer:
    """Write a note, in one's own name and for good."""
    page, form = _page(number), read_form(NoteForm)
    contract = _contract(form, page)
    if was_sent(form):

        def save(connection: Connection) -> str:
            save_note(connection, number, form.text.data, author=person().name, contract_id=contract)
            return url_for("customers.show", number=number, _anchor="notes")

        return do_once(save)
    return render_template("staff/customers/note.html", form=form, one=page.customer), status_of(form)


@pages.route("/customers/<int:number>/files", methods=["GET", "POST"])
@allowed(Permission.CUSTOMER_CHANGE)
@takes_files(MOST_OCTETS + _AROUND)
def file(number: int) -> Answer:
    """Keep a file with the customer or one of its contracts; it never changes."""
    page, form = _page(number), read_form(FileForm, contract=request.args.get("contract", ""))
    contract = _contract(form, page)
    if was_sent(form):
        sent = request.files.get("file")
        content = sent.read() if sent else b""
        name = _file_name(sent.filename if sent else None)
        if _file_fits(form, name, content):
            kind = mimetypes.guess_type(name, strict=False)[0] or "application/octet-stream"

            def save(connection: Connection) -> str:
                save_attachment(
                    connection,
                    number,
                    name=name,
                    media_type=kind,
                    content=content,
                    author=person().name,
                    contract_id=contract,
                )
                return url_for("customers.show", number=number, _anchor="files")

            return do_once(save, body=(name, sha256(content).digest()))
    return render_template("staff/customers/file.html", form=form, one=page.customer), status_of(form)


def _file_name(given: str | None) -> str:
    """The name without its path and what no name has."""
    last = (given or "").replace("\\", "/").rpartition("/")[2]
    return "".join(letter for letter in last if letter.isprintable())[:200]


def _file_fits(form: PageForm, name: str, content: bytes) -> bool:
    if not name or not content:
        refuse(form, "", gettext("Choose a file that has something in it."))
    elif len(content) > MOST_OCTETS:
        refuse(form, "", gettext("A file has 20 MB at most."))
    else:
        return True
    return False


@pages.get("/customers/<int:number>/files/<int:file_id>")
@allowed(Permission.CUSTOMER_SEE)
def download(number: int, file_id: int) -> Response:
    """A file as it was given, to be kept, not shown: it may hold anything."""
    with transaction() as connection:
        known(connection, number)
        names = {one.id: one.name for one in load_attachments(connection, number)}
        content = load_content(connection, number, file_id)
    if content is None:
        abort(404)
    return send_file(
        BytesIO(content), mimetype="application/octet-stream", as_attachment=True, download_name=names[file_id]
    )


@pages.route("/customers/<int:number>/files/<int:file_id>/remove", methods=["GET", "POST"])
@allowed(Permission.CUSTOMER_CHANGE)
def remove_file(number: int, file_id: int) -> Answer:
    """Take a file away for good; the audit log keeps that it was there."""
    with transaction() as connection:
        found = known(connection, number)
        names = {one.id: one.name for one in load_attachments(connection, number)}
    if file_id not in names:
        abort(404)
    form = read_form(SureForm)
    if was_sent(form):

        def away(connection: Connection) -> str:
            drop_attachment(connection, found, file_id, actor=person().name)
            flash(gettext("%(name)s is taken away.", name=names[file_id]))
            return url_for("customers.show", number=number, _anchor="files")

        return do_once(away)
    text = render_template(
        "confirm.html",
        form=form,
        question=gettext("Take away %(what)s?", what=names[file_id]),
        does=[gettext("The file goes for good. The audit log keeps that it was there.")],
        button=gettext("Take away"),
        back=url_for("customers.show", number=number),
        fields={},
    )
    return text, status_of(form)


@pages.route("/customers/<int:number>/consents", methods=["GET", "POST"])
@allowed(Permission.CUSTOMER_CHANGE)
def consent(number: int) -> Answer:
    """Write what the customer allowed or forbade; the newest counts."""
    page, form = _page(number), read_form(ConsentForm)
    if was_sent(form):

        def save(connection: Connection) -> str:
            save_consent(
                connection,
                number,
                purpose=form.purpose.data,
                channel=form.channel.data,
                given=form.given.data == "yes",
                wording=form.wording.data,
                evidence=form.evidence.data or None,
                taken_by=person().name,
            )
            return url_for("customers.show", number=number, _anchor="consents")

        return do_once(save)
    return render_template("staff/customers/consent.html", form=form, one=page.customer), status_of(form)
