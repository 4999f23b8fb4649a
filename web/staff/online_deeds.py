"""What is done to sessions that were chosen in the list of who is online: ended, or told their policy again.

One, those chosen, or all that the filter finds. Each asks first, with the numbers of a rehearsal; what is sent is sent by the worker.

Next: online_message.py
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qsl
from uuid import UUID

from flask import Blueprint, flash, redirect, request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response
from wtforms.fields import StringField
from wtforms.validators import InputRequired, Length

from control_plane.access.permissions import Permission
from control_plane.control_loop import by_hand
from control_plane.control_loop.by_hand import Done, TooManyError
from control_plane.store.online_list import FilterError, OnlineFilter
from web.acting import clock, may, person
from web.confirming import confirm_page, is_confirmed, rehearsal
from web.database import Connection
from web.forms import REQUIRED, PageForm, do_once, read_form, refuse, status_of
from web.language import gettext, lazy, ngettext, number_shown
from web.marks import allowed
from web.staff.online import filter_error_words, filter_of
from web.surroundings import here

pages = Blueprint("online_deeds", __name__)
Answer = Response | tuple[str, int] | str
Deed = Callable[[Connection, OnlineFilter, str], Done]

_LIST: Final = "/online"
# More than one page of the list has: who means more takes all that the filter finds.
_MOST_KEYS: Final = 1000
# Since the numbers were shown some more may have come; many more have to be shown first.
_GROWTH: Final = 10


class ReasonForm(PageForm):
    """Why; `seen` says of how many sessions the numbers were."""

    reason = StringField(lazy("Reason"), [InputRequired(REQUIRED), Length(max=200)])


class GrownError(Exception):
    """Many more sessions are meant now than were shown."""


@pages.post("/online/disconnect")
@allowed(Permission.NETWORK_ACT)
def disconnect() -> Answer:
    """Have the chosen sessions end."""

    def do(connection: Connection, asked: OnlineFilter, reason: str) -> Done:
        now = clock(connection)
        return by_hand.disconnect(connection, here().settings, asked, reason=reason, by=person().name, now=now)

    return _answer(do, ends=True)


@pages.post("/online/reapply")
@allowed(Permission.NETWORK_ACT)
def reapply() -> Answer:
    """Have the chosen sessions told again what they should run under."""

    def do(connection: Connection, asked: OnlineFilter, reason: str) -> Done:
        now = clock(connection)
        return by_hand.apply_again(connection, here().settings, asked, reason=reason, by=person().name, now=now)

    return _answer(do, ends=False)


def _answer(do: Deed, *, ends: bool) -> Answer:
    """The numbers first, then the deed."""
    asked, form = sessions_meant(), read_form(ReasonForm)
    confirmed = is_confirmed() and form.validate()

    def done(connection: Connection) -> str:
        result = do(connection, asked, form.reason.data)
        refuse_more(form, result.meant.sessions)
        if result.beyond and not may(Permission.NETWORK_RELEASE):
            raise GrownError
        flash(_done_words(result, ends=ends))
        return f"/enforcements/{result.enforcements[0]}" if result.opened == 1 else the_list()

    try:
        if confirmed:
            return do_once(done)
    except GrownError:
        refuse(form, "", gettext("The numbers have changed since you saw them. These are today's."))
    except TooManyError:
        return too_many()
    with rehearsal() as connection:
        try:
            result = do(connection, asked, form.reason.data or "rehearsed")
        except TooManyError:
            return too_many()
    return _confirm(form, result, ends=ends)


def _confirm(form: PageForm, result: Done, *, ends: bool) -> Answer:
    """The page with the numbers; or why nothing can be done."""
    if not is_confirmed():
        form.once_key.data = form.once_key.data or secrets.token_urlsafe(16)
    form.seen.data = str(result.meant.sessions)
    if not result.opened:
        flash(gettext("There is nothing to do: %(words)s", words=" ".join(_left_words(result))))
        return redirect(the_list(), 303)
    if result.beyond and not may(Permission.NETWORK_RELEASE):
        words = gettext(
            "That is more than automation may cut in an hour (%(allowed)s): only who may release what the guard holds may do that.",
            allowed=number_shown(result.allowed),
        )
        flash(words, "bad")
        return redirect(the_list(), 303)
    one = result.meant.sessions == 1
    if ends:
        question = gettext("Disconnect %(name)s?", name=result.meant.first) if one else gettext("Disconnect them?")
        button = ngettext("Disconnect %(num)s session", "Disconnect %(num)s sessions", result.opened)
    else:
        question = gettext("Apply the policy of %(name)s again?", name=result.meant.first) if one else gettext("Apply their policies again?")  # fmt: skip
        button = ngettext("Apply again to %(num)s session", "Apply again to %(num)s sessions", result.opened)
    tone = "danger" if result.ends else "primary"
    page = confirm_page(form, question, _does(result, ends=ends), button=button, back=the_list(), tone=tone)
    return page, status_of(form)


def _does(result: Done, *, ends: bool) -> list[str]:
    """What will happen, a sentence each."""
    meant = result.meant
    found = ngettext("%(num)s session is meant", "%(num)s sessions are meant", meant.sessions)
    of = ngettext("of %(num)s subscriber", "of %(num)s subscribers", meant.subscribers)
    said = [f"{found}, {of}, " + ngettext("on %(num)s NAS.", "on %(num)s NASes.", meant.nases)]
    if ends:
        said.append(ngettext("%(num)s is ended. Its device logs in again by itself, as a rule within a minute.", "%(num)s are ended. Their devices log in again by themselves, as a rule within a minute.", result.opened))  # fmt: skip
    else:
        told = result.opened - result.ends
        if told:
            said.append(ngettext("%(num)s is told its policy again and goes on.", "%(num)s are told their policies again and go on.", told))  # fmt: skip
        if result.ends:
            said.append(ngettext("%(num)s is ended, because its access device can't be told: its next login says it.", "%(num)s are ended, because their access devices can't be told: the next login says it.", result.ends))  # fmt: skip
    said += _left_words(result)
    if result.waiting:
        said.append(ngettext("%(num)s waits for now: the stop or a maintenance holds it.", "%(num)s wait for now: the stop or a maintenance holds them.", result.waiting))  # fmt: skip
    if result.beyond:
        said.append(gettext("That is more than automation may cut in an hour (%(allowed)s).", allowed=number_shown(result.allowed)))  # fmt: skip
    return said


def _left_words(result: Done) -> list[str]:
    if not result.left_out:
        return []
    return [
        ngettext(
            "%(num)s is left out: a change of it is on its way already, or there is nothing to tell it.",
            "%(num)s are left out: a change of theirs is on its way already, or there is nothing to tell them.",
            result.left_out,
        )
    ]


def _done_words(result: Done, *, ends: bool) -> str:
    if ends:
        return ngettext("%(num)s session is being ended.", "%(num)s sessions are being ended.", result.opened)
    return ngettext(
        "%(num)s policy is being applied again.", "%(num)s policies are being applied again.", result.opened
    )


def sessions_meant() -> OnlineFilter:
    """Which sessions the form means: one, those ticked, or all that the list's filter finds. Raises: BadRequest."""
    one = request.form.get("one")
    keys = [one] if one else [] if "all" in request.form else request.form.getlist("keys")
    if keys or "all" not in request.form:
        if not keys or len(keys) > _MOST_KEYS:
            raise BadRequest(gettext("Choose at least one session of the list."))
        try:
            return OnlineFilter(keys=tuple(UUID(key) for key in keys))
        except ValueError as error:
            raise BadRequest(gettext("Choose at least one session of the list.")) from error
    try:
        return filter_of(_questions())
    except FilterError as error:
        raise BadRequest(filter_error_words(error)) from error


def _questions() -> MultiDict[str, str]:
    """What the list was asked when the form was sent."""
    return MultiDict(parse_qsl(request.form.get("query", "")))


def the_list() -> str:
    """The list as it was."""
    query = request.form.get("query", "")
    return f"{_LIST}?{query}" if query and query.isprintable() else f"{_LIST}?plain=yes"


def refuse_more(form: PageForm, sessions: int) -> None:
    """Raises: GrownError when many more sessions are meant than were shown."""
    seen = form.seen.data or ""
    shown = int(seen) if seen.isascii() and seen.isdigit() and len(seen) < 10 else 0
    if sessions > shown + max(_GROWTH, shown // 10):
        raise GrownError


def too_many() -> Response:
    """What is said when one deed would concern too many."""
    words = gettext(
        "These are more than %(most)s sessions. Narrow the list down first.", most=number_shown(by_hand.MOST)
    )
    flash(words, "bad")
    return redirect(the_list(), 303)
