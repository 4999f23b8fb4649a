"""Where a limited line lands: why, how to get back, and ways to pay now. Known by the address that a request comes from.

A telephone asks an address of its maker's whether the Internet is there; in the garden that request comes here and is led to the page,
so that it opens by itself. Telephones that know RFC 8910 ask /garden/api instead. Of the line nothing is told but why it is limited and
what is open: whoever sits at it may read this.

Source: RFC 8908 (the answer of /garden/api), RFC 8910 (how a telephone learns of it).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from flask import Blueprint, Response, g, jsonify, redirect, render_template, request, url_for
from werkzeug.exceptions import Conflict, NotFound
from werkzeug.wrappers import Response as AnyResponse

from billing.store.portal_page import Owed, load_owed
from control_plane.access.portal import actor_of
from control_plane.gateways.paying import account_for_pages, ask_for_page
from control_plane.portal_reasons import Limited, limited_by
from control_plane.store.garden import GardenLine, line_at, owes_since, remind_later
from web.acting import clock, transaction
from web.database import Connection
from web.forms import PageForm, do_once, read_form
from web.language import COOKIE, LANGUAGES, lazy, zone
from web.marks import public
from web.portal.promising import Promised, promise, promise_possible, words_of_refusal
from web.surroundings import here

pages = Blueprint("garden", __name__)
_WHY: Final = "a limited line reads why, and its telephone asks before anybody has signed in"
# Where telephones and computers ask whether the Internet is there: path, and what they read where it is.
_PROBES: Final = {
    "/generate_204": (204, ""),
    "/gen_204": (204, ""),
    "/hotspot-detect.html": (200, "<HTML><HEAD><TITLE>Success</TITLE></HEAD><BODY>Success</BODY></HTML>"),
    "/library/test/success.html": (200, "<HTML><HEAD><TITLE>Success</TITLE></HEAD><BODY>Success</BODY></HTML>"),
    "/connecttest.txt": (200, "Microsoft Connect Test"),
    "/ncsi.txt": (200, "Microsoft NCSI"),
    "/success.txt": (200, "success\n"),
    "/canonical.html": (
        200,
        '<meta http-equiv="refresh" content="0;url=https://support.mozilla.org/kb/captive-portal"/>',
    ),
    "/check_network_status.txt": (200, "NetworkManager is online\n"),
}
# What a page says of each reason: title, why, and how to get back.
_WORDS: Final[dict[Limited, tuple[Any, Any, Any]]] = {
    Limited.OVERDUE: (
        lazy("This line is limited: an invoice is overdue"),
        lazy("Something is still to be paid. Until then only this page and our payment pages open."),
        lazy("Pay online: the line opens by itself within a minute of the payment."),
    ),
    Limited.PAUSED: (
        lazy("This line is paused"),
        lazy("It was paused because you asked for it."),
        lazy("Tell us when it is to go on."),
    ),
    Limited.OFFICE: (
        lazy("This line is limited by our office"),
        lazy("Paying alone does not open it."),
        lazy("Call or write to us: we say what is needed."),
    ),
    Limited.ABUSE: (
        lazy("This line is limited: something harmful came from it"),
        lazy("A device behind this line sent what harms others, often without its owner knowing."),
        lazy("Switch off or clean the device, then tell us: we open the line."),
    ),
    Limited.TECHNICAL: (
        lazy("This line is limited for technical reasons"),
        lazy("We are working on it."),
        lazy("There is nothing that you have to do. If it lasts, call us."),
    ),
    Limited.QUOTA: (
        lazy("The volume of your plan is used up"),
        lazy("The line is slower until the next period begins."),
        lazy("More volume or a larger plan opens it at once: tell us, or ask in the portal."),
    ),
    Limited.ENDED: (
        lazy("The contract of this line has ended"),
        lazy("It gives no service any more."),
        lazy("Call or write to us if you want to stay."),
    ),
    Limited.NOT_YET: (
        lazy("This line is not in service yet"),
        lazy("Its contract has not begun."),
        lazy("Call us if it should have."),
    ),
}


@dataclass(frozen=True, slots=True)
class Visit:
    """A line that came to this page, and why it is limited. `reminded`: it is not, and something is due."""

    line: GardenLine
    limited: Limited | None
    reminded: bool
    now: datetime


@pages.get("/garden")
@public(_WHY)
def show() -> str:
    """Why the line is limited, and how to get back."""
    with transaction() as connection:
        visit = _visit(connection)
        if visit is None:
            return render_template("portal/garden_unknown.html")
        owed = load_owed(connection, visit.line.customer_id) if _may_pay(visit) else []
        able = {one.issuer_id for one in owed if account_for_pages(connection, one.issuer_id) is not None}
        possible = visit.limited is Limited.OVERDUE and promise_possible(connection, owed, visit.line.customer_id)
    return render_template(
        "portal/garden.html",
        words=None if visit.limited is None else _WORDS[visit.limited],
        visit=visit,
        owed=owed,
        today=visit.now.astimezone(zone()).date(),
        able=able,
        promise_possible=possible,
        hours=here().settings.garden.remind_again_hours,
        form=read_form(PageForm),
    )


@pages.get("/garden/still")
@public(_WHY)
def still() -> Response:
    """Nothing while the line is limited, as the open page asks now and then; once it is not, the word to show itself anew."""
    with transaction() as connection:
        visit = _visit(connection)
    is_limited = visit is not None and visit.limited is not None
    return Response(status=204, headers={} if is_limited else {"HX-Refresh": "true"})


@pages.post("/garden/pay/<int:document_id>")
@public(_WHY)
def pay(document_id: int) -> AnyResponse:
    """Have the page made on which an invoice of this line's customer is paid."""

    def ask(connection: Connection) -> str:
        owed = _owed(connection, document_id)
        if owed.page is None:
            ask_for_page(connection, owed.issuer_id, document_id, actor=str(g.actor))
        return url_for("garden.paying", document_id=document_id)

    _known()
    return do_once(ask)


@pages.get("/garden/pay/<int:document_id>")
@public(_WHY)
def paying(document_id: int) -> str | AnyResponse:
    """The way to that page as soon as it is there; who owes nothing of it, as who has paid and goes back, is led to how the line is."""
    with transaction() as connection:
        owed = _found(connection, _demanded(connection), document_id)
        if owed is None:
            return redirect(url_for("garden.show"), 303)
        able = account_for_pages(connection, owed.issuer_id) is not None
    return render_template("portal/garden_paying.html", owed=owed, able=able)


@pages.post("/garden/promise")
@public(_WHY)
def give_promise() -> AnyResponse:
    """Promise to pay what is overdue, within what the operator's policy allows."""

    def do(connection: Connection) -> str:
        visit = _demanded(connection)
        if visit.limited is not Limited.OVERDUE:
            raise NotFound
        given = promise(connection, visit.line.customer_id, now=visit.now)
        if isinstance(given, Promised):
            return url_for("garden.show")
        raise Conflict(words_of_refusal(given))

    _known()
    return do_once(do)


@pages.post("/garden/later")
@public(_WHY)
def later() -> AnyResponse:
    """Be reminded later, where the operator reminds before anything is limited."""

    def do(connection: Connection) -> str:
        visit = _demanded(connection)
        if not visit.reminded:
            raise NotFound
        hours = here().settings.garden.remind_again_hours
        remind_later(connection, visit.line.contract_id, until=visit.now + timedelta(hours=hours))
        return url_for("garden.show")

    _known()
    return do_once(do)


@pages.get("/garden/api")
@public(_WHY)
def captive() -> Response:
    """Whether this line is limited, as telephones ask it."""
    with transaction() as connection:
        visit = _visit(connection)
    is_captive = visit is not None and (visit.limited is not None or visit.reminded)
    said: dict[str, object] = {"captive": is_captive}
    if is_captive:
        said["user-portal-url"] = _page()
    response = jsonify(said)
    response.content_type = "application/captive+json"
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _probe() -> AnyResponse:
    """Lead a limited line's telephone to the page; tell others that the Internet is there."""
    with transaction() as connection:
        visit = _visit(connection)
    if visit is not None and visit.limited is not None:
        return redirect(_page(), 302)
    status, body = _PROBES[request.path]
    return Response(body, status, content_type="text/plain" if request.path.endswith(".txt") else "text/html")


for _path in _PROBES:
    pages.add_url_rule(
        _path, f"probe_{_path.strip('/').replace('/', '_').replace('.', '_').replace('-', '_')}", public(_WHY)(_probe)
    )


def lead_to_garden() -> AnyResponse | None:
    """Lead a limited line here that asked for somebody else's page: its request came to us because the NAS sent it. Asked before all else."""
    own = here().settings.messages.public_url
    asks_for_another = bool(own) and request.method == "GET" and request.host != own.partition("://")[2].strip("/")
    if not asks_for_another or request.endpoint not in (None, "home.begin"):
        return None
    with transaction() as connection:
        visit = _visit(connection)
    return redirect(_page(), 302) if visit is not None and visit.limited is not None else None


def _page() -> str:
    """The page's whole address: what a telephone asked for was on somebody else's host."""
    own = here().settings.messages.public_url.rstrip("/")
    return own + url_for("garden.show") if own else url_for("garden.show", _external=True)


def _visit(connection: Connection) -> Visit | None:
    """Which line this is, from its address; pages are in its customer's language where nobody chose another."""
    now = clock(connection).astimezone(UTC)
    line = line_at(connection, request.remote_addr, now=now)
    if line is None:
        return None
    today = now.astimezone(zone()).date()
    limited = limited_by(
        status=line.status,
        ends_on=line.ends_on,
        origin=line.origin,
        quota_exhausted_until=line.quota_exhausted_until,
        now=now,
        today=today,
    )
    rested = line.later_until is not None and line.later_until > now
    reminded = (
        here().settings.garden.reminds
        and limited is None
        and not rested
        and owes_since(connection, line.customer_id, today=today)
    )
    if COOKIE not in request.cookies and line.language in LANGUAGES:
        g.language = line.language
    return Visit(line, limited, reminded, now)


def _known() -> None:
    """Whose deeds these are, before anything is done. Raises: NotFound for an address that is no line's."""
    with transaction() as connection:
        visit = _demanded(connection)
    g.actor = actor_of(visit.line.customer_id)
    g.caller = f"garden {visit.line.contract_id}"


def _demanded(connection: Connection) -> Visit:
    visit = _visit(connection)
    if visit is None:
        raise NotFound
    return visit


def _may_pay(visit: Visit) -> bool:
    return visit.reminded or visit.limited is Limited.OVERDUE


def _owed(connection: Connection, document_id: int) -> Owed:
    """Raises: NotFound for what is not this line's customer's, and where the line is not limited for it."""
    found = _found(connection, _demanded(connection), document_id)
    if found is None:
        raise NotFound
    return found


def _found(connection: Connection, visit: Visit, document_id: int) -> Owed | None:
    owed = load_owed(connection, visit.line.customer_id) if _may_pay(visit) else []
    return next((one for one in owed if one.document_id == document_id), None)
