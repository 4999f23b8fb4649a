"""Policies of dunning: the versions, and an editor that first says what a version would do tonight beside the present one."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from flask import Blueprint, abort, render_template, request
from werkzeug.wrappers import Response
from wtforms import StringField, TextAreaField
from wtforms.validators import InputRequired, Length

from billing.dunning.policy import Policy
from billing.dunning.policy_data import default_text, read_policy
from billing.dunning.policy_errors import PolicyError
from billing.dunning.policy_text import policy_text
from billing.runs.dunning_forecast import COUNTED as COUNTED_NAMES
from billing.runs.dunning_forecast import CutToCome
from billing.runs.dunning_simulation import simulate
from billing.store.catalogue import load_products
from billing.store.dunning_policies import (
    IssuerPolicies,
    KnownVersion,
    count_limited,
    hold_policies,
    load_policies,
    load_versions,
    save_version,
)
from control_plane.access.permissions import Permission
from control_plane.dunning_policies import WrittenPolicy, held_above, known_methods, read_written
from control_plane.store.guard import guard_rules
from control_plane.store.plan import load_profiles
from web.acting import person, transaction
from web.confirming import is_confirmed
from web.database import Connection
from web.dunning_words import ACTIONS, COUNTED, LEVELS, step_words
from web.forms import (
    REQUIRED,
    DayField,
    PageForm,
    changed_meanwhile,
    do_once,
    fingerprint,
    read_form,
    refuse,
    status_of,
    was_sent,
)
from web.issuing import Books, books_of
from web.language import gettext, lazy
from web.marks import allowed
from web.message_words import CHANNELS
from web.money_words import part_of
from web.navigation import Entry
from web.staff.dunning import names_of
from web.staff.dunning_policy_form import (
    StepsForm,
    change_steps,
    field_of,
    fill_choices,
    name_steps,
    shown_values,
    written_data,
)
from web.surroundings import here

pages = Blueprint("dunning_policies", __name__)
ENTRIES: Final = (Entry("dunning", lazy("Policies"), "dunning_policies.show", Permission.DUNNING_SEE, order=70),)
_DAYS: Final = 30
# Debtors over whom the days to come are worked out while somebody waits for the page.
_MOST_NAMED: Final = 200
_LONGEST: Final = 40_000
_PLACE: Final = re.compile(r"at line (\d+), column (\d+)")
Answer = Response | tuple[str, int] | str


class PolicyForm(PageForm):
    """A version as text, from which day on and why."""

    text = TextAreaField(lazy("Policy"), [InputRequired(REQUIRED), Length(max=_LONGEST)])
    since = DayField(lazy("From"), [InputRequired(REQUIRED)])
    reason = StringField(lazy("Reason"), [InputRequired(REQUIRED), Length(max=300)])


class OffForm(PageForm):
    """Why a policy is switched off."""

    reason = StringField(lazy("Reason"), [InputRequired(REQUIRED), Length(max=300)])


@pages.get("/dunning/policies")
@allowed(Permission.DUNNING_SEE)
def show() -> str:
    """All versions of an issuer's policies, the newest first, with the steps of each one that holds."""
    with transaction() as connection:
        books = books_of(connection)
        versions = load_versions(connection, books.issuer.id)
        limited = count_limited(connection, books.issuer.id)
    newest = _newest(versions)
    return render_template(
        "staff/dunning/policies.html",
        versions=sorted(versions, key=lambda one: (one.name, -one.version)),
        newest=newest,
        limited=limited,
        books=books,
        actions=ACTIONS,
        channels=CHANNELS,
        step_words=step_words,
    )


@dataclass(frozen=True, slots=True)
class Desk:
    """What a version is written over: the issuer's books, and the newest version of that policy, else what the law wants.

    `policy`: what it says; None where it can't be read any more, and its text alone can be mended.
    """

    books: Books
    policies: IssuerPolicies
    seen: tuple[str, int] | None
    text: str
    policy: Policy | None

    @property
    def currency(self) -> str:
        """The issuer's."""
        return self.books.issuer.currency


@pages.route("/dunning/policies/edit", methods=["GET", "POST"])
@allowed(Permission.DUNNING_CHANGE)
def edit() -> Answer:
    """A version to be written: `?name=` begins with the newest of that policy; `?as=text` is its text instead of the form."""
    with transaction() as connection:
        desk = _desk(connection)
        books, policies = desk.books, desk.policies
        form = _form(connection, desk)
        if request.method == "POST" and "change" in request.form:
            change_steps(form, request.form["change"])
            _fill(connection, desk, form)
            return _page(desk, form, "", {})
        text = ""
        shown: dict[str, Any] = {}
        if was_sent(form):
            text = _text_of(form, desk)
            read = _read(connection, form, text, policies)
            if read is not None:
                shown = _simulated(connection, books, policies, read)
    # What is saved is what was shown: another text is shown first.
    if shown and is_confirmed() and request.form.get("shown") == fingerprint(text):

        def saved(connection: Connection) -> str:
            hold_policies(connection, books.issuer.id)
            latest = _newest(load_versions(connection, books.issuer.id)).get(request.args.get("name", ""))
            if changed_meanwhile(form, None if latest is None else (latest.name, latest.version)):
                raise _ChangedError
            _save(connection, form, books, shown["written"])
            return "/dunning/policies"

        try:
            return do_once(saved)
        except _ChangedError:
            pass
    return _page(desk, form, text, shown)


@pages.route("/dunning/policies/off", methods=["GET", "POST"])
@allowed(Permission.DUNNING_CHANGE)
def off() -> Answer:
    """Switch a policy off from today on: what it limited is opened by the next pass."""
    form: OffForm = read_form(OffForm)
    name = request.args.get("name", "")
    with transaction() as connection:
        books = books_of(connection)
        there = _newest(load_versions(connection, books.issuer.id)).get(name)
        if there is None or there.data is None:
            abort(404)
        contracts, customers = count_limited(connection, books.issuer.id)
    if was_sent(form) and is_confirmed():

        def switched(connection: Connection) -> str:
            save_version(
                connection,
                books.issuer.id,
                None,
                name=name,
                since=books.today,
                reason=form.reason.data,
                by=person().name,
            )
            return "/dunning/policies"

        return do_once(switched)
    does = [
        gettext("Its steps stop from today on."),
        gettext(
            "Limited now for debts: contracts %(contracts)s, customers %(customers)s. What it limited is opened by the next pass, paid or not.",
            contracts=contracts,
            customers=customers,
        ),
    ]
    page = render_template(
        "confirm.html",
        form=form,
        question=gettext("Switch %(name)s off?", name=name),
        does=does,
        button=gettext("Switch it off"),
        back="/dunning/policies",
        fields={},
    )
    return page, status_of(form)


def _desk(connection: Connection) -> Desk:
    books = books_of(connection)
    policies = load_policies(connection)[books.issuer.id]
    there = _newest(load_versions(connection, books.issuer.id)).get(request.args.get("name", ""))
    told = None if there is None else there.data
    text = default_text(policies.place) if told is None else policy_text(told)
    read = read_policy(tomllib.loads(text), policies.place, since=books.today, checked=False)
    return Desk(
        books,
        policies,
        None if there is None else (there.name, there.version),
        text,
        None if isinstance(read, tuple) else read,
    )


def _form(connection: Connection, desk: Desk) -> Any:
    """The steps in rows, or the text where that is asked for or nothing else can be shown."""
    form: Any
    if request.args.get("as") == "text" or desk.policy is None:
        form = read_form(PolicyForm, text=desk.text, since=desk.books.today)
    else:
        form = read_form(StepsForm, **shown_values(desk.policy, desk.currency), since=desk.books.today)
        _fill(connection, desk, form)
    if request.method == "GET":
        form.seen.data = fingerprint(desk.seen)
    return form


def _fill(connection: Connection, desk: Desk, form: StepsForm) -> None:
    fees = (one.name for one in load_products(connection, day=desk.books.today) if one.kind == "one_off")
    fill_choices(
        form,
        currency=desk.currency,
        methods=sorted(known_methods(connection, issuer_id=desk.books.issuer.id)),
        profiles=[one.name for one in load_profiles(connection)],
        fees=fees,
    )


def _text_of(form: PolicyForm | StepsForm, desk: Desk) -> str:
    if isinstance(form, StepsForm):
        name_steps(form)
        return policy_text(written_data(form, desk.policy))
    return form.text.data or ""


def _page(desk: Desk, form: PolicyForm | StepsForm, text: str, shown: dict[str, Any]) -> Answer:
    """`text`: what was looked at, and is what may be saved."""
    in_rows = isinstance(form, StepsForm)
    return render_template(
        "staff/dunning/policy_steps.html" if in_rows else "staff/dunning/policy.html",
        form=form,
        shown=shown,
        mark=fingerprint(text),
        books=desk.books,
        name=request.args.get("name", ""),
        in_rows=in_rows,
        readable=desk.policy is not None,
        step_words=step_words,
        counted=[(name, COUNTED[name]) for name in COUNTED_NAMES],
        levels=LEVELS,
        days=_DAYS,
    ), status_of(form)


class _ChangedError(Exception):
    """Somebody else saved a version meanwhile; the form says so."""


def _save(connection: Connection, form: PolicyForm | StepsForm, books: Books, read: WrittenPolicy) -> None:
    since, reason = form.since.data or books.today, form.reason.data or ""
    save_version(
        connection, books.issuer.id, read.data, name=read.policy.name, since=since, reason=reason, by=person().name
    )


def _newest(versions: Iterable[KnownVersion]) -> dict[str, KnownVersion]:
    return {one.name: one for one in sorted(versions, key=lambda one: one.version)}


def _read(
    connection: Connection, form: PolicyForm | StepsForm, text: str, policies: IssuerPolicies
) -> WrittenPolicy | None:
    """The policy of the text, or None with all that is wrong with it beside the fields."""
    try:
        read = read_written(connection, text, policies, since=form.since.data or date.max)
    except tomllib.TOMLDecodeError as error:
        refuse(form, "text", gettext("This is no TOML: %(problem)s", problem=_unread_words(error)))
        return None
    if isinstance(read, WrittenPolicy):
        return read
    for fault in read:
        _refuse(form, fault)
    return None


def _refuse(form: PolicyForm | StepsForm, fault: PolicyError) -> None:
    if not isinstance(form, StepsForm):
        refuse(form, "text", _fault_words(fault))
        return
    field = field_of(form, fault.step, fault.field)
    if field is None:
        refuse(form, "", _fault_words(fault))
        return
    field.errors = [*field.errors, str(part_of(fault.why))]
    if fault.step is not None and not form.form_errors:
        # A row was found right by itself before the rules looked at the whole.
        refuse(form, "", gettext("What is wrong stands beside the fields."))


def _unread_words(error: tomllib.TOMLDecodeError) -> str:
    """Where the text can't be read on; what the reader of TOML says of it is English."""
    place = _PLACE.search(str(error))
    if place is None:
        return gettext("something is not closed at its end, or a name stands there twice")
    return gettext("line %(line)s, column %(column)s can't be read", line=place[1], column=place[2])


def _fault_words(fault: PolicyError) -> str:
    why = part_of(fault.why)
    if fault.step is None:
        return f"{fault.field}: {why}"
    return gettext("Step %(step)s, %(field)s: %(why)s", step=fault.step, field=fault.field, why=why)


def _simulated(connection: Connection, books: Books, policies: IssuerPolicies, read: WrittenPolicy) -> dict[str, Any]:
    """What the version would do tonight and in the days to come, beside what holds now."""
    found = simulate(connection, policies, read.policy, books.now, days=_DAYS)
    named = (*found.more[:_MOST_NAMED], *found.spared[:_MOST_NAMED])
    names = names_of(connection, (one.account.customer_id for one in named))
    return {
        "policy": read.policy,
        "written": read,
        "tonight": found.tonight,
        "most": held_above(connection, guard_rules(here().settings), found.tonight[1], now=books.now),
        "more": _rows(found.more, names),
        "spared": _rows(found.spared, names),
        "totals": found.totals,
        "limited": found.limited,
        "customers": found.customers,
    }


def _rows(cuts: Sequence[CutToCome], names: dict[int, str]) -> list[dict[str, Any]]:
    return [
        {
            "customer_id": one.account.customer_id,
            "customer": names.get(one.account.customer_id, str(one.account.customer_id)),
            "contract_id": one.cut.contract_id,
            "level": one.cut.level,
            "debt": one.cut.evaluation.debt.amount,
        }
        for one in cuts[:_MOST_NAMED]
    ]
