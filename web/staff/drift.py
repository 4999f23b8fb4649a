"""Drift: live sessions that are not as their contracts say, sessions of nobody, devices whose own list is not believed, and what is done.

Next: enforcements.py
"""

from __future__ import annotations

from typing import Final

from flask import Blueprint, flash, render_template, request, url_for
from werkzeug.exceptions import Conflict, NotFound
from werkzeug.wrappers import Response

from control_plane.access.permissions import Permission
from control_plane.drift_deeds import believe_device, close_ghosts_of, cut_session
from control_plane.quantities import mac_text
from control_plane.store.device_views import (
    Reading,
    UnknownSession,
    find_unknown,
    load_reading,
    load_readings,
    load_unknown,
)
from control_plane.store.drift import DriftReason
from control_plane.store.drift_list import load_drift
from control_plane.store.nas import load_nas
from control_plane.store.network_figures import load_sweep
from web.acting import person, transaction
from web.database import Connection
from web.forms import PageForm, do_once, read_form, status_of, was_sent
from web.language import gettext, lazy, moment_shown, ngettext
from web.later import later_when_large
from web.lists import chosen
from web.marks import allowed
from web.navigation import Entry
from web.staff.change_words import state_shown
from web.staff.nas_forms import ReasonForm
from web.staff.network_words import DRIFT, LEVEL_TONES, LEVELS
from web.surroundings import here

pages = Blueprint("drift", __name__)
ENTRIES: Final = (Entry("network", lazy("Drift"), "drift.show", Permission.NETWORK_SEE, order=40),)
Answer = Response | str | tuple[str, int]
# The longest in drift; whoever has more of them asks for a device or a reason.
_SHOWN: Final = 100


@pages.get("/drift")
@allowed(Permission.NETWORK_SEE)
@later_when_large("session", lazy("Drift"))
def show() -> str:
    """The sessions in drift, the longest first, and what no account explains."""
    reason = chosen("reason", [one.value for one in DriftReason])
    username, name = request.args.get("user", "").strip() or None, request.args.get("nas", "").strip() or None
    with transaction() as connection:
        nas_id = None if name is None else _nas_id(connection, name)
        found = load_drift(
            connection,
            username=username,
            nas_id=nas_id,
            reason=DriftReason(reason) if reason else None,
            limit=_SHOWN + 1,
        )
        nobodys = [
            one
            for one in load_unknown(connection)
            if reason is None and nas_id in {None, one.nas_id} and username in {None, one.username}
        ]
        readings = [one for one in load_readings(connection) if nas_id in {None, one.nas_id}]
        sweep = load_sweep(connection)
    return render_template(
        "staff/drift/show.html",
        found=found[:_SHOWN],
        more=len(found) > _SHOWN,
        nobodys=nobodys,
        held=[one for one in readings if one.held or one.policies_held or one.problem],
        sweep=sweep,
        asked=bool(reason or username or name),
        reasons=DRIFT,
        levels=LEVELS,
        level_tones=LEVEL_TONES,
        state_shown=state_shown,
        mac_text=mac_text,
    )


@pages.route("/drift/cut", methods=["GET", "POST"])
@allowed(Permission.NETWORK_ACT)
def cut() -> Answer:
    """End a session of nobody, such as one that a forgotten local user of the device let in."""
    form = read_form(ReasonForm)
    key = request.values.get("session", "")
    if was_sent(form):
        return do_once(lambda connection: _cut(connection, key, form.reason.data))
    with transaction() as connection:
        one = _unknown(connection, key)
    page = render_template(
        "confirm.html",
        form=form,
        question=gettext("End this session of nobody?"),
        does=[
            gettext("Session %(session)s of %(username)s on %(nas)s ends.", session=one.acct_session_id, username=one.username, nas=one.nas),
            gettext("No account has it, so nothing of a contract is cut."),
        ],
        button=gettext("End the session"),
        fields={"session": [key]},
        back=url_for("drift.show"),
    )  # fmt: skip
    return page, status_of(form)


def _unknown(connection: Connection, key: str) -> UnknownSession:
    found = find_unknown(connection, key)
    if found is None:
        raise NotFound
    return found


def _cut(connection: Connection, key: str, reason: str) -> str:
    number = cut_session(connection, here().settings, _unknown(connection, key), reason=reason, actor=person().name)
    if number is None:
        raise Conflict(gettext("It is being ended already."))
    return url_for("enforcements.show", number=number)


@pages.route("/drift/<any('close-ghosts', believe):deed>", methods=["GET", "POST"])
@allowed(Permission.NETWORK_RELEASE)
def take_word(deed: str) -> Answer:
    """Take a device's word though much differs: close the sessions it does not list, or believe what it shows of policies."""
    form = read_form(PageForm)
    name = request.values.get("nas", "")
    if was_sent(form):
        return do_once(lambda connection: _take_word(connection, deed, name))
    with transaction() as connection:
        one = _reading(connection, name)
    ghosts = deed == "close-ghosts"
    page = render_template(
        "confirm.html",
        form=form,
        question=gettext("Close what %(nas)s does not list?", nas=name)
        if ghosts
        else gettext("Believe what %(nas)s shows?", nas=name),
        does=[
            gettext("It was read at %(moment)s and listed %(count)s sessions.", moment=moment_shown(one.read_at), count=one.sessions),
            one.held if ghosts else one.policies_held,
            gettext("All sessions that accounting has and it does not list are closed.")
            if ghosts
            else gettext("Sessions that it shows under something else are taken to run under that; those in drift are then changed."),
        ],
        button=gettext("Close them") if ghosts else gettext("Believe it"),
        fields={"nas": [name]},
        back=url_for("drift.show", nas=name),
    )  # fmt: skip
    return page, status_of(form)


def _take_word(connection: Connection, deed: str, name: str) -> str:
    reading = _reading(connection, name)
    if deed == "close-ghosts":
        count = close_ghosts_of(connection, here().settings, reading, actor=person().name)
        flash(ngettext("Closed %(num)s session.", "Closed %(num)s sessions.", count), "good")
    else:
        count = believe_device(connection, reading, actor=person().name)
        words = ngettext("%(num)s session runs under something else than was held.", "%(num)s sessions run under something else than was held.", count)  # fmt: skip
        flash(words, "good")
    return url_for("drift.show", nas=name)


def _reading(connection: Connection, name: str) -> Reading:
    found = load_reading(connection, _nas_id(connection, name))
    if found is None or found.read_at is None:
        raise Conflict(gettext("Its own list was never read."))
    return found


def _nas_id(connection: Connection, name: str) -> int:
    nas = load_nas(connection, name)
    if nas is None:
        raise NotFound
    return nas.id
