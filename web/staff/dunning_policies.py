"""Policies of dunning: the versions, and an editor that first says what a version would do tonight beside the present one."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, Final

from flask import Blueprint, abort, render_template, request
from werkzeug.wrappers import Response
from wtforms import StringField, TextAreaField
from wtforms.validators import InputRequired, Length

from billing.dunning.policy_data import default_text
from billing.dunning.policy_errors import PolicyError
from billing.dunning.policy_text import policy_text
from billing.runs.dunning_forecast import COUNTED as COUNTED_NAMES
from billing.runs.dunning_forecast import CutToCome
from billing.runs.dunning_simulation import simulate
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
from control_plane.dunning_policies import WrittenPolicy, held_above, read_written
from control_plane.store.guard import guard_rules
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
from web.money_words import part_of
from web.navigation import Entry
from web.staff.dunning import names_of
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
        step_words=step_words,
    )


@pages.route("/dunning/policies/edit", methods=["GET", "POST"])
@allowed(Permission.DUNNING_CHANGE)
def edit() -> Answer:
    """A version to be written: `?name=` begins with the newest of that policy, else with what the country's law wants."""
    with transaction() as connection:
        books = books_of(connection)
        policies = load_policies(connection)[books.issuer.id]
        there = _newest(load_versions(connection, books.issuer.id)).get(request.args.get("name", ""))
        text = default_text(policies.place) if there is None or there.data is None else policy_text(there.data)
        form: PolicyForm = read_form(PolicyForm, text=text, since=books.today)
        seen = None if there is None else (there.name, there.version)
        if request.method == "GET":
            form.seen.data = fingerprint(seen)
        shown: dict[str, Any] = {}
        if was_sent(form):
            read = _read(connection, form, policies)
            if read is not None:
                shown = _simulated(connection, books, policies, read)
    # What is saved is what was shown: another text is shown first.
    if shown and is_confirmed() and request.form.get("shown") == fingerprint(form.text.data):

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
    return render_template(
        "staff/dunning/policy.html",
        form=form,
        shown=shown,
        mark=fingerprint(form.text.data),
        books=books,
        name=request.args.get("name", ""),
        counted=[(name, COUNTED[name]) for name in COUNTED_NAMES],
        levels=LEVELS,
        days=_DAYS,
    ), status_of(form)


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


class _ChangedError(Exception):
    """Somebody else saved a version meanwhile; the form says so."""


def _save(connection: Connection, form: PolicyForm, books: Books, read: WrittenPolicy) -> None:
    since, reason = form.since.data or books.today, form.reason.data or ""
    save_version(
        connection, books.issuer.id, read.data, name=read.policy.name, since=since, reason=reason, by=person().name
    )


def _newest(versions: Iterable[KnownVersion]) -> dict[str, KnownVersion]:
    return {one.name: one for one in sorted(versions, key=lambda one: one.version)}


def _read(connection: Connection, form: PolicyForm, policies: IssuerPolicies) -> WrittenPolicy | None:
    """The policy of the text, or None with all that is wrong with it beside the text."""
    try:
        read = read_written(connection, form.text.data or "", policies, since=form.since.data or date.max)
    except tomllib.TOMLDecodeError as error:
        refuse(form, "text", gettext("This is no TOML: %(problem)s", problem=_unread_words(error)))
        return None
    if isinstance(read, WrittenPolicy):
        return read
    for fault in read:
        refuse(form, "text", _fault_words(fault))
    return None


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
