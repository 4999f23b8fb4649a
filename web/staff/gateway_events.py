"""What gateways told and what came of it, looked into again by who may; and what they paid out, with what in it is not known here.

Next: einvoices.py
"""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from flask import Blueprint, flash, render_template, request, url_for
from werkzeug.exceptions import BadRequest, NotFound
from werkzeug.wrappers import Response

from billing.store.gateway_lists import load_notices
from billing.store.gateways import load_gateway_accounts, load_payouts
from control_plane.access.permissions import Permission
from control_plane.gateways import office
from web.acting import person, transaction
from web.database import Connection
from web.forms import do_once, new_key
from web.language import gettext, lazy, ngettext
from web.lists import PAGE_ROWS, after, chosen, page_of
from web.marks import allowed

pages = Blueprint("gateway_events", __name__)
_PROBLEMS: Final = {"problems": lazy("With a problem")}
_GREATEST_ID: Final = 2**63 - 1


@pages.get("/gateways/events")
@allowed(Permission.GATEWAY_SEE)
def show_events() -> str:
    """The newest events, or those alone that could not be recorded, or not booked."""
    only, begin = chosen("which", _PROBLEMS), after()
    with transaction() as connection:
        accounts = {one.name: one.id for one in load_gateway_accounts(connection)}
        name = chosen("account", accounts)
        rows = load_notices(
            connection,
            account_id=None if name is None else accounts[name],
            only_problems=only is not None,
            before=int(begin[0]) if begin else None,
            limit=PAGE_ROWS + 1,
        )
    page = page_of(rows, lambda row: (row.id,))
    names = [(one, one) for one in accounts]
    return render_template(
        "staff/gateways/events.html", page=page, names=names, which=list(_PROBLEMS.items()), one_key=new_key
    )


@pages.post("/gateways/events/retry")
@allowed(Permission.GATEWAY_SEE, Permission.GATEWAY_CHANGE)
def retry() -> Response:
    """Have the worker look into one of them now (`event`), or into all that wait and ask again for what was not answered."""
    given = request.form.get("event", "")
    if given and (not given.isdecimal() or int(given) > _GREATEST_ID):
        raise NotFound
    return do_once(lambda connection: _again(connection, int(given) if given else None))


@pages.get("/gateways/payouts")
@allowed(Permission.GATEWAY_SEE)
def show_payouts() -> str:
    """What providers sent to the bank and what they kept, the newest first."""
    begin = after()
    with transaction() as connection:
        accounts = {one.name: one.id for one in load_gateway_accounts(connection)}
        name = chosen("account", accounts)
        account_id = None if name is None else accounts[name]
        rows = load_payouts(connection, account_id=account_id, before=_mark(begin), limit=PAGE_ROWS + 1)
    page = page_of(rows, lambda row: (row.arrives_on, row.id))
    return render_template("staff/gateways/payouts.html", page=page, names=[(one, one) for one in accounts])


def _again(connection: Connection, number: int | None) -> str:
    notices, wanted = office.look_again(connection, None, notice_id=number, by=person().name)
    told = (
        [ngettext("%(num)s event is looked into now.", "%(num)s events are looked into now.", notices)]
        if notices
        else []
    )
    if wanted:
        told += [ngettext("%(num)s page, debit or refund is asked for again.", "%(num)s pages, debits and refunds are asked for again.", wanted)]  # fmt: skip
    flash(" ".join(told) or gettext("Nothing waits."))
    return url_for("gateway_events.show_events")


def _mark(begin: tuple[Any, ...] | None) -> tuple[date, int] | None:
    if begin is None:
        return None
    if len(begin) != 2 or not isinstance(begin[0], date) or not isinstance(begin[1], int):
        raise BadRequest(gettext("This address of a list's page is damaged. Begin with the list's first page."))
    return begin[0], begin[1]
