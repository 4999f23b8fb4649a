"""A promotion given to one contract or taken back from it, once it is shown what that makes of the next bill.

Next: ../../control_plane/contract_discounts.py
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response
from wtforms import SelectField
from wtforms.validators import InputRequired

from billing.payments import NotDone
from billing.store.deeds import hold_contract
from control_plane.access.permissions import Permission
from control_plane.contract_deeds import day_of
from control_plane.contract_discounts import (
    Discounted,
    give_promotion,
    load_givable,
    look_at_bill,
    take_promotion,
)
from web.acting import person, transaction
from web.confirming import confirm_page, is_confirmed, rehearsal
from web.database import Connection
from web.forms import (
    REQUIRED,
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
from web.language import day_shown, gettext, lazy, money_shown
from web.marks import allowed
from web.money_words import words_of
from web.staff.contracts import known_page
from web.surroundings import here

pages = Blueprint("contract_discounts", __name__)
Answer = Response | tuple[str, int] | str
Deed = Callable[[Connection], NotDone | None]


class GiveForm(PageForm):
    """Which promotion, and from when on."""

    promotion = SelectField(lazy("Promotion"))
    since = DayField(lazy("Not before"), [InputRequired(REQUIRED)])


class _RefusedError(Exception):
    """Nothing was written; the form says why."""


@pages.route("/contracts/<int:number>/promotions/give", methods=["GET", "POST"])
@allowed(Permission.CONTRACT_CHANGE)
def give(number: int) -> Answer:
    """Give a promotion to this contract alone."""
    with transaction() as connection:
        page = known_page(connection, number)
        today, _ = day_of(connection, number, usual_zone=here().settings.operator.billing_zone)
        form = read_form(GiveForm, since=today)
        # Sent a second time it is one that the contract has by now.
        shown = page if request.method == "GET" else None
        offered = {str(one.id): one.name for one in load_givable(connection, today=today, page=shown)}
        form.promotion.choices = choices_of(offered)
    if was_sent(form):
        chosen, since = int(form.promotion.data), form.since.data

        def deed(connection: Connection) -> NotDone | None:
            return give_promotion(connection, number, chosen, since=since, today=today, actor=person().name)

        name = offered[form.promotion.data]
        question = gettext("Give %(name)s to contract %(number)s?", name=name, number=number)
        answer = _confirmed(form, number, deed, question, button=gettext("Give it"), tone="primary")
        if answer is not None:
            return answer
    return render_template("staff/contracts/promotion.html", form=form, one=page.contract), status_of(form)


@pages.route("/contracts/<int:number>/promotions/<int:promotion>/take", methods=["GET", "POST"])
@allowed(Permission.CONTRACT_CHANGE)
def take(number: int, promotion: int) -> Answer:
    """Take a promotion back from this contract, which no charge has counted."""
    with transaction() as connection:
        page = known_page(connection, number)
    mine = next((one for one in page.discounts if one["promotion_id"] == promotion), None)
    if mine is None and request.method == "GET":
        raise NotFound
    form = read_form(PageForm)
    was_sent(form)

    def deed(connection: Connection) -> NotDone | None:
        return take_promotion(connection, number, promotion, actor=person().name)

    name = "" if mine is None else mine["reason"]
    question = gettext("Take %(name)s back from contract %(number)s?", name=name, number=number)
    answer = _confirmed(form, number, deed, question, button=gettext("Take it back"))
    if answer is not None:
        return answer
    back = url_for("contracts.show", number=number)
    return confirm_page(form, question, [], button=gettext("Take it back"), back=back), status_of(form)


def _confirmed(
    form: Any, number: int, deed: Deed, question: str, *, button: str, tone: str = "danger"
) -> Answer | None:
    """The page with the next bill before and after, or where the deed leads; None where it was refused, which the form says."""
    back = url_for("contracts.show", number=number)

    def done(connection: Connection) -> str:
        hold_contract(connection, number)
        if changed_meanwhile(form, known_page(connection, number)):
            raise _RefusedError
        if (refused := deed(connection)) is not None:
            refuse(form, "", words_of(refused))
            raise _RefusedError
        return back

    if is_confirmed():
        try:
            return do_once(done)
        except _RefusedError:
            pass
    with rehearsal() as connection:
        today, _ = day_of(connection, number, usual_zone=here().settings.operator.billing_zone)
        before = look_at_bill(connection, number, today=today)
        if (refused := deed(connection)) is not None:
            if not form.form_errors:
                refuse(form, "", words_of(refused))
            return None
        after = look_at_bill(connection, number, today=today)
    form.seen.data = fingerprint(before.page)
    page = confirm_page(form, question, _does(before, after), button=button, back=back, tone=tone)
    return page, status_of(form)


def _does(before: Discounted, after: Discounted) -> list[str]:
    said = []
    for one in after.page.discounts:
        if one not in before.page.discounts:
            until = day_shown(one["end"]) if one["end"] else gettext("for ever")
            said.append(
                gettext("%(name)s from %(since)s until %(until)s.", name=one["reason"], since=day_shown(one["start"]), until=until)
            )  # fmt: skip
    if after.on is None:
        return [*said, gettext("Nothing of this contract is billed now.")]
    sums = [", ".join(map(money_shown, one.gross)) or "0" for one in (before, after)]
    bill = gettext(
        "Next bill, of %(day)s: %(before)s → %(after)s with tax, if nothing else comes.",
        day=day_shown(after.on),
        before=sums[0],
        after=sums[1],
    )
    return [*said, bill]
