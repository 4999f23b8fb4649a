"""A dunning policy as a form: its steps a row each, and whom, when and how. What is sent becomes the text that the rules read.

Nothing is judged here: a form is read into a policy's data, and what the rules say of a field is put beside it.

Next: dunning_policies.py
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import time
from itertools import count
from typing import Any, Final

from wtforms import (
    BooleanField,
    FieldList,
    Form,
    FormField,
    IntegerField,
    SelectField,
    SelectMultipleField,
    StringField,
)
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired, Length, Optional

from billing.dunning.guard import Hours
from billing.dunning.policy import Action, CountedFrom, Policy, Step, amount_in
from billing.dunning.policy_data import WEEKDAYS
from billing.money import Money
from web.dunning_words import ACTIONS, CONTRACTS, COUNTED_FROM, WEEKDAY_WORDS
from web.forms import REQUIRED, DayField, MoneyField, PageForm, choices_of
from web.language import lazy
from web.message_words import CHANNELS, kind_words
from web.staff.customer_words import KINDS

MOST_STEPS: Final = 40
# Kinds of messages that tell a debt; an ISP's own stand beside them once a step names them.
_TELLING: Final = ("due_soon", "overdue", "formal_notice", "cut_announced", "throttled", "walled", "blocked")
_BY: Final = ("email", "letter", "registered_letter", "certified_mail", "sms")
# Fields of the rules that are called otherwise here.
_CALLED: Final = {
    "scope.customer_kinds": "customer_kinds",
    "scope.methods": "methods",
    "scope.profiles": "profiles",
    "shorter_notice": "shorter_days",
    "shorter_notice.days": "shorter_days",
    "shorter_notice.reason": "shorter_reason",
}
_WHOLE: Final = (Optional(),)


class StepForm(Form):  # type: ignore[misc]  # WTForms carries no types
    """A step of a policy."""

    Meta = PageForm.Meta

    offset_days = IntegerField(lazy("Days"), [InputRequired(REQUIRED)])
    counted_from = SelectField(lazy("Counted from"), choices=choices_of(COUNTED_FROM), default=CountedFrom.DUE.value)
    action = SelectField(lazy("What is done"), choices=choices_of(ACTIONS), default=Action.NOTIFY.value)
    channel = SelectField(lazy("Told by"), default="")
    template = SelectField(lazy("What is said"), default="")
    code = StringField(lazy("Name of the step"), [Length(max=40)])
    is_formal = BooleanField(lazy("This is the formal notice"))
    confirm = BooleanField(lazy("A person lets it go"))
    min_debt = MoneyField(lazy("Only above a debt of"), _WHOLE)
    min_documents = IntegerField(lazy("Only from so many overdue"), _WHOLE)
    needs_notice_days = IntegerField(lazy("Days after the formal notice"), _WHOLE)
    fee_product = SelectField(lazy("Fee"), default="")


class StepsForm(PageForm):
    """A version of a policy, from which day on and why."""

    name = StringField(lazy("Name"), [InputRequired(REQUIRED), Length(max=100)])
    steps = FieldList(FormField(StepForm), max_entries=MOST_STEPS)
    contracts = SelectField(lazy("Which contracts are limited"), choices=choices_of(CONTRACTS))
    min_debt = MoneyField(lazy("Debts up to this are let be"), _WHOLE)
    customer_kinds = SelectMultipleField(lazy("Kinds of customers"), choices=choices_of(KINDS))
    methods = SelectMultipleField(lazy("Ways of paying"))
    profiles = SelectMultipleField(lazy("Profiles"))
    hours = StringField(lazy("Hours"), [Length(max=200)])
    weekdays = SelectMultipleField(lazy("Closed on"), choices=choices_of(WEEKDAY_WORDS))
    holidays = BooleanField(lazy("Public holidays are closed"))
    region = StringField(lazy("Region of the holidays"), [Length(max=20)])
    easter_monday = BooleanField(lazy("Easter Monday is closed"))
    eves_of_weekends = BooleanField(lazy("Nothing on the day before a weekend"))
    eves_of_holidays = BooleanField(lazy("Nothing on the day before a holiday"))
    days = StringField(lazy("More closed days"), [Length(max=2000)])
    promise_hours = IntegerField(lazy("A promise lasts, in hours"), [InputRequired(REQUIRED)])
    promise_proof_hours = IntegerField(lazy("With a proof of payment, in hours"), [InputRequired(REQUIRED)])
    promise_per_case = IntegerField(lazy("Promises in a case"), _WHOLE)
    promise_per_month = IntegerField(lazy("Promises in a month"), _WHOLE)
    promise_max_debt = MoneyField(lazy("No promise above a debt of"), _WHOLE)
    promise_refused_days = IntegerField(lazy("Days without one after a broken one"), [InputRequired(REQUIRED)])
    shorter_days = IntegerField(lazy("Fewer days of notice"), _WHOLE)
    shorter_reason = StringField(lazy("On whose advice"), [Length(max=500)])
    since = DayField(lazy("From"), [InputRequired(REQUIRED)])
    reason = StringField(lazy("Reason"), [InputRequired(REQUIRED), Length(max=300)])


def shown_values(policy: Policy, currency: str) -> dict[str, Any]:
    """A policy as the fields of the form have it; amounts of another currency than the issuer's are not in it."""
    closed, promise, shorter = policy.guard.closed, policy.promise, policy.shorter_notice
    return {
        "name": policy.name,
        "steps": [_shown_step(one, currency) for one in policy.steps],
        "contracts": policy.contracts.value,
        "min_debt": _shown(policy.min_debt, currency),
        "customer_kinds": sorted(policy.scope.customer_kinds),
        "methods": sorted(policy.scope.methods),
        "profiles": sorted(policy.scope.profiles),
        "hours": ", ".join(_hours_shown(one) for one in policy.guard.hours),
        "weekdays": [WEEKDAYS[one] for one in sorted(closed.weekdays)],
        "holidays": closed.country is not None,
        "region": closed.region or "",
        "easter_monday": closed.easter_monday,
        "eves_of_weekends": closed.eves_of_weekends,
        "eves_of_holidays": closed.eves_of_holidays,
        "days": ", ".join(one.isoformat() for one in sorted(closed.days)),
        "promise_hours": promise.hours,
        "promise_proof_hours": promise.proof_hours,
        "promise_per_case": promise.per_case,
        "promise_per_month": promise.per_month,
        "promise_max_debt": _shown(promise.max_debt, currency),
        "promise_refused_days": promise.refused_days,
        "shorter_days": None if shorter is None else shorter.days,
        "shorter_reason": "" if shorter is None else shorter.reason,
    }


def fill_choices(
    form: StepsForm, *, currency: str, methods: Iterable[str], profiles: Iterable[str], fees: Iterable[str]
) -> None:
    """What the form may choose from; what a policy names already is among it, whatever became of it."""
    form.methods.choices = _among(methods, form.methods.data)
    form.profiles.choices = _among(profiles, form.profiles.data)
    form.min_debt.currency = form.promise_max_debt.currency = currency
    fees = list(fees)
    for entry in form.steps:
        step = entry.form
        step.min_debt.currency = currency
        step.fee_product.choices = [SelectChoice("", lazy("None")), *_among(fees, [step.fee_product.data or ""])]
        known = [
            SelectChoice(one, kind_words(one)) for one in dict.fromkeys((*_TELLING, step.template.data or "")) if one
        ]
        step.template.choices = [SelectChoice("", lazy("Nothing")), *known]
        step.channel.choices = [
            SelectChoice("", lazy("Nobody")),
            *(
                SelectChoice(one, CHANNELS.get(one, one))
                for one in dict.fromkeys((*_BY, step.channel.data or ""))
                if one
            ),
        ]


def written_data(form: StepsForm, kept: Policy | None) -> dict[str, Any]:
    """The data of the policy that the form says. Amounts of `kept` in other currencies go on as they are."""
    currency = form.min_debt.currency
    steps = {} if kept is None else {one.code: one for one in kept.steps}
    data: dict[str, Any] = {
        "name": form.name.data or "",
        "contracts": form.contracts.data,
        "min_debt": _written(form.min_debt, () if kept is None else kept.min_debt),
        "guard": {
            "hours": _parts(form.hours.data),
            "weekdays": list(form.weekdays.data or ()),
            "holidays": form.holidays.data,
            "region": form.region.data or None,
            "easter_monday": form.easter_monday.data,
            "eves_of_weekends": form.eves_of_weekends.data,
            "eves_of_holidays": form.eves_of_holidays.data,
            "days": _parts(form.days.data),
        },
        "scope": {name: list(form[name].data or ()) for name in ("customer_kinds", "methods", "profiles")},
        "promise": {
            "hours": form.promise_hours.data,
            "proof_hours": form.promise_proof_hours.data,
            "per_case": "none" if form.promise_per_case.data is None else form.promise_per_case.data,
            "per_month": "none" if form.promise_per_month.data is None else form.promise_per_month.data,
            "max_debt": _written(form.promise_max_debt, () if kept is None else kept.promise.max_debt),
            "refused_days": form.promise_refused_days.data,
        },
        "step": [_written_step(entry.form, steps.get(entry.form.code.data or ""), currency) for entry in form.steps],
    }
    if form.shorter_days.data is not None:
        data["shorter_notice"] = {"days": form.shorter_days.data, "reason": form.shorter_reason.data or ""}
    return data


def field_of(form: StepsForm, step: str | None, field: str) -> Any:
    """The field that the rules mean by a step's code or number and a name; None: the form as a whole."""
    if step is None:
        name = _CALLED.get(field) or field.removeprefix("guard.").replace("promise.", "promise_")
        return form[name] if name in form and name != "steps" else None
    for number, entry in enumerate(form.steps, start=1):
        if step in (entry.form.code.data, str(number)):
            return getattr(entry.form, field, None)
    return None


def change_steps(form: StepsForm, wanted: str) -> None:
    """One step more at the end, or that of the number less."""
    entries = list(form.steps.entries)
    if wanted.isascii() and wanted.isdigit():
        kept = [entry.form.data for number, entry in enumerate(entries) if number != int(wanted)]
        while form.steps.entries:
            form.steps.pop_entry()
        for data in kept:
            form.steps.append_entry(data)
    elif len(entries) < MOST_STEPS:
        form.steps.append_entry()


def name_steps(form: StepsForm) -> None:
    """Give each step without a name one that no other has: a case remembers by it which steps it went through."""
    taken = {entry.form.code.data for entry in form.steps}
    for entry in form.steps:
        code = entry.form.code
        if not code.data:
            code.data = next(name for name in _names(entry.form.action.data) if name not in taken)
            taken.add(code.data)


def _names(action: str) -> Iterator[str]:
    yield action
    yield from (f"{action}_{number}" for number in count(2))


def _shown_step(step: Step, currency: str) -> dict[str, Any]:
    return {
        "offset_days": step.offset_days,
        "counted_from": step.counted_from.value,
        "action": step.action.value,
        "channel": "" if step.channel is None else step.channel.value,
        "template": step.template or "",
        "code": step.code,
        "is_formal": step.is_formal,
        "confirm": step.confirm,
        "min_debt": _shown(step.min_debt, currency),
        "min_documents": None if step.min_documents == 1 else step.min_documents,
        "needs_notice_days": step.needs_notice_days,
        "fee_product": step.fee_product or "",
    }


def _written_step(form: Any, kept: Step | None, currency: str) -> dict[str, Any]:
    data: dict[str, Any] = {
        "code": form.code.data or "",
        "offset_days": form.offset_days.data,
        "counted_from": form.counted_from.data,
        "action": form.action.data,
        "channel": form.channel.data or None,
        "template": form.template.data or None,
        "is_formal": form.is_formal.data,
        "confirm": form.confirm.data,
        "min_debt": _written(form.min_debt, () if kept is None else kept.min_debt),
        "min_documents": 1 if form.min_documents.data is None else form.min_documents.data,
        "needs_notice_days": form.needs_notice_days.data,
        "fee_product": form.fee_product.data or None,
    }
    # Nought is said as well as any other number, and equals False.
    return {name: value for name, value in data.items() if value is not None and value is not False and value != {}}


def _shown(amounts: Sequence[Money], currency: str) -> Any:
    found = amount_in(amounts, currency)
    return found.amount if found else None


def _written(field: MoneyField, kept: Sequence[Money]) -> dict[str, str]:
    amounts = {one.currency: str(one.amount) for one in kept}
    if field.data is None:
        amounts.pop(field.currency, None)
    else:
        amounts[field.currency] = f"{field.data:f}"
    return amounts


def _hours_shown(hours: Hours) -> str:
    return "-".join(_clock(one) for one in (hours.begins, hours.ends))


def _clock(moment: time) -> str:
    if moment == time.max:
        return "24:00"
    return moment.isoformat() if moment.second or moment.microsecond else moment.isoformat("minutes")


def _parts(typed: str | None) -> list[str]:
    return [one.strip() for one in (typed or "").split(",") if one.strip()]


def _among(known: Iterable[str], chosen: Iterable[str] | None) -> list[SelectChoice]:
    return [SelectChoice(one, one) for one in dict.fromkeys((*known, *(chosen or ()))) if one]
