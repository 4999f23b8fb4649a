"""A provider against the books: asked for all that happened, and its reconciliation files compared with what is known.

Next: gateway_events.py
"""

from __future__ import annotations

from datetime import datetime, time
from typing import Final
from zoneinfo import ZoneInfo

from flask import Blueprint, flash, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response
from wtforms.validators import Optional

from billing.store.gateway_lists import ReadFile, load_file, load_files
from billing.store.gateways import GatewayAccount, load_gateway_accounts
from control_plane.access.permissions import Permission
from control_plane.gateways import office
from control_plane.gateways.files import import_file
from control_plane.gateways.provider import GatewayError, provider_for
from control_plane.refusals import without_command
from web.acting import clock, person, transaction
from web.database import Connection
from web.forms import DayField, PageForm, do_once, read_form, refuse, status_of, was_sent
from web.language import gettext, lazy
from web.lists import PAGE_ROWS, after, page_of
from web.marks import allowed
from web.security import takes_files

pages = Blueprint("gateway_books", __name__)
Answer = Response | tuple[str, int] | str
MOST_OCTETS: Final = 8 * 1024 * 1024
_AROUND: Final = 64 * 1024
_LONGEST_NAME: Final = 200
_GREATEST_ID: Final = 2**63 - 1


class AskForm(PageForm):
    """From which day on."""

    since = DayField(lazy("From"), [Optional()])


@pages.route("/gateways/<name>/reconcile", methods=["GET", "POST"])
@allowed(Permission.GATEWAY_SEE, Permission.GATEWAY_CHANGE)
def reconcile(name: str) -> Answer:
    """Have the provider asked for all that happened since a day, or since it was asked last."""
    with transaction() as connection:
        account, now = account_named(connection, name), clock(connection)
    form: AskForm = read_form(AskForm)
    if was_sent(form):
        zone = ZoneInfo(account.zone)
        since = None if form.since.data is None else datetime.combine(form.since.data, time.min, zone)
        if since is not None and since > now:
            refuse(form, "since", gettext("This day is not there yet."))
        else:
            try:
                return do_once(lambda own: _ask(own, account, since))
            except office.NotInUseError:
                refuse(form, "", gettext("It is not in use: nothing is asked of its provider."))
    return render_template("staff/gateways/reconcile.html", form=form, account=account), status_of(form)


@pages.get("/gateways/files")
@allowed(Permission.GATEWAY_SEE)
def files() -> str:
    """Files of providers that were compared with the books, the newest first; and the form for another."""
    begin = after()
    with transaction() as connection:
        found = load_files(connection, before=begin[0] if begin else _GREATEST_ID, limit=PAGE_ROWS + 1)
        readers = _readers(connection)
    return _files_page(found, readers, read_form(PageForm))


@pages.post("/gateways/files")
@allowed(Permission.GATEWAY_SEE, Permission.GATEWAY_CHANGE)
@takes_files(MOST_OCTETS + _AROUND)
def compare() -> Answer:
    """Compare a file with what is known of its payouts: nothing is changed but what was found is kept."""
    form = read_form(PageForm)
    sent = request.files.get("file")
    octets = b"" if sent is None else sent.read(MOST_OCTETS + 1)
    with transaction() as connection:
        readers = _readers(connection)
    account = next((one for one in readers if one.name == request.form.get("account")), None)
    problem = ""
    if account is None:
        problem = gettext("Choose whose file it is.")
    elif sent is None or not octets:
        problem = gettext("Choose a file.")
    elif len(octets) > MOST_OCTETS:
        problem = gettext("The file is larger than 8 MB.")
    if not problem and was_sent(form) and account is not None and sent is not None:
        name = (sent.filename or "file")[-_LONGEST_NAME:]
        try:
            return do_once(lambda own: _compared(own, account, name, octets))
        except GatewayError as error:
            problem = without_command(str(error))
    with transaction() as connection:
        found = load_files(connection, before=_GREATEST_ID, limit=PAGE_ROWS + 1)
    return _files_page(found, readers, form, problem=problem), 422


@pages.get("/gateways/files/<int:number>")
@allowed(Permission.GATEWAY_SEE)
def file(number: int) -> str:
    """One of them, with what was found."""
    with transaction() as connection:
        found = load_file(connection, number) if number <= _GREATEST_ID else None
    if found is None:
        raise NotFound
    return render_template("staff/gateways/file.html", file=found, said=without_command)


def account_named(connection: Connection, name: str) -> GatewayAccount:
    """The account of that name. Raises: NotFound."""
    found = next((one for one in load_gateway_accounts(connection) if one.name == name), None)
    if found is None:
        raise NotFound
    return found


def _readers(connection: Connection) -> list[GatewayAccount]:
    return [one for one in load_gateway_accounts(connection) if provider_for(one.provider).reads_files]


def _files_page(found: list[ReadFile], readers: list[GatewayAccount], form: PageForm, *, problem: str = "") -> str:
    page = page_of(found, lambda one: (one.id,))
    return render_template("staff/gateways/files.html", page=page, readers=readers, form=form, problem=problem)


def _ask(connection: Connection, account: GatewayAccount, since: datetime | None) -> str:
    office.ask_everything(connection, account, since, by=person().name)
    flash(gettext("The worker asks now. What was never told comes under Events, and the payments with it."))
    return url_for("gateways.show_list")


def _compared(connection: Connection, account: GatewayAccount, name: str, octets: bytes) -> str:
    read = import_file(connection, account, name, octets, actor=person().name)
    if read.again:
        flash(gettext("This file was compared before: nothing is kept twice."))
    return url_for("gateway_books.file", number=read.number)
