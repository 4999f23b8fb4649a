"""What is done to a contract: asked for, shown with what it bills and does to the network, then done."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, Final

from flask import Blueprint, abort, flash, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import BooleanField, IntegerField, SelectField, StringField
from wtforms.validators import NumberRange, Optional

from billing import deeds as do
from billing.contract_facts import BilledAs, Level, Origin, Status
from billing.contracts import possible_deeds
from billing.deeds import Deed
from billing.errors import BillingError
from billing.store.contract_page import ContractPage
from billing.store.customers import load_addresses
from billing.store.deeds import hold_contract
from control_plane.access.permissions import Permission
from control_plane.contract_deeds import (
    DeedRefusedError,
    Preview,
    carry_out,
    day_of,
    end_deeds,
    lift_deed,
    look_at,
    preview,
)
from control_plane.store.plan import load_plan_ids, load_profiles
from radius_hooks.policy_records import PolicyStep
from web.acting import person, transaction
from web.database import Connection
from web.forms import (
    DayField,
    PageForm,
    changed_meanwhile,
    choices_of,
    do_once,
    fingerprint,
    read_form,
    refuse,
    status_of,
    was_sent,
)
from web.language import day_shown, gettext, lazy, moment_shown, zone
from web.marks import allowed
from web.money_words import error_words
from web.security import FIELD
from web.staff import contract_words as words
from web.staff.account_words import step_words
from web.staff.contracts import known_page
from web.staff.customer_words import LEVELS, STATUSES
from web.surroundings import here

pages = Blueprint("contract_deeds", __name__)
Answer = str | Response | tuple[str, int]
_WHEN: Final = {
    "now": lazy("Now"),
    "next_boundary": lazy("When the running period is over"),
    "date": lazy("On a day"),
}


class DeedForm(PageForm):
    """All that any deed asks; each shows what it needs."""

    on = DayField(lazy("From which day on"), [Optional()])
    valid_until = DayField(lazy("Last day to accept it on"), [Optional()])
    signed_on = DayField(lazy("Signed on"), [Optional()])
    review_on = DayField(lazy("Looked at again on"), [Optional()])
    plan = SelectField(lazy("Plan"), validate_choice=False)
    when = SelectField(lazy("When"), choices=choices_of(_WHEN), default="now", validate_choice=False)
    waiting = SelectField(lazy("Which change"), validate_choice=False)
    months = IntegerField(lazy("Months of a period"), [Optional(), NumberRange(1, 12)])
    day = IntegerField(lazy("Day of the month"), [Optional(), NumberRange(1, 31)])
    restart = BooleanField(lazy("Counted anew from that day"))
    address = SelectField(lazy("Place"), validate_choice=False)
    level = SelectField(lazy("How far"), choices=choices_of(LEVELS), validate_choice=False)
    origin = SelectField(lazy("Because of"), choices=choices_of(words.ORIGINS), default="admin", validate_choice=False)
    billing = SelectField(lazy("How its days are billed"), choices=choices_of(words.BILLED), validate_choice=False)
    start = DayField(lazy("First day without service"), [Optional()])
    until = DayField(lazy("First day with service again"), [Optional()])
    no_fee = BooleanField(lazy("Without the fee of a pause"))
    waive_notice = BooleanField(lazy("Without the notice that was agreed"))
    at_no_cost = BooleanField(lazy("We end it: leaving early costs nothing"))
    reason = StringField(lazy("Why"))


_ASKS: Final[dict[str, tuple[str, ...]]] = {
    "propose": ("valid_until",),
    "accept": ("signed_on",),
    "activate": ("on",),
    "make-free": ("on", "review_on"),
    "make-billable": ("on",),
    "change-plan": ("plan", "when", "on"),
    "keep-plan": ("waiting",),
    "change-period": ("on", "months", "day", "restart"),
    "move": ("address", "on"),
    "restrict": ("level", "origin", "billing"),
    "lift": ("origin",),
    "pause": ("start", "until", "billing", "no_fee"),
    "end": ("on", "waive_notice", "at_no_cost"),
    "reopen": ("on",),
}
_NEEDS: Final = {
    "make-free": ("review_on", "reason"),
    "pause": ("until",),
    "restrict": ("reason",),
    "lift": ("reason",),
    "change-plan": ("plan",),
    "keep-plan": ("waiting",),
    "move": ("address",),
}
_PLAIN: Final[dict[str, Deed]] = {
    "refuse": do.Refuse(),
    "expire": do.Expire(),
    "cancel": do.Cancel(),
    "end-trial": do.EndTrial(),
    "keep": do.WithdrawEnd(),
    "reach-end": do.ReachEnd(),
    "withdraw": do.Withdraw(),
}


@pages.route("/contracts/<int:number>/do/<name>", methods=["GET", "POST"])
@allowed(Permission.CONTRACT_CHANGE)
def act(number: int, name: str) -> Answer:
    """Ask what a deed needs, show what it would bill and do to the network, and do it once that was confirmed."""
    if name not in words.DEEDS:
        abort(404)
    form = read_form(DeedForm)
    with transaction() as connection:
        page = known_page(connection, number)
        if name not in possible_deeds(Status(page.contract.status)) and request.method == "GET":
            abort(409, str(words.REFUSALS[do.Reason.STATUS]))
        _offer(connection, form, page, name)
    if was_sent(form) and _whole(form, name):
        if request.form.get("confirmed"):
            done = _do(form, number, name)
            if done is not None:
                return done
        shown = _preview(form, number, name)
        if shown is not None:
            return _confirm(form, page, name, shown), status_of(form)
    text = render_template(
        "staff/contracts/deed.html",
        form=form,
        one=page.contract,
        name=name,
        words=words.DEEDS[name],
        asks=(*_ASKS.get(name, ()), "reason"),
    )
    return text, status_of(form)


def _offer(connection: Connection, form: DeedForm, page: ContractPage, name: str) -> None:
    """The choices that the deed has."""
    form.plan.choices = choices_of({str(number): name for name, number in load_plan_ids(connection).items()})
    form.waiting.choices = choices_of(
        {
            one["effective_on"].isoformat(): gettext(
                "Plan %(name)s from %(day)s", name=one["plan"], day=day_shown(one["effective_on"])
            )
            for one in page.plan_changes
        }
    )
    if form.waiting.data is None:
        form.waiting.data = request.args.get("waiting")
    there = load_addresses(connection, page.contract.customer_id)
    form.address.choices = choices_of(
        {str(one.id): f"{one.street} {one.house_number or ''}, {one.city}" for one in there}
    )
    if name == "pause":
        form.billing.choices = choices_of({key: words.BILLED[key] for key in ("credit_days", "bill")})


def _whole(form: DeedForm, name: str) -> bool:
    """Whether all that the deed needs was said, of what there is to choose."""
    fine = True
    for field in _NEEDS.get(name, ()):
        if not form[field].data:
            refuse(form, field, gettext("This is needed."))
            fine = False
    for field in ("plan", "waiting", "when", "address", "level", "origin", "billing"):
        asked = field in _ASKS.get(name, ())
        if asked and form[field].data not in {one.value for one in form[field].choices}:
            refuse(form, field, gettext("%(value)s is no choice here.", value=str(form[field].data)[:40]))
            fine = False
    if name == "change-plan" and form.when.data == "date" and form.on.data is None:
        refuse(form, "on", gettext("This is needed."))
        fine = False
    if name == "change-period" and not (form.months.data or form.day.data or form.restart.data):
        refuse(form, "months", gettext("Say what changes."))
        fine = False
    return fine


def _deeds(form: Any, name: str, today: date) -> tuple[Deed, ...]:
    """What was asked for, as the contract takes it."""
    if name in _PLAIN:
        return (_PLAIN[name],)
    if name == "end":
        on = form.on.data or today
        return end_deeds(on, today, waive_notice=form.waive_notice.data, at_no_cost=form.at_no_cost.data)
    return (_MADE[name](form, form.on.data or today),)


def _plan_change(form: Any, _: date) -> Deed:
    at = do.ChangeAt(form.when.data)
    return do.ChangePlan(int(form.plan.data), at, form.on.data if at is do.ChangeAt.DATE else None)


def _pause(form: Any, today: date) -> Deed:
    start, billing = form.start.data or today, BilledAs(form.billing.data)
    return do.Pause(start, form.until.data, billing, form.no_fee.data)


# What is made of a form and the day from which it counts.
_MADE: Final[dict[str, Callable[[Any, date], Deed]]] = {
    "propose": lambda form, _: do.Propose(form.valid_until.data),
    "accept": lambda form, _: do.Accept(form.signed_on.data, None if form.signed_on.data else person().name),
    "activate": lambda _, on: do.Activate(on),
    "make-free": lambda form, on: do.MakeFree(on, form.reason.data, form.review_on.data),
    "make-billable": lambda _, on: do.MakeBillable(on),
    "change-plan": _plan_change,
    "keep-plan": lambda form, _: do.KeepPlan(date.fromisoformat(form.waiting.data)),
    "change-period": lambda form, on: do.ChangeCycle(on, form.months.data, form.day.data, form.restart.data),
    "move": lambda form, on: do.MoveAddress(int(form.address.data), on),
    "restrict": lambda form, _: do.Restrict(
        Origin(form.origin.data), Level(form.level.data), BilledAs(form.billing.data)
    ),
    "lift": lambda form, _: lift_deed(Origin(form.origin.data)),
    "pause": _pause,
    "reopen": lambda _, on: do.Reopen(on),
}


def _refused(form: DeedForm, error: BillingError) -> None:
    if isinstance(error, DeedRefusedError):
        refuse(form, "", str(words.REFUSALS[error.refused.reason]))
    else:
        refuse(form, "", error_words(error))


def _preview(form: DeedForm, number: int, name: str) -> Preview | None:
    """What would come of it, of which nothing is kept; None when it is refused, which the form then says."""
    with transaction() as connection:
        try:
            today, billing_zone = day_of(connection, number, usual_zone=here().settings.operator.billing_zone)
            return preview(
                connection,
                number,
                _deeds(form, name, today),
                today=today,
                zone=billing_zone,
                network_zone=zone(),
                reason=form.reason.data or "",
                actor=person().name,
            )
        except BillingError as error:
            _refused(form, error)
            return None
        finally:
            connection.rollback()


class _ChangedError(Exception):
    """What was confirmed is not what would be done."""


def _do(form: DeedForm, number: int, name: str) -> Response | None:
    """Do it, once; None when it is refused or somebody has changed the contract since the preview, which the form says."""

    def do_it(connection: Connection) -> str:
        hold_contract(connection, number)
        if changed_meanwhile(form, look_at(connection, number, zone=zone()).page):
            raise _ChangedError
        today, billing_zone = day_of(connection, number, usual_zone=here().settings.operator.billing_zone)
        carry_out(
            connection,
            number,
            _deeds(form, name, today),
            today=today,
            zone=billing_zone,
            reason=form.reason.data or "",
            actor=person().name,
        )
        flash(gettext("Done: %(deed)s.", deed=str(words.DEEDS[name][0])))
        return url_for("contracts.show", number=number)

    try:
        return do_once(do_it)
    except _ChangedError:
        pass
    except BillingError as error:
        _refused(form, error)
    return None


def _confirm(form: DeedForm, page: ContractPage, name: str, shown: Preview) -> str:
    label, means, tone = words.DEEDS[name]
    form.seen.data = fingerprint(shown.before.page)
    with transaction() as connection:
        profiles = {one.id: one for one in load_profiles(connection)}
    typed = {key: values for key, values in request.form.lists() if key not in (FIELD, "once_key", "seen", "confirmed")}
    reason = typed.pop("reason", [""])
    return render_template(
        "staff/contracts/confirm.html",
        form=_Sure(form),
        question=f"{label}: {gettext('contract %(number)s', number=page.contract.id)}",
        does=[means],
        button=label,
        tone=tone,
        back=url_for("contracts.show", number=page.contract.id),
        fields={**typed, "reason": reason},
        shown=shown,
        page=shown.after.page,
        words=words,
        statuses=STATUSES,
        network={name: _steps(steps, profiles) for name, steps in shown.after.network.items()},
        same_network=shown.before.network == shown.after.network,
    )


class _Sure:
    """A form as a confirmation shows it: without its fields, which go along hidden."""

    def __init__(self, form: DeedForm) -> None:
        self.once_key, self.seen, self.errors, self.form_errors = (
            form.once_key,
            form.seen,
            form.errors,
            form.form_errors,
        )


def _steps(steps: tuple[PolicyStep, ...], profiles: Any) -> list[tuple[str, str]]:
    """What an account gets and since when, in words."""
    since, said = gettext("Now"), []
    for step in steps:
        level, profile = step_words(step, profiles)
        said.append((since, f"{level}, {profile}" if profile else level))
        try:
            since = moment_shown(datetime.fromtimestamp(step.until, UTC))
        except (OverflowError, ValueError, OSError):
            break
    return said
