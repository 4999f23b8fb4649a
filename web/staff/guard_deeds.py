"""What is done to the guard, further pages of guard.py: each deed first shows whom it concerns, in numbers.

Next: ../../control_plane/interventions.py
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from flask import flash, render_template, request, url_for
from werkzeug.exceptions import Conflict, NotFound
from werkzeug.wrappers import Response
from wtforms import StringField
from wtforms.validators import InputRequired

from control_plane.access.permissions import Permission
from control_plane.interventions import (
    Waiting,
    end_exemption,
    exempt,
    exempt_until,
    load_waiting,
    release,
    resume,
    stop,
    undo,
)
from control_plane.store.account import load_account
from control_plane.store.automation import load_run
from control_plane.store.interventions import load_exemptions, load_open, load_stop
from web.acting import person, transaction
from web.database import Connection
from web.forms import REQUIRED, DayField, PageForm, do_once, read_form, refuse, status_of, was_sent
from web.language import day_shown, gettext, lazy, moment_shown, ngettext, zone
from web.marks import allowed
from web.staff.guard import pages as guard
from web.staff.nas_forms import ReasonForm

Answer = Response | str | tuple[str, int]
_MOST_NAMED: Final = 20


class ExemptForm(ReasonForm):
    """Whose contract, and until when."""

    username = StringField(lazy("Username"), [InputRequired(REQUIRED)])
    until = DayField(lazy("Until the end of"), [InputRequired(REQUIRED)])


def _confirm(form: PageForm, question: str, does: list[str], button: str, **more: object) -> Answer:
    given = {"tone": "danger", "fields": {}, "back": url_for("guard.show"), **more}
    page = render_template("confirm.html", form=form, question=question, does=does, button=button, **given)
    return page, status_of(form)


@guard.route("/guard/release", methods=["GET", "POST"])
@allowed(Permission.NETWORK_RELEASE)
def release_waiting() -> Answer:
    """Let go what waits, all of it or that of some subscribers, under one's own name."""
    usernames = [name for name in dict.fromkeys(request.values.getlist("user")) if name]
    form = read_form(ReasonForm)
    if was_sent(form):
        upto, runs = request.form.get("upto", type=int) or 0, request.form.getlist("run", type=int)
        return do_once(lambda connection: _release(connection, usernames, form.reason.data, upto=upto, runs=runs))
    with transaction() as connection:
        seen = load_waiting(connection, usernames, datetime.now(UTC))
        connection.rollback()
    if seen.is_nothing:
        raise Conflict(gettext("Nothing waits any more."))
    fields = {
        "user": usernames,
        "upto": [str(max(seen.changes, default=0))],
        "run": [str(run.run_id) for run in seen.runs],
    }
    if seen.is_rearming:
        again = gettext("Set it on guard again")
        return _confirm(
            form, f"{again}?", [gettext("The guard judges anew from here.")], again, fields=fields, tone="primary"
        )
    return _confirm(form, gettext("Let it go?"), _release_does(seen, usernames), gettext("Let it go"), fields=fields)


def _release_does(seen: Waiting, usernames: list[str]) -> list[str]:
    changes = len(seen.changes)
    does = []
    if changes:
        of = ngettext("of %(num)s subscriber online", "of %(num)s subscribers online", seen.subscribers)
        does.append(
            ngettext("%(num)s change goes out and takes service away, %(of)s.", "%(num)s changes go out and take service away, %(of)s.", changes, of=of)
        )  # fmt: skip
    for run in seen.runs:
        does.append(
            ngettext("%(num)s restriction of run %(run)s (%(name)s) counts from now on.", "%(num)s restrictions of run %(run)s (%(name)s) count from now on.", run.restrictions, run=run.run_id, name=run.name)
        )  # fmt: skip
    if usernames:
        more = " …" if len(usernames) > _MOST_NAMED else ""
        does.append(gettext("Only of: %(names)s. The rest waits on.", names=", ".join(usernames[:_MOST_NAMED]) + more))
    else:
        does.append(gettext("The guard judges anew from here."))
    does.append(gettext("They are yours from now on. What comes to wait while you read this waits on."))
    return does


def _release(connection: Connection, usernames: list[str], reason: str, *, upto: int, runs: list[int]) -> str:
    now = datetime.now(UTC)
    seen = load_waiting(connection, usernames, now).as_seen(upto=upto, runs=runs)
    if seen.is_nothing:
        raise Conflict(gettext("Nothing waits any more."))
    done = release(connection, seen, usernames, reason=reason, actor=person().name, now=now)
    if seen.is_rearming:
        flash(gettext("The guard is on guard again."), "good")
        return url_for("guard.show")
    words = gettext("Release %(number)s: %(changes)s changes go, %(restrictions)s restrictions count.", number=done.number, changes=done.changes, restrictions=done.restrictions)  # fmt: skip
    flash(words, "good")
    return url_for("guard.show")


@guard.route("/guard/stop", methods=["GET", "POST"])
@allowed(Permission.NETWORK_RELEASE)
def stop_all() -> Answer:
    """Send nothing to any device."""
    form = read_form(ReasonForm)
    if was_sent(form):
        return do_once(lambda connection: _stop(connection, form.reason.data))
    with transaction() as connection:
        waiting = load_open(connection)
    does = [
        gettext("Nothing is sent to any access device: no cut, and no restored service either. Logins and accounting go on."),
        ngettext("%(num)s change that takes away waits.", "%(num)s changes that take away wait.", waiting.disruptive),
        ngettext("%(num)s other change waits.", "%(num)s other changes wait.", waiting.milder),
        gettext("What was sent already can't be called back."),
    ]  # fmt: skip
    return _confirm(form, gettext("Stop everything?"), does, gettext("Stop everything"))


def _stop(connection: Connection, reason: str) -> str:
    if load_stop(connection) is not None:
        raise Conflict(gettext("Everything is stopped already."))
    stop(connection, reason=reason, actor=person().name, now=datetime.now(UTC))
    flash(gettext("Everything is stopped."), "good")
    return url_for("guard.show")


@guard.route("/guard/resume", methods=["GET", "POST"])
@allowed(Permission.NETWORK_RELEASE)
def resume_all() -> Answer:
    """Send again after a stop."""
    form = read_form(PageForm)
    if was_sent(form):
        return do_once(_resume)
    with transaction() as connection:
        waiting = load_open(connection)
    does = [
        ngettext("%(num)s change that gives or only changes is sent first.", "%(num)s changes that give or only change are sent first.", waiting.milder),
        ngettext("%(num)s change that takes away follows.", "%(num)s changes that take away follow.", waiting.disruptive),
        gettext("The guard still holds what is too much."),
    ]  # fmt: skip
    return _confirm(form, gettext("Go on?"), does, gettext("Go on"), tone="primary")


def _resume(connection: Connection) -> str:
    if not resume(connection, actor=person().name, now=datetime.now(UTC)):
        raise Conflict(gettext("Nothing is stopped."))
    flash(gettext("Access devices are sent to again."), "good")
    return url_for("guard.show")


@guard.route("/guard/exemptions/new", methods=["GET", "POST"])
@allowed(Permission.NETWORK_RELEASE)
def exempt_one() -> Answer:
    """Never let automation cut a contract until a day."""
    form = read_form(ExemptForm, username=request.args.get("user", ""))
    if was_sent(form):
        now = datetime.now(UTC)
        ends = exempt_until(form.until.data, zone())
        if ends <= now:
            refuse(form, "until", gettext("That is over."))
        with transaction() as connection:
            account = load_account(connection, form.username.data)
        if account is None:
            refuse(form, "username", gettext("No account has this username."))
        if not form.errors:
            try:
                return do_once(lambda connection: _exempt(connection, form, ends))
            except _ExemptAlreadyError:
                refuse(form, "username", gettext("This contract is exempt already."))
    return render_template("staff/guard/exempt.html", form=form), status_of(form)


class _ExemptAlreadyError(Exception):
    """There is an exemption in force."""


def _exempt(connection: Connection, form: ExemptForm, ends: datetime) -> str:
    name, now = form.username.data, datetime.now(UTC)
    account = load_account(connection, name)
    assert account is not None
    made = exempt(
        connection, account.contract_id, name, reason=form.reason.data, until=ends, actor=person().name, now=now
    )
    if not made:
        raise _ExemptAlreadyError
    words = gettext("Contract %(number)s is exempt until the end of %(day)s.", number=account.contract_id, day=day_shown(form.until.data))  # fmt: skip
    flash(words, "good")
    return url_for("guard.exemptions")


@guard.route("/guard/exemptions/<int:contract>/end", methods=["GET", "POST"])
@allowed(Permission.NETWORK_RELEASE)
def end_exemption_of(contract: int) -> Answer:
    """Let automation treat a contract as any other again."""
    form = read_form(PageForm)
    if was_sent(form):
        return do_once(lambda connection: _end_exemption(connection, contract))
    with transaction() as connection:
        found = next((one for one in load_exemptions(connection, datetime.now(UTC)) if one.contract_id == contract), None)  # fmt: skip
    if found is None:
        raise NotFound
    does = [
        gettext("Automation may cut contract %(number)s of %(customer)s again.", number=contract, customer=found.customer),
        gettext("It was exempt until %(moment)s, by %(name)s: %(reason)s", moment=moment_shown(found.until), name=found.placed_by, reason=found.reason),
    ]  # fmt: skip
    return _confirm(
        form, gettext("End the exemption?"), does, gettext("End the exemption"), back=url_for("guard.exemptions")
    )


def _end_exemption(connection: Connection, contract: int) -> str:
    now = datetime.now(UTC)
    found = next((one for one in load_exemptions(connection, now) if one.contract_id == contract), None)
    if found is None or not end_exemption(
        connection, contract, ", ".join(found.usernames) or str(contract), actor=person().name, now=now
    ):
        raise NotFound
    flash(gettext("Exempt no more."), "good")
    return url_for("guard.exemptions")


@guard.route("/guard/runs/<int:run>/undo", methods=["GET", "POST"])
@allowed(Permission.NETWORK_RELEASE)
def undo_run(run: int) -> Answer:
    """Lift every restriction that a run placed and that is still there."""
    form = read_form(ReasonForm)
    if was_sent(form):
        return do_once(lambda connection: _undo(connection, run, form.reason.data))
    with transaction() as connection:
        found = load_run(connection, run, now=datetime.now(UTC))
    if found is None:
        raise NotFound
    does = [
        ngettext("%(num)s restriction of it is in force and is lifted.", "%(num)s restrictions of it are in force and are lifted.", found.in_force),
        ngettext("%(num)s that waits for a person is dropped.", "%(num)s that wait for a person are dropped.", found.waiting),
        ngettext("%(num)s contract is free of it;", "%(num)s contracts are free of it;", found.contracts) + " " + ngettext("%(num)s of their subscribers is online.", "%(num)s of their subscribers are online.", found.online),
        gettext("Restrictions of other runs and of persons stay. The next run may place them again: mend its cause first."),
    ]  # fmt: skip
    return _confirm(
        form,
        gettext("Take run %(number)s back?", number=run),
        does,
        gettext("Take it back"),
        back=url_for("guard.runs"),
    )


def _undo(connection: Connection, run: int, reason: str) -> str:
    now = datetime.now(UTC)
    found = load_run(connection, run, now=now)
    if found is None:
        raise NotFound
    if not found.in_force + found.waiting:
        raise Conflict(gettext("There is nothing of it to lift."))
    lifted = undo(connection, run, reason=reason, actor=person().name, now=now)
    flash(ngettext("Lifted %(num)s restriction.", "Lifted %(num)s restrictions.", lifted), "good")
    return url_for("guard.runs")
