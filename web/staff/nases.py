"""Access devices: which there are and how each is doing, one of them, a new one, what is set of one, its secrets, in and out of service.

Next: nas_setup.py
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from flask import Blueprint, flash, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from control_plane.access.permissions import Permission
from control_plane.nas_standing import Standing
from control_plane.nases import (
    NasRefusedError,
    NasSecrets,
    add_nas_with_access,
    change_nas,
    change_secret,
    set_in_service,
    way_in,
)
from control_plane.quantities import network_text
from control_plane.store.clocks import load_nas_clock
from control_plane.store.device_test import count_stale, load_logins
from control_plane.store.device_views import load_reading
from control_plane.store.interventions import load_maintenance, load_open
from control_plane.store.nas import Nas, hold_nas, load_nas, load_or_save_site, look_at_nas
from control_plane.store.nas_list import load_nas_now, load_nases_now, load_sites
from nas_drivers.driver import vendor_names
from web.acting import person, transaction
from web.database import Connection
from web.forms import PageForm, changed_meanwhile, do_once, fingerprint, read_form, refuse, status_of, was_sent
from web.language import gettext, lazy
from web.lists import FILE_ROWS, PAGE_ROWS, after, chosen, file_of, page_of
from web.marks import allowed
from web.navigation import Entry
from web.sealing import sealer
from web.staff.nas_forms import NasForm, NewNasForm, SecretForm, changed_columns, shown_of
from web.staff.nas_words import (
    VERIFICATIONS,
    refusal_words,
    vendor_choices,
    vendor_shown,
)
from web.staff.network_words import STANDINGS

pages = Blueprint("nases", __name__)
ENTRIES: Final = (Entry("network", lazy("Access devices"), "nases.show_all", Permission.NETWORK_SEE, order=20),)

Answer = Response | str | tuple[str, int]


@pages.get("/nases")
@allowed(Permission.NETWORK_SEE)
def show_all() -> Answer:
    """All of them with their state, or those asked for."""
    state = chosen("state", [one.value for one in Standing])
    asked: dict[str, Any] = {
        "q": request.args.get("q", "").strip() or None,
        "site": request.args.get("site") or None,
        "vendor": chosen("vendor", vendor_names()),
        "state": Standing(state) if state else None,
    }
    now = datetime.now(UTC)
    with transaction() as connection:
        if request.args.get("file"):
            rows = load_nases_now(connection, now=now, **asked, limit=FILE_ROWS)
            columns = ("name", "source", "vendor", "site", "state", "live sessions", "last heard")
            lines = [(r.name, network_text(r.source), r.vendor, r.site, r.standing(now).value, r.live_sessions, r.heard_at) for r in rows]  # fmt: skip
            answer = file_of("nases", columns, lines)
            assert answer is not None
            return answer
        begin = after()
        rows = load_nases_now(connection, now=now, **asked, after=str(begin[0]) if begin else None, limit=PAGE_ROWS + 1)
        sites = load_sites(connection)
    return render_template(
        "staff/nases/list.html",
        page=page_of(rows, lambda row: (row.name,)),
        asked=any(asked.values()),
        sites=sites,
        standings=STANDINGS,
        at=now,
        vendors=vendor_choices(),
        vendor_shown=vendor_shown,
        network_text=network_text,
    )


@pages.get("/nases/<name>")
@allowed(Permission.NETWORK_SEE)
def show(name: str) -> str:
    """One of them: its state, what is set, what waits for it."""
    now = datetime.now(UTC)
    with transaction() as connection:
        nas = look_at_nas(connection, name)
        if nas is None:
            raise NotFound
        accepted, refused = load_logins(connection, nas.id, now=now)
        found = {
            "nas": nas,
            "now": load_nas_now(connection, nas.id, now=now),
            "stale": count_stale(connection, nas.id),
            "accepted": accepted,
            "refused": sum(refused.values()),
            "waiting": load_open(connection, nas.id),
            "reading": load_reading(connection, nas.id),
            "clock": load_nas_clock(connection, nas.id),
            "maintenance": next((one for one in load_maintenance(connection, now) if one.nas == nas.name), None),
        }
    return render_template(
        "staff/nases/show.html",
        **found,
        standings=STANDINGS,
        at=now,
        verifications=VERIFICATIONS,
        vendor_shown=vendor_shown,
        network_text=network_text,
        way=way_in(nas.vendor) if nas.vendor in vendor_names() else None,
    )


@pages.route("/nases/new", methods=["GET", "POST"])
@allowed(Permission.NETWORK_CHANGE)
def new() -> Answer:
    """Add one; its setup page says what to paste on it."""
    form = read_form(NewNasForm, require_message_authenticator=True)
    if was_sent(form) and form.extra_validate():
        try:
            return do_once(lambda connection: _add(connection, form))
        except NasRefusedError as error:
            refuse(form, *refusal_words(error))
    with transaction() as connection:
        sites = load_sites(connection)
    return render_template("staff/nases/new.html", form=form, sites=sites), status_of(form)


def _add(connection: Connection, form: NewNasForm) -> str:
    columns: dict[str, Any] = {
        one: form[one].data for one in ("name", "source", "vendor", "require_message_authenticator")
    }
    add_nas_with_access(
        connection,
        sealer(),
        columns,
        site=form.site.data or None,
        secret=None if form.secret_from.data == "made" else form.secret.data,
        access_user=form.access_user.data or None,
        nested=form.nested.data,
        actor=person().name,
    )
    flash(gettext("Added. It is answered as soon as it is published; paste what stands below on it."), "good")
    return url_for("nases.setup", name=form.name.data)


@pages.route("/nases/<name>/edit", methods=["GET", "POST"])
@allowed(Permission.NETWORK_CHANGE)
def edit(name: str) -> Answer:
    """Change what is set of one."""
    with transaction() as connection:
        nas = nas_of(connection, name)
        sites = load_sites(connection)
    form = read_form(NasForm, **shown_of(nas))
    if request.method == "GET":
        form.seen.data = _seen(nas)
    if was_sent(form) and form.extra_validate(nas):
        try:
            answer = do_once(lambda connection: _change(connection, form, name))
        except NasRefusedError as error:
            refuse(form, *refusal_words(error))
        except _ChangedMeanwhileError:
            pass
        else:
            return answer
    return render_template("staff/nases/edit.html", form=form, nas=nas, sites=sites), status_of(form)


class _ChangedMeanwhileError(Exception):
    """Somebody else was first; the form says so."""


def _seen(nas: Nas) -> str:
    return fingerprint(shown_of(nas))


def _change(connection: Connection, form: NasForm, name: str) -> str:
    hold_nas(connection, name)
    nas = nas_of(connection, name)
    if changed_meanwhile(form, shown_of(nas)):
        raise _ChangedMeanwhileError
    columns = changed_columns(form, nas)
    if (form.site.data or None) != nas.site:
        columns["site_id"] = load_or_save_site(connection, form.site.data) if form.site.data else None
    secrets = NasSecrets(api_password=form.api_password.data or None, ssh_password=form.ssh_password.data or None)
    if columns or secrets != NasSecrets():
        change_nas(connection, sealer(), nas, columns, secrets, nested=form.nested.data, actor=person().name)
        flash(gettext("Changed."), "good")
    return url_for("nases.show", name=form.name.data)


@pages.route("/nases/<name>/secret", methods=["GET", "POST"])
@allowed(Permission.NETWORK_CHANGE)
def secret(name: str) -> Answer:
    """Give one another secret: made here and seen on its setup page, or the one that it has."""
    with transaction() as connection:
        nas = nas_of(connection, name)
    form = read_form(SecretForm)
    if was_sent(form) and form.extra_validate():
        return do_once(lambda connection: _change_secret(connection, form, name))
    return render_template("staff/nases/secret.html", form=form, nas=nas), status_of(form)


def _change_secret(connection: Connection, form: SecretForm, name: str) -> str:
    nas = nas_of(connection, name)
    given = None if form.secret_from.data == "made" else form.secret.data
    change_secret(connection, sealer(), nas, form.which.data, given, actor=person().name)
    flash(gettext("The secret is another one. Tell the device: what to paste stands below."), "good")
    return url_for("nases.setup", name=name)


@pages.route("/nases/<name>/service", methods=["GET", "POST"])
@allowed(Permission.NETWORK_CHANGE)
def service(name: str) -> Answer:
    """Take one out of service, or put it in again."""
    with transaction() as connection:
        nas = nas_of(connection, name)
    form = read_form(PageForm)
    enable = request.values.get("enable", "no" if nas.enabled else "yes") == "yes"
    if was_sent(form):
        return do_once(lambda connection: _set_in_service(connection, name, enable=enable))
    does = (
        [gettext("Its logins are answered again, as soon as that is published.")]
        if enable
        else [
            gettext("None of its logins is answered any more. Whoever is online stays so until the session ends."),
            gettext("It has %(count)s live sessions.", count=nas.live_sessions),
            gettext("%(count)s accounts may log in there alone.", count=nas.bound_accounts),
            gettext("Nothing of its history goes."),
        ]
    )
    return render_template(
        "confirm.html",
        form=form,
        question=gettext("Put %(name)s in service?", name=name)
        if enable
        else gettext("Take %(name)s out of service?", name=name),
        does=does,
        button=gettext("Put in service") if enable else gettext("Take out of service"),
        tone="primary" if enable else "danger",
        fields={"enable": ["yes" if enable else "no"]},
        back=url_for("nases.show", name=name),
    )


def _set_in_service(connection: Connection, name: str, *, enable: bool) -> str:
    set_in_service(connection, nas_of(connection, name), enabled=enable, actor=person().name)
    flash(gettext("In service.") if enable else gettext("Out of service."), "good")
    return url_for("nases.show", name=name)


def nas_of(connection: Connection, name: str) -> Nas:
    """The NAS that an address names. Raises: NotFound."""
    nas = load_nas(connection, name)
    if nas is None:
        raise NotFound
    return nas
