"""Why an account gets what it gets, now or at a moment that is over; and what RADIUS would answer it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from flask import Blueprint, render_template, request
from wtforms import PasswordField, RadioField, SelectField, StringField
from wtforms.validators import Length

from control_plane.access.permissions import Permission
from control_plane.explaining.account_page import AccountPage, load_page
from control_plane.explaining.explain_now import steps_of
from control_plane.explaining.explain_past import NotKept, names_by_revision, not_kept
from control_plane.explaining.likely_asking import Because, likely_nas, usual_mac
from control_plane.explaining.trial_login import (
    Asked,
    Rendered,
    Told,
    Way,
    answer_from_records,
    answer_from_store,
    clear_password,
    load_rendered,
)
from control_plane.policy.rendering import REVISION_BYTES
from control_plane.quantities import QuantityError
from control_plane.settings import SettingsError
from control_plane.store.history import LoginView
from control_plane.store.limits import RestrictionRow, load_guarded
from control_plane.store.nas import Nas, load_nas, load_nas_enabled
from control_plane.store.past import Past, PastChange, PastPacket, PastSession, load_past, load_profile_names
from control_plane.store.plan import Profile
from nas_drivers.dictionaries.reader import DictionaryError
from radius_hooks.decision import Accept, Reject, step_at
from radius_hooks.policy_store import StoreError
from radius_hooks.sealing import SealError
from web.acting import clock, transaction
from web.forms import PageForm, choices_of, read_form, refuse, status_of, was_sent
from web.language import gettext, lazy, moment_shown, octets_shown, zone
from web.marks import allowed
from web.sealing import no_key
from web.staff.account_fields import MacField, MomentField, moment_typed, read_moment
from web.staff.account_words import (
    CHANGE_STATES,
    CHANGE_TONES,
    ENDINGS,
    LEVEL_TONES,
    METHODS,
    Line,
    because,
    guarded_lines,
    reason_words,
    step_words,
)
from web.staff.accounts import known
from web.surroundings import here

pages = Blueprint("account_why", __name__)
_BECAUSE: Final = {
    Because.BOUND: lazy("the account is bound to it"),
    Because.SESSION: lazy("its session is there"),
    Because.LAST_LOGIN: lazy("its last login came from there"),
    Because.FIRST: lazy("it is the first by name"),
}
_WAYS: Final = {
    Way.PAP: lazy("PAP"),
    Way.CHAP: lazy("CHAP"),
    Way.MSCHAP: lazy("MS-CHAPv2 (FreeRADIUS compares the password itself)"),
}


class AnswerForm(PageForm):
    """As what is asked."""

    nas = SelectField(lazy("NAS"))
    mac = MacField(lazy("MAC"))
    circuit = StringField(lazy("Circuit"), [Length(max=253)])
    way = RadioField(
        lazy("Way to log in"), choices=choices_of({way.value: words for way, words in _WAYS.items()}), default="pap"
    )
    password = PasswordField(lazy("Password"))
    at = MomentField(lazy("When"))


@pages.get("/accounts/<path:username>/why")
@allowed(Permission.ACCOUNT_SEE)
def why(username: str) -> str:
    """The chain from the contract to the packets, at the moment asked for."""
    with transaction() as connection:
        account = known(connection, username)
        now = clock(connection)
        at, problem = _moment(now)
        if problem == "" and at < now:
            problem = _unknown(not_kept(account, at, now=now, kept_days=here().settings.retention.history_days))
        chain = []
        if not problem:
            past = load_past(connection, account, at)
            chain = past_lines(past, load_profile_names(connection))
            if "at" not in request.args:
                chain[1:1] = [(gettext("Guard"), guarded_lines(load_guarded(connection, account.contract_id, now=now)))]
    shown = [(title, lines) for title, lines in chain if lines]
    is_past = bool(request.args.get("at"))
    return render_template(
        "staff/accounts/why.html",
        account=account,
        tab="why",
        at=at,
        typed=moment_typed(at),
        problem=problem,
        chain=shown,
        is_past=is_past,
    )


@pages.route("/accounts/<path:username>/answer", methods=["GET", "POST"])
@allowed(Permission.ACCOUNT_SEE)
def answer(username: str) -> tuple[str, int]:
    """What a login would be answered, to the last attribute."""
    told: Told | None = None
    rendered: Rendered | None = None
    nas: Nas | None = None
    stored = ""
    form = read_form(AnswerForm)
    with transaction() as connection:
        account = known(connection, username)
        now = clock(connection)
        page = load_page(connection, account, at=now, zone=zone())
        nases = load_nas_enabled(connection)
        found = likely_nas(page, nases)
        form.nas.choices = choices_of({name: name for name in nases})
        if request.method == "GET":
            _fill(form, page, found[0] if found else None)
        nas = load_nas(connection, form.nas.data or "")
        at = form.at.data or now
        ready = nas is not None and (request.method == "GET" or was_sent(form))
        if ready and at < now:
            refuse(form, "at", gettext("This is over: the page Why tells what was."))
            ready = False
        if ready and nas is not None:
            try:
                rendered = load_rendered(connection, here().settings, username, nas.name, at=at)
            except DictionaryError as error:
                refuse(form, "", str(error))
    if rendered is not None and nas is not None:
        try:
            asked = _asked(form, rendered, nas, username)
            told = answer_from_records(rendered, asked, here().settings, at=at)
            stored = _stored(asked, told, at, is_current=form.at.data is None)
        except (SealError, SettingsError) as error:
            raise no_key() from error
    return render_template(
        "staff/accounts/answer.html",
        account=account,
        tab="answer",
        form=form,
        nas=nas,
        because_nas=_BECAUSE[found[1]] if found and nas is not None and found[0] == nas.name else "",
        told=told,
        verdict=_verdict(told),
        step=step_words(told.decision.step, page.profiles) if told and isinstance(told.decision, Accept) else ("", ""),
        problems=rendered.problems if rendered else (),
        stored=stored,
        jitter=here().settings.access.timeout_jitter_percent,
        typed=bool(form.password.data),
    ), status_of(form)


def _fill(form: Any, page: AccountPage, nas: str | None) -> None:
    """What a first look asks: the subscriber's own device, at home, with the right password."""
    form.nas.data = nas
    form.mac.data, form.mac.raw_data = usual_mac(page) or None, None
    form.circuit.data = next(iter(page.account.circuit_ids), "")
    form.way.data = Way.PAP.value


def _asked(form: Any, rendered: Rendered, nas: Nas, username: str) -> Asked:
    return Asked(
        username=username,
        source=str(nas.source.network_address),
        mac=form.mac.data or "",
        circuit_id=form.circuit.data or "",
        password=form.password.data or clear_password(rendered, here().settings),
        way=Way(form.way.data),
    )


def _stored(asked: Asked, told: Told, at: datetime, *, is_current: bool) -> str:
    """Whether the policy store of this machine answers the same; empty where it has none."""
    try:
        stored, _ = answer_from_store(asked, here().settings, at=at, is_current=is_current)
    except (StoreError, OSError, SealError):
        return ""
    return "same" if stored.agrees_with(told) else stored.words()


def _verdict(told: Told | None) -> tuple[str, str, str, str]:
    """The answer in words, its tone, why, and what to do."""
    if told is None:
        return "", "calm", "", ""
    said, remedy = reason_words(told.decision.reason.value)
    match told.decision:
        case Accept():
            return gettext("Access-Accept"), "good", said, remedy
        case Reject(_, detail):
            return gettext("Access-Reject"), "bad", f"{said}: {detail}", remedy
        case silence:
            return (
                gettext("No answer, so that the NAS asks its other server"),
                "bad",
                f"{said}: {silence.detail}",
                remedy,
            )


def _moment(now: datetime) -> tuple[datetime, str]:
    """The moment asked for, and what is wrong with it."""
    typed = request.args.get("at", "").strip()
    if not typed:
        return now, ""
    try:
        at = read_moment(typed)
    except QuantityError:
        return now, gettext("Write it such as %(example)s.", example="2026-01-31 18:40")
    return (at, gettext("This is to come: ask what RADIUS would answer then.")) if at > now else (at, "")


def _unknown(reason: NotKept | None) -> str:
    match reason:
        case NotKept.BEFORE_ACCOUNT:
            return gettext("The account was not there yet: nothing is known of the time before.")
        case NotKept.TOO_OLD:
            days = here().settings.retention.history_days
            return gettext("How things stood is kept for %(days)s days: nothing certain is known of then.", days=days)
        case None:
            return ""


def past_lines(past: Past, contents: Iterable[Profile]) -> list[tuple[str, list[Line]]]:
    """The chain at a moment in its parts: contract, policy, sessions with their changes, logins, what was done by hand."""
    names = names_by_revision(contents)
    counting = [
        RestrictionRow(one.id, one.origin, one.level, one.reason, one.placed_by, one.since, one.until)
        for one in past.restrictions
        if not one.held
    ]
    steps = steps_of(past.account, counting, past.reliefs, at=past.at, zone=zone())
    step = step_at(steps, past.at.timestamp())
    title, more = step_words(step, past.profiles)
    tone = LEVEL_TONES[step.level]
    if past.account.expires_at is not None and past.account.expires_at <= past.at:
        title, more, tone = gettext("No service: the account has expired"), "", "bad"
    sessions: list[Line] = []
    for session in past.sessions:
        sessions.append(_session_line(session, past.at, names))
        for change in past.changes:
            if (change.acct_session_id, change.nas) == (session.acct_session_id, session.nas):
                sessions.append(_change_line(change, past.packets, names))
    return [
        (gettext("Contract and what limits it"), because(past.account, past.restrictions, past.reliefs, at=past.at)),
        (gettext("So the policy is"), [("", title, more, tone)]),
        (gettext("Sessions and what was sent to them"), sessions),
        (gettext("Logins"), [_login_line(login) for login in past.logins]),
        (gettext("Done by hand"), [(moment_shown(act.at), act.action, act.actor, "calm") for act in past.acts]),
    ]


def _version_words(version: bytes | None, names: Mapping[bytes, str]) -> str:
    if version is None:
        return gettext("what is not known: the NAS does not repeat Class")
    name = names.get(version[:REVISION_BYTES])
    return gettext("profile %(name)s", name=name) if name else gettext("a profile that is not kept")


def _session_line(session: PastSession, at: datetime, names: Mapping[bytes, str]) -> Line:
    over = session.ended_at is not None and session.ended_at <= at
    title = gettext("Session at %(nas)s", nas=session.nas)
    parts = [gettext("given %(policy)s", policy=_version_words(session.policy_version, names))]
    if session.address:
        parts.append(session.address)
    down, up = octets_shown(session.octets_out), octets_shown(session.octets_in)
    parts.append(gettext("%(down)s down, %(up)s up", down=down, up=up))
    if session.ended_at is not None:
        by = str(ENDINGS.get(session.ended_by or "", session.ended_by or ""))
        parts.append(gettext("ended %(when)s (%(by)s)", when=moment_shown(session.ended_at), by=by))
    return moment_shown(session.started_at), title, "; ".join(parts), "calm" if over else "good"


def _change_line(change: PastChange, packets: Iterable[PastPacket], names: Mapping[bytes, str]) -> Line:
    wanted = gettext("the session to end")
    if change.desired_version is not None:
        wanted = _version_words(change.desired_version, names)
    title = gettext("Wanted: %(policy)s, by %(method)s", policy=wanted, method=METHODS[change.method])
    parts = [str(CHANGE_STATES[change.state])]
    if change.held_since is not None:
        parts.append(gettext("held: %(reason)s", reason=change.held_reason))
    if change.released_by is not None:
        parts.append(gettext("let go by %(who)s: %(reason)s", who=change.released_by, reason=change.release_reason))
    if change.problem:
        parts.append(change.problem)
    sent = [packet for packet in packets if packet.enforcement_id == change.id]
    if sent:
        parts.append(gettext("%(count)s packets", count=len(sent)))
    return moment_shown(change.wanted_at), title, "; ".join(parts), CHANGE_TONES.get(change.state, "busy")


def _login_line(login: LoginView) -> Line:
    said, _ = reason_words(login.reason)
    place = login.nas or str(login.source or "")
    return moment_shown(login.at, seconds=True), said, place, "good" if login.outcome == "accept" else "bad"
