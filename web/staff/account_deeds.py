"""What is done to an account at once: its sessions ended, limits placed and lifted, its password shown, octets and another plan given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from flask import Blueprint, flash, render_template, request, session, url_for
from werkzeug.wrappers import Response
from wtforms import BooleanField, RadioField, SelectField, SelectMultipleField, StringField
from wtforms.validators import InputRequired, Length
from wtforms.widgets import CheckboxInput, ListWidget

from control_plane.access.permissions import Permission
from control_plane.accounts.limits import (
    LEVELS,
    Limits,
    lift_restrictions,
    load_limits,
    place_restriction,
    refuse_not_paid,
)
from control_plane.accounts.line_sessions import sessions_of
from control_plane.accounts.not_done import NotDoneError, Why
from control_plane.accounts.plan_changes import change_plan, network_of
from control_plane.accounts.secrets import reveal_secret
from control_plane.accounts.topups import give_topup
from control_plane.control_loop.by_hand import disconnect
from control_plane.policy.quota import quota_month
from control_plane.store.account import Account, count_live
from control_plane.store.history import load_sessions
from control_plane.store.limits import RestrictionRow
from control_plane.store.plan import Profile, load_plan_ids, load_profiles
from radius_hooks.decision import NO_TIME_LIMIT
from radius_hooks.policy_records import PolicyStep
from web.acting import clock, person, transaction
from web.confirming import confirm_page, is_confirmed, rehearsal
from web.database import Connection
from web.forms import REQUIRED, DayField, PageForm, choices_of, do_once, read_form, refuse, status_of, was_sent
from web.language import gettext, lazy, moment_shown, ngettext, octets_shown, zone
from web.marks import allowed
from web.sealing import sealer
from web.staff.account_fields import MomentField, OctetsField
from web.staff.account_words import step_words
from web.staff.accounts import known
from web.staff.contract_words import ORIGINS
from web.staff.customer_words import LEVELS as LIMITS
from web.surroundings import here

pages = Blueprint("account_deeds", __name__)
_MOST_REASON: Final = 500
_NOT_DONE: Final = {
    Why.NOTHING_KEPT: lazy("This account has no password."),
    Why.NO_REASON: lazy("Say why: the audit log keeps it."),
    Why.KEY_MISSING: lazy(
        "The password can't be opened: this process has another key than the one it was sealed with."
    ),
    Why.HELD: lazy("%(prefix)s is held by account %(holder)s, all of it or a part."),
    Why.NO_QUOTA: lazy("Plan %(plan)s has no quota that a top-up could add to."),
    Why.NOT_OF_CONTRACT: lazy("One of these is lifted already. Look again."),
    Why.NONE_SUCH: lazy("Choose what is lifted."),
    Why.NAME_WHICH: lazy("Choose what is lifted."),
    Why.NOT_PAID: lazy("The days of this restriction are not paid: it is lifted on the page of contract %(contract)s."),
    Why.LIFTED_MEANWHILE: lazy("Somebody else lifted one of them at this moment. Look again."),
    Why.NOT_ONLINE: lazy("It has no live session any more."),
    Why.PAST_DAY: lazy("Choose a day to come, or leave it empty for now."),
    Why.NO_CHANGE_WAITS: lazy("No change of plan waits for that day any more."),
    Why.BILLING: lazy("%(problem)s"),
}
# A password is shown for so long and then hidden again.
SHOWN_S: Final = 60


class ReasonForm(PageForm):
    """Only why."""

    reason = StringField(lazy("Reason"), [InputRequired(REQUIRED), Length(max=_MOST_REASON)])


class RestrictForm(ReasonForm):
    """How far, for whom, until when."""

    level = RadioField(
        lazy("How far"), choices=choices_of({level: LIMITS[level] for level in LEVELS}), default="walled"
    )
    origin = SelectField(lazy("Who wants it"), choices=choices_of(ORIGINS), default="admin")
    until = MomentField(lazy("Until"))


class LiftForm(ReasonForm):
    """Which of them."""

    numbers = SelectMultipleField(
        lazy("Restrictions"), coerce=int, widget=ListWidget(prefix_label=False), option_widget=CheckboxInput()
    )


class TopupForm(ReasonForm):
    """How much, for whom, until when."""

    octets = OctetsField(lazy("How much"), [InputRequired(REQUIRED)])
    until = MomentField(lazy("Until"))
    whole_contract = BooleanField(lazy("For each account of the contract"))


class PlanForm(PageForm):
    """Which plan, from when on."""

    plan = SelectField(lazy("New plan"))
    on = DayField(lazy("First day of the new plan"))


def refuse_deed(form: PageForm, error: NotDoneError, field: str = "") -> None:
    """Say on a form why a deed was not done."""
    refuse(form, field, not_done_words(error))


def not_done_words(error: NotDoneError) -> str:
    """Why a deed was not done, in words for people."""
    return str(_NOT_DONE[error.why]) % error.about


@pages.route("/accounts/<path:username>/kick", methods=["GET", "POST"])
@allowed(Permission.ACCOUNT_SEE, Permission.NETWORK_ACT)
def kick(username: str) -> Response | tuple[str, int]:
    """End its live sessions."""
    form = read_form(ReasonForm)
    back = _page(username)
    if was_sent(form):

        def do(connection: Connection) -> str:
            done = disconnect(
                connection,
                here().settings,
                sessions_of(connection, known(connection, username)),
                reason=form.reason.data,
                by=person().name,
                now=clock(connection),
            )
            if not done.meant.sessions:
                raise NotDoneError(Why.NOT_ONLINE, username=username)
            _told(
                ngettext("%(num)s session is being ended.", "%(num)s sessions are being ended.", done.opened)
                if done.opened
                else gettext("Its sessions have another change on its way: look at them, then try again.")
            )
            return back

        try:
            return do_once(do)
        except NotDoneError as error:
            refuse_deed(form, error)
    with transaction() as connection:
        targets = load_sessions(connection, known(connection, username).id)
    does = [gettext("The session at %(nas)s ends, and its router logs in anew.", nas=one.nas) for one in targets]
    does.append(gettext("The new login gets the policy of then. Nothing else changes."))
    page = confirm_page(
        form, gettext("Disconnect %(name)s?", name=username), does, button=gettext("Disconnect"), back=back
    )
    return page, status_of(form)


@pages.route("/accounts/<path:username>/restrict", methods=["GET", "POST"])
@allowed(Permission.ACCOUNT_SEE, Permission.NETWORK_ACT)
def restrict(username: str) -> Response | tuple[str, int]:
    """Limit the contract by hand: shown first, then done."""
    form = read_form(RestrictForm)
    back = _page(username)
    with transaction() as connection:
        account = known(connection, username)
        limits = load_limits(connection, account, zone=zone(), now=clock(connection))
        online = count_live(connection, account.contract_id)
    sent = was_sent(form)
    if sent and form.until.data is not None and form.until.data <= limits.now:
        refuse(form, "until", gettext("Choose a time to come."))
        sent = False
    if sent:
        placed = RestrictionRow(
            0, form.origin.data, form.level.data, form.reason.data, person().name, limits.now, form.until.data
        )
        if is_confirmed():

            def do(connection: Connection) -> str:
                place_restriction(connection, account, placed)
                _told(gettext("The restriction is placed."))
                return back

            return do_once(do)
        does = [*_before_after(limits, limits.with_one(placed)), _reached(online)]
        question = gettext("Limit %(name)s?", name=username)
        return confirm_page(form, question, does, button=gettext("Limit"), back=back, shown=frozenset({"reason"})), 200
    return render_template("staff/accounts/restrict.html", account=account, form=form), status_of(form)


@pages.route("/accounts/<path:username>/lift", methods=["GET", "POST"])
@allowed(Permission.ACCOUNT_SEE, Permission.NETWORK_ACT)
def lift(username: str) -> Response | tuple[str, int]:
    """Lift restrictions of the contract: shown first, then done."""
    form = read_form(LiftForm)
    back = _page(username)
    with transaction() as connection:
        account = known(connection, username)
        limits = load_limits(connection, account, zone=zone(), now=clock(connection))
    words = {row.id: _restriction_words(row) for row in limits.restrictions}
    form.numbers.choices = choices_of(words)  # type: ignore[arg-type]  # numbers are choices too
    if request.method == "GET" and len(words) == 1:
        form.numbers.data = list(words)
    if was_sent(form):
        chosen = list(form.numbers.data)

        def do(connection: Connection) -> str:
            fresh = load_limits(connection, account, zone=zone(), now=clock(connection))
            refuse_not_paid(connection, fresh, chosen)
            lift_restrictions(connection, fresh, chosen, reason=form.reason.data, actor=person().name)
            _told(gettext("Lifted."))
            return back

        try:
            if not chosen:
                raise NotDoneError(Why.NONE_SUCH, contract=account.contract_id, listed="")
            if is_confirmed():
                return do_once(do)
            with rehearsal() as connection:
                refuse_not_paid(connection, limits, chosen)
            does = [*(words[number] for number in chosen), *_before_after(limits, limits.without(chosen))]
            question = gettext("Lift for %(name)s?", name=username)
            page = confirm_page(form, question, does, button=gettext("Lift"), back=back, tone="primary")
            return page, 200
        except NotDoneError as error:
            refuse_deed(form, error, "numbers")
    return render_template("staff/accounts/lift.html", account=account, form=form, some=bool(words)), status_of(form)


@pages.route("/accounts/<path:username>/password", methods=["GET", "POST"])
@allowed(Permission.ACCOUNT_SEE, Permission.ACCOUNT_REVEAL)
def reveal(username: str) -> tuple[str, int]:
    """Show the password once, after it is written down who saw it and why."""
    form = read_form(ReasonForm)
    with transaction() as connection:
        account = known(connection, username)
    if was_sent(form):
        key = sealer()
        try:
            with transaction() as connection:
                secret = reveal_secret(
                    connection, key, known(connection, username), reason=form.reason.data, actor=person().name
                )
        except NotDoneError as error:
            refuse_deed(form, error)
        else:
            # Only after the commit: what was not written down is not shown.
            return render_template("staff/accounts/password.html", account=account, secret=secret, seconds=SHOWN_S), 200
    return render_template("staff/accounts/reveal.html", account=account, form=form), status_of(form)


@pages.route("/accounts/<path:username>/top-up", methods=["GET", "POST"])
@allowed(Permission.ACCOUNT_SEE, Permission.ACCOUNT_CHANGE)
def top_up(username: str) -> Response | tuple[str, int]:
    """Octets beyond the quota."""
    form = read_form(TopupForm)
    back = _page(username)
    with transaction() as connection:
        account = known(connection, username)
        now = clock(connection)
    sent = was_sent(form)
    if sent and form.until.data is not None and form.until.data <= now:
        refuse(form, "until", gettext("Choose a time to come."))
        sent = False
    if sent:
        until = form.until.data or quota_month(now, zone()).reset

        def do(connection: Connection) -> str:
            give_topup(
                connection,
                account,
                octets=form.octets.data,
                now=clock(connection),
                until=until,
                whole_contract=form.whole_contract.data,
                reason=form.reason.data,
                actor=person().name,
            )
            octets = octets_shown(form.octets.data)
            _told(gettext("%(octets)s more until %(until)s.", octets=octets, until=moment_shown(until)))
            return back

        try:
            return do_once(do)
        except NotDoneError as error:
            refuse_deed(form, error)
    return render_template("staff/accounts/top_up.html", account=account, form=form), status_of(form)


@pages.route("/accounts/<path:username>/plan", methods=["GET", "POST"])
@allowed(Permission.ACCOUNT_SEE, Permission.CONTRACT_CHANGE)
def plan(username: str) -> Response | tuple[str, int]:
    """Another plan, now or from a day on: first what it does to the network, then done."""
    form = read_form(PlanForm)
    back = _page(username)
    with transaction() as connection:
        account = known(connection, username)
        plans = load_plan_ids(connection)
    form.plan.choices = choices_of({name: name for name in sorted(plans) if name != account.plan})
    if was_sent(form):

        def do(connection: Connection) -> str:
            change_plan(
                connection,
                account,
                plans[form.plan.data],
                form.plan.data,
                on=form.on.data,
                settings=here().settings,
                now=clock(connection),
                actor=person().name,
            )
            _told(gettext("The plan is changed."))
            return back

        try:
            if is_confirmed():
                return do_once(do)
            question = gettext("Change %(name)s to plan %(plan)s?", name=username, plan=form.plan.data)
            does = _rehearsed(account, do)
            return confirm_page(form, question, does, button=gettext("Change plan"), back=back, tone="primary"), 200
        except NotDoneError as error:
            refuse_deed(form, error, "on" if error.why is Why.PAST_DAY else "")
    return render_template("staff/accounts/plan.html", account=account, form=form), status_of(form)


def _rehearsed(account: Account, do: Callable[[Connection], str]) -> list[str]:
    """What a change of plan does to each account of the contract, and from when on."""
    with rehearsal() as connection:
        profiles = {profile.id: profile for profile in load_profiles(connection)}
        now = clock(connection)
        before = network_of(connection, account.contract_id, zone=zone(), now=now)
        do(connection)
        _untold()
        after = network_of(connection, account.contract_id, zone=zone(), now=now)
        online = count_live(connection, account.contract_id)
    changed = [name for name, steps in after.items() if steps != before.get(name)]
    if not changed:
        return [gettext("The network gives the same as before.")]
    return [line for name in changed for line in _steps_words(name, after[name], profiles)] + [_reached(online)]


def _steps_words(username: str, steps: Sequence[PolicyStep], profiles: Mapping[int, Profile]) -> list[str]:
    """What an account gets, each with the moment it begins."""
    since, said = gettext("now"), []
    for step in steps:
        title, more = step_words(step, dict(profiles))
        words = gettext("%(title)s, %(more)s", title=title, more=more) if more else title
        said.append(gettext("%(name)s, %(since)s: %(words)s", name=username, since=since, words=words))
        if step.until == NO_TIME_LIMIT:
            break
        since = gettext("from %(when)s", when=moment_shown(datetime.fromtimestamp(step.until, zone())))
    return said


def _before_after(before: Limits, after: Limits) -> list[str]:
    """What the account gets now, and then."""
    lines = []
    for words, limits in ((gettext("Now"), before), (gettext("Then"), after)):
        title, more = step_words(limits.step(), limits.profiles)
        lines.append(f"{words}: {title}{', ' if more else ''}{more}")
    return lines


def _reached(online: int) -> str:
    if not online:
        return gettext("Nobody of the contract is online: it holds from the next login.")
    return ngettext(
        "%(num)s live session is told within seconds.", "%(num)s live sessions are told within seconds.", online
    )


def _restriction_words(row: RestrictionRow) -> str:
    title = gettext("%(level)s because of %(origin)s", level=LIMITS[row.level], origin=ORIGINS[row.origin])
    placed = gettext("placed by %(who)s: %(reason)s", who=row.placed_by, reason=row.reason)
    return f"{title} ({moment_shown(row.since)}, {placed})"


def _page(username: str) -> str:
    return url_for("accounts.show", username=username)


def _told(words: str) -> None:
    flash(words, "good")


def _untold() -> None:
    """What a rehearsal said is not so yet."""
    session.pop("_flashes", None)
